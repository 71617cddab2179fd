"""The matrix product of a fully connected layer, at a chosen precision and in the layouts that run fast (D2L 5.1)."""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from jaxd2l._checks.arrays import floating
from jaxd2l._checks.numbers import require_choice
from jaxd2l._checks.shapes import require_shapes

Precision = Literal["float32", "bfloat16"]
"""What a layer multiplies: numbers as they are, or rounded to bfloat16. Sums, parameters and results are float32."""

_NARROW = 32
"""With no more columns than this, a tall kernel is faster on a CPU if it is laid out column by column."""

_Matrix = Float[Array, "_ _"]


def matmul(
    x: Float[Array, "n inputs"], kernel: Float[Array, "inputs outputs"], precision: Precision
) -> Float[Array, "n outputs"]:
    """`x @ kernel`, and likewise the products in its gradient.

    "float32" multiplies the operands as they are, without the shortcuts that JAX takes by default on accelerators
    (TF32 on GPUs, bfloat16 on TPUs); torch on a CPU does the same. "bfloat16" rounds both operands to 8 significant
    bits, in the gradient too, and sums in float32; parameters and results stay float32, so small updates are not lost.
    `torch.autocast(dtype=torch.bfloat16)` also rounds the results, and with them all that follows.

    >>> x, kernel = jnp.array([[1.0, 1 / 3]]), jnp.array([[1.0], [3.0]])
    >>> matmul(x, kernel, "float32"), matmul(x, kernel, "bfloat16")
    (Array([[2.]], dtype=float32), Array([[2.0019531]], dtype=float32))
    """
    require_choice(Precision, precision=precision)
    x, kernel = floating("x", x), floating("kernel", kernel)
    require_shapes("n inputs, inputs outputs", x=x, kernel=kernel)
    return _bfloat16(x, kernel) if precision == "bfloat16" else _exact(x, kernel)


def _exact(x: _Matrix, kernel: _Matrix) -> _Matrix:
    return jnp.matmul(x, _by_columns.bind(kernel) if _is_tall(kernel) else kernel, precision=lax.Precision.HIGHEST)


def _is_tall(kernel: Array) -> bool:
    return kernel.shape[1] <= _NARROW < kernel.shape[0]


_by_columns = Primitive("by_columns")
"""The identity, but the result is laid out column by column, and so is its gradient.

It is a primitive because it must do nothing under `vmap`: XLA's CPU compiler aborts on some stacks of such products.
"""


def _lay_out(kernel: Array) -> Array:
    return lax.optimization_barrier(kernel.T).T


_by_columns.def_impl(jax.jit(_lay_out))
_by_columns.def_abstract_eval(lambda kernel: kernel)
mlir.register_lowering(_by_columns, mlir.lower_fun(_lay_out, multiple_results=False))
ad.deflinear2(_by_columns, lambda grad, _: [_by_columns.bind(grad)])
batching.primitive_batchers[_by_columns] = lambda kernels, axes: (kernels[0], axes[0])


@jax.custom_vjp
def _bfloat16(x: _Matrix, kernel: _Matrix) -> _Matrix:
    return _forward(x, kernel)[0]


def _forward(x: _Matrix, kernel: _Matrix) -> tuple[_Matrix, tuple[Array, Array]]:
    operands = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    return _rounded_product(*operands), operands


def _backward(operands: tuple[Array, Array], grad: _Matrix) -> tuple[_Matrix, _Matrix]:
    x, kernel = operands
    g = grad.astype(jnp.bfloat16)
    if _is_tall(kernel):
        return _rounded_product(g, kernel.T), lax.optimization_barrier(_rounded_product(g.T, x)).T
    return _rounded_product(g, kernel.T), _rounded_product(_transposed_copy(x), g)


_bfloat16.defvjp(_forward, _backward)


def _rounded_product(a: Array, b: Array) -> _Matrix:
    """Product of bfloat16 matrices, summed in float32."""
    return _in_float32(a, b) if min(*a.shape, *b.shape) <= _NARROW else _in_bfloat16(a, b)


def _in_float32(a: Array, b: Array) -> _Matrix:
    """For matrices too thin for matrix units. Products of two bfloat16 are exact in float32: the result is the same."""
    a, b = lax.optimization_barrier(
        (a.astype(jnp.float32), b.astype(jnp.float32))
    )  # otherwise XLA undoes the conversion
    return _exact(a, b)


@custom_vmap
def _in_bfloat16(a: Array, b: Array) -> _Matrix:
    # Without the barrier XLA's CPU compiler moves a transposition of the result into the product, and then fails on it.
    return lax.optimization_barrier(jnp.matmul(a, b, preferred_element_type=jnp.float32))


@_in_bfloat16.def_vmap
def _many_in_bfloat16(_: int, is_batched: list[bool], a: Array, b: Array) -> tuple[Array, bool]:
    """XLA's CPU compiler aborts on some stacks of bfloat16 products, so CPUs compute them in float32."""

    def product(a: Array, b: Array) -> Array:
        return lax.platform_dependent(a, b, cpu=_in_float32, default=_in_bfloat16.fun)

    return jax.vmap(product, [0 if batched else None for batched in is_batched])(a, b), True


def _transposed_copy(a: Array) -> Array:
    """`a.T`, really laid out so: on CPUs a bfloat16 product is fast only if the left operand sums over its last axis.

    XLA would move a mere transposition into the product, barrier or not. A flat array has only one layout.
    """

    def copy(a: Array) -> Array:
        return lax.optimization_barrier(a.T.ravel()).reshape(a.shape[::-1])

    return lax.platform_dependent(a, cpu=copy, default=jnp.transpose)
