"""What a JAX program computes on its way: its intermediate arrays, and the arguments of its kinks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxd2l.parity.programs.jax_wide import widened_call
from jaxd2l.parity.programs.jaxpr import Path, Visit, bind, evaluate
from jaxd2l.parity.source_lines import Line, jax_line

_KINKS = frozenset(("max", "min", "gt", "ge", "lt", "le", "abs", "sign"))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Computed:
    """An array that a program computes, as a pytree whose only leaf is the array.

    value: the array.
    producers: places in the list of all, of those from which it was computed; none for an argument or a constant.
    line: of the user's code; None for an argument.
    """

    value: Any
    producers: tuple[int, ...] = field(default=(), metadata={"static": True})
    line: Line | None = field(default=None, metadata={"static": True})


def intermediates(function: Callable[..., Any], *args: Any, wide: bool = False, unroll: int = 0) -> list[Computed]:
    """All arguments of `function(*args)`, then every floating-point array that it computes outside of loops, in order.

    Args:
      function: a pure function of arrays.
      *args: pytrees of arrays.
      wide: everything in float64.
      unroll: also what scans of at most so many equations in all compute in each step.
    """
    found: list[Computed] = []
    origins: dict[int, tuple[int, ...]] = {}
    alive: list[Any] = []  # so that no other object gets the same id

    def keep(x: Any, computed: Computed | None, origin: tuple[int, ...]) -> None:
        if computed is not None:
            found.append(computed)
            origin = (len(found) - 1,)
        origins[id(x)] = origin
        alive.append(x)

    def visit(path: Path, inputs: list[Any], outputs: list[Any]) -> None:
        origin = tuple(sorted({place for x in inputs for place in origins.get(id(x), ())}))
        line = jax_line(path)
        for x in outputs:
            is_floating = jnp.issubdtype(x.dtype, jnp.floating)
            keep(x, Computed(x, origin, line) if is_floating else None, origin)

    def watched(*leaves: Any) -> Any:
        return function(*jax.tree.unflatten(structure, leaves))

    leaves, structure = jax.tree.flatten(args)
    leaves = [jnp.asarray(x) for x in leaves]
    for x in leaves:
        keep(x, Computed(x), ())
    _watched(watched, leaves, visit, wide, unroll)
    return found


def kinks(function: Callable[..., Any], *args: Any, wide: bool = False) -> dict[str, Array]:
    """The argument of every kink that `function(*args)` meets, by name. The kink itself is at 0."""
    found, visit = kink_visitor()
    _watched(function, args, visit, wide)
    return found


def kink_visitor() -> tuple[dict[str, Array], Visit]:
    """A visitor for `evaluate`, and the dictionary in which it collects the arguments of the kinks."""
    found: dict[str, Array] = {}

    def visit(path: Path, inputs: list[Any], outputs: list[Any]) -> None:
        name = path[-1].primitive.name
        if name in _KINKS and jnp.issubdtype(jnp.result_type(inputs[0]), jnp.floating):
            number = sum(known.startswith(f"{name} ") for known in found)
            found[f"{name} {number}"] = jnp.subtract(*inputs) if len(inputs) == 2 else jnp.asarray(inputs[0])

    return found, visit


def _watched(function: Callable[..., Any], args: Any, visit: Visit, wide: bool, unroll: int = 0) -> None:
    if wide:
        widened_call(function, *args, visit=visit, unroll=unroll)
    else:
        leaves = jax.tree.leaves(args)
        evaluate(jax.make_jaxpr(function)(*args), leaves, bind, lambda value: value, visit, unroll)
