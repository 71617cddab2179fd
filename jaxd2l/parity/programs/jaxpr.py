"""A JAX program, equation by equation: the same program, with a rule of ours for what each equation computes.

JAX traces a function to a jaxpr, a list of equations in a small set of primitives. Here that list is evaluated again.
Calls, loops and branches are entered, so the rule meets every operation, also those within a `scan` or a `cond`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core

Rule = Callable[[Any, list[Any]], list[Any]]
"""`rule(equation, inputs) -> outputs` for an equation that is neither a call nor a loop nor a branch."""

Path = tuple[Any, ...]
"""An equation, after the calls within which it stands, outermost first."""

Visit = Callable[[Path, list[Any], list[Any]], None]
"""`visit(path, inputs, outputs)`, called after each equation outside of loops and branches, and after each of these."""

Program = core.ClosedJaxpr | core.Jaxpr


def trace(function: Callable[..., Any], *args: Any) -> tuple[core.ClosedJaxpr, Any]:
    """The jaxpr of `function(*args)` and the structure of its result. Only the arguments' shapes and types are used.

    In float64 if the function follows the type of its arguments. A function that mixes types of its own with them,
    such as a recurrent cell that starts from float32 zeros, cannot be traced so; it is traced as it runs, in float32.

    Raises:
      TypeError, ValueError: what the function itself raises.
    """
    try:
        return _traced(function, args, np.float64)
    except TypeError:
        return _traced(function, args, np.float32)


def evaluate(
    closed: core.ClosedJaxpr,
    args: Sequence[Any],
    rule: Rule,
    constant: Callable[[Any], Any],
    visit: Visit | None = None,
    unroll: int = 0,
    callers: Path = (),
) -> list[Any]:
    """The outputs of a jaxpr, each equation computed by `rule` and each number written into it read by `constant`.

    Args:
      closed: the program.
      args: its arguments.
      rule, constant: see above.
      visit: sees what is computed on the way.
      unroll: a scan of at most so many equations in all its steps is evaluated step by step, so `visit` sees inside.
      callers: the path to this program, if it is one within another.
    """
    values: dict[Any, Any] = dict(zip(closed.jaxpr.constvars, map(constant, closed.consts), strict=True))
    values |= dict(zip(closed.jaxpr.invars, args, strict=True))

    def read(atom: Any) -> Any:
        if isinstance(atom, core.Literal):
            return constant(np.asarray(atom.val, atom.aval.dtype))  # type: ignore[attr-defined]
        return values[atom]

    def enter(program: Program, visit: Visit | None = None, path: Path = ()) -> Callable[..., list[Any]]:
        return lambda *args: evaluate(as_closed(program), args, rule, constant, visit, unroll, path)

    for equation in closed.jaxpr.eqns:
        inputs, path = [read(atom) for atom in equation.invars], (*callers, equation)
        if (program := _wrapped(equation)) is not None:
            outputs = enter(program, visit, path)(*inputs)
        elif visit is not None and _steps(equation) in range(1, unroll + 1):
            body = enter(equation.params["jaxpr"], visit, path)
            outputs = _step_by_step(equation.params, inputs, body, partial(visit, path))
        else:
            structured = _STRUCTURED.get(equation.primitive.name)
            outputs = structured(equation.params, inputs, enter) if structured else rule(equation, inputs)
            if visit is not None:
                visit(path, inputs, outputs)
        values |= dict(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in closed.jaxpr.outvars]


def bind(equation: Any, inputs: list[Any], **changed: Any) -> list[Any]:
    """Computes one equation as JAX does, with some of its parameters changed."""
    parameters = equation.primitive.get_bind_params(equation.params | changed)
    answer = equation.primitive.bind(*inputs, **parameters)
    return list(answer) if equation.primitive.multiple_results else [answer]


def as_closed(program: Program) -> core.ClosedJaxpr:
    """A jaxpr with its constants, of which an open one has none."""
    return program if isinstance(program, core.ClosedJaxpr) else core.ClosedJaxpr(program, ())


def _traced(function: Callable[..., Any], args: tuple[Any, ...], dtype: type) -> tuple[core.ClosedJaxpr, Any]:
    with jax.enable_x64(dtype is np.float64), jax.numpy_dtype_promotion("standard"):  # as users run it
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*jax.tree.map(lambda x: _shape(x, dtype), args))
    return closed, jax.tree.structure(shape)


def _shape(x: Any, dtype: type) -> jax.ShapeDtypeStruct:
    given = jax.dtypes.canonicalize_dtype(getattr(x, "dtype", np.asarray(x).dtype if np.isscalar(x) else None))
    return jax.ShapeDtypeStruct(np.shape(x), dtype if jnp.issubdtype(given, jnp.floating) else given)


def _wrapped(equation: Any) -> Program | None:
    """The program of a primitive that only wraps one: jit, remat, custom derivatives. None for all others."""
    if equation.primitive.name in _STRUCTURED or equation.primitive.name in _COMPUTING:
        return None
    for name in ("jaxpr", "call_jaxpr", "call", "fun_jaxpr"):
        program = equation.params.get(name)
        if isinstance(program, Program) and len(as_closed(program).jaxpr.invars) == len(equation.invars):
            return program
    return None


_COMPUTING = frozenset(("reduce", "reduce_window", "scatter", "scatter-add", "scatter_mul", "select_and_scatter"))
"""Primitives with a program that they apply to two numbers at a time."""

_Params = dict[str, Any]
_Enter = Callable[[Program], Callable[..., list[Any]]]


def _scan(params: _Params, inputs: list[Any], enter: _Enter) -> list[Any]:
    first, last = params["num_consts"], params["num_consts"] + params["num_carry"]
    consts, carry, xs = inputs[:first], inputs[first:last], inputs[last:]
    body = enter(params["jaxpr"])

    def step(carry: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
        outputs = body(*consts, *carry, *x)
        return outputs[: len(carry)], outputs[len(carry) :]

    carry, ys = lax.scan(step, carry, xs, **{name: params[name] for name in ("length", "reverse", "unroll")})
    return [*carry, *ys]


def _steps(equation: Any) -> int:
    """How many equations a scan evaluates in all its steps; 0 for everything else."""
    is_scan = equation.primitive.name == "scan"
    return equation.params["length"] * len(equation.params["jaxpr"].jaxpr.eqns) if is_scan else 0


def _step_by_step(
    params: _Params, inputs: list[Any], body: Callable[..., list[Any]], see: Callable[[list[Any], list[Any]], None]
) -> list[Any]:
    """A scan without a loop; `see` is told what is taken apart before a step and put together after the last."""
    first, last = params["num_consts"], params["num_consts"] + params["num_carry"]
    consts, carry, xs = inputs[:first], inputs[first:last], inputs[last:]
    ys: list[list[Any]] = [[] for _ in range(params["length"])]
    for i in range(params["length"])[:: -1 if params["reverse"] else 1]:
        x = [lax.index_in_dim(jnp.asarray(array), i, keepdims=False) for array in xs]
        for whole, part in zip(xs, x, strict=True):
            see([whole], [part])
        outputs = body(*consts, *carry, *x)
        carry, ys[i] = outputs[: len(carry)], outputs[len(carry) :]
    stacked = [jnp.stack(parts) for parts in zip(*ys, strict=True)]
    for parts, together in zip(zip(*ys, strict=True), stacked, strict=True):
        see(list(parts), [together])
    return [*carry, *stacked]


def _while(params: _Params, inputs: list[Any], enter: _Enter) -> list[Any]:
    first, last = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
    condition, body = enter(params["cond_jaxpr"]), enter(params["body_jaxpr"])
    return lax.while_loop(
        lambda carry: condition(*inputs[:first], *carry)[0],
        lambda carry: body(*inputs[first:last], *carry),
        inputs[last:],
    )


def _cond(params: _Params, inputs: list[Any], enter: _Enter) -> list[Any]:
    return list(lax.switch(inputs[0], [enter(branch) for branch in params["branches"]], *inputs[1:]))


def _linear_solve(params: _Params, inputs: list[Any], enter: _Enter) -> list[Any]:
    lengths = params["const_lengths"]
    start = lengths.matvec + lengths.vecmat
    end = start + lengths.solve
    return enter(params["jaxprs"].solve)(*inputs[start:end], *inputs[end + lengths.transpose_solve :])


_STRUCTURED: dict[str, Callable[[_Params, list[Any], _Enter], list[Any]]] = {
    "scan": _scan,
    "while": _while,
    "cond": _cond,
    "custom_linear_solve": _linear_solve,
}
