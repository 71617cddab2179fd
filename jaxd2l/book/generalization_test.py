"""Folds, polynomials, weight decay, sample sizes, early stopping: D2L 3.6, 3.7, 4.6, 5.5."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxd2l import losses, models
from jaxd2l.book.generalization import (
    hoeffding_sample_size,
    k_fold,
    l2_penalty,
    polynomial_features,
    sample_size,
    should_stop,
    weight_decay_data,
)
from jaxd2l.data import synthetic_regression
from jaxd2l.models import least_squares
from jaxd2l.optim import kernels, sgd
from jaxd2l.train import create_state, fit, make_train_step
from jaxd2l.types import Batch


@given(n=st.sampled_from([2, 7, 60]), data=st.data())  # each size compiles a shuffle
def test_k_fold_covers_each_row_once(n, data):
    k = data.draw(st.integers(2, n))
    folds = k_fold(jax.random.key(n), n, k)
    assert len(folds) == k
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.validation for fold in folds])), np.arange(n))
    for fold in folds:
        np.testing.assert_array_equal(np.sort(np.concatenate(fold)), np.arange(n))
        assert fold.validation.size in (n // k, -(-n // k))
        assert fold.train.dtype == fold.validation.dtype == np.int32


def test_the_key_decides_the_folds():
    one, same, other = (k_fold(jax.random.key(seed), 100, 5) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one[0].validation, same[0].validation)
    assert set(one[0].validation) != set(other[0].validation)
    assert set(one[0].validation) != set(range(20))  # not in the order of the rows


@pytest.mark.parametrize("k", [0, 1, 11])
def test_too_few_or_too_many_folds_are_refused(k):
    with pytest.raises(ValueError, match=f"k must be a whole number from 2 to 10, got {k}"):
        k_fold(jax.random.key(0), 10, k)


def test_polynomial_features_are_powers():
    x = np.linspace(-2, 2, 9).astype(np.float32)
    np.testing.assert_allclose(polynomial_features(x, 5), x[:, None] ** np.arange(6), rtol=1e-6)
    scaled = polynomial_features(x, 5, normalize=True)
    np.testing.assert_allclose(scaled, x[:, None] ** np.arange(6) / [1, 1, 2, 6, 24, 120], rtol=1e-6)
    assert polynomial_features(x, 0).shape == (9, 1)


def test_a_polynomial_of_the_right_degree_fits_best():
    """The book's figure: too low a degree underfits; too high a one overfits the few examples."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, 60).astype(np.float32)
    y = (5 + 1.2 * x - 3.4 * x**2 / 2 + 5.6 * x**3 / 6 + 0.3 * rng.normal(size=60)).astype(np.float32)[:, None]

    def errors(degree):
        features = polynomial_features(x / 2, degree)[:, 1:]
        params = least_squares(features[:12], y[:12])
        predictions = features @ params["kernel"] + params["bias"]
        return [float(losses.squared_loss(predictions[rows], y[rows])) for rows in (slice(12), slice(12, None))]

    (low_train, low_val), (train, val), (high_train, high_val) = (errors(degree) for degree in (1, 3, 8))
    assert high_train < train < low_train
    assert val < low_val
    assert val < high_val


@pytest.mark.bad_input
def test_wrong_degrees_and_shapes_are_refused():
    with pytest.raises(ValueError, match="degree must be at least 0, got -1"):
        polynomial_features(jnp.ones(3), -1)
    with pytest.raises(ValueError, match=r"x must have shape \(n,\); got \(3, 1\)"):
        polynomial_features(jnp.ones((3, 1)), 2)


def test_weight_decay_data_is_that_of_the_book():
    data = weight_decay_data(jax.random.key(0))
    assert data.train.inputs.shape == (20, 200)
    assert data.test.inputs.shape == (100, 200)
    errors = data.test.labels - (0.05 + 0.01 * data.test.inputs.sum(1, keepdims=True))
    assert 0.007 < errors.std() < 0.013


