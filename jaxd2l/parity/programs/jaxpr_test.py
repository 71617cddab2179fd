"""The interpreter of jaxprs computes what JAX computes, and sees everything on the way."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l import models
from jaxd2l.parity.programs import jax_watched
from jaxd2l.parity.programs.jax_wide import narrow_dtypes, widened_call
from jaxd2l.parity.programs.jaxpr import bind, evaluate, trace

MODEL = models.mlp(4, 8, 3)
PARAMS, X = MODEL.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (5, 4))


def loss(params, x):
    def body(total, row):
        return total + jax.nn.logsumexp(jax.checkpoint(jax.nn.gelu)(row)), row

    total, _ = jax.lax.scan(body, 0.0, jax.jit(MODEL.apply)(params, x))
    return jax.lax.cond(total > 0, jnp.sin, jnp.cos, total)


def test_running_a_jaxpr_gives_the_functions_own_value_and_gradient() -> None:
    for function, x in ((loss, X), (jax.grad(loss), X), (jax.vmap(loss, (None, 0)), X[:, None])):
        closed, arguments = jax.make_jaxpr(function)(PARAMS, x), jax.tree.leaves((PARAMS, x))
        expected = jax.tree.leaves(function(PARAMS, x))
        for ours, theirs in zip(evaluate(closed, arguments, bind, lambda value: value), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_hidden_layers_and_the_kinks_between_them_are_seen() -> None:
    hidden = X @ PARAMS[0]["kernel"] + PARAMS[0]["bias"]
    found = jax_watched.intermediates(MODEL.apply, PARAMS, X)
    assert any(a.value.shape == hidden.shape and jnp.allclose(a.value, jnp.maximum(hidden, 0)) for a in found)
    [(name, argument)] = jax_watched.kinks(MODEL.apply, PARAMS, X).items()
    assert name == "max 0"
    np.testing.assert_allclose(argument, hidden, rtol=1e-6, atol=1e-7)


def test_widening_removes_every_narrow_type_and_only_that() -> None:
    def narrow(x):
        half = jax.lax.reduce_precision(x.astype(jnp.float16) @ jnp.ones((4, 2), jnp.float16), 5, 10)
        return (half.astype(jnp.float32) / jnp.float32(3)).astype(x.dtype)

    with jax.enable_x64(True):
        x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4)))
        assert narrow_dtypes(trace(narrow, x)[0]) == ["float16", "float32"]
        wide = widened_call(narrow, x)
        assert wide.dtype == jnp.float64
        np.testing.assert_allclose(wide, x @ np.ones((4, 2)) / 3, rtol=1e-15)
        assert np.abs(narrow(x) - wide).max() > 1e-5
        assert narrow_dtypes(trace(lambda x: x * 2 + 1, x)[0]) == []
