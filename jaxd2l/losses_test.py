"""Losses against a plain float64 NumPy reference, closed forms and the numbers of the book."""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from jax import lax

from jaxd2l.activations import log_softmax, softmax
from jaxd2l.losses import cross_entropy, cross_entropy_from_probabilities, squared_loss

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(5, 4)).astype(np.float32) * 3
LABELS = np.array([2, 0, 3, 1, 1], np.int32)
WITH_IGNORED = np.array([2, -100, 3, 1, -100], np.int32)
SOFT = RNG.dirichlet(np.ones(4), 5).astype(np.float32)
WEIGHT = np.array([0.5, 2.0, 1.0, 0.0], np.float32)
GRADIENT = jax.jit(jax.grad(cross_entropy))

logits_and_labels = st.tuples(
    arrays(np.float32, (5, 4), elements=st.floats(-30, 30, width=32)),
    arrays(np.int32, 5, elements=st.integers(0, 3)),
)


def reference(logits, labels, weight=None, ignore_index=-100, label_smoothing=0.0, reduction="mean"):
    """torch's definition, one example and one class at a time, in float64."""
    logits = np.asarray(logits, np.float64)
    n, num_classes = logits.shape
    weight = np.ones(num_classes) if weight is None else np.asarray(weight, np.float64)
    losses, denominator = np.zeros(n), 0.0
    for i in range(n):
        log_p = logits[i] - logits[i].max()
        log_p = log_p - np.log(np.exp(log_p).sum())
        if labels.ndim == 2:
            target, share = labels[i].astype(np.float64), 1.0
        elif labels[i] == ignore_index:
            continue
        else:
            target, share = np.eye(num_classes)[labels[i]], weight[labels[i]]
        target = (1 - label_smoothing) * target + label_smoothing / num_classes
        losses[i] = -(weight * target * log_p).sum()
        denominator += share
    return {"none": losses, "sum": losses.sum(), "mean": losses.sum() / denominator}[reduction]


def finite_differences(function: Callable[[np.ndarray], float], x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    x, gradient = np.asarray(x, np.float64), np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[index] = h
        gradient[index] = (function(x + step) - function(x - step)) / (2 * h)
    return gradient


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
@pytest.mark.parametrize(
    ("labels", "ignore_index"),
    [(LABELS, -100), (WITH_IGNORED, -100), (LABELS, 1), (SOFT, -100)],
    ids=["hard", "ignored", "ignored class", "soft"],
)
def test_every_combination_of_options_has_torchs_meaning(
    labels, ignore_index, weight, label_smoothing, reduction
) -> None:
    options = {"ignore_index": ignore_index, "label_smoothing": label_smoothing, "weight": weight}
    ours = partial(cross_entropy, labels=labels, **options, reduction=reduction)
    expected = partial(reference, labels=labels, **options, reduction=reduction)
    np.testing.assert_allclose(ours(jnp.array(LOGITS)), expected(LOGITS), rtol=2e-6, atol=1e-6)
    total = jax.grad(lambda logits: ours(logits).sum())(jnp.array(LOGITS))
    np.testing.assert_allclose(
        total, finite_differences(lambda logits: expected(logits).sum(), LOGITS), rtol=1e-5, atol=2e-6
    )


def test_the_books_number_from_probabilities_and_from_logits() -> None:
    p, labels = jnp.array([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]]), jnp.array([0, 2])
    np.testing.assert_allclose(p[jnp.arange(2), labels], [0.1, 0.5])
    assert round(float(cross_entropy_from_probabilities(p, labels)), 4) == 1.4979
    assert round(float(cross_entropy(jnp.log(p), labels)), 4) == 1.4979


def test_any_number_of_axes_may_come_before_the_classes() -> None:
    one = cross_entropy(jnp.array(LOGITS[0]), jnp.array(LABELS[0]))
    np.testing.assert_allclose(one, reference(LOGITS[:1], LABELS[:1]), rtol=1e-6)
    images = cross_entropy(jnp.array(LOGITS[:4].reshape(2, 2, 4)), LABELS[:4].reshape(2, 2), reduction="none")
    np.testing.assert_allclose(images.ravel(), reference(LOGITS[:4], LABELS[:4], reduction="none"), rtol=2e-6)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64])
def test_any_integers_are_labels(dtype) -> None:
    loss = cross_entropy(jnp.array(LOGITS), LABELS.astype(dtype), weight=WEIGHT)
    assert loss == cross_entropy(jnp.array(LOGITS), jnp.array(LABELS), weight=jnp.array(WEIGHT))


