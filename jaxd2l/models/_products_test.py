"""The products of a layer: correct up to rounding at each precision, whatever the memory layout."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxd2l import data, losses, models, optim, train
from jaxd2l.models._products import matmul

RNG = np.random.default_rng(0)
MODELS = [
    (models.softmax_regression, (64, 10)),
    (models.flax_softmax_regression, (64, 10)),
    (models.mlp, (64, 48, 10)),
    (models.flax_mlp, (64, 48, 10)),
]
SHAPES = [(256, 784, 10), (256, 784, 256), (40, 33, 32), (5, 3, 2), (1, 100, 64), (64, 1, 64), (33, 40, 1)]


def products(precision):
    """`x @ kernel` and both products of its gradient."""

    def function(x, kernel, grad):
        y, vjp = jax.vjp(lambda x, kernel: matmul(x, kernel, precision), x, kernel)
        return y, *vjp(grad)

    return function


def operands(n, inputs, outputs, stack=()):
    shapes = ((n, inputs), (inputs, outputs), (n, outputs))
    return tuple(jnp.asarray(RNG.normal(size=stack + shape), jnp.float32) for shape in shapes)


def assert_right(results, x, kernel, grad, precision):
    """Against float64. The error is measured relative to the sum of the absolute terms, as rounding is."""
    kind = ml_dtypes.bfloat16 if precision == "bfloat16" else np.float32
    x, kernel, grad = (np.asarray(a).astype(kind).astype(np.float64) for a in (x, kernel, grad))
    pairs = ((x, kernel), (grad, kernel.mT), (x.mT, grad))
    for result, (a, b) in zip(results, pairs, strict=True):
        assert result.dtype == jnp.float32
        error = np.abs(np.asarray(result, np.float64) - a @ b) / (np.abs(a) @ np.abs(b))
        assert error.max() < 30 * 2.0**-24


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_the_rounded_operands(shape, precision) -> None:
    given_ = operands(*shape)
    assert_right(jax.jit(products(precision))(*given_), *given_, precision)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("axes", [(0, 0, 0), (None, 0, 0)])
def test_under_vmap_they_are_the_same(precision, axes) -> None:
    for shape in SHAPES:
        x, kernel, grad = operands(*shape, stack=(2,))
        x = x if axes[0] == 0 else x[0]
        results = jax.jit(jax.vmap(products(precision), axes))(x, kernel, grad)
        assert_right(results, x, kernel, grad, precision)


# XLA's CPU compiler aborts the process on some of these unless it may choose the layout: hence a process of its own.
TWICE_MAPPED = """
import jax, jax.numpy as jnp
from jaxd2l.models._products import matmul
for n, inputs, outputs in [(2, 33, 10), (5, 3, 2), (256, 784, 10), (40, 64, 100)]:
    for precision in ("float32", "bfloat16"):
        def products(x, kernel, grad):
            y, vjp = jax.vjp(lambda x, kernel: matmul(x, kernel, precision), x, kernel)
            return y, *vjp(grad)
        shapes = ((n, inputs), (inputs, outputs), (n, outputs))
        y, _, _ = jax.jit(jax.vmap(jax.vmap(products)))(*(jnp.ones((2, 2, *shape)) for shape in shapes))
        assert (y == inputs).all()
print("done")
"""


def test_no_stack_of_products_aborts_the_compiler() -> None:
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", TWICE_MAPPED], env=environment, capture_output=True, text=True, timeout=250
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-2000:]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.sampled_from(["float32", "bfloat16"]))
def test_every_small_shape_is_right(n, inputs, outputs, precision) -> None:
    given_ = operands(n, inputs, outputs)
    assert_right(jax.jit(products(precision))(*given_), *given_, precision)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_without_jit_they_are_the_same(precision) -> None:
    for shape in ((40, 33, 32), (5, 3, 2)):
        given_ = operands(*shape)
        assert_right(products(precision)(*given_), *given_, precision)


@pytest.mark.parametrize("transposed", [False, True])
def test_the_result_may_be_transposed(transposed) -> None:
    x, kernel, grad = operands(64, 100, 48)
    results = jax.jit(lambda *a: [r.T if transposed else r for r in products("bfloat16")(*a)])(x, kernel, grad)
    assert_right([r.T if transposed else r for r in results], x, kernel, grad, "bfloat16")


def test_a_tall_kernel_can_be_differentiated_twice() -> None:
    x, kernel, _ = operands(5, 40, 3)

    def hessian_vector(product):
        return jax.jvp(jax.grad(lambda kernel: (product(x, kernel) ** 3).sum()), (kernel,), (kernel,))[1]

    np.testing.assert_allclose(
        hessian_vector(lambda x, kernel: matmul(x, kernel, "float32")), hessian_vector(jnp.matmul), rtol=1e-5
    )


@pytest.mark.parametrize(("make", "sizes"), MODELS)
def test_a_bfloat16_model_keeps_float32_parameters_and_rounds_what_it_multiplies(make, sizes) -> None:
    exact, rounded = (make(*sizes, precision=p) for p in ("float32", "bfloat16"))
    params = exact.init(jax.random.key(0))
    jax.tree.map(np.testing.assert_array_equal, params, rounded.init(jax.random.key(0)))
    x = data.to_float(data.digits().test.inputs)
    outputs = [model.apply(params, x) for model in (exact, rounded)]
    difference = jnp.abs(outputs[0] - outputs[1]).max() / jnp.abs(outputs[0]).max()
    assert 1e-5 < difference < 2e-2
    labels = data.digits().test.labels
    grads = jax.jit(jax.grad(lambda params: losses.cross_entropy(rounded.apply(params, x), labels)))(params)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(grads))


def test_the_two_ways_to_write_a_bfloat16_mlp_compute_the_same() -> None:
    ours, flax = (make(64, 48, 10, precision="bfloat16") for make in (models.mlp, models.flax_mlp))
    x = data.to_float(data.digits().test.inputs)
    np.testing.assert_array_equal(
        ours.apply(ours.init(jax.random.key(0)), x), flax.apply(flax.init(jax.random.key(0)), x)
    )


def test_training_in_bfloat16_follows_float32() -> None:
    """Small updates are not lost: a parameter kept in bfloat16 would not move under steps of 1/1000 of its size."""

    def fit(precision):
        return train.fit(
            models.mlp(64, 48, 10, precision=precision), losses.cross_entropy, optim.sgd(0.5), data.digits(),
            key=jax.random.key(0), epochs=8, batch_size=64,
        )  # fmt: skip

    (_, exact), (_, rounded) = fit("float32"), fit("bfloat16")
    assert exact.test_accuracy[-1] > 0.8
    np.testing.assert_allclose(rounded.step_loss, exact.step_loss, atol=0.03 * exact.step_loss[0, 0])
    assert (rounded.step_loss != exact.step_loss).any()


@pytest.mark.bad_input
@pytest.mark.parametrize(("make", "sizes"), MODELS)
def test_an_unknown_precision_is_refused(make, sizes) -> None:
    with pytest.raises(ValueError, match="precision must be 'float32' or 'bfloat16', got 'float16'"):
        make(*sizes, precision="float16")


@pytest.mark.bad_input
def test_matmul_refuses_an_unknown_precision_and_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="precision must be"):
        matmul(jnp.ones((2, 2)), jnp.ones((2, 2)), "float16")
    with pytest.raises(ValueError, match=r"x and kernel must have shapes \(n, inputs\) and \(inputs, outputs\)"):
        matmul(jnp.ones((2, 2)), jnp.ones(2), "float32")
