"""What a JAX program computes on its way: its intermediate arrays, and the arguments of its kinks."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxd2l.parity.programs.jax_wide import widened_call
from jaxd2l.parity.programs.jaxpr import Visit, bind, evaluate

_KINKS = frozenset(("max", "min", "gt", "ge", "lt", "le", "abs", "sign"))


def intermediates(function: Callable[..., Any], *args: Any, wide: bool = False) -> list[Array]:
    """Every floating-point array that `function(*args)` computes outside of loops, arguments included, in order."""
    found: list[Array] = [x for x in jax.tree.leaves(args) if jnp.issubdtype(jnp.result_type(x), jnp.floating)]

    def visit(equation: Any, inputs: list[Any], outputs: list[Any]) -> None:
        found.extend(x for x in outputs if jnp.issubdtype(x.dtype, jnp.floating))

    _watched(function, args, visit, wide)
    return found


def kinks(function: Callable[..., Any], *args: Any, wide: bool = False) -> dict[str, Array]:
    """The argument of every kink that `function(*args)` meets, by name. The kink itself is at 0."""
    found, visit = kink_visitor()
    _watched(function, args, visit, wide)
    return found


def kink_visitor() -> tuple[dict[str, Array], Visit]:
    """A visitor for `evaluate`, and the dictionary in which it collects the arguments of the kinks."""
    found: dict[str, Array] = {}

    def visit(equation: Any, inputs: list[Any], outputs: list[Any]) -> None:
        name = equation.primitive.name
        if name in _KINKS and jnp.issubdtype(jnp.result_type(inputs[0]), jnp.floating):
            number = sum(known.startswith(f"{name} ") for known in found)
            found[f"{name} {number}"] = jnp.subtract(*inputs) if len(inputs) == 2 else jnp.asarray(inputs[0])

    return found, visit


def _watched(function: Callable[..., Any], args: tuple[Any, ...], visit: Visit, wide: bool) -> None:
    if wide:
        widened_call(function, *args, visit=visit)
    else:
        evaluate(jax.make_jaxpr(function)(*args), jax.tree.leaves(args), bind, lambda value: value, visit)
