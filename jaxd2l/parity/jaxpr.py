"""A JAX function equation by equation: what it computes on the way, observed from outside."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array

_CALLS = frozenset(
    "jit pjit closed_call core_call custom_jvp_call custom_vjp_call remat checkpoint remat2".split()  # noqa: SIM905
)
_KINKS = ("max", "min", "gt", "ge", "lt", "le", "abs", "sign")

Visit = Callable[[str, list[Any], list[Any]], None]


def intermediates(function: Callable[..., Any], *args: Any, wide: bool = False) -> list[Array]:
    """Every floating-point array that `function(*args)` computes on the way, arguments included, in order."""
    found: list[Array] = [x for x in jax.tree.leaves(args) if jnp.issubdtype(jnp.result_type(x), jnp.floating)]

    def visit(name: str, inputs: list[Any], outputs: list[Any]) -> None:
        found.extend(x for x in outputs if jnp.issubdtype(x.dtype, jnp.floating))

    run(jax.make_jaxpr(function)(*args), jax.tree.leaves(args), visit, wide=wide)
    return found


def kinks(function: Callable[..., Any], *args: Any, wide: bool = False) -> dict[str, Array]:
    """The argument of every kink that `function(*args)` meets, by name. The kink is at 0."""
    found: dict[str, Array] = {}
    counts: Counter[str] = Counter()

    def visit(name: str, inputs: list[Any], outputs: list[Any]) -> None:
        if name in _KINKS and jnp.issubdtype(jnp.result_type(inputs[0]), jnp.floating):
            found[f"{name} {counts[name]}"] = jnp.subtract(*inputs) if len(inputs) == 2 else jnp.asarray(inputs[0])
            counts[name] += 1

    run(jax.make_jaxpr(function)(*args), jax.tree.leaves(args), visit, wide=wide)
    return found


def widened(function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)` with every float16, bfloat16 and float32 on the way replaced by float64. Needs x64."""
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*args)
    outputs = run(closed, jax.tree.leaves(args), wide=True)
    return jax.tree.unflatten(jax.tree.structure(shape), outputs)


def narrow_dtypes(function: Callable[..., Any], *args: Any) -> list[str]:
    """Names of the floating-point dtypes narrower than float64 that `function(*args)` uses on the way."""
    arrays = jax.eval_shape(lambda *args: intermediates(function, *args), *args)
    return sorted({str(x.dtype) for x in arrays if x.dtype.itemsize < 8})


def run(closed: core.ClosedJaxpr, args: list[Any], visit: Visit | None = None, *, wide: bool = False) -> list[Any]:
    """Evaluates a jaxpr, shows each equation's name, inputs and outputs to `visit`, and returns the outputs.

    Calls (jit, custom derivatives, checkpoints) are entered; loops and branches are one equation each.
    """
    jaxpr = closed.jaxpr
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    values |= dict(zip(jaxpr.invars, args, strict=True))

    def read(atom: Any) -> Any:
        value = atom.val if isinstance(atom, core.Literal) else values[atom]
        if isinstance(atom, core.Literal):
            value = jnp.asarray(value, atom.aval.dtype)  # type: ignore[attr-defined]
        return _widen(value) if wide else value

    for equation in jaxpr.eqns:
        inputs = [read(atom) for atom in equation.invars]
        name = equation.primitive.name
        if name in _CALLS and (inner := _inner(equation)) is not None:
            outputs = run(inner, inputs, visit, wide=wide)
        elif wide and name == "reduce_precision":
            outputs = [inputs[0]]
        else:
            parameters = _wide_parameters(equation.params) if wide else equation.params
            answer = equation.primitive.bind(*inputs, **equation.primitive.get_bind_params(parameters))
            outputs = list(answer) if equation.primitive.multiple_results else [answer]
            if visit is not None:
                visit(name, inputs, outputs)
        values |= dict(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _inner(equation: Any) -> core.ClosedJaxpr | None:
    for key in ("jaxpr", "call_jaxpr"):
        if (inner := equation.params.get(key)) is not None:
            return inner if isinstance(inner, core.ClosedJaxpr) else core.ClosedJaxpr(inner, ())
    return None


def _is_narrow(dtype: Any) -> bool:
    return dtype is not None and jnp.issubdtype(dtype, jnp.floating) and jnp.dtype(dtype).itemsize < 8


def _widen(value: Any) -> Any:
    return value.astype(jnp.float64) if hasattr(value, "dtype") and _is_narrow(value.dtype) else value


def _wide_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    wide = {
        k: v for k, v in parameters.items() if k in ("new_dtype", "dtype", "preferred_element_type") and _is_narrow(v)
    }
    return parameters | dict.fromkeys(wide, jnp.dtype("float64"))
