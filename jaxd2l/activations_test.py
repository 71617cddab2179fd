"""Activation functions against float64 NumPy, closed forms and the numbers of the book."""

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

from jaxd2l.activations import gelu, leaky_relu, log_softmax, prelu, relu, sigmoid, softmax, swish, tanh

X = jnp.arange(-8.0, 8.0, 0.1)  # the points of the book's figures
ERF = np.vectorize(math.erf)

ELEMENTWISE: dict[str, tuple[Callable, Callable]] = {
    "relu": (relu, lambda x: np.maximum(x, 0)),
    "sigmoid": (sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "tanh": (tanh, np.tanh),
    "leaky_relu": (leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x)),
    "leaky_relu .3": (partial(leaky_relu, negative_slope=0.3), lambda x: np.where(x > 0, x, 0.3 * x)),
    "prelu": (lambda x: prelu(x, jnp.array([0.25])), lambda x: np.maximum(x, 0) + 0.25 * np.minimum(x, 0)),
    "swish": (swish, lambda x: x / (1 + np.exp(-x))),
    "swish 2": (partial(swish, beta=2.0), lambda x: x / (1 + np.exp(-2 * x))),
    "gelu": (gelu, lambda x: x * (1 + ERF(x / math.sqrt(2))) / 2),
    "gelu tanh": (
        partial(gelu, approximate=True),
        lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
}
elementwise = pytest.mark.parametrize(("function", "reference"), ELEMENTWISE.values(), ids=ELEMENTWISE)
SOFTMAX_JACOBIAN, LOG_SOFTMAX_JACOBIAN = jax.jit(jax.jacrev(softmax)), jax.jit(jax.jacfwd(log_softmax))
LOGITS = arrays(np.float32, (3, 4), elements=st.floats(-50, 50, width=32))


def slopes(function: Callable) -> jax.Array:
    """The derivative at each point."""
    return jax.jit(jax.vmap(jax.grad(function)))(X)


@elementwise
def test_values_match_float64(function, reference) -> None:
    assert X.shape == (160,)
    np.testing.assert_allclose(function(X), reference(np.asarray(X, np.float64)), rtol=2e-6, atol=1e-6)


@elementwise
def test_gradients_are_finite_differences(function, reference) -> None:
    x, h = np.asarray(X, np.float64), 1e-6
    away_from_kink = np.abs(x) > 0.01
    differences = (reference(x + h) - reference(x - h)) / (2 * h)
    np.testing.assert_allclose(slopes(function)[away_from_kink], differences[away_from_kink], rtol=1e-5, atol=5e-6)


@elementwise
def test_jit_vmap_and_scan_change_nothing(function, reference) -> None:
    del reference
    rows, jitted = X.reshape(4, 40), jax.jit(jax.vmap(function))
    with jax.checking_leaks():
        together = jitted(rows)
        _, scanned = lax.scan(lambda carry, row: (carry, function(row)), None, rows)
    jitted(rows + 1)
    assert jitted._cache_size() == 1
    np.testing.assert_allclose(together, function(rows), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(scanned, function(rows), rtol=1e-6, atol=1e-6)


@elementwise
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_shape_and_dtype_are_kept(function, reference, dtype) -> None:
    del reference
    if function is ELEMENTWISE["prelu"][0]:
        function = lambda x: prelu(x, jnp.array([0.25], dtype))  # noqa: E731
    result = jax.eval_shape(function, jnp.ones((2, 3), dtype))
    assert result.shape == (2, 3)
    assert result.dtype == dtype


@pytest.mark.bad_input
@pytest.mark.parametrize(
    "function", [softmax, log_softmax, relu, sigmoid, tanh, leaky_relu, swish, gelu, lambda x: prelu(x, jnp.ones(1))]
)
def test_integers_are_refused(function) -> None:
    with pytest.raises(TypeError, match=r"x must be floating point, got int32 of shape \(3,\)"):
        function(jnp.arange(3))


def test_gradients_peak_at_1_a_quarter_and_1() -> None:
    peaks = [float(slopes(function).max()) for function in (relu, sigmoid, tanh)]
    np.testing.assert_allclose(peaks, [1, 0.25, 1], rtol=1e-6)


def test_tanh_is_a_stretched_sigmoid() -> None:
    np.testing.assert_allclose(tanh(X) + 1, 2 * sigmoid(2 * X), rtol=1e-5, atol=1e-6)


def test_slopes_at_zero_match_torch() -> None:
    assert jax.grad(relu)(0.0) == 0
    assert jax.grad(leaky_relu)(0.0) == jnp.float32(0.01)
    assert jax.grad(lambda x: leaky_relu(x, 0.3))(0.0) == jnp.float32(0.3)
    assert jax.grad(lambda x: prelu(x, jnp.array([0.25])))(0.0) == 0.25


def test_prelu_learns_a_slope_per_channel() -> None:
    x, slope = jnp.array([[-1.0, -2.0], [3.0, -4.0]]), jnp.array([0.5, 0.1])
    np.testing.assert_allclose(prelu(x, slope), [[-0.5, -0.2], [3.0, -0.4]], rtol=1e-6)
    gradient = jax.grad(lambda slope: prelu(x, slope).sum())(slope)
    np.testing.assert_allclose(gradient, [-1, -6])


@pytest.mark.bad_input
@pytest.mark.parametrize("shape", [(2, 1), (2, 2), ()])
def test_prelu_never_broadcasts(shape) -> None:
    with pytest.raises(ValueError, match=r"slope must have shape \(1,\), or \(.*\) for one per channel"):
        prelu(jnp.ones(shape), jnp.ones(3))


def test_far_tails_stay_finite_and_keep_their_digits() -> None:
    far = jnp.array([-1e4, 1e4])
    np.testing.assert_array_equal(sigmoid(far), [0, 1])
    np.testing.assert_array_equal(tanh(far), [-1, 1])
    for function in (swish, gelu, partial(gelu, approximate=True)):
        np.testing.assert_array_equal(function(far), [0, 1e4])
        np.testing.assert_array_equal(jax.jit(jax.vmap(jax.grad(function)))(far), [0, 1])
    # 1 + erf would have rounded to 0 here.
    np.testing.assert_allclose(gelu(jnp.array(-6.0)), -6 * math.erfc(6 / math.sqrt(2)) / 2, rtol=1e-4)


def test_normal_softmax_cases() -> None:
    np.testing.assert_allclose(softmax(jnp.zeros(4)), [0.25] * 4)
    np.testing.assert_allclose(softmax(jnp.log(jnp.array([1.0, 2.0, 5.0]))), [0.125, 0.25, 0.625], rtol=1e-6)
    x = jnp.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])  # 4.4.1: sums and softmax
    np.testing.assert_array_equal(x.sum(0, keepdims=True), [[5, 7, 9]])
    np.testing.assert_array_equal(x.sum(1, keepdims=True), [[6], [15]])
    np.testing.assert_allclose(softmax(x), np.tile([0.09003057, 0.24472847, 0.66524096], (2, 1)), rtol=1e-6)
    np.testing.assert_allclose(softmax(x, axis=0), np.array([[0.04742587], [0.95257413]]) * np.ones(3), rtol=1e-6)


