"""Operators and arrays of a jaxpr in words: `dot`, `mul 0.5`, `z > 0`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jax.extend import core

_INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "\N{MULTIPLICATION SIGN}",
    "div": "/",
    "gt": ">",
    "ge": "≥",
    "lt": "<",
    "le": "≤",
    "eq": "=",
}
_PLAIN = {"dot_general": "dot", "select_n": "where", "broadcast_in_dim": "broadcast", "convert_element_type": "convert"}


Formula = tuple[str, tuple[int, ...]]


def formula(atom: Any, known: Mapping[Any, Formula], makers: Mapping[Any, Any], depth: int = 3) -> Formula:
    """How an array is made from values of the graph, and the numbers of those values."""
    if isinstance(atom, core.Literal):
        return _number(atom.val), ()
    if atom in known:
        return known[atom]
    if atom not in makers:
        return "…", ()
    eqn = makers[atom]
    name = eqn.primitive.name
    inputs = [formula(x, known, makers, depth - 1) for x in eqn.invars]
    if name == "jit":  # find the formula inside the function
        inner = eqn.params["jaxpr"].jaxpr
        inner_makers = {var: inner_eqn for inner_eqn in inner.eqns for var in inner_eqn.outvars}
        output = inner.outvars[eqn.outvars.index(atom)]
        return formula(output, dict(zip(inner.invars, inputs, strict=True)), inner_makers, depth)
    sources = tuple(dict.fromkeys(i for _, numbers in inputs for i in numbers))
    texts = [text for text, _ in inputs]
    if depth == 0:
        return "…", sources
    if name in _INFIX and len(texts) == 2:
        left, right = (f"({text})" if " " in text else text for text in texts)
        return f"{left} {_INFIX[name]} {right}", sources
    if name == "integer_pow":
        return f"{texts[0]}^{eqn.params['y']}", sources
    return f"{_PLAIN.get(name, name.removeprefix('reduce_'))}({', '.join(texts)})", sources


def label(eqn: Any) -> str:
    """The operator's name, with the numbers written in the program."""
    name = eqn.primitive.name
    if name == "jit":
        return str(eqn.params["name"])
    if name in ("custom_jvp_call", "custom_vjp_call"):
        return str(eqn.params["call_jaxpr"].jaxpr.debug_info.func_name)
    if name == "integer_pow":
        return "square" if eqn.params["y"] == 2 else f"power {eqn.params['y']}"
    literals = [_number(x.val) for x in eqn.invars if isinstance(x, core.Literal)]
    return " ".join([_PLAIN.get(name, name.removeprefix("reduce_")), *literals])


def _number(value: Any) -> str:
    return f"{np.asarray(value).item():.4g}" if np.ndim(value) == 0 else "array"
