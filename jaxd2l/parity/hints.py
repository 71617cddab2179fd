"""Why two values differ: torch's side is changed in one known way, and the change that gives JAX's value is named.

A hint is a computation that matched to rounding, never a guess by looks. What no change explains gets no hint. Where
two changes match, other inputs and weights decide between them.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from jaxd2l.parity import parameter_changes, probing
from jaxd2l.parity.bridge import to_numpy
from jaxd2l.parity.quantities import SAME_LOSS, Values
from jaxd2l.parity.ratios import ratios
from jaxd2l.parity.replacements import OF_GRADIENTS, OF_VALUES, Program, candidates, changed, record
from jaxd2l.parity.sides import Sides
from jaxd2l.parity.torch_side import TorchSide, batch_size, first_input, in_dtype, outputs_of, running, torch_values
from jaxd2l.parity.trials import UNFIT, Target, Trial, decided, hits, matching, target


class Alternative(NamedTuple):
    """A change that JAX may have made, and what torch gives with it."""

    hint: str
    compute: Callable[[], Any]


def explain(value: Any, original: Any, scale: Any, alternatives: Iterable[Alternative]) -> str:
    """The first alternative that gives `value`; empty if none does.

    Args:
      value: JAX's, in float64.
      original: torch's, which differs.
      scale: condition scale of the original.
      alternatives: what to try.
    """
    wanted = target(value, original, scale)
    for alternative in alternatives:
        try:
            other = np.asarray(alternative.compute(), np.float64)
        except UNFIT:
            continue  # the change makes no sense for this model
        if hits(other, wanted):
            return alternative.hint
    return ""


def explain_outputs(sides: Sides, wrong: str, wanted: dict[str, Target], diverging: str) -> str:
    """Why an output differs.

    Args:
      sides: what is compared.
      wrong: the output.
      wanted: what JAX gives of all outputs.
      diverging: the layer that diverges first, as far as known.
    """
    found = matching(_of_outputs(sides, wrong, diverging), sides.double, wanted, wrong)
    return decided(found, probing.probes(sides))


def explain_loss(sides: Sides, wanted: Target) -> str:
    """Why the losses of the same outputs differ."""
    side = sides.double

    def loss(side: TorchSide, change: Callable[[Any, Any], tuple[Any, Any]] = lambda o, y: (o, y)) -> Values:
        with running(side), torch.no_grad():
            given, labels = change(in_dtype(sides.whole, torch.float64), side.samples[0].labels)
            return {SAME_LOSS: to_numpy(side.loss(given, labels))}

    program = record(lambda: loss(side), side.module)
    trials = [*_replaced(program, loss), *_of_loss(loss, side, in_dtype(sides.whole, torch.float64))]
    return decided(matching(trials, side, {SAME_LOSS: wanted}, SAME_LOSS), ())


def explain_gradients(sides: Sides, wrong: list[str], wanted: dict[str, Target], exact: Values) -> dict[str, str]:
    """Why gradients differ although the loss does not, by their names.

    Args:
      sides: what is compared.
      wrong: the gradients that differ.
      wanted: what JAX gives of all gradients.
      exact: what torch gives.
    """
    program = record(lambda: torch_values(sides.double), sides.double.module)
    trials = _replaced(program, torch_values, OF_GRADIENTS)
    found = [t for t in matching(trials, sides.double, wanted, wrong[0]) if _explains(t, sides.double, wanted)]
    if hint := decided(found, ()):
        return dict.fromkeys(wrong, hint)
    return {name: _of_one_gradient(name, batch_size(sides.double), exact[name], wanted[name]) for name in wrong}


def _explains(trial: Trial, side: TorchSide, wanted: dict[str, Target]) -> bool:
    values = trial.compute(side)
    return all(hits(values[name], x) for name, x in wanted.items())


def _of_one_gradient(name: str, n: int, theirs: np.ndarray, wanted: Target) -> str:
    factors = {f"JAX gives no {name}: is it cut off by stop_gradient?": 0.0, "JAX's gradient has the other sign": -1.0}
    factors |= ratios("JAX's gradient", n, ())
    return next((hint for hint, factor in factors.items() if hits(factor * theirs, wanted)), "")


def _of_outputs(sides: Sides, wrong: str, diverging: str) -> Iterator[Trial]:
    side = sides.double
    jax_names = {name: name for name in sides.start} | {p.torch: n for n, p in sides.ours.weights.plain.items()}
    yield from parameter_changes.transposed(sides.start, jax_names)
    program = record(lambda: outputs_of(side), side.module)
    yield from _replaced(program, outputs_of, OF_VALUES, _start(program, diverging))
    yield from parameter_changes.others(sides.start, jax_names)
    yield from parameter_changes.layers(side.module)
    yield from _of_finished(wrong, outputs_of(side)[wrong], batch_size(side), first_input(side).shape[1:])


def _replaced(
    program: Program, compute: Callable[[TorchSide], Values], families: Any = OF_VALUES, first: int = 0
) -> Iterator[Trial]:
    for candidate in candidates(program, families, first):

        def trial(side: TorchSide, changes: Any = candidate.changes) -> Values:
            return changed(lambda: compute(side), changes)

        yield Trial(candidate.hint, trial, candidate.rank, tuple(candidate.changes))


def _start(program: Program, diverging: str) -> int:
    """The first call of the layer that diverges first; of " #2", of its second time."""
    layer, _, time = diverging.partition(" #")
    name, _, kind = layer.partition(" (")
    inside = [n for n, site in program.sites.items() if kind and site.module == name]
    same = [n for n, site in program.sites.items() if site.name == name]
    begins = [n for n in inside if n - 1 not in inside] or same
    return begins[min(int(time or 1), len(begins)) - 1] if begins else 0


def _of_finished(output: str, theirs: np.ndarray, n: int, rest: Any) -> Iterator[Trial]:
    """What is done to a finished output."""

    def of(function: Callable[[torch.Tensor], torch.Tensor], rank: int, hint: str) -> Trial:
        def compute(side: TorchSide) -> Values:
            values = outputs_of(side)
            return values | {output: function(torch.from_numpy(values[output].copy())).numpy()}

        return Trial(hint, compute, rank)

    for name in ("softmax", "log_softmax"):
        yield of(partial(getattr(torch, name), dim=-1), 2, f"JAX applies {name} to the outputs, torch does not")
    for name in ("sigmoid", "tanh", "relu"):
        yield of(getattr(torch, name), 2, f"JAX applies {name} to the outputs, torch does not")
    if theirs.ndim > 1:
        yield of(lambda x: x.transpose(-1, -2), 2, "the outputs are transposed")
    for axis in range(theirs.ndim):
        yield of(partial(torch.flip, dims=[axis]), 2, f"the outputs are in reverse order along axis {axis}")
        yield of(
            partial(torch.roll, shifts=1, dims=axis), 2, f"off by one: JAX's outputs are shifted along axis {axis}"
        )
        yield of(
            partial(torch.roll, shifts=-1, dims=axis),
            2,
            f"off by one: JAX's outputs are shifted back along axis {axis}",
        )
    yield of(torch.neg, 2, "JAX's outputs have the other sign")
    for hint, factor in ratios("JAX's outputs", n, rest).items():
        yield of(partial(torch.mul, other=factor), 3, hint)


def _of_loss(loss: Any, side: TorchSide, given: Any) -> Iterator[Trial]:
    labels = side.samples[0].labels

    def of(hint: str, change: Callable[[Any, Any], tuple[Any, Any]], rank: int = 0) -> Trial:
        return Trial(hint, lambda side: loss(side, change), rank)

    is_plain = isinstance(given, torch.Tensor) and isinstance(labels, torch.Tensor)
    if is_plain and not labels.is_floating_point() and given.ndim > 1:
        classes = given.shape[-1]
        for way, shift in (("smaller", -1), ("larger", 1)):
            hint = f"label off by one: JAX takes labels {way} by 1"
            yield of(hint, partial(_moved, by=shift, classes=classes, wraps=True))
            yield of(hint, partial(_moved, by=shift, classes=classes, wraps=False))
    if is_plain:
        yield of("JAX applies softmax before the loss, torch does not", lambda o, y: (o.softmax(-1), y))
        yield of("JAX takes probabilities for logits: log is applied before the loss", lambda o, y: (o.log(), y))
        yield of("JAX applies sigmoid before the loss, torch does not", lambda o, y: (o.sigmoid(), y))
    n, rest = (len(given), given.shape[1:]) if is_plain else (batch_size(side), ())
    factors = {"JAX's loss has the other sign": -1.0} | ratios("JAX's loss", n, rest)
    for hint, factor in factors.items():
        yield Trial(hint, partial(_times, loss, factor), 3)


def _moved(outputs: Any, labels: Any, by: int, classes: int, wraps: bool) -> tuple[Any, Any]:
    return outputs, (labels + by) % classes if wraps else (labels + by).clamp(0, classes - 1)


def _times(loss: Callable[[TorchSide], Values], factor: float, side: TorchSide) -> Values:
    return {name: np.asarray(factor * value) for name, value in loss(side).items()}
