"""Linear regression, and the layer under every model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.test_util import check_grads

from jaxd2l import initializers
from jaxd2l.losses import squared_loss
from jaxd2l.models import least_squares, linear, linear_regression
from jaxd2l.models._linear import flatten

MODEL = linear_regression(2)
PARAMS = {"kernel": jnp.array([[2.0], [-3.4]]), "bias": jnp.array([4.2])}
X = jnp.array([[1.0, 2.0], [0.5, -1.0], [0.0, 0.0]])


def test_predictions_are_the_line() -> None:
    np.testing.assert_allclose(MODEL.apply(PARAMS, X), [[-0.6], [8.6], [4.2]], rtol=1e-6)


def test_first_parameters_are_small_normals_and_a_bias_of_zero() -> None:
    params = linear_regression(5000).init(jax.random.key(0))
    assert params["kernel"].shape == (5000, 1)
    np.testing.assert_allclose(jnp.std(params["kernel"]), 0.01, rtol=0.05)
    np.testing.assert_array_equal(params["bias"], [0])


def test_the_initialiser_is_the_callers_choice() -> None:
    params = linear_regression(2, init=initializers.torch_linear()).init(jax.random.key(0))
    assert (params["bias"] != 0).all()
    assert (jnp.abs(params["kernel"]) > 0.05).any()


def test_gradients_are_the_books_equations_and_finite_differences() -> None:
    y = jnp.array([[1.0], [2.0], [3.0]])

    def loss(params):
        return squared_loss(MODEL.apply(params, X), y)

    error = np.asarray(MODEL.apply(PARAMS, X) - y)
    gradient = jax.grad(loss)(PARAMS)
    np.testing.assert_allclose(gradient["kernel"], np.asarray(X).T @ error / 3, rtol=1e-6)
    np.testing.assert_allclose(gradient["bias"], error.mean(0), rtol=1e-6)
    check_grads(jax.jit(loss), (PARAMS,), order=1, modes=["rev"], eps=1e-2)


def test_jit_vmap_and_scan_change_nothing_and_compile_once() -> None:
    apply = jax.jit(MODEL.apply)
    with jax.checking_leaks():
        whole = apply(PARAMS, X)
        each = jax.vmap(lambda x: MODEL.apply(PARAMS, x[None])[0])(X)
        one_by_one = lax.map(lambda x: MODEL.apply(PARAMS, x[None])[0], X)
    apply(PARAMS, X + 1)
    assert apply._cache_size() == 1
    np.testing.assert_allclose(each, whole, rtol=1e-6)
    np.testing.assert_allclose(one_by_one, whole, rtol=1e-6)


def test_a_key_changes_nothing_where_nothing_is_random() -> None:
    np.testing.assert_array_equal(MODEL.apply(PARAMS, X, key=jax.random.key(0)), MODEL.apply(PARAMS, X))


def test_images_are_flattened_row_by_row() -> None:
    images = jnp.arange(12.0).reshape(2, 2, 3, 1)
    np.testing.assert_array_equal(flatten(images, 6), np.arange(12.0).reshape(2, 6))
    assert flatten(jnp.zeros((0, 6)), 6).shape == (0, 6)


@pytest.mark.bad_input
@pytest.mark.parametrize("shape", [(5, 3), (5,), (2,), (), (5, 2, 2)])
def test_inputs_with_other_features_are_refused(shape) -> None:
    with pytest.raises(ValueError, match=r"the model takes 2 features per example.*got \("):
        MODEL.apply(PARAMS, jnp.zeros(shape))


@pytest.mark.bad_input
def test_pixels_are_refused_with_advice() -> None:
    with pytest.raises(TypeError, match=r"got uint8; data\.to_float makes images numbers in \[0, 1\]"):
        MODEL.apply(PARAMS, jnp.zeros((5, 2), jnp.uint8))


def test_a_model_without_inputs_is_refused() -> None:
    with pytest.raises(ValueError, match="num_inputs must be at least 1, got 0"):
        linear_regression(0)


def test_least_squares_is_the_minimum() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 4)).astype(np.float32), rng.normal(size=(50, 1)).astype(np.float32)
    for weight_decay in (0.0, 0.3):

        def objective(params, weight_decay=weight_decay):
            errors = X @ params["kernel"] + params["bias"] - y
            return jnp.mean(errors**2) / 2 + weight_decay / 2 * jnp.sum(params["kernel"] ** 2)

        params = least_squares(X, y, weight_decay=weight_decay)
        for gradient in jax.tree.leaves(jax.grad(objective)(params)):
            np.testing.assert_allclose(gradient, 0, atol=2e-6)


def test_least_squares_finds_the_books_line() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 2)).astype(np.float32)
    y = X @ np.array([[2.0], [-3.4]], np.float32) + np.float32(4.2) + rng.normal(0, 0.01, (1000, 1)).astype(np.float32)
    params = least_squares(X, y)
    np.testing.assert_allclose(params["kernel"][:, 0], [2, -3.4], atol=2e-3)
    np.testing.assert_allclose(params["bias"], 4.2, atol=2e-3)


def test_least_squares_is_stable_where_the_normal_equations_are_not() -> None:
    t = np.linspace(0, 1, 200, dtype=np.float32)
    X = np.stack([t, t + 1e-3 * np.sin(40 * t)], -1).astype(np.float32)
    y = X @ np.ones((2, 1), np.float32)
    np.testing.assert_allclose(least_squares(X, y)["kernel"], 1, atol=0.01)


def test_least_squares_of_few_examples_is_the_smallest_solution() -> None:
    X = np.random.default_rng(0).normal(size=(5, 20)).astype(np.float32)
    y = np.arange(5, dtype=np.float32)[:, None]
    params = least_squares(X, y)
    np.testing.assert_allclose(X @ params["kernel"] + params["bias"], y, atol=1e-4)
    centred = X.astype(np.float64) - X.mean(0)  # of rank 4
    np.testing.assert_allclose(params["kernel"], np.linalg.pinv(centred, rcond=1e-5) @ (y - y.mean()), atol=1e-4)


@pytest.mark.bad_input
def test_least_squares_refuses_shapes_that_do_not_fit() -> None:
    X = np.ones((5, 2), np.float32)
    with pytest.raises(ValueError, match=r"\(n, d\) and \(n, 1\); got \(5, 2\) and \(5,\)"):
        least_squares(X, np.ones(5, np.float32))
    with pytest.raises(ValueError, match="weight_decay must not be negative"):
        least_squares(X, np.ones((5, 1), np.float32), weight_decay=-1.0)


@pytest.mark.bad_input
def test_a_bias_of_another_shape_is_not_broadcast() -> None:
    layer = {"kernel": jnp.ones((2, 3)), "bias": jnp.ones((3, 1))}
    with pytest.raises(ValueError, match=r"bias \(outputs,\); got \(2, 3\) and \(3, 1\)"):
        linear(layer, jnp.ones((3, 2)))
    with pytest.raises(TypeError, match="a dictionary with a kernel and a bias"):
        linear({"kernel": jnp.ones((2, 3))}, jnp.ones((3, 2)))
    with pytest.raises(ValueError, match=r"inputs\[.*\] is nan"):
        least_squares(jnp.array([[1.0], [jnp.nan]]), jnp.ones((2, 1)))
