"""From a function to its graph: what it computes, and what its backward pass keeps. No drawing here."""

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from jaxd2l.book.graphs.formula import formula, label
from jaxd2l.book.graphs.trace import forward_of_vjp, opened, variables

Role = Literal["argument", "constant", "intermediate", "output", "residual"]


class Value(NamedTuple):
    """An array of the graph: a square in the book's figure.

    name: the parameter's, the one given by `jax.ad_checkpoint.checkpoint_name`, a formula, or v1, v2, ...
    dtype: in short, as jaxprs have it: f32, i32, bool.
    nbytes: its size in memory.
    role: "residual" is an array that only the backward pass asks for, such as the mask `z > 0` of a relu.
    kept: whether the backward pass keeps it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    role: Role
    kept: bool


class Operation(NamedTuple):
    """An operator, a circle in the book's figure: its name, and by number the values it takes and gives."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Graph(NamedTuple):
    """Values, the operators between them, and for each residual the values it is made of."""

    values: tuple[Value, ...]
    operations: tuple[Operation, ...]
    derivations: tuple[Operation, ...]

    @property
    def kept(self) -> tuple[Value, ...]:
        """What the backward pass keeps, arguments included."""
        return tuple(value for value in self.values if value.kept)

    @property
    def kept_bytes(self) -> int:
        """Memory that the backward pass asks for beyond arguments and constants, in bytes."""
        return sum(value.nbytes for value in self.kept if value.role not in ("argument", "constant"))

    def _repr_svg_(self) -> str:
        """How a notebook shows a graph: as a picture."""
        from jaxd2l.book.graphs.draw import svg

        return svg(self)


def graph(f: Callable[..., Any], *args: Any, argnums: int | Sequence[int] | None = None, expand: bool = False) -> Graph:
    """The computational graph of `f(*args)`, read from its jaxpr. D2L 5.3.2; `torch.autograd.graph` and torchviz.

    Also asks `jax.vjp` which arrays it hands from the forward to the backward pass: those are marked as kept.
    Compiled, XLA may still drop one and compute it again. Each jitted function is one operator; name an
    intermediate value by `jax.ad_checkpoint.checkpoint_name(value, "z")`. In a notebook the graph shows as a
    picture; `graphs.svg` and `graphs.png` make files of it.

    Args:
      f: any function of arrays, or of pytrees of arrays.
      args: its arguments; `jax.ShapeDtypeStruct` will do, nothing is computed.
      argnums: which arguments are differentiated; all unless said otherwise, none for `()`.
      expand: show what is inside jitted functions.

    Raises:
      ValueError: `argnums` names no argument, or JAX cannot differentiate `f` backwards (`lax.while_loop`).

    >>> found = graph(lambda x: jnp.sum(jnp.sin(x)), jnp.ones(3))
    >>> [operation.name for operation in found.operations]
    ['sin', 'sum']
    >>> [(value.name, value.shape, value.nbytes) for value in found.kept]
    [('cos(x)', (3,), 12)]
    """
    leaves, names, differentiated = _arguments(f, args, argnums)
    closed = opened(jax.make_jaxpr(f)(*args), leaves, expand)
    forward, counts = forward_of_vjp(closed, leaves, differentiated)
    return _assemble(closed.jaxpr, names, forward, counts)


def _arguments(
    f: Callable[..., Any], args: tuple[Any, ...], argnums: int | Sequence[int] | None
) -> tuple[list[Any], list[str], list[int]]:
    """The arrays in the arguments, their names, and the positions of those to differentiate."""
    chosen = range(len(args)) if argnums is None else [argnums] if isinstance(argnums, int) else list(argnums)
    if wrong := [i for i in chosen if not 0 <= i < len(args)]:
        raise ValueError(f"argnums names argument {wrong[0]}, and there are {len(args)}, counted from 0")
    leaves: list[Any] = []
    names: list[str] = []
    differentiated: list[int] = []
    for i, (parameter, arg) in enumerate(zip(_parameter_names(f, len(args)), args, strict=True)):
        for path, leaf in jax.tree_util.tree_leaves_with_path(arg):
            if i in chosen and jnp.issubdtype(jnp.result_type(leaf), jnp.inexact):
                differentiated.append(len(leaves))
            leaves.append(leaf)
            names.append(".".join([parameter, *filter(None, [jax.tree_util.keystr(path, simple=True, separator=".")])]))
    return leaves, names, differentiated