def test_naive_softmax_overflows_where_ours_does_not() -> None:
    o = jnp.array([100.0, 0.0])
    naive = jnp.exp(o) / jnp.exp(o).sum()
    assert jnp.isnan(naive[0])
    np.testing.assert_array_equal(softmax(o)[0], 1)
    np.testing.assert_array_equal(log_softmax(o), [0, -100])
    assert np.isfinite(SOFTMAX_JACOBIAN(o)).all()


@pytest.mark.parametrize("size", [1e6, -1e6])
def test_logits_of_a_million_lose_no_digits(size) -> None:
    logits = np.float32(size) + np.array([[0.0, 1.0, -2.5], [3.0, 3.0, 0.125]], np.float32)
    exact = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    exact -= np.log(np.exp(exact).sum(-1, keepdims=True))
    np.testing.assert_allclose(log_softmax(jnp.array(logits)), exact, rtol=1e-6)
    np.testing.assert_allclose(softmax(jnp.array(logits)), np.exp(exact), rtol=1e-6)


@given(LOGITS)
def test_softmax_is_a_distribution(x) -> None:
    p = softmax(jnp.array(x))
    assert ((p >= 0) & (p <= 1)).all()
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-6)
    np.testing.assert_allclose(jnp.exp(log_softmax(jnp.array(x))), p, rtol=1e-5, atol=1e-7)