@given(logits_and_labels)
def test_cross_entropy_is_minus_log_p(data) -> None:
    logits, labels = jnp.array(data[0]), data[1]
    expected = -log_softmax(logits)[np.arange(5), labels]
    np.testing.assert_allclose(cross_entropy(logits, labels, reduction="none"), expected, rtol=1e-6)
    np.testing.assert_allclose(cross_entropy(logits, labels), reference(data[0], labels), rtol=1e-5, atol=1e-6)


@given(logits_and_labels)
def test_its_gradient_is_softmax_minus_one_hot(data) -> None:
    logits, labels = jnp.array(data[0]), data[1]
    gradient = 5 * GRADIENT(logits, labels)
    np.testing.assert_allclose(gradient, softmax(logits) - np.eye(4, dtype=np.float32)[labels], atol=1e-6)


@given(logits_and_labels, st.sampled_from([0.0, 0.2]))
def test_one_hot_labels_equal_classes(data, label_smoothing) -> None:
    logits, labels = jnp.array(data[0]), data[1]
    cost = partial(cross_entropy, logits, weight=WEIGHT, label_smoothing=label_smoothing, reduction="none")
    np.testing.assert_allclose(cost(np.eye(4, dtype=np.float32)[labels]), cost(labels), rtol=1e-5, atol=1e-6)


@given(logits_and_labels, st.floats(0, 1))
def test_smoothing_mixes_in_the_mean_cost_of_all_classes(data, share) -> None:
    logits, labels = jnp.array(data[0]), data[1]
    mixed = (1 - share) * cross_entropy(logits, labels) + share * jnp.mean(-log_softmax(logits))
    np.testing.assert_allclose(cross_entropy(logits, labels, label_smoothing=share), mixed, rtol=1e-5, atol=1e-6)


@given(arrays(np.float64, (3, 4), elements=st.floats(0.01, 1)))
def test_soft_cross_entropy_is_smallest_at_the_labels_own_distribution(q) -> None:
    q = (q / q.sum(-1, keepdims=True)).astype(np.float32)
    gradient = GRADIENT(np.log(q), q)
    np.testing.assert_allclose(gradient, 0, atol=1e-6)


@pytest.mark.parametrize("size", [1e6, -1e6])
@pytest.mark.parametrize("labels", [LABELS, SOFT], ids=["hard", "soft"])
def test_logits_of_a_million_lose_nothing(size, labels) -> None:
    logits = (np.float32(size) * np.array([0, 1, 1, 0.5], np.float32) + np.arange(20).reshape(5, 4) / 8).astype(
        "float32"
    )
    np.testing.assert_allclose(
        cross_entropy(jnp.array(logits), labels, reduction="none"),
        reference(logits, labels, reduction="none"),
        rtol=1e-6,
    )
    assert jnp.isfinite(jax.grad(lambda logits: cross_entropy(logits, labels))(jnp.array(logits))).all()


def test_an_impossible_class_costs_nothing_unless_it_is_the_label() -> None:
    logits = jnp.array([[0.0, -jnp.inf, 0.0]])
    step = jax.jit(jax.value_and_grad(cross_entropy))
    loss, gradient = step(logits, jnp.array([0]))
    np.testing.assert_allclose(loss, np.log(2), rtol=1e-6)
    np.testing.assert_allclose(gradient, [[-0.5, 0, 0.5]])
    assert step(logits, jnp.array([1]))[0] == jnp.inf
    soft_loss, soft_gradient = step(logits, jnp.array([[1.0, 0.0, 0.0]]))
    np.testing.assert_allclose(soft_loss, np.log(2), rtol=1e-6)
    np.testing.assert_allclose(soft_gradient, [[-0.5, 0, 0.5]])


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_an_unseen_wrong_label_gives_nan_loss_and_nan_gradient(weight, label_smoothing, reduction) -> None:
    options = {"weight": weight, "label_smoothing": label_smoothing, "reduction": reduction}
    labels = jnp.array([2, 4, -100, -1, 1])
    step = jax.jit(jax.value_and_grad(lambda logits, labels: cross_entropy(logits, labels, **options)))
    loss, gradient = step(jnp.array(LOGITS), labels)
    assert jnp.isnan(loss)
    assert jnp.isnan(gradient[jnp.array([1, 3])]).all()
    np.testing.assert_array_equal(gradient[2], 0)  # ignored
    if reduction == "sum":  # the weighted mean's denominator is unknown too
        assert jnp.isfinite(gradient[jnp.array([0, 4])]).all()
    each = jax.jit(partial(cross_entropy, **{**options, "reduction": "none"}))(jnp.array(LOGITS), labels)
    np.testing.assert_array_equal(jnp.isnan(each), [False, True, False, True, False])


