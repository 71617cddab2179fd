"""What rounding does to the JAX program: its condition scales, as `noise` measures those of torch.

Two programs of one function may round in different places, so in float64 they may differ by as much as either
trembles. In float32 torch's scale alone is the measure: a program that trembles more than torch's is less accurate.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l.parity.jax_side import JaxSide, at, cast, jax_values, precision
from jaxd2l.parity.noise import SAMPLES, largest_deviations, same_branches
from jaxd2l.parity.programs.jax_rounding import rounded, signs
from jaxd2l.parity.programs.jax_watched import kink_visitor
from jaxd2l.parity.programs.jax_wide import is_narrow, wide, wide_constant, widened
from jaxd2l.parity.programs.jaxpr import Rule, evaluate, trace
from jaxd2l.parity.quantities import Values
from jaxd2l.parity.rule import SINGLE


def jax_scales(side: JaxSide, start: Values, same_outputs: Values, seed: int) -> Values:
    """The condition scale of every quantity of `jax_values`, in float32 roundings."""
    run = _perturbed(side, start, same_outputs, lambda seed: rounded(SINGLE, seed), lambda seed: wide_constant)
    exact, branches = run(None)

    def noisy(number: int) -> tuple[bool, Values]:
        values, taken = run(number)
        return same_branches(branches, taken), values

    found = largest_deviations((noisy(seed * SAMPLES + sample) for sample in range(SAMPLES)), exact)
    return {name: np.asarray(deviation / SINGLE) for name, deviation in found.items()}


def constant_errors(side: JaxSide, start: Values, same_outputs: Values, seed: int) -> Values:
    """How far every quantity moves if each number that the program holds in float32 is off by one rounding."""

    def constants(seed: Any) -> Callable[[Any], Any]:
        numbers = iter(range(1, 2**31))

        def off(value: Any) -> Any:
            exact = jnp.asarray(wide_constant(value))
            return exact * (1 + SINGLE * signs(exact, seed, next(numbers))) if is_narrow(value) else value

        return off

    run = _perturbed(side, start, same_outputs, lambda seed: wide, constants)
    exact, _ = run(None)
    return largest_deviations(((True, run(seed * SAMPLES + sample)[0]) for sample in range(SAMPLES)), exact)


def _perturbed(
    side: JaxSide,
    start: Values,
    same_outputs: Values,
    rule: Callable[[Any], Rule],
    constant: Callable[[Any], Callable[[Any], Any]],
) -> Callable[[int | None], tuple[Values, Values]]:
    """A function from a seed to all quantities, and to the arguments of the kinks; None for no perturbation."""
    arrays, call = cast(start, np.float64), at(side, np.float64)
    closed, structure = trace(jax_values(side, same_outputs), arrays, call)

    def program(seed: Any, *given: Any) -> tuple[Any, dict[str, Any]]:
        kinks, visit = kink_visitor()
        leaves = [widened(jnp.asarray(x)) for x in jax.tree.leaves(given)]
        with_rule = (wide, wide_constant) if seed is None else (rule(seed), constant(seed))
        outputs = evaluate(closed, leaves, *with_rule, visit)
        return jax.tree.unflatten(structure, outputs), kinks

    undisturbed, disturbed = jax.jit(lambda *given: program(None, *given)), jax.jit(program)

    def run(seed: int | None) -> tuple[Values, Values]:
        with precision(np.float64):
            values, kinks = undisturbed(arrays, call) if seed is None else disturbed(np.uint64(seed), arrays, call)
            return _on_host(values), _on_host(kinks)

    return run


def _on_host(values: dict[str, Any]) -> Values:
    return {name: np.asarray(x) for name, x in values.items()}
