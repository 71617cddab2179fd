"""A shift is detected, and weighting corrects it: known ratios, known label frequencies. D2L 4.7."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxd2l import metrics
from jaxd2l.book.distribution_shift import (
    covariate_shift_weights,
    fit_domain_classifier,
    label_shift_weights,
    shift_test,
    target_label_distribution,
    weighted_risk,
)

RNG = np.random.default_rng(0)
SOURCE = RNG.normal(0, 1, (2000, 1)).astype(np.float32)
TARGET = RNG.normal(1, 1, (2000, 1)).astype(np.float32)


def test_the_classifier_agrees_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    source = RNG.normal(0, 1, (60, 3)).astype(np.float32) * np.array([1, 10, 0.1], np.float32)
    target = (RNG.normal(0.4, 1, (90, 3)) * np.array([1, 10, 0.1])).astype(np.float32)
    params = fit_domain_classifier(source, target, l2=0.01)
    X = np.concatenate([source, target]).astype(np.float64)
    Z = (X - X.mean(0)) / X.std(0)
    theirs = LogisticRegression(C=1 / (0.01 * len(X)), tol=1e-10).fit(Z, np.arange(len(X)) >= 60)
    np.testing.assert_allclose(X @ params["kernel"] + params["bias"], theirs.decision_function(Z)[:, None], atol=1e-3)


def test_weights_are_the_ratio_of_densities():
    weights = covariate_shift_weights(SOURCE, TARGET)
    true = np.exp(SOURCE[:, 0] - 0.5)  # N(x; 1, 1) / N(x; 0, 1)
    inner = np.abs(SOURCE[:, 0]) < 2
    np.testing.assert_allclose(weights[inner], true[inner], rtol=0.25)


def test_weights_do_not_depend_on_how_many_rows_the_target_has():
    half = covariate_shift_weights(SOURCE, TARGET[::2])
    np.testing.assert_allclose(half, covariate_shift_weights(SOURCE, TARGET), rtol=0.2)
    np.testing.assert_allclose(np.mean(half), 1, atol=0.1)


def test_weighting_undoes_the_shift():
    losses = jnp.asarray(SOURCE[:, 0] ** 2)  # E = 1 in the source, 2 in the target
    assert abs(float(jnp.mean(losses)) - 1) < 0.1
    assert abs(float(weighted_risk(losses, covariate_shift_weights(SOURCE, TARGET))) - 2) < 0.4


@settings(max_examples=10)
@given(clip=st.floats(0.1, 10.0))
def test_clipping_limits_weights_and_changes_no_others(clip):
    free, clipped = covariate_shift_weights(SOURCE, TARGET), covariate_shift_weights(SOURCE, TARGET, clip=clip)
    np.testing.assert_array_equal(clipped, np.minimum(free, np.float32(clip)))


def test_perfectly_separable_samples_give_finite_weights():
    params = fit_domain_classifier(SOURCE, SOURCE + 100)
    assert np.isfinite(params["kernel"]).all()
    assert np.isfinite(covariate_shift_weights(SOURCE, SOURCE + 100)).all()


def test_a_constant_feature_does_no_harm():
    constant = np.ones((2000, 1), np.float32)
    weights = covariate_shift_weights(np.hstack([SOURCE, constant]), np.hstack([TARGET, constant]))
    np.testing.assert_allclose(weights, covariate_shift_weights(SOURCE, TARGET), rtol=1e-3)


@pytest.mark.bad_input
def test_bad_weights_and_samples_are_refused():
    with pytest.raises(ValueError, match=r"shapes \(n, d\) and \(m, d\)"):
        covariate_shift_weights(SOURCE, np.ones((5, 2), np.float32))
    with pytest.raises(ValueError, match=r"target must not be empty, got shape \(0, 1\)"):
        fit_domain_classifier(SOURCE, SOURCE[:0])
    with pytest.raises(ValueError, match="clip must be positive"):
        covariate_shift_weights(SOURCE, TARGET, clip=0.0)
    with pytest.raises(ValueError, match="l2 must be positive"):
        fit_domain_classifier(SOURCE, TARGET, l2=0.0)
    with pytest.raises(ValueError, match=r"weights\[1\] is -1.0, but must be at least 0"):
        weighted_risk(jnp.ones(2), np.array([1.0, -1.0]))
    with pytest.raises(ValueError, match=r"must have the same shape \(n,\)"):
        weighted_risk(jnp.ones(2), np.ones((2, 1)))


@given(q=st.lists(st.floats(0.05, 1.0), min_size=3, max_size=3), seed=st.integers(0, 50))
def test_label_frequencies_are_recovered_exactly_from_exact_confusions(q, seed):
    q = np.array(q) / np.sum(q)
    C = np.random.default_rng(seed).dirichlet(np.ones(3), 3) * 0.4 + 0.6 * np.eye(3)  # rows: true class
    confusion = np.rint(C * 1_000_000).astype(int)
    mu = confusion.T / confusion.sum(1) @ q
    predictions = np.repeat(np.arange(3), np.rint(mu * 100_000).astype(int))
    found = target_label_distribution(confusion, predictions)
    np.testing.assert_allclose(found, q, atol=1e-4)
    labels = np.array([0, 0, 1, 2])
    np.testing.assert_allclose(
        label_shift_weights(confusion, predictions, labels), found[labels] / np.array([0.5, 0.5, 0.25, 0.25])
    )


def test_an_unbalanced_source_gives_frequencies_and_not_ratios():
    """The book's C, as shares of all examples, would give q / p."""
    confusion = np.array([[90, 0], [0, 10]])
    np.testing.assert_allclose(target_label_distribution(confusion, np.array([0, 1])), [0.5, 0.5])


