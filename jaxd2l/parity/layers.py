"""Which layer diverges first: what torch computes, looked for among everything that JAX computes, in float64."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxd2l.parity import jax_side, torch_trace
from jaxd2l.parity.findings import Divergence, LayerMatch
from jaxd2l.parity.matching import CLOSE, Match, distance, is_reordered, match
from jaxd2l.parity.noise import with_scales
from jaxd2l.parity.programs.jax_watched import Computed
from jaxd2l.parity.quantities import Values
from jaxd2l.parity.rule import MEANING_BOUND
from jaxd2l.parity.sides import Sides
from jaxd2l.parity.source_lines import Line
from jaxd2l.parity.torch_constants import buffer_errors, own_buffers
from jaxd2l.parity.torch_trace import Quantity

_UNROLLED = 2000
"""Equations in all steps of a scan that is looked into step by step; compiling more takes long."""


class Layers(NamedTuple):
    """Torch's layers, each looked for in JAX; and where the two part, if an output differs."""

    matches: tuple[LayerMatch, ...]
    divergence: Divergence | None


def find_layers(sides: Sides, failed: Iterable[str]) -> Layers:
    """Looks for each layer's output, and if outputs differ for the first quantity from which on they do.

    Args:
      sides: what is compared.
      failed: names of the outputs that differ.
    """
    failed = tuple(failed)
    trace = torch_trace.trace(sides.double, inside=bool(failed))

    def quantities() -> Values:
        return {q.name: q.value for q in torch_trace.trace(sides.double, inside=bool(failed)).quantities}

    scales = with_scales(quantities, sides.seed)[1]
    held = _of_held_numbers(sides, quantities, scales)
    computed = jax_side.intermediates(sides.ours, sides.start, np.float64, _UNROLLED if failed else 0)
    arrays = [x.value for x in computed]
    found = {
        q.name: match(q.name, q.value, scales[q.name], arrays, held[q.name], flat=q.kind == "reshape")
        for q in trace.quantities
    }
    divergence = None
    if failed:
        ends = frozenset().union(*(trace.outputs[name] for name in failed))
        divergence = _divergence(trace.quantities, ends, found, computed, _inputs(sides))
    shown = [q for q in trace.quantities if q.kind == "layer" or _is_module(q)]
    return Layers(tuple(LayerMatch(q.name, found[q.name].nearest) for q in shown), divergence)


def _of_held_numbers(sides: Sides, quantities: Callable[[], Values], scales: Values) -> Values:
    """How far each quantity is off because torch holds numbers in float32 that JAX computes."""
    if names := own_buffers(sides):
        errors = buffer_errors(sides, names, quantities)
        return {name: np.nan_to_num(2 * error, posinf=np.inf) for name, error in errors.items()}
    return {name: np.zeros(()) for name in scales}


def _is_module(quantity: Quantity) -> bool:
    """A Flatten is a layer as well as a reshape."""
    return quantity.kind == "reshape" and quantity.name == quantity.layer and "(" in quantity.layer


def _inputs(sides: Sides) -> range:
    """The places of the inputs among what `jax_side.intermediates` lists."""
    call = sides.ours.samples[0].call
    return range(len(sides.start), len(sides.start) + len(jax.tree.leaves((call.args, call.kwargs))))


def _divergence(
    quantities: Sequence[Quantity],
    ends: frozenset[str],
    found: Mapping[str, Match],
    computed: Sequence[Computed],
    inputs: range,
) -> Divergence:
    first = first_missing(quantities, ends, found, computed)
    if first is None:  # all of torch's numbers are there: JAX does something to them afterwards
        last = [q for q in quantities if q.name in ends]
        lines = [x.line for x in computed if x.line is not None]
        return Divergence("", "", last[-1].line if last else None, lines[-1] if lines else None)
    line = jax_counterpart(first, {q.name: q for q in quantities}, found, computed, inputs)
    return Divergence(first.layer, first.name, first.line, line)


def first_missing(
    quantities: Sequence[Quantity], ends: frozenset[str], found: Mapping[str, Match], computed: Sequence[Computed]
) -> Quantity | None:
    """The first quantity on the way to `ends` that JAX does not compute, though it computes what it is made of.

    One that is missing while something computed from it is found was only computed in another way.
    """
    on_the_way = _with_ancestors(quantities, ends)
    for bound in (CLOSE, MEANING_BOUND):
        right: set[str] = set()
        for q in reversed(quantities):
            if any(error <= bound for error in found[q.name].places.values()) or q.name in right:
                right |= {q.name, *q.producers}
        missing = [q for q in quantities if q.name in on_the_way and q.name not in right]
        # A reshape that JAX does without is no divergence, only one that gives another order.
        wrong = [q for q in missing if q.kind != "reshape" or any(is_reordered(q.value, x.value) for x in computed)]
        if wrong:
            return wrong[0]
    return None


def _with_ancestors(quantities: Sequence[Quantity], names: frozenset[str]) -> set[str]:
    found = set(names)
    for q in reversed(quantities):
        if q.name in found:
            found |= q.producers
    return found


def jax_counterpart(
    quantity: Quantity,
    by_name: Mapping[str, Quantity],
    found: Mapping[str, Match],
    computed: Sequence[Computed],
    inputs: Iterable[int],
) -> Line | None:
    """The line in which JAX computes something else instead.

    It is looked for among what JAX computes from the arrays that are torch's own up to there: the array of the right
    shape that comes nearest. If none has the shape, it is where JAX goes on from there.
    """
    start = set(_found_producers(quantity, by_name, found)) or set(inputs)
    matched = {place for m in found.values() for place in m.places}
    after: list[int] = []
    reached = set(start)
    for i, x in enumerate(computed):
        if reached.intersection(x.producers):
            reached.add(i)
            if i not in matched and x.line is not None:
                after.append(i)
    distances = {i: distance(quantity.value, computed[i].value) for i in after}
    nearest = min(distances.values(), default=np.inf)
    # The first that is about as near: what comes after it resembles it, too.
    chosen = [i for i in after if distances[i] <= 2 * nearest] if np.isfinite(nearest) else after
    return computed[chosen[0]].line if chosen else None


def _found_producers(quantity: Quantity, by_name: Mapping[str, Quantity], found: Mapping[str, Match]) -> set[int]:
    places: set[int] = set()
    for name in quantity.producers:
        places |= set(found[name].places) or _found_producers(by_name[name], by_name, found)
    return places
