"""The numbers of D2L 2.4 and 2.5, and derivatives computed in several ways."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxd2l.book.autodiff import (
    check_gradient,
    difference_quotient,
    double_past_1000,
    double_past_1000_compiled,
    hessian_vector_product,
    numerical_gradient,
    tangent_line,
)

x = jnp.arange(4.0)


def parabola(x):
    return 3 * x**2 - 4 * x


def equal(ours, book) -> None:
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(book, np.float32))


# 2.4 Calculus


@pytest.mark.parametrize(("h", "slope"), [(0.1, 2.3), (0.01, 2.03), (1e-3, 2.003), (1e-4, 2.0003), (1e-5, 2.00003)])
def test_difference_quotients_of_the_book(h, slope) -> None:
    assert abs(difference_quotient(parabola, 1.0, h) - slope) < 1e-9


def test_a_difference_quotient_needs_a_step() -> None:
    with pytest.raises(ValueError, match="h must not be 0"):
        difference_quotient(parabola, 1.0, 0.0)


def test_the_tangent_of_the_book() -> None:
    points = jnp.linspace(-1, 3, 9)
    np.testing.assert_allclose(tangent_line(parabola, 1.0)(points), 2 * points - 3, atol=1e-6)
    np.testing.assert_allclose(jax.jit(lambda a: tangent_line(jnp.sin, a)(points))(0.0), points, atol=1e-6)


def test_partial_derivatives_and_the_chain_rule() -> None:
    assert jax.grad(lambda a, b: a**2 * b, (0, 1))(2.0, 3.0) == (12, 4)
    composed = jax.grad(lambda t: jnp.sin(t**2))(1.5)
    np.testing.assert_allclose(composed, jax.grad(jnp.sin)(1.5**2) * 2 * 1.5, rtol=1e-6)


# 2.5 Automatic differentiation


def test_gradients_of_the_book() -> None:
    value, gradient = jax.value_and_grad(lambda x: 2 * x @ x)(x)
    assert value == 28
    equal(gradient, [0, 4, 8, 12])
    equal(gradient, 4 * x)
    equal(jax.grad(jnp.sum)(x), [1, 1, 1, 1])


def test_the_gradient_of_a_vector_needs_a_cotangent() -> None:
    y, pull_back = jax.vjp(lambda x: x * x, x)
    equal(pull_back(jnp.ones_like(y))[0], [0, 2, 4, 6])
    with pytest.raises(TypeError, match="scalar"):
        jax.grad(lambda x: x * x)(x)


def test_detached() -> None:
    equal(jax.grad(lambda x: jnp.sum(jax.lax.stop_gradient(x * x) * x))(x), [0, 1, 4, 9])
    equal(jax.grad(lambda x: jnp.sum(x * x))(x), 2 * x)


def test_vjp_jvp_and_jacobian_are_one() -> None:
    W = jax.random.normal(jax.random.key(0), (3, 4))

    def f(x):
        return jnp.tanh(W @ x)

    v, u = jnp.array([1.0, -1.0, 0.5, 2.0]), jnp.array([1.0, 2.0, -3.0])
    J = jax.jacobian(f)(x)
    np.testing.assert_allclose(jax.jvp(f, (x,), (v,))[1], J @ v, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.vjp(f, x)[1](u)[0], u @ J, rtol=1e-5, atol=1e-6)


def coupled(x):
    return jnp.sum(jnp.sin(x)) * jnp.prod(x)


hvp, hessian = jax.jit(lambda x, v: hessian_vector_product(coupled, x, v)), jax.jit(jax.hessian(coupled))
triples = arrays(np.float32, 3, elements=st.floats(-3, 3, width=32))


@given(triples, triples)
def test_a_hessian_vector_product_is_the_hessian_times_the_vector(x, v) -> None:
    np.testing.assert_allclose(hvp(x, v), np.asarray(hessian(x)) @ v, rtol=1e-4, atol=1e-4)


def test_a_hessian_vector_product_of_a_pytree() -> None:
    params = {"w": jnp.array([1.0, 2.0]), "b": jnp.array(3.0)}
    product = hessian_vector_product(
        lambda p: p["b"] * jnp.sum(p["w"] ** 2), params, jax.tree.map(jnp.ones_like, params)
    )
    equal(product["w"], [6 + 2, 6 + 4])
    equal(product["b"], 2 * (1 + 2))


# Control flow

starts = arrays(
    np.float32, st.integers(1, 2), elements=st.floats(-5000, 5000, width=32).filter(lambda a: abs(a) > 1e-6)
)


compiled = jax.jit(double_past_1000_compiled)
compiled_gradient = jax.jit(jax.grad(lambda a: double_past_1000_compiled(a).sum()))


@settings(max_examples=15)  # the loop runs uncompiled
@given(starts)
def test_the_gradient_of_the_function_with_control_flow_is_its_quotient(a) -> None:
    assume(abs(a.astype(float).sum()) > 1e-3 * abs(a).max())  # rounding cannot change the sign of the sum
    a = jnp.asarray(a)
    value = double_past_1000(a)
    gradient = jax.grad(lambda a: double_past_1000(a).sum())(a)
    np.testing.assert_allclose(gradient, value / a, rtol=1e-6)
    equal(compiled(a), value)
    equal(compiled_gradient(a), gradient)


@pytest.mark.parametrize(
    ("a", "factor"), [(3.0, 512), (-3.0, 51200), (600.0, 2), (500.0, 2), (499.0, 4), (-5000.0, 200), (1e-30, 2.0**110)]
)
@pytest.mark.parametrize("function", [double_past_1000, double_past_1000_compiled])
def test_values_of_the_function_with_control_flow(function, a, factor) -> None:
    value, gradient = jax.value_and_grad(function)(jnp.float32(a))
    assert (value, gradient) == (np.float32(a) * np.float32(factor), factor)


def test_a_sum_of_0_is_not_positive() -> None:
    a = jnp.array([300.0, -300.0])
    for function in (double_past_1000, double_past_1000_compiled):
        equal(function(a), 400 * a)


def test_the_compiled_form_takes_batches_and_forward_mode() -> None:
    a = jnp.array([3.0, -3.0, 5000.0])
    equal(jax.vmap(double_past_1000_compiled)(a), [1536, -153600, 10000])
    equal(jax.vmap(jax.grad(double_past_1000_compiled))(a), [512, 51200, 2])
    equal(jax.jvp(double_past_1000_compiled, (a[0],), (jnp.float32(1),))[1], 512)
    with pytest.raises(jax.errors.TracerBoolConversionError):
        jax.jit(double_past_1000)(a)


@pytest.mark.timeout(60)
def test_zeros_do_not_double_for_ever() -> None:
    for nothing in (jnp.zeros(2), jnp.float32(1e-42)):  # XLA flushes subnormal numbers to 0
        with pytest.raises(ValueError, match="never"):
            double_past_1000(nothing)
        assert jnp.isnan(jax.jit(double_past_1000_compiled)(nothing)).all()
    assert jnp.isnan(double_past_1000(jnp.float32(jnp.nan)))


# Numerical gradients


@given(arrays(np.float32, 3, elements=st.floats(-2, 2, width=32)))
def test_numerical_gradients_are_right_to_ten_digits(x) -> None:
    exact = np.cos(x.astype(float)) * np.exp(np.sin(x.astype(float)))
    np.testing.assert_allclose(
        numerical_gradient(lambda x: jnp.exp(jnp.sin(x)).sum(), jnp.asarray(x)), exact, atol=3e-10
    )


def test_numerical_gradients_of_pytrees_and_of_mixed_precision() -> None:
    W = jnp.ones((2, 3))  # a float32 constant meets float64 parameters
    params = {"b": np.zeros(2), "x": (jnp.array([1.0, 2.0, 3.0]),)}
    gradient = numerical_gradient(lambda p: jnp.sum((W @ p["x"][0] + p["b"]) ** 2), params)
    assert jax.tree.map(lambda g: (type(g), g.dtype.name, g.shape), gradient) == {
        "b": (np.ndarray, "float64", (2,)),
        "x": ((np.ndarray, "float64", (3,)),),
    }
    np.testing.assert_allclose(gradient["b"], [12, 12], rtol=1e-9)
    np.testing.assert_allclose(gradient["x"][0], [24, 24, 24], rtol=1e-9)
    assert not jax.config.jax_enable_x64
    assert jax.config.jax_numpy_dtype_promotion == "strict"


def test_functions_that_compute_in_float32_get_larger_steps() -> None:
    def f(x):
        return jnp.sum(x.astype(jnp.float32) ** 3)

    np.testing.assert_allclose(numerical_gradient(f, x), 3 * x**2, rtol=1e-3, atol=1e-4)
    assert check_gradient(f, x) < 3.5e-4


@pytest.mark.parametrize(
    "f",
    [
        lambda x: jnp.sum(parabola(x)),
        lambda x: jnp.exp(5 * x).sum(),
        lambda x: jnp.sum((x - 1) ** 2) + 1e6,
        lambda x: 1e-3 * jnp.prod(x),
        jax.jit(lambda x: jax.nn.logsumexp(1000 * x)),
        lambda x: double_past_1000(x).sum(),
    ],
)
def test_right_gradients_pass(f) -> None:
    assert check_gradient(f, x) < 1e-8


@jax.custom_vjp
def wrong_by_a_millionth(x):
    return jnp.sum(x**2)


wrong_by_a_millionth.defvjp(lambda x: (jnp.sum(x**2), x), lambda x, g: (2 * x * g * (1 + 1e-6),))


@pytest.mark.parametrize(
    ("f", "element"),
    [
        (wrong_by_a_millionth, r"x\[3\]"),
        (lambda x: jnp.sum(x) * jax.lax.stop_gradient(x[1]), r"x\[1\]: jax.grad gives 1, central differences 7"),
        (lambda x: jnp.linalg.norm(x[:1]), r"x\[0\]: jax.grad gives nan"),
        (lambda x: jnp.sum(jax.nn.relu(x)), r"x\[0\]: jax.grad gives 0, central differences 0.5"),
    ],
)
def test_wrong_gradients_do_not(f, element) -> None:
    with pytest.raises(AssertionError, match=element):
        check_gradient(f, x)


def test_the_tolerance_can_be_chosen() -> None:
    assert 1e-8 < check_gradient(wrong_by_a_millionth, x, tolerance=1e-5) < 1e-6


def test_integers_vectors_and_integer_functions_have_no_gradient() -> None:
    with pytest.raises(TypeError, match="int32"):
        numerical_gradient(jnp.sum, jnp.arange(3))
    with pytest.raises(ValueError, match=r"the value of f must have shape \(\); got \(4,\)"):
        numerical_gradient(lambda x: x, x)
    with pytest.raises(TypeError, match="int"):
        check_gradient(lambda x: jnp.argmax(x), x)
    assert check_gradient(lambda x: 1.0 + jnp.sum(x), jnp.zeros(0)) == 0


@pytest.mark.bad_input
@pytest.mark.timeout(60)
@pytest.mark.parametrize("function", [double_past_1000, double_past_1000_compiled])
def test_integers_that_would_wrap_around_to_0_for_ever_are_refused(function) -> None:
    with pytest.raises(TypeError, match="a must be floating point, got int8"):
        function(jnp.array([1], jnp.int8))


@pytest.mark.timeout(60)
def test_an_empty_array_does_not_double_for_ever() -> None:
    assert double_past_1000_compiled(jnp.zeros(0)).shape == (0,)


def test_both_forms_agree_on_small_numbers() -> None:
    a = jnp.array([1e-37, -3e-38])  # float32 cannot hold the factor, 2^133
    equal(double_past_1000_compiled(a), double_past_1000(a))


def test_there_is_no_slope_at_infinity() -> None:
    with pytest.raises(ValueError, match=r"x\[1\] is inf"):
        numerical_gradient(jnp.sum, np.array([1.0, np.inf]))
