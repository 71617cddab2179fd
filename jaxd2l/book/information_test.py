"""The numbers of D2L 4.1.3, the laws of information, and wrong distributions."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxd2l.book.information import cross_entropy, entropy, kl_divergence, surprisal

CERTAIN = jnp.array([0.0, 1.0, 0.0])
UNIFORM = jnp.ones(3) / 3


def distributions(shape=(5,)):
    """Some outcomes are impossible, others nearly so."""
    weights = arrays(np.float64, shape, elements=st.just(0.0) | st.floats(1e-9, 1.0))
    return weights.map(lambda w: w + (w.sum(-1, keepdims=True) == 0)).map(
        lambda w: (w / w.sum(-1, keepdims=True)).astype(np.float32)
    )


def all_three(p, q):
    return entropy(p), cross_entropy(p, q), kl_divergence(p, q)


all_three_compiled = jax.jit(all_three)
WRAPPED = (all_three, all_three_compiled, jax.jit(jax.vmap(all_three)))


def test_one_nat_is_1_44_bit() -> None:
    np.testing.assert_allclose(surprisal(jnp.array(1 / math.e), base=2), 1.442695, rtol=1e-6)
    np.testing.assert_allclose(surprisal(jnp.array(1 / math.e)), 1, rtol=1e-6)
    np.testing.assert_allclose(entropy(UNIFORM, base=2) / entropy(UNIFORM), 1.44, atol=5e-3)


def test_bits() -> None:
    np.testing.assert_allclose(entropy(jnp.array([0.5, 0.5]), base=2), 1, rtol=1e-6)
    np.testing.assert_allclose(entropy(jnp.ones(256) / 256, base=2), 8, rtol=1e-6)
    np.testing.assert_allclose(surprisal(jnp.array(0.125), base=2), 3, rtol=1e-6)
    np.testing.assert_allclose(surprisal(jnp.array(0.01), base=10), 2, rtol=1e-6)


def test_impossible_outcomes_cost_nothing_and_certain_ones_are_no_surprise() -> None:
    assert entropy(CERTAIN) == 0
    assert not jnp.signbit(entropy(CERTAIN))
    assert not jnp.signbit(surprisal(jnp.array(1.0)))
    assert surprisal(jnp.array(0.0)) == jnp.inf
    assert cross_entropy(CERTAIN, CERTAIN) == kl_divergence(CERTAIN, CERTAIN) == 0
    assert cross_entropy(UNIFORM, CERTAIN) == kl_divergence(UNIFORM, CERTAIN) == jnp.inf
    np.testing.assert_allclose(kl_divergence(CERTAIN, UNIFORM), math.log(3), rtol=1e-6)


@given(distributions(), distributions())
def test_laws(p, q) -> None:
    p, q = jnp.asarray(p), jnp.asarray(q)
    h, ce, kl = map(float, all_three_compiled(p, q))
    assert 0 <= h <= math.log(5) + 1e-6
    assert ce >= h - 1e-6  # Gibbs
    assert kl >= -1e-6
    if math.isfinite(ce):
        np.testing.assert_allclose(kl, ce - h, atol=2e-5)
    h_p, ce_p, kl_p = map(float, all_three_compiled(p, p))
    assert (h_p, kl_p) == (h, 0)
    np.testing.assert_allclose(ce_p, h, rtol=1e-6, atol=1e-7)
    order = jnp.array([3, 1, 4, 0, 2])
    np.testing.assert_allclose(all_three_compiled(p[order], q[order])[:2], (h, ce), rtol=1e-5, atol=1e-6)


@given(distributions((3, 5)), distributions((3, 5)))
def test_against_float64_in_batches_under_jit_and_vmap(p, q) -> None:
    p64, q64 = p.astype(np.float64), q.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        h = -np.where(p64 > 0, p64 * np.log(p64), 0).sum(-1)
        ce = -np.where(p64 > 0, p64 * np.log(q64), 0).sum(-1)
    p, q = jnp.asarray(p), jnp.asarray(q)
    for wrapped in WRAPPED:
        for ours, expected in zip(wrapped(p, q), (h, ce, ce - h), strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


def test_gradients() -> None:
    p, q = jnp.array([0.5, 0.25, 0.25]), jnp.array([0.25, 0.25, 0.5])
    np.testing.assert_allclose(jax.grad(entropy)(p), -jnp.log(p) - 1, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(cross_entropy)(p, q), -jnp.log(q), rtol=1e-6)
    np.testing.assert_allclose(jax.grad(cross_entropy, 1)(p, q), -p / q, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(kl_divergence)(p, q), jnp.log(p / q) + 1, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(kl_divergence, 1)(p, q), -p / q, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(surprisal)(jnp.array(0.25)), -4, rtol=1e-6)


def test_gradients_where_something_is_impossible() -> None:
    p, q = jnp.array([0.5, 0.5, 0.0]), jnp.array([0.25, 0.75, 0.0])
    log_tiny = np.log(np.finfo(np.float32).smallest_normal)
    np.testing.assert_allclose(jax.grad(entropy)(p), [-np.log(0.5) - 1, -np.log(0.5) - 1, -log_tiny], rtol=1e-6)
    np.testing.assert_allclose(jax.grad(cross_entropy)(p, q), [-np.log(0.25), -np.log(0.75), 0], rtol=1e-6)
    np.testing.assert_allclose(jax.grad(cross_entropy, 1)(p, q), [-2, -2 / 3, 0], rtol=1e-6)
    np.testing.assert_allclose(jax.grad(kl_divergence, 1)(p, q), [-2, -2 / 3, 0], rtol=1e-6)
    assert jnp.isfinite(jax.grad(kl_divergence)(p, q)).all()
    assert jax.grad(kl_divergence, 1)(q, jnp.array([0.0, 0.5, 0.5]))[0] == -jnp.inf


def test_the_chain_rule_through_a_softmax_that_underflows() -> None:
    logits = jnp.array([0.0, 0.0, -200.0])
    for function in (entropy, lambda p: kl_divergence(p, UNIFORM), lambda p: cross_entropy(p, UNIFORM)):
        gradient = jax.jit(jax.grad(lambda z, f=function: f(jax.nn.softmax(z))))(logits)
        assert jnp.isfinite(gradient).all()
    np.testing.assert_allclose(jax.grad(lambda z: entropy(jax.nn.softmax(z)))(logits), 0, atol=1e-6)


WRONG = [[0.5, 0.6], [0.5, 0.4], [1.5, -0.5], [math.nan, 1.0], [0.0, 0.0], [math.inf, 0.0], [0.4999, 0.5]]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_wrong_distribution_is_an_error_or_nan(wrong) -> None:
    p, wrong = jnp.array([0.5, 0.5]), jnp.array(wrong)
    for function in (
        entropy,
        lambda w: cross_entropy(w, p),
        lambda w: kl_divergence(p, w),
        lambda w: cross_entropy(p, w),
    ):
        with pytest.raises(ValueError, match="sum to 1"):
            function(wrong)
        value, gradient = jax.jit(jax.value_and_grad(function))(wrong)
        assert jnp.isnan(value)
        assert jnp.isnan(gradient).all()


def test_the_error_names_the_distribution() -> None:
    with pytest.raises(ValueError, match=r"q\[1\] is \[0.5 0.6\], but must"):
        kl_divergence(jnp.ones((2, 2)) / 2, jnp.array([[0.5, 0.5], [0.5, 0.6]]))
    value = jax.jit(entropy)(jnp.array([[0.5, 0.6], [0.5, 0.5]]))
    np.testing.assert_array_equal(jnp.isnan(value), [True, False])


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan])
def test_a_wrong_probability_is_an_error_or_nan(wrong) -> None:
    with pytest.raises(ValueError, match=r"p\[1\] is .*, but must lie in \[0, 1\]"):
        surprisal(jnp.array([0.5, wrong]))
    np.testing.assert_array_equal(jnp.isnan(jax.jit(surprisal)(jnp.array([0.5, wrong]))), [False, True])


@pytest.mark.parametrize("base", [0, 1, -2, math.inf, math.nan])
def test_a_wrong_base_is_an_error(base) -> None:
    with pytest.raises(ValueError, match="base"):
        entropy(UNIFORM, base=base)


@pytest.mark.bad_input
def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        cross_entropy(UNIFORM, jnp.array([0.5, 0.5]))
    with pytest.raises(ValueError, match=r"p must have shape \(\*batch, n\); got \(\)"):
        entropy(jnp.array(1.0))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_a_softmax_of_any_precision_is_a_distribution(dtype) -> None:
    logits = (jax.random.normal(jax.random.key(1), (8, 1000)) * 3).astype(dtype)
    value = entropy(jax.nn.softmax(logits))
    assert value.dtype == dtype
    assert jnp.isfinite(value).all()


@pytest.mark.bad_input
def test_complex_numbers_are_refused_as_probabilities() -> None:
    p = jnp.array([0.5, 0.5])
    for function in (surprisal, entropy):
        with pytest.raises(TypeError, match="p must be floating point, got complex64"):
            function(p.astype(jnp.complex64))
    with pytest.raises(TypeError, match="base must be a real number"):
        entropy(p, base="2")
