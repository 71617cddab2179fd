"""From a function to its graph: what it computes, and what its backward pass keeps."""

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from jaxd2l.book.graphs.formula import formula, label
from jaxd2l.book.graphs.parts import Operation, Role, Value
from jaxd2l.book.graphs.picture import Graph
from jaxd2l.book.graphs.trace import forward_of_vjp, opened, variables


def graph(f: Callable[..., Any], *args: Any, argnums: int | Sequence[int] | None = None, expand: bool = False) -> Graph:
    """The computational graph of `f(*args)`, read from its jaxpr. D2L 5.3.2; `torch.autograd.graph` and torchviz.

    Marks as kept the arrays that `jax.vjp` hands from the forward to the backward pass; XLA may still drop one when it
    compiles, and compute it again. A jitted function is one operator. `jax.ad_checkpoint.checkpoint_name(value, "z")`
    names an intermediate value. A notebook shows the graph as a picture; `graphs.figure` draws it.

    Args:
      f: any function of arrays, or of pytrees of arrays.
      args: its arguments, or a `jax.ShapeDtypeStruct` for each array: nothing is computed.
      argnums: which arguments to differentiate by; None for all, `()` for none.
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
    forward, num_kept = forward_of_vjp(closed, leaves, differentiated)
    values, operations, number = _program(closed.jaxpr, names)
    residuals = _keep(values, number, closed.jaxpr, forward, num_kept)
    return Graph(tuple(values), tuple(operations), tuple(residuals))


def _arguments(
    f: Callable[..., Any], args: tuple[Any, ...], argnums: int | Sequence[int] | None
) -> tuple[list[Any], list[str], list[int]]:
    """The arrays in the arguments, their names, and the positions of those to differentiate."""
    chosen = range(len(args)) if argnums is None else [argnums] if isinstance(argnums, int) else list(argnums)
    if wrong := [i for i in chosen if not 0 <= i < len(args)]:
        raise ValueError(f"argnums names argument {wrong[0]}, but there are {len(args)}, counted from 0")
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


def _program(jaxpr: core.Jaxpr, arguments: Sequence[str]) -> tuple[list[Value], list[Operation], dict[core.Var, int]]:
    """The values and operators of a program, and the number of each variable's value."""
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
    _name_the_rest(values)
    return values, operations, number


def _name_the_rest(values: list[Value]) -> None:
    """v1, v2, ... for values that nobody has named."""
    taken, unused = {value.name for value in values}, iter(range(1, len(values) + 1))
    for i, value in enumerate(values):
        if not value.name:
            values[i] = value._replace(name=next(name for j in unused if (name := f"v{j}") not in taken))


def _keep(
    values: list[Value], number: dict[core.Var, int], jaxpr: core.Jaxpr, forward: core.Jaxpr, num_kept: int
) -> list[Operation]:
    """Marks the values that the backward pass keeps, adds the residuals, and returns what each of these is made of."""
    # The forward pass returns what is kept, then every value of the graph; a residual is kept but not among these.
    kept, rest = forward.outvars[:num_kept], forward.outvars[num_kept:]
    found = {
        atom: number[var]
        for atom, var in zip(rest, variables(jaxpr), strict=True)
        if not isinstance(atom, core.Literal)
    }
    makers = {var: eqn for eqn in forward.eqns for var in eqn.outvars}
    known = {atom: (values[i].name, (i,)) for atom, i in found.items()}
    residuals = []
    for atom in dict.fromkeys(x for x in kept if not isinstance(x, core.Literal)):
        if atom in found:
            values[found[atom]] = values[found[atom]]._replace(kept=True)
            continue
        text, sources = formula(atom, known, makers)
        values.append(_value(atom.aval, text, "residual" if sources else "constant", True))
        if sources:
            residuals.append(Operation("", sources, (len(values) - 1,)))
    return residuals


def _value(aval: Any, name: str, role: Role, kept: bool = False) -> Value:
    dtype = re.sub(r"(b?)(uint|int|float|complex)(?=\d)", lambda m: m[1] + m[2][0], str(aval.dtype))
    return Value(name, tuple(aval.shape), dtype, int(np.prod(aval.shape)) * aval.dtype.itemsize, role, kept)