def test_weight_decay_keeps_the_weights_small_and_the_test_loss_low():
    """The book's two runs: lambda 0 fits only the training set, lambda 3 works on new data too."""
    data = weight_decay_data(jax.random.key(0))
    model, key = models.linear_regression(200), jax.random.key(1)

    def run(weight_decay):
        tx = sgd(0.01, weight_decay=weight_decay, weight_decay_mask=kernels)
        state, history = fit(model, losses.squared_loss, tx, data, key=key, epochs=40, batch_size=5)
        return float(l2_penalty(state.params)), history.train_loss[-1], history.test_loss[-1]

    (norm, train, test), (decayed_norm, decayed_train, decayed_test) = run(0.0), run(3.0)
    assert decayed_norm < norm / 3
    assert train < 0.1 * test  # it has memorised the training set
    assert decayed_train > train
    assert decayed_test < test


@given(weight_decay=st.floats(0.01, 5.0), seed=st.integers(0, 100))
def test_weight_decay_leaves_biases_alone(weight_decay, seed):
    """The book's JAX tab decays biases too."""
    tx = sgd(0.1, weight_decay=weight_decay, weight_decay_mask=kernels)
    w, b = np.random.default_rng(seed).normal(size=(2, 3)).astype(np.float32)
    params = ({"kernel": jnp.asarray(w)[None], "bias": jnp.asarray(b)},)
    updates, _ = tx.update(jax.tree.map(jnp.zeros_like, params), tx.init(params), params)
    np.testing.assert_array_equal(updates[0]["bias"], 0)
    np.testing.assert_allclose(updates[0]["kernel"][0], -0.1 * weight_decay * w, rtol=1e-5)


def test_without_a_mask_everything_decays_as_in_torch():
    params = {"kernel": jnp.ones((2, 1)), "bias": jnp.ones(1)}
    tx = sgd(0.1, weight_decay=0.5)
    updates, _ = tx.update(jax.tree.map(jnp.zeros_like, params), tx.init(params), params)
    np.testing.assert_allclose(updates["bias"], -0.05)


def test_decay_is_the_gradient_of_the_penalty():
    model = models.mlp(3, 4, 1)
    batch = Batch(jnp.ones((5, 3)), jnp.ones((5, 1)))
    state = create_state(jax.random.key(0), model, optax.sgd(0.1))
    decayed, _ = make_train_step(model, losses.squared_loss, sgd(0.1, weight_decay=0.7, weight_decay_mask=kernels))(
        state._replace(opt_state=sgd(0.1, weight_decay=0.7, weight_decay_mask=kernels).init(state.params)), batch
    )

    def penalised(params):
        return losses.squared_loss(model.apply(params, batch.inputs), batch.labels) + 0.7 * l2_penalty(params)

    expected = jax.tree.map(lambda p, g: p - 0.1 * g, state.params, jax.grad(penalised)(state.params))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), decayed.params, expected)


def test_kernels_of_flax_models_are_found():
    mask = kernels(models.flax_mlp(4, 5, 3).init(jax.random.key(0)))
    leaves = jax.tree_util.tree_leaves_with_path(mask)
    assert len(leaves) == 4
    assert all(is_kernel == ("kernel" in jax.tree_util.keystr(path)) for path, is_kernel in leaves)


def test_sample_sizes_of_the_book():
    assert sample_size(0.01) == 2500
    assert sample_size(0.01, num_deviations=2.0) == 10000
    assert hoeffding_sample_size(0.01) == 14979  # the book: roughly 15000
    assert round(hoeffding_sample_size(0.01), -3) == 15000
    assert np.exp(-2 * 14979 * 0.01**2) <= 0.05 < np.exp(-2 * 14978 * 0.01**2)


def test_a_sample_of_that_size_does_what_it_promises():
    errors = np.random.default_rng(0).binomial(sample_size(0.05, num_deviations=2.0), 0.5, 4000) / sample_size(
        0.05, num_deviations=2.0
    )
    np.testing.assert_allclose(np.mean(np.abs(errors - 0.5) <= 0.05), 0.954, atol=0.02)


