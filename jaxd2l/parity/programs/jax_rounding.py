"""What rounding does to a JAX program: each operation is put off by one rounding of its own magnitude.

This is stochastic arithmetic (CESTAC, Monte Carlo arithmetic). An operation that only moves, chooses or negates
numbers rounds nothing. One that adds many numbers is put off by one rounding of the sum of their magnitudes, because
two libraries add in different orders. Everything else is put off by one rounding of its result.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxd2l.parity.programs.jax_wide import wide
from jaxd2l.parity.programs.jaxpr import Rule

_EXACT = frozenset(
    """abs argmax argmin bitcast_convert_type broadcast_in_dim by_columns ceil clamp complex concatenate conj
    convert_element_type copy copy_p cummax cummin device_put dynamic_slice dynamic_update_slice expand_dims floor
    gather imag iota max min neg optimization_barrier pad real reduce_max reduce_min reduce_precision
    reduce_window_max reduce_window_min reshape rev round scatter select_and_gather_add select_n sharding_constraint
    sign slice sort split squeeze stop_gradient top_k transpose""".split()  # noqa: SIM905
)
"""Primitives that move, choose, compare or negate numbers."""

_SUMS = frozenset(
    """conv_general_dilated cumsum dot_general ragged_dot_general reduce_sum reduce_window_sum scatter-add
    scatter_add select_and_scatter_add""".split()  # noqa: SIM905
)
"""Primitives linear in each of their arguments: of the arguments' magnitudes they make the sum of what they add."""

_ARITHMETIC = frozenset("add add_any sub mul div sqrt square integer_pow rem reduce_prod cumprod".split())  # noqa: SIM905

_MATRICES = frozenset("cholesky eig eigh geqrf hessenberg householder_product lu qr schur svd triangular_solve".split())  # noqa: SIM905
"""Decompositions: exact for matrices that are off by roundings of their largest numbers, which is all they promise."""

FUNCTION = 4.0
"""Roundings of exp, tanh, erf and their like, which JAX computes to at most 6 ULP instead of rounding correctly
(measured: exp 4.5, expm1 5.7, tanh 4.2, erf 4.6, softplus 2.9, log1p 2.4, sigmoid 2.2)."""


def rounded(roundoff: float, seed: Any) -> Rule:
    """The rule that computes in float64 and puts each result off by plus or minus one rounding, at random.

    Args:
      roundoff: half the distance from 1 to the next number, for example 2^-24.
      seed: an integer, traced or not, that decides the signs.
    """
    number = iter(range(1, 2**31))

    def off(x: Any, scale: Any) -> Any:
        return _off(x, roundoff * scale, seed, next(number)) if _is_inexact(x) else x

    def rule(equation: Any, inputs: list[Any]) -> list[Any]:
        if equation.primitive.name in _MATRICES:
            inputs = [off(x, _largest(x)) for x in inputs]
        outputs = wide(equation, inputs)
        if equation.primitive.name in _EXACT or not any(map(_is_inexact, outputs)):
            return outputs
        return list(map(off, outputs, _scales(equation, inputs, outputs)))

    return rule


def _scales(equation: Any, inputs: list[Any], outputs: list[Any]) -> list[Any]:
    name = equation.primitive.name
    if name == "fft":
        lengths = equation.params["fft_lengths"]
        total = jnp.sum(jnp.abs(inputs[0]), tuple(range(-len(lengths), 0)), keepdims=True)
        return [total / float(np.prod(lengths)) if equation.params["fft_type"].name.startswith("I") else total]
    if name in _SUMS:
        return [jnp.abs(x) for x in wide(equation, [jnp.abs(x) if _is_inexact(x) else x for x in inputs])]
    if name in _ARITHMETIC:
        return [jnp.abs(x) for x in outputs]
    if all(np.shape(x) in ((), np.shape(outputs[0])) for x in inputs):  # a function of each number
        return [FUNCTION * jnp.abs(x) if _is_inexact(x) else x for x in outputs]
    # Whatever else mixes numbers, such as decompositions: off by a rounding of the largest.
    return [FUNCTION * jnp.max(jnp.abs(x), initial=0.0) if _is_inexact(x) else x for x in outputs]


def _largest(x: Any) -> Any:
    """The magnitude of each matrix."""
    return jnp.max(jnp.abs(x), axis=tuple(range(-min(2, x.ndim), 0)), keepdims=True, initial=0)


def _off(x: Any, distance: Any, seed: Any, number: int) -> Any:
    if not _is_inexact(x) or not x.size:
        return x
    if jnp.iscomplexobj(x):
        return lax.complex(_off(x.real, distance, seed, number), _off(x.imag, distance, seed, -number))
    other = x + signs(x, seed, number) * distance
    return jnp.where(jnp.isfinite(x) & jnp.isfinite(other), other, x)


def signs(x: Any, seed: Any, number: int) -> Any:
    """Plus or minus 1 for every element: a hash of its bits, its place, the seed and the operation's number.

    A hash needs no key to be handed through loops and branches, and the same number twice gets its own signs.
    """
    place = lax.iota(jnp.uint64, x.size).reshape(x.shape) * np.uint64(0x9E3779B97F4A7C15)
    salt = jnp.asarray(seed, jnp.uint64) * np.uint64(0xD1B54A32D192ED03) + np.uint64(number % 2**64)
    mixed = lax.bitcast_convert_type(x, jnp.uint64) ^ place ^ (salt * np.uint64(0x8CB92BA72F3D8DD7))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return jnp.where(mixed >> np.uint64(63) == 1, 1.0, -1.0)


def _is_inexact(x: Any) -> bool:
    return jnp.issubdtype(getattr(x, "dtype", np.int32), jnp.inexact)
