"""Why two values differ: torch's side is changed in one known way, and the change that gives JAX's value is named.

A hint is a computation that matched to rounding, never a guess by looks. What no change explains gets no hint.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from jaxd2l.parity.bridge import to_numpy
from jaxd2l.parity.jax_side import JaxSide
from jaxd2l.parity.quantities import Values
from jaxd2l.parity.replacements import replacements, with_replacement
from jaxd2l.parity.rule import DOUBLE, largest_magnitude
from jaxd2l.parity.torch_side import (
    TorchSide,
    batch_size,
    first_input,
    in_dtype,
    outputs_of,
    parameters,
    running,
    set_parameters,
)


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
    size, largest_scale = largest_magnitude(original), largest_magnitude(scale)
    for alternative in alternatives:
        try:
            other = np.asarray(alternative.compute(), np.float64)
        except (RuntimeError, ValueError, IndexError, TypeError):
            continue  # the change makes no sense for this model
        if other.shape != np.shape(value) or not np.isfinite(other).all():
            continue
        growth = max(1.0, largest_magnitude(other) / size) if size else 1.0
        # Twice the bound of the rule: the change may round once more than what was measured.
        if largest_magnitude(other - value) <= 16 * DOUBLE * growth * max(largest_scale, size):
            return alternative.hint
    return ""


def explain_outputs(
    double: TorchSide, ours: JaxSide, name: str, value: np.ndarray, theirs: np.ndarray, scale: np.ndarray
) -> str:
    """Why an output differs."""
    return explain(value, theirs, scale, _output_alternatives(double, ours, name, theirs))


def explain_loss(double: TorchSide, outputs: Any, value: np.ndarray, theirs: np.ndarray, scale: np.ndarray) -> str:
    """Why the losses of the same outputs differ."""
    return explain(value, theirs, scale, _loss_alternatives(double, outputs))


def explain_gradient(name: str, batch_size: int, value: np.ndarray, theirs: np.ndarray, scale: np.ndarray) -> str:
    """Why a gradient differs although the loss does not."""
    cut_off = f"JAX gives no {name}: is it cut off by stop_gradient?"
    alternatives = [
        Alternative(cut_off, lambda: np.zeros_like(theirs)),
        Alternative("JAX's gradient has the other sign", lambda: -theirs),
        *_ratios("JAX's gradient", theirs, batch_size, ()),
    ]
    return explain(value, theirs, scale, alternatives)


def _output_alternatives(double: TorchSide, ours: JaxSide, output: str, theirs: np.ndarray) -> Iterator[Alternative]:
    start = parameters(double.module)
    jax_names = {name: name for name in start} | {p.torch: name for name, p in ours.weights.plain.items()}

    yield from _transposed_kernels(double, output, start, jax_names)
    for hint, replace in replacements():
        yield Alternative(hint, partial(with_replacement, double, output, replace))
    for name, value in start.items():
        if value.ndim == 1:
            zero = {name: np.zeros_like(value)}
            hint = f"{jax_names[name]} ({name}) is missing or not used"
            yield Alternative(hint, partial(_with_parameters, double, output, start, zero))
    for name, module in double.module.named_modules():
        if name and not list(module.children()):
            yield Alternative(
                f"layer {name} ({type(module).__name__}) is missing", partial(_without, double, output, module)
            )
    yield from _activated(theirs)
    yield Alternative("the outputs are transposed", lambda: theirs.swapaxes(-1, -2))
    yield from _ratios("JAX's outputs", theirs, batch_size(double), first_input(double).shape[1:])


def _transposed_kernels(
    double: TorchSide, output: str, start: Values, jax_names: dict[str, str]
) -> Iterator[Alternative]:
    square = {n: np.swapaxes(v, 0, 1) for n, v in start.items() if v.ndim > 1 and v.shape[0] == v.shape[1]}
    for name, value in square.items():
        changed = partial(_with_parameters, double, output, start, {name: value})
        yield Alternative(f"kernel transposed: {jax_names[name]} ({name})", changed)
    if len(square) > 1:
        hint = f"kernels transposed: {', '.join(jax_names[name] for name in square)}"
        yield Alternative(hint, partial(_with_parameters, double, output, start, square))


def _activated(outputs: np.ndarray) -> Iterator[Alternative]:
    tensor = torch.from_numpy(outputs.copy())
    functions = {
        "softmax": lambda: torch.softmax(tensor, -1),
        "log_softmax": lambda: torch.log_softmax(tensor, -1),
        "sigmoid": lambda: torch.sigmoid(tensor),
        "tanh": lambda: torch.tanh(tensor),
        "relu": lambda: torch.relu(tensor),
    }
    for name, function in functions.items():
        yield Alternative(f"JAX applies {name} to the outputs, torch does not", function)


def _loss_alternatives(double: TorchSide, outputs: Any) -> Iterator[Alternative]:
    given, labels = in_dtype(outputs, torch.float64), double.samples[0].labels

    def loss(outputs: Any = given, labels: Any = labels) -> np.ndarray:
        with running(double), torch.no_grad():
            return to_numpy(double.loss(outputs, labels))

    if not isinstance(given, torch.Tensor) or not isinstance(labels, torch.Tensor):
        yield from _ratios("JAX's loss", loss(), batch_size(double), ())
        return
    yield from _ratios("JAX's loss", loss(), len(given), given.shape[1:])
    if not labels.is_floating_point() and given.ndim > 1:
        classes = given.shape[-1]
        for way, shift in (("smaller", -1), ("larger", 1)):
            hint = f"label off by one: JAX takes labels {way} by 1"
            shifted = labels + shift
            yield Alternative(hint, partial(loss, labels=shifted % classes))
            yield Alternative(hint, partial(loss, labels=shifted.clamp(0, classes - 1)))
    yield Alternative("JAX applies softmax before the loss, torch does not", lambda: loss(given.softmax(-1)))
    hint = "JAX takes probabilities for logits: log is applied before the loss"
    yield Alternative(hint, lambda: loss(given.log()))
    yield Alternative("JAX's loss has the other sign", lambda: -loss())


def _ratios(what: str, value: np.ndarray, n: int, rest: Sequence[int]) -> list[Alternative]:
    """Constant factors that have a name."""
    factors: dict[str, float] = {f"ratio n = {n}: missing mean over the batch": n}
    for size in {int(np.prod(rest)), *map(int, rest)} - {1, n} if rest else ():
        factors[f"ratio {size}: missing mean over {size} elements per example"] = size
        factors[f"ratio n * {size} = {n * size}: missing mean over all elements"] = n * size
        factors[f"ratio 1/{size}: one mean too many, over {size} elements per example"] = 1 / size
    factors[f"ratio 1/n = 1/{n}: one mean too many over the batch"] = 1 / n
    factors["ratio 2: is a factor 1/2 missing?"] = 2
    factors["ratio 1/2: is a factor 1/2 too many?"] = 0.5
    for size in sorted({n, *map(int, rest)}):
        if size > 1:
            factors[f"ratio n/(n-1) with n = {size}: ddof 1 in JAX, 0 in torch"] = size / (size - 1)
            factors[f"ratio (n-1)/n with n = {size}: ddof 0 in JAX, 1 in torch"] = (size - 1) / size
            factors[f"ratio sqrt(n/(n-1)) with n = {size}: ddof of a standard deviation"] = (size / (size - 1)) ** 0.5
            factors[f"ratio sqrt((n-1)/n) with n = {size}: ddof of a standard deviation"] = ((size - 1) / size) ** 0.5
    return [Alternative(f"{hint} ({what})", partial(np.multiply, value, factor)) for hint, factor in factors.items()]


def _with_parameters(side: TorchSide, output: str, start: Values, changed: Values) -> np.ndarray:
    """The outputs with some parameters changed; they are put back afterwards."""
    try:
        set_parameters(side.module, changed)
        return outputs_of(side)[output]
    finally:
        set_parameters(side.module, start)


def _without(side: TorchSide, output: str, module: torch.nn.Module) -> np.ndarray:
    """The outputs with one layer left out."""
    handle = module.register_forward_hook(lambda module, args, output: args[0])
    try:
        return outputs_of(side)[output]
    finally:
        handle.remove()