def test_an_unseen_wrong_label_gives_nan_from_probabilities_too() -> None:
    step = jax.jit(jax.value_and_grad(cross_entropy_from_probabilities))
    loss, gradient = step(jnp.full((3, 4), 0.25), jnp.array([0, 4, -100]))
    assert jnp.isnan(loss)
    np.testing.assert_array_equal(jnp.isnan(gradient), np.array([[False], [True], [True]]) * np.ones(4, bool))


@pytest.mark.parametrize("as_array", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
def test_a_wrong_label_is_named_with_its_index(as_array) -> None:
    with pytest.raises(ValueError, match=r"labels\[1\] is 4, but must be a class from 0 to 3, or -100"):
        cross_entropy(jnp.array(LOGITS), as_array([2, 4, -100, 1, -1]))
    with pytest.raises(ValueError, match=r"labels\[0, 2\] is -1"):
        cross_entropy(jnp.zeros((2, 3, 4)), as_array([[0, 1, -1], [9, 0, 0]]))
    with pytest.raises(ValueError, match=r"labels\[1\] is -100, but must be a class from 0 to 3$"):
        cross_entropy_from_probabilities(jnp.full((2, 4), 0.25), as_array([0, -100]))


def test_labels_on_the_host_are_checked_even_while_tracing() -> None:
    with pytest.raises(ValueError, match=r"labels\[0\] is 4"):
        jax.jit(lambda logits: cross_entropy(logits, np.array([4, 0])))(jnp.zeros((2, 4)))


def test_ignored_examples_are_as_if_absent() -> None:
    kept = WITH_IGNORED != -100
    for weight in (None, WEIGHT):
        step = jax.jit(jax.value_and_grad(partial(cross_entropy, weight=weight, label_smoothing=0.1)))
        loss, gradient = step(LOGITS, WITH_IGNORED)
        alone, gradient_alone = step(LOGITS[kept], WITH_IGNORED[kept])
        np.testing.assert_allclose(loss, alone, rtol=1e-6)
        np.testing.assert_array_equal(gradient[~kept], 0)
        np.testing.assert_allclose(gradient[kept], gradient_alone, rtol=1e-6, atol=1e-8)


def test_if_every_example_is_ignored_the_mean_is_nan_and_the_sum_zero() -> None:
    nothing = np.full(5, -100)
    assert jnp.isnan(cross_entropy(jnp.array(LOGITS), nothing))
    assert cross_entropy(jnp.array(LOGITS), nothing, reduction="sum") == 0


def test_jit_vmap_and_scan_change_nothing_and_compile_once() -> None:
    logits, labels = jnp.array(LOGITS), jnp.array(WITH_IGNORED)
    options = {"weight": WEIGHT, "label_smoothing": 0.1}
    each = partial(cross_entropy, **options, reduction="sum")
    expected = cross_entropy(logits, labels, **options, reduction="none")
    jitted = jax.jit(jax.value_and_grad(each))
    with jax.checking_leaks():
        loss, _ = jitted(logits, labels)
        mapped = jax.vmap(each)(logits, labels)
        _, scanned = lax.scan(lambda carry, example: (carry, each(*example)), None, (logits, labels))
    np.testing.assert_allclose(loss, expected.sum(), rtol=1e-6)
    np.testing.assert_allclose(mapped, expected, rtol=1e-6)
    np.testing.assert_allclose(scanned, expected, rtol=1e-6)
    jitted(logits + 1, labels)
    assert jitted._cache_size() == 1


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_losses_keep_the_logits_dtype(dtype) -> None:
    for labels in (WITH_IGNORED, SOFT):
        loss = partial(cross_entropy, labels=labels, weight=WEIGHT, label_smoothing=0.1)
        assert jax.eval_shape(loss, jnp.array(LOGITS, dtype)).dtype == dtype


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": LABELS[:4]}, r"\(\*batch, classes>=1\) and \(\*batch,\); got \(5, 4\) and \(4,\)"),
        ({"labels": LABELS[:, None]}, r"logits and labels .* got \(5, 4\) and \(5, 1\)"),
        ({"labels": SOFT[:, :3]}, r"logits and soft labels .* got \(5, 4\) and \(5, 3\)"),
        ({"labels": LABELS.astype(np.float32)}, r"soft labels .* \(\*batch, classes\); got \(5, 4\) and \(5,\)"),
        ({"weight": WEIGHT[:3]}, r"weight .* \(\*batch, classes\) and \(classes,\); got \(5, 4\) and \(3,\)"),
        ({"label_smoothing": 1.5}, "label_smoothing must lie in"),
        ({"label_smoothing": float("nan")}, "label_smoothing must lie in"),
        ({"reduction": "average"}, "reduction must be 'none', 'mean' or 'sum', got 'average'"),
        ({"logits": jnp.array(1.0)}, r"\(\*batch, classes>=1\) .* got \(\) and \(5,\)"),
    ],
)
def test_what_does_not_fit_is_refused(change, message) -> None:
    with pytest.raises(ValueError, match=message):
        cross_entropy(**{"logits": jnp.array(LOGITS), "labels": LABELS, **change})