def _parameter_names(f: Callable[..., Any], count: int) -> list[str]:
    fallback = [f"x{i}" for i in range(1, count + 1)]
    try:
        bound = inspect.signature(f).bind(*fallback)
    except (TypeError, ValueError):  # a builtin without a signature; wrong arguments fail when they are traced
        return fallback
    names: list[str] = []
    for name, value in bound.arguments.items():
        names += [f"{name}.{i}" for i in range(len(value))] if isinstance(value, tuple) else [name]
    return names if len(names) == count else fallback


def _assemble(jaxpr: core.Jaxpr, arguments: Sequence[str], forward: core.Jaxpr, num_kept: int) -> Graph:
    number: dict[core.Var, int] = {}
    values: list[Value] = []

    def add(var: Any, name: str, role: Role) -> int:
        values.append(_value(var.aval, name, role))
        return len(values) - 1

    for i, var in enumerate(jaxpr.constvars, 1):
        number[var] = add(var, f"constant{i}" if len(jaxpr.constvars) > 1 else "constant", "constant")
    for var, name in zip(jaxpr.invars, arguments, strict=True):
        number[var] = add(var, name, "argument")
    operations = []
    for eqn in jaxpr.eqns:
        inputs = tuple(dict.fromkeys(number[x] for x in eqn.invars if not isinstance(x, core.Literal)))
        if eqn.primitive.name == "name" and inputs:  # names its input, and is no operator
            number[eqn.outvars[0]] = inputs[0]
            if values[inputs[0]].role == "intermediate":
                values[inputs[0]] = values[inputs[0]]._replace(name=eqn.params["name"])
            continue
        for var in eqn.outvars:
            number[var] = add(var, "", "intermediate")
        operations.append(Operation(label(eqn), inputs, tuple(number[var] for var in eqn.outvars)))
    for atom in jaxpr.outvars:
        if not isinstance(atom, core.Literal) and values[number[atom]].role == "intermediate":
            values[number[atom]] = values[number[atom]]._replace(role="output")
    taken, unnamed = {value.name for value in values}, iter(range(1, len(values) + 1))
    for i, value in enumerate(values):
        if not value.name:
            values[i] = value._replace(name=next(name for j in unnamed if (name := f"v{j}") not in taken))

    # The traced forward pass gives every value of the graph by its number: what else is kept is a residual.
    found = {
        atom: number[var]
        for atom, var in zip(forward.outvars[num_kept:], variables(jaxpr), strict=True)
        if not isinstance(atom, core.Literal)
    }
    makers = {var: eqn for eqn in forward.eqns for var in eqn.outvars}
    known = {atom: (values[i].name, (i,)) for atom, i in found.items()}
    derivations = []
    for atom in dict.fromkeys(x for x in forward.outvars[:num_kept] if not isinstance(x, core.Literal)):
        if atom in found:
            values[found[atom]] = values[found[atom]]._replace(kept=True)
            continue
        text, sources = formula(atom, known, makers)
        values.append(_value(atom.aval, text, "residual" if sources else "constant", True))
        if sources:
            derivations.append(Operation("", sources, (len(values) - 1,)))
    return Graph(tuple(values), tuple(operations), tuple(derivations))


def _value(aval: Any, name: str, role: Role, kept: bool = False) -> Value:
    dtype = re.sub(r"(b?)(uint|int|float|complex)(?=\d)", lambda m: m[1] + m[2][0], str(aval.dtype))
    return Value(name, tuple(aval.shape), dtype, int(np.prod(aval.shape)) * aval.dtype.itemsize, role, kept)
