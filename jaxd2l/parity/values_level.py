"""The first levels of a check: outputs, layers, loss and gradients, all at torch's weights."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxd2l.parity import hints, jax_noise, jax_side, layers, running_averages
from jaxd2l.parity.findings import Divergence, LayerMatch
from jaxd2l.parity.flips import explained
from jaxd2l.parity.jax_side import evaluator
from jaxd2l.parity.noise import with_scales
from jaxd2l.parity.quantities import LOSS, SAME_LOSS, Values, updated
from jaxd2l.parity.rule import (
    DOUBLE,
    SINGLE,
    Row,
    compare_accuracy,
    compare_meaning,
    holds,
    largest_magnitude,
)
from jaxd2l.parity.sides import Sides
from jaxd2l.parity.torch_constants import buffer_errors, own_buffers, with_errors
from jaxd2l.parity.torch_side import torch_values
from jaxd2l.parity.trials import target


class ValuesLevel(NamedTuple):
    """Rows of outputs, loss and gradients; then what `Report` says of the layers."""

    rows: list[Row]
    layers: tuple[LayerMatch, ...]
    where: Divergence | None


class Computed(NamedTuple):
    """Every quantity by both libraries in both precisions, and its condition scale."""

    torch64: Values
    torch32: Values
    jax64: Values
    jax32: Values
    scales: Values


def values_level(sides: Sides, inside: list[str]) -> ValuesLevel:
    """Compares outputs, loss and gradients, and looks for torch's layers in JAX.

    Args:
      sides: what to compare.
      inside: floating-point types narrower than float64 that JAX's code names.
    """
    computed = _compute(sides)
    meaning, accuracy, allowed = judged(sides, computed, inside)
    sides.tell("layers")
    layers_found, where = layers.find_layers(sides, [name for name in sides.outputs if not holds(meaning[name])])
    sides.tell("causes")
    causes = _hints(sides, computed._replace(scales=allowed), meaning, where.layer if where else "")
    rows = []
    for name, row in meaning.items():
        rows += [
            r if holds(r) else r._replace(hint=(not holds(row) and causes[name]) or r.hint)
            for r in (row, accuracy[name])
        ]
    return ValuesLevel(rows, layers_found, where)


def judged(sides: Sides, computed: Computed, inside: list[str]) -> tuple[dict[str, Row], dict[str, Row], Values]:
    """The float64 row and the float32 row of every quantity; and the scales to within which a cause must match."""
    meaning, allowed = _meaning(computed, computed.scales), computed.scales
    if not all(map(holds, meaning.values())):
        sides.tell("rounding in JAX")
        meaning, allowed = _second_look(sides, computed, inside)
    return meaning, {name: _accuracy(sides, computed, row, inside) for name, row in meaning.items()}, allowed


def _meaning(computed: Computed, scales: Values) -> dict[str, Row]:
    return {name: compare_meaning(name, x, computed.jax64[name], scales[name]) for name, x in computed.torch64.items()}


def _second_look(sides: Sides, computed: Computed, inside: list[str]) -> tuple[dict[str, Row], Values]:
    """The float64 rows again, where JAX's own trembling counts, and the float32 numbers that one side holds.

    Returned beside them: the scales, as large as such numbers make them.
    """
    arguments = (sides.ours, sides.start, sides.outputs, sides.seed)
    trembling = jax_noise.jax_scales(*arguments)
    scales = {name: np.fmax(scale, trembling[name]) for name, scale in computed.scales.items()}
    meaning, allowed = _meaning(computed, scales), computed.scales
    for hint, errors in _float32_held(sides, computed, inside):
        if all(map(holds, meaning.values())):
            break
        of_these = with_errors(computed.scales, errors)
        excused = _meaning(computed, {name: np.fmax(scale, of_these[name]) for name, scale in scales.items()})
        meaning = {
            name: row if holds(row) or not holds(excused[name]) else excused[name]._replace(hint=hint)
            for name, row in meaning.items()
        }
        allowed = {name: np.fmax(scale, of_these[name]) for name, scale in allowed.items()}
    return {name: _imprecise(row, computed) for name, row in meaning.items()}, allowed


def _float32_held(sides: Sides, computed: Computed, inside: list[str]) -> Iterator[tuple[str, Values]]:
    """Float32 numbers that one side holds and the other computes, and how far their rounding moves each quantity."""
    if "float32" in inside:
        yield _FLOAT32_INSIDE, jax_noise.constant_errors(sides.ours, sides.start, sides.outputs, sides.seed)
    if names := own_buffers(sides):
        hint = f"torch holds {', '.join(names)} in float32, which explains the difference; the float32 row is the judge"
        yield hint, buffer_errors(sides, names, lambda: torch_values(sides.double, sides.whole))


_LOSES_DIGITS = "the same function, computed in a way that loses digits"
_FLOAT32_INSIDE = "the JAX code holds numbers in float32, which explains the difference; the float32 row is the judge"


def _compute(sides: Sides) -> Computed:
    whole = sides.whole
    sides.tell("outputs, loss and gradients in torch")
    torch32 = torch_values(sides.single, whole)
    exact, scales = with_scales(lambda: torch_values(sides.double, whole), sides.seed)
    sides.tell("outputs, loss and gradients in JAX")
    jax32, jax64 = sides.evaluate(sides.start), evaluator(sides.ours, np.float64, sides.outputs)(sides.start)
    missing = set(exact) - set(jax64)  # buffers that JAX does not keep: `check` says so
    exact, torch32, scales = ({n: x for n, x in v.items() if n not in missing} for v in (exact, torch32, scales))
    return Computed(exact, torch32, _as_float64(jax64), jax32, scales)


def _imprecise(row: Row, computed: Computed) -> Row:
    """Calls a right function in too few digits imprecise: its error shrinks with the roundoff, 2^29 times here."""
    if holds(row):
        return row
    name, exact = row.quantity, computed.torch64[row.quantity]
    single, double = (largest_magnitude(values[name] - exact) for values in (computed.jax32, computed.jax64))
    if double <= single * 2.0**6 * DOUBLE / SINGLE:
        return row._replace(verdict="precision-defect", hint=_LOSES_DIGITS)
    return row


def _hints(sides: Sides, computed: Computed, meaning: dict[str, Row], diverging: str) -> dict[str, str]:
    """By quantity, what JAX does differently; empty where the cause is not found."""
    found = {name: row.hint for name, row in meaning.items()}
    jax64, exact, scales = computed.jax64, computed.torch64, computed.scales
    wanted = {n: target(jax64[n], exact[n], scales[n]) for n in meaning if jax64[n].shape == exact[n].shape}
    wrong = [name for name, row in meaning.items() if row.verdict == "semantic-mismatch" and name in wanted]
    if failed := [name for name in sides.outputs if name in wrong]:
        outputs = {name: wanted[name] for name in sides.outputs if name in wanted}
        found[failed[0]] = hints.explain_outputs(sides, failed[0], outputs, diverging)
    if SAME_LOSS in wrong:
        found[SAME_LOSS] = hints.explain_loss(sides, wanted[SAME_LOSS])
    averages = {updated(name) for name in sides.start}
    for name in wrong:
        if name in averages:
            found[name] = running_averages.explain(sides, name, jax64[name], exact[name], scales[name])
    not_gradients = {*sides.outputs, LOSS, SAME_LOSS, *averages}
    gradients = [name for name in wrong if name not in not_gradients]
    if gradients and holds(meaning[LOSS]) and not failed:
        given = {name: x for name, x in wanted.items() if name not in not_gradients}
        found |= hints.explain_gradients(sides, gradients, given, exact)
    return found


def _accuracy(sides: Sides, computed: Computed, meaning: Row, inside: list[str]) -> Row:
    """The float32 row of a quantity; a failure in float64 decides what kind of failure it is."""
    name = meaning.quantity
    row = compare_accuracy(
        name,
        computed.torch32[name],
        computed.jax32[name],
        computed.torch64[name],
        computed.scales[name],
        sides.ours.precision.name,
    )
    if holds(row):
        return row
    if not holds(meaning):
        return row._replace(verdict=meaning.verdict)
    row = row._replace(verdict="precision-defect", hint=_LOSES_DIGITS)
    if narrow := [kind for kind in inside if kind != "float32"]:
        return row._replace(hint=f"the same function, computed in {', '.join(narrow)} on the way")
    return (
        row
        if name in (*sides.outputs, LOSS, SAME_LOSS)
        else explained(row, jax_side.flip_finder(sides.ours)(sides.start, 0))
    )


def _as_float64(values: Values) -> Values:
    return {
        name: value.astype(np.float64, copy=False) if value.dtype.kind == "f" else value
        for name, value in values.items()
    }
