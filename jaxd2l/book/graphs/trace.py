"""The traced programs behind a graph: the function, and its forward pass as differentiation runs it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core


def opened(closed: core.ClosedJaxpr, leaves: Sequence[Any], expand: bool) -> core.ClosedJaxpr:
    """The jaxpr with jitted functions inlined: all of them, or one that is the whole function."""

    def has_jit(jaxpr: core.Jaxpr) -> bool:
        jitted = [eqn.primitive.name == "jit" for eqn in jaxpr.eqns]
        return any(jitted) if expand else jitted == [True]

    while has_jit(closed.jaxpr):
        open_once = partial(_outputs_with_jit_opened, closed)
        closed = jax.make_jaxpr(open_once)(*leaves)
    return closed


def _outputs_with_jit_opened(closed: core.ClosedJaxpr, *leaves: Any) -> list[Any]:
    return _interpret(closed.jaxpr, closed.consts, leaves, opened="jit")[0]


def _interpret(
    jaxpr: core.Jaxpr, consts: Sequence[Any], args: Sequence[Any], opened: str = ""
) -> tuple[list[Any], dict[core.Var, Any]]:
    """Runs a jaxpr, operator by operator. Returns its outputs and the value of every variable."""
    env: dict[core.Var, Any] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else env[atom]

    for eqn in jaxpr.eqns:
        inputs = [read(atom) for atom in eqn.invars]
        if eqn.primitive.name == opened:
            inner = eqn.params["jaxpr"]
            outputs, _ = _interpret(inner.jaxpr, inner.consts, inputs)
        else:
            outputs = eqn.primitive.bind(*inputs, **eqn.primitive.get_bind_params(eqn.params))
            outputs = outputs if eqn.primitive.multiple_results else [outputs]
        env.update(zip(eqn.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars], env


def forward_of_vjp(
    closed: core.ClosedJaxpr, leaves: Sequence[Any], differentiated: Sequence[int]
) -> tuple[core.Jaxpr, int]:
    """The forward pass as `jax.vjp` runs it, and how many arrays it keeps.

    It returns the arrays that it keeps, then each value of `closed`.
    """
    num_kept = 0

    def run(*leaves: Any) -> list[Any]:
        def outputs(chosen: list[Any]) -> tuple[list[Any], list[Any]]:
            inputs = list(leaves)
            for i, leaf in zip(differentiated, chosen, strict=True):
                inputs[i] = leaf
            results, env = _interpret(closed.jaxpr, closed.consts, inputs)
            return results, [env[var] for var in variables(closed.jaxpr)]

        nonlocal num_kept
        chosen = [leaves[i] for i in differentiated]
        if not differentiated:
            return outputs(chosen)[1]
        results, pull_back, values = jax.vjp(outputs, chosen, has_aux=True)
        pull_back([_zeros_of_tangent(result) for result in results])  # fails if there is no backward pass
        kept = jax.tree.leaves(pull_back)
        num_kept = len(kept)
        return kept + values

    return jax.make_jaxpr(run)(*leaves).jaxpr, num_kept


def _zeros_of_tangent(x: Any) -> Any:
    if jnp.issubdtype(x.dtype, jnp.inexact):
        return jnp.zeros_like(x)
    return np.zeros(x.shape, jax.dtypes.float0)


def variables(jaxpr: core.Jaxpr) -> list[core.Var]:
    made = [var for eqn in jaxpr.eqns for var in eqn.outvars]
    return [*jaxpr.constvars, *jaxpr.invars, *made]