@pytest.mark.parametrize("half_width", [0.0, 1.0, -0.1, float("nan")])
def test_half_widths_outside_0_and_1_are_refused(half_width):
    for size in (sample_size, hoeffding_sample_size):
        with pytest.raises(ValueError, match=r"half_width must lie in \(0, 1\)"):
            size(half_width)


def test_confidence_and_deviations_out_of_range_are_refused():
    with pytest.raises(ValueError, match="confidence must lie in"):
        hoeffding_sample_size(0.01, confidence=1.0)
    with pytest.raises(ValueError, match="num_deviations must be positive"):
        sample_size(0.01, num_deviations=0.0)


@pytest.mark.parametrize(
    ("values", "patience", "stops"),
    [
        ([], 1, False),
        ([3.0], 1, False),
        ([3.0, 2.0, 1.0], 1, False),
        ([3.0, 3.0], 1, True),
        ([3.0, 1.0, 2.0], 2, False),
        ([3.0, 1.0, 2.0, 1.5], 2, True),
        ([3.0, np.nan, np.nan], 2, True),
        ([np.nan, 3.0], 1, False),
    ],
)
def test_patience(values, patience, stops):
    assert should_stop(np.array(values, np.float32), patience) is stops


def test_an_improvement_can_be_too_small_to_count():
    assert should_stop(np.array([1.0, 0.99], np.float32), 1, min_improvement=0.1)
    assert not should_stop(np.array([1.0, 0.8], np.float32), 1, min_improvement=0.1)


def test_a_patience_of_0_is_refused():
    with pytest.raises(ValueError, match="patience must be at least 1"):
        should_stop(np.zeros(3, np.float32), 0)


def test_fit_stops_when_told_to():
    data = synthetic_regression(jax.random.key(0), np.array([2.0, -3.4]), 4.2, n=64)
    arguments = models.linear_regression(2), losses.squared_loss, sgd(0.1), data

    def run(on_epoch, epochs=200):
        return fit(*arguments, key=jax.random.key(1), epochs=epochs, batch_size=32, on_epoch=on_epoch)

    state, history = run(lambda state, history: should_stop(history.test_loss, patience=2))
    epochs = len(history.test_loss)
    assert 10 < epochs < 200
    assert min(history.test_loss[-2:]) >= min(history.test_loss[:-2])
    assert not should_stop(history.test_loss[:-1], patience=2)
    again, _ = run(None, epochs)  # stopping equals asking for fewer epochs
    jax.tree.map(np.testing.assert_array_equal, state.params, again.params)
    assert len(run(lambda state, history: None, 3)[1].test_loss) == 3


@pytest.mark.bad_input
def test_overflow_and_wrong_arguments_are_refused():
    with pytest.raises(TypeError, match="x must be floating point, got int32"):
        polynomial_features(jnp.array([10]), 10)  # would be 1410065408
    with pytest.raises(TypeError, match="a kernel must be floating point"):
        l2_penalty({"kernel": jnp.array([[100000]])})
    for size in (sample_size, hoeffding_sample_size):
        with pytest.raises(OverflowError, match="larger half_width"):
            size(1e-200)
    with pytest.raises(TypeError, match=r"n must be a whole number, got 5\.0"):
        k_fold(jax.random.key(0), 5.0, 2)
    with pytest.raises(ValueError, match=r"losses must have shape \(epochs,\); got \(2, 2\)"):
        should_stop(np.ones((2, 2)), 1)
    with pytest.raises(TypeError, match="losses must hold real numbers"):
        should_stop(np.ones(2) * 1j, 1)
    with pytest.raises(ValueError, match="n must be at least 2, got 1"):
        k_fold(jax.random.key(0), 1, 2)
    assert len(k_fold(jax.random.key(0), np.int64(5), 2)) == 2