@pytest.mark.bad_input
def test_integer_logits_are_refused() -> None:
    with pytest.raises(TypeError, match="logits must be floating point, got int32"):
        cross_entropy(jnp.arange(20).reshape(5, 4), LABELS)


@pytest.mark.bad_input
def test_boolean_labels_are_refused() -> None:
    with pytest.raises(TypeError, match="labels must be integers, got bool"):
        cross_entropy(jnp.array(LOGITS), LABELS > 1)


def test_squared_loss_is_half_the_square_and_its_gradient_the_error() -> None:
    predictions, targets = jnp.array([[1.0], [2.0]]), jnp.array([[0.0], [5.0]])
    np.testing.assert_array_equal(squared_loss(predictions, targets, reduction="none"), [[0.5], [4.5]])
    assert squared_loss(predictions, targets) == 2.5
    assert squared_loss(predictions, targets, reduction="sum") == 5
    summed = partial(squared_loss, reduction="sum")
    np.testing.assert_array_equal(jax.grad(summed)(predictions, targets), predictions - targets)
    np.testing.assert_array_equal(jax.jit(jax.grad(squared_loss))(predictions, targets), (predictions - targets) / 2)
    np.testing.assert_array_equal(jax.vmap(squared_loss)(predictions, targets), [0.5, 4.5])


def test_squared_loss_is_a_gaussian_negative_log_likelihood() -> None:
    x = jnp.arange(-7, 7, 0.01)
    for mean, sd, peak in ((0, 1, 0.39894), (0, 2, 0.19947), (3, 1, 0.39894)):
        density = jnp.exp(-squared_loss(x, jnp.full_like(x, mean), reduction="none") / sd**2) / math.sqrt(
            2 * math.pi * sd**2
        )
        np.testing.assert_allclose(density, jax.scipy.stats.norm.pdf(x, mean, sd), rtol=1e-5, atol=1e-8)
        assert round(float(density.max()), 5) == peak


@pytest.mark.bad_input
@pytest.mark.parametrize("shape", [(3,), (1, 3), (3, 2), ()])
def test_squared_loss_never_broadcasts(shape) -> None:
    with pytest.raises(ValueError, match=r"must have the same shape \(\*shape,\); got \(3, 1\) and \("):
        squared_loss(jnp.zeros((3, 1)), jnp.zeros(shape))


@pytest.mark.bad_input
def test_squared_loss_refuses_an_unknown_reduction() -> None:
    with pytest.raises(ValueError, match="reduction must be"):
        squared_loss(jnp.zeros(3), jnp.zeros(3), reduction="median")


@pytest.mark.bad_input
def test_integer_predictions_are_refused_because_their_differences_wrap_around() -> None:
    with pytest.raises(TypeError, match="predictions must be floating point, got uint8"):
        squared_loss(np.array([0], np.uint8), np.array([2], np.uint8))  # 254^2 / 2
    with pytest.raises(TypeError, match="targets must be floating point, got complex64"):
        squared_loss(jnp.ones(1), jnp.array([1j]))


@pytest.mark.bad_input
def test_no_classes_no_axis_and_complex_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(\*batch, classes>=1\) .* got \(3, 0\)"):
        cross_entropy(jnp.zeros((3, 0)), jnp.zeros((3, 0)))
    with pytest.raises(TypeError, match="weight must hold real numbers, got complex64"):
        cross_entropy(jnp.array(LOGITS), jnp.array(LABELS), weight=jnp.array([1j] * 4))
    with pytest.raises(TypeError, match="ignore_index must be a whole number"):
        cross_entropy(jnp.array(LOGITS), jnp.array(LABELS), ignore_index=1.5)
    with pytest.raises(TypeError, match="label_smoothing must be a real number"):
        cross_entropy(jnp.array(LOGITS), jnp.array(LABELS), label_smoothing="0.1")
    with pytest.raises(ValueError, match=r"probabilities and labels .* got \(\) and \(\)"):
        cross_entropy_from_probabilities(jnp.float32(1), jnp.int32(0))
    with pytest.raises(TypeError, match="probabilities must be floating point"):
        cross_entropy_from_probabilities(jnp.array([[1j, 0j]]), jnp.array([0]))
