"""A JAX program in float64 throughout, whatever narrower types it writes into itself."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from jaxd2l.parity.programs.jaxpr import Program, Visit, as_closed, bind, evaluate, trace

_KEEPS_ITS_TYPES = frozenset(
    ("bitcast_convert_type", "pallas_call", "pure_callback", "io_callback", "ffi_call", "nextafter")
)
"""Primitives that mean something else in another precision. They get the types that they were traced with."""


def widened_call(function: Callable[..., Any], *args: Any, visit: Visit | None = None, unroll: int = 0) -> Any:
    """`function(*args)` with every narrower type on the way replaced by float64. Needs x64.

    Args:
      function: a pure function of arrays.
      *args: pytrees of arrays.
      visit, unroll: see `evaluate`.
    """
    closed, structure = trace(function, *args)
    leaves = [widened(jnp.asarray(x)) for x in jax.tree.leaves(args)]
    return jax.tree.unflatten(structure, evaluate(closed, leaves, wide, wide_constant, visit, unroll))


_DIGITS = 6
"""A number of more digits was not written as a decimal, but computed: 2**-20, or 3**0.5."""


def wide(equation: Any, inputs: list[Any]) -> list[Any]:
    """The rule that computes an equation in float64."""
    if equation.primitive.name == "reduce_precision":
        return [inputs[0]]
    if equation.primitive.name in _KEEPS_ITS_TYPES:
        given = [_as_traced(x, atom.aval) for x, atom in zip(inputs, equation.invars, strict=True)]
        return [widened(x) for x in bind(equation, given)]
    changed = {name: _wide_parameter(name, value) for name, value in equation.params.items()}
    return bind(equation, inputs, **{name: value for name, value in changed.items() if value is not None})


def wide_constant(value: Any) -> Any:
    """A constant in float64. A single float32 is read as the decimal that it was written as, 1e-6 or 0.1.

    >>> with jax.enable_x64(True):
    ...     wide_constant(np.float32(0.1)), wide_constant(np.float32([0.1]))
    (array(0.1), Array([0.1], dtype=float64))
    """
    if isinstance(value, np.ndarray | np.generic) and value.dtype == np.float32 and not value.ndim:
        written = str(np.asarray(value)[()])
        if sum(character.isdigit() for character in written.partition("e")[0].replace("0.", "", 1)) <= _DIGITS:
            return np.array(float(written))
    return widened(jnp.asarray(value)) if is_narrow(value) else value


def widened(x: Any) -> Any:
    """An array in float64 (complex128 if it is complex); integers, booleans and keys as they are."""
    return x.astype(wide_dtype(x.dtype)) if is_narrow(x) else x


def is_narrow(x: Any) -> bool:
    """Whether it has a floating-point type of fewer than 64 bits."""
    return hasattr(x, "dtype") and wide_dtype(x.dtype) != x.dtype


def narrow_dtypes(closed: core.ClosedJaxpr) -> list[str]:
    """Names of the floating-point types narrower than float64 that a program makes, inner programs included."""
    found = set()
    for equation in closed.jaxpr.eqns:
        found |= {str(v.aval.dtype) for v in equation.outvars if is_narrow(v.aval)}
        for program in filter(lambda p: isinstance(p, Program), jax.tree.leaves(list(equation.params.values()))):
            found |= set(narrow_dtypes(as_closed(program)))
    return sorted(found)


def wide_dtype(dtype: Any) -> Any:
    """float64 for a narrower floating-point type, complex128 for a complex one; any other type as it is."""
    if jnp.issubdtype(dtype, jnp.complexfloating):
        return jnp.dtype("complex128")
    return jnp.dtype("float64") if jnp.issubdtype(dtype, jnp.floating) else dtype


def _wide_parameter(name: str, value: Any) -> Any:
    if isinstance(value, Program):
        return _wide_program(value)
    is_type = name in ("new_dtype", "dtype", "preferred_element_type") and value is not None
    return wide_dtype(value) if is_type and wide_dtype(value) != value else None


def _wide_program(program: Program) -> Program:
    closed = as_closed(program)
    arguments = [jax.ShapeDtypeStruct(v.aval.shape, wide_dtype(v.aval.dtype)) for v in closed.jaxpr.invars]
    made = jax.make_jaxpr(lambda *args: evaluate(closed, args, wide, wide_constant))(*arguments)
    return made if isinstance(program, core.ClosedJaxpr) else made.jaxpr


def _as_traced(x: Any, aval: Any) -> Any:
    return x.astype(aval.dtype) if jnp.issubdtype(getattr(aval, "dtype", np.int32), jnp.inexact) else x