@given(arrays(np.int32, (3, 4), elements=st.integers(-50, 50)), st.integers(-1000, 1000))
def test_softmax_ignores_a_shift(x, shift) -> None:
    # Whole numbers, so that the shift itself is exact and the results are the same bits.
    np.testing.assert_array_equal(softmax(jnp.array(x + shift, float)), softmax(jnp.array(x, float)))
    np.testing.assert_array_equal(log_softmax(jnp.array(x + shift, float)), log_softmax(jnp.array(x, float)))


@given(LOGITS)
def test_softmax_preserves_order(x) -> None:
    order = np.argsort(x, -1)
    for function in (softmax, log_softmax):
        ordered = np.take_along_axis(np.asarray(function(jnp.array(x))), order, -1)
        assert (np.diff(ordered, axis=-1) >= 0).all()


@given(arrays(np.float32, 4, elements=st.floats(-10, 10, width=32)))
def test_softmax_jacobians_have_their_closed_forms(x) -> None:
    p = np.exp(x.astype(np.float64) - x.max())
    p /= p.sum()
    np.testing.assert_allclose(SOFTMAX_JACOBIAN(jnp.array(x)), np.diag(p) - np.outer(p, p), atol=1e-6)
    np.testing.assert_allclose(LOG_SOFTMAX_JACOBIAN(jnp.array(x)), np.eye(4) - p, atol=1e-6)


def test_impossible_classes_and_slices_without_a_softmax() -> None:
    np.testing.assert_array_equal(softmax(jnp.array([0.0, -jnp.inf, 0.0])), [0.5, 0, 0.5])
    assert np.isfinite(SOFTMAX_JACOBIAN(jnp.array([0.0, -jnp.inf, 0.0]))).all()
    for x in ([-jnp.inf, -jnp.inf], [jnp.inf, 0.0], [jnp.nan, 0.0]):
        assert jnp.isnan(softmax(jnp.array(x))).all()
        assert jnp.isnan(log_softmax(jnp.array(x))).all()
    assert softmax(jnp.zeros((2, 0))).shape == (2, 0)
    assert log_softmax(jnp.zeros((2, 0))).shape == (2, 0)


def test_softmax_under_jit_vmap_and_scan() -> None:
    x = jnp.arange(12.0).reshape(4, 3) ** 1.5
    jitted = jax.jit(softmax, static_argnames="axis")
    with jax.checking_leaks():
        np.testing.assert_allclose(jitted(x), softmax(x), rtol=1e-6)
        np.testing.assert_allclose(jax.vmap(softmax)(x), softmax(x), rtol=1e-6)
        np.testing.assert_allclose(lax.map(softmax, x), softmax(x), rtol=1e-6)
    np.testing.assert_allclose(softmax(x, 0), softmax(x.T).T, rtol=1e-6)
    jitted(x + 1)
    assert jitted._cache_size() == 1


@pytest.mark.bad_input
def test_bad_axes_and_slopes_are_refused() -> None:
    x = jnp.ones((2, 3))
    for axis, message in (
        (1.5, "an axis must be an integer"),
        ("rows", "an axis must be an integer"),
        (2, "no axis 2"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            softmax(x, axis)
    with pytest.raises(TypeError, match="negative_slope must be a real number"):
        leaky_relu(x, 1j)  # would give complex numbers
    with pytest.raises(TypeError, match="beta must be a real number"):
        swish(x, [1.0])
    with pytest.raises(TypeError, match="slope must be floating point, got complex64"):
        prelu(x, jnp.array([1j]))
