"""The first levels of a check: outputs, layers, loss and gradients, all at torch's weights."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from jaxd2l.parity import hints, layers
from jaxd2l.parity.findings import LayerMatch
from jaxd2l.parity.flips import Flip, explained
from jaxd2l.parity.jax_side import Evaluators, evaluator, flip_finder
from jaxd2l.parity.noise import condition_scales
from jaxd2l.parity.rule import DOUBLE, SINGLE, Row, compare_accuracy, compare_meaning, holds, largest_magnitude
from jaxd2l.parity.sides import Sides
from jaxd2l.parity.torch_side import LOSS, OUTPUTS, SAME_LOSS, Values, gradient_of, torch_values


class ValuesLevel(NamedTuple):
    """Rows of outputs, loss and gradients; then what `Report` says of the layers."""

    rows: list[Row]
    layers: tuple[LayerMatch, ...]
    first_diverging: str


class _Computed(NamedTuple):
    """Every quantity by both libraries in both precisions, and its condition scale."""

    torch64: Values
    torch32: Values
    jax64: Values
    jax32: Values
    scales: Values


def values_level(sides: Sides, evaluators: Evaluators, narrow: list[str]) -> ValuesLevel:
    """Compares outputs, loss and gradients, and looks for torch's layers in JAX.

    Args:
      sides: what to compare.
      evaluators: JAX's half of it, compiled.
      narrow: dtypes narrower than float64 that JAX uses although its arguments are float64.
    """
    computed = _compute(sides, evaluators)
    meaning = {
        name: compare_meaning(name, value, computed.jax64[name], computed.scales[name])
        for name, value in computed.torch64.items()
    }
    if not all(map(holds, meaning.values())):
        wide = _widened(sides) if narrow else computed.jax64
        meaning = {name: _imprecise(row, computed, wide, narrow) for name, row in meaning.items()}
    found = _hints(sides, computed, meaning)
    flips = cache(lambda: flip_finder(sides.ours)(sides.start, 0))
    rows = []
    for name, row in meaning.items():
        pair = (row, _accuracy(row, computed, flips))
        rows += [r if holds(r) else r._replace(hint=found[name] or r.hint) for r in pair]
    matches = layers.match_layers(sides)
    diverging = "" if holds(meaning[OUTPUTS]) else layers.first_diverging(matches)
    return ValuesLevel(rows, matches, diverging)


def _compute(sides: Sides, evaluators: Evaluators) -> _Computed:
    same = sides.outputs
    exact, torch32 = torch_values(sides.double, same), torch_values(sides.single, same)
    scales = condition_scales(lambda: torch_values(sides.double, same), exact, sides.seed)
    jax32, jax64 = (evaluators[dtype](sides.start) for dtype in (np.float32, np.float64))
    return _Computed(exact, torch32, _as_float64(jax64), jax32, scales)


def _widened(sides: Sides) -> Values:
    """JAX's values with float64 in place of every narrower type in the program."""
    ours = sides.ours._replace(wide=True)
    return _as_float64(evaluator(ours, np.float64, sides.outputs)(sides.start))


def _imprecise(row: Row, computed: _Computed, wide: Values, narrow: list[str]) -> Row:
    """Calls the right function in too few digits imprecise, rather than another function.

    An error that shrinks with the roundoff, 2^29 times from float32 to float64, is rounding. And if JAX leaves
    float64 for a narrower type on the way, the same program with every type widened shows what was meant.
    """
    if holds(row):
        return row
    name, exact = row.quantity, computed.torch64[row.quantity]
    if narrow and holds(compare_meaning(name, exact, wide[name], computed.scales[name])):
        hint = f"the same function, computed in {', '.join(narrow)} on the way although its arguments are float64"
        return row._replace(verdict="precision-defect", hint=hint)
    single, double = (largest_magnitude(values[name] - exact) for values in (computed.jax32, computed.jax64))
    if double <= single * 2.0**6 * DOUBLE / SINGLE:
        return row._replace(verdict="precision-defect", hint="the same function, computed in a way that loses digits")
    return row


def _hints(sides: Sides, computed: _Computed, meaning: dict[str, Row]) -> dict[str, str]:
    """By quantity, what JAX does differently; empty where the cause is not found."""
    found = {name: row.hint for name, row in meaning.items()}
    double, jax64, exact, scales = sides.double, computed.jax64, computed.torch64, computed.scales
    wrong = [name for name, row in meaning.items() if row.verdict == "semantic-mismatch"]
    if OUTPUTS in wrong:
        found[OUTPUTS] = hints.explain_outputs(double, sides.ours, jax64[OUTPUTS], exact[OUTPUTS], scales[OUTPUTS])
    if SAME_LOSS in wrong:
        found[SAME_LOSS] = hints.explain_loss(
            double, sides.outputs, jax64[SAME_LOSS], exact[SAME_LOSS], scales[SAME_LOSS]
        )
    if holds(meaning[LOSS]) and holds(meaning[OUTPUTS]):
        for name in wrong:
            found[name] = hints.explain_gradient(name, len(double.inputs), jax64[name], exact[name], scales[name])
        for name, parameter in double.module.named_parameters():
            if not parameter.requires_grad:
                found[gradient_of(name)] = f"torch does not train {name}: its requires_grad is False"
    return found


def _accuracy(meaning: Row, computed: _Computed, flips: Callable[[], list[Flip]]) -> Row:
    """The float32 row of a quantity; a failure in float64 decides what kind of failure it is."""
    name = meaning.quantity
    row = compare_accuracy(
        name, computed.torch32[name], computed.jax32[name], computed.torch64[name], computed.scales[name]
    )
    if holds(row):
        return row
    if not holds(meaning):
        return row._replace(verdict=meaning.verdict)
    row = row._replace(verdict="precision-defect")
    return row if name in (OUTPUTS, LOSS, SAME_LOSS) else explained(row, flips())


def _as_float64(values: Values) -> Values:
    return {name: value.astype(np.float64) if value.dtype.kind == "f" else value for name, value in values.items()}