def test_label_shift_end_to_end():
    rng = np.random.default_rng(1)

    def sample(n, share_of_ones):
        labels = (rng.random(n) < share_of_ones).astype(np.int32)
        return rng.normal(2 * labels, 1), labels

    (held_out_x, held_out_y), (x, _) = sample(4000, 0.5), sample(4000, 0.8)
    confusion = metrics.confusion_matrix((held_out_x > 1).astype(np.int32), held_out_y, 2)
    predictions = (x > 1).astype(np.int32)
    assert abs(predictions.mean() - 0.8) > 0.05  # counting predictions is not enough
    np.testing.assert_allclose(target_label_distribution(confusion, predictions), [0.2, 0.8], atol=0.03)


def test_negative_solutions_become_0():
    np.testing.assert_allclose(target_label_distribution(np.array([[8, 2], [2, 8]]), np.ones(5, int)), [0, 1])


@pytest.mark.bad_input
def test_label_shift_without_an_answer_is_refused():
    good = np.array([[8, 2], [1, 9]])
    with pytest.raises(ValueError, match="class 1 has no example"):
        target_label_distribution(np.array([[8, 2], [0, 0]]), np.array([0]))
    with pytest.raises(ValueError, match="no unique solution"):
        target_label_distribution(np.array([[5, 5], [5, 5]]), np.array([0]))
    with pytest.raises(ValueError, match=r"target_predictions\[0\] is 2, but must be a class from 0 to 1"):
        target_label_distribution(good, np.array([2]))
    with pytest.raises(ValueError, match=r"source_labels\[0\] is -1, but must be a class from 0 to 1"):
        label_shift_weights(good, np.array([0]), np.array([-1]))
    with pytest.raises(ValueError, match=r"confusion must have shape \(classes, classes\)"):
        target_label_distribution(np.ones((2, 3), int), np.array([0]))


def test_a_shift_is_detected():
    found = shift_test(jax.random.key(0), SOURCE[:200], TARGET[:200])
    assert float(found.p_value) == pytest.approx(0.001)
    np.testing.assert_allclose(found.accuracy, 0.69, atol=0.08)  # Phi(1/2)


def test_without_a_shift_p_values_are_spread_evenly():
    p = [
        float(shift_test(jax.random.key(i), SOURCE[i::40][:40], SOURCE[20 + i :: 40][:30], num_permutations=99).p_value)
        for i in range(12)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.2
    assert 0.25 < np.mean(p) < 0.75


def test_samples_of_different_sizes_do_not_fool_the_accuracy():
    found = shift_test(jax.random.key(0), SOURCE[:1500], SOURCE[1500:1600])
    assert 0.35 < float(found.accuracy) < 0.65


def test_too_few_rows_to_test_are_refused():
    with pytest.raises(ValueError, match="rows of source must be at least 4, got 3"):
        shift_test(jax.random.key(0), SOURCE[:3], TARGET)


@pytest.mark.bad_input
def test_integers_and_nan_are_refused() -> None:
    counts = np.arange(12, dtype=np.int32).reshape(6, 2)
    with pytest.raises(TypeError, match="source must be floating point"):
        fit_domain_classifier(counts, counts)  # deviations below 1 would become 0
    with pytest.raises(TypeError, match="losses must be floating point"):
        weighted_risk(jnp.array([1, 2]), jnp.array([0.5, 1.5]))  # weights would become 0 and 1
    rows = counts.astype(np.float32)
    with pytest.raises(ValueError, match=r"target\[.* is nan"):
        shift_test(jax.random.key(0), rows, rows * np.nan)  # the p-value would be the smallest
    with pytest.raises(TypeError, match="confusion must be integers"):
        target_label_distribution(np.eye(2), np.array([0]))
    with pytest.raises(ValueError, match=r"target_predictions must have shape \(n,\)"):
        target_label_distribution(np.eye(2, dtype=int), np.array([[0]]))
