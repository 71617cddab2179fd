"""Why two functions differ. Nothing is guessed: torch is changed in one known way, and if it then gives what JAX
gives, to the rounding, the change is the hint.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from jaxd2l.parity.bridge import to_numpy, to_tensor
from jaxd2l.parity.jax_side import JaxSide
from jaxd2l.parity.rule import DOUBLE
from jaxd2l.parity.torch_side import TorchSide, Values, outputs_of, parameters, set_parameters

Alternatives = Iterator[tuple[str, Callable[[], Any]]]

_EPS = (0.0, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)


def explain(value: Any, original: Any, scale: Any, alternatives: Alternatives) -> str:
    """The first alternative that gives `value`; empty if none does.

    Args:
      value: what JAX gives, in float64.
      original: what torch gives, which is something else.
      scale: condition scale of the original.
      alternatives: pairs of a hint and a function that computes torch's value with the change.
    """
    size = _largest(original)
    for hint, compute in alternatives:
        try:
            other = np.asarray(compute(), np.float64)
        except (RuntimeError, ValueError, IndexError, TypeError):
            continue  # the change makes no sense for this model
        if other.shape != np.shape(value) or not np.isfinite(other).all():
            continue
        growth = max(1.0, _largest(other) / size) if size else 1.0
        # Twice the bound of the rule: the change may round once more than what was measured.
        if _largest(other - value) <= 16 * DOUBLE * growth * max(_largest(scale), _largest(original)):
            return hint
    return ""


def explain_outputs(double: TorchSide, jax: JaxSide, ours: np.ndarray, theirs: np.ndarray, scale: np.ndarray) -> str:
    """Why the outputs differ."""
    return explain(ours, theirs, scale, _output_alternatives(double, jax, theirs))


def explain_loss(
    double: TorchSide, outputs: np.ndarray, ours: np.ndarray, theirs: np.ndarray, scale: np.ndarray
) -> str:
    """Why the losses of the same outputs differ."""
    return explain(ours, theirs, scale, _loss_alternatives(double, outputs))


def explain_gradient(name: str, batch_size: int, ours: np.ndarray, theirs: np.ndarray, scale: np.ndarray) -> str:
    """Why a gradient differs although the loss does not."""
    return explain(
        ours,
        theirs,
        scale,
        iter(
            [
                (f"JAX gives no {name}: is it cut off by stop_gradient?", lambda: np.zeros_like(theirs)),
                ("JAX's gradient has the other sign", lambda: -theirs),
                *_ratios("JAX's gradient", theirs, batch_size, ()),
            ]
        ),
    )


def _output_alternatives(double: TorchSide, jax: JaxSide, theirs: np.ndarray) -> Alternatives:
    start = parameters(double.module)
    jax_names = {pair.torch: pair.jax for pair in jax.pairs}

    def with_parameters(changed: Values) -> np.ndarray:
        try:
            set_parameters(double.module, changed)
            return outputs_of(double)
        finally:
            set_parameters(double.module, start)

    square = {n: np.swapaxes(v, 0, 1) for n, v in start.items() if v.ndim > 1 and v.shape[0] == v.shape[1]}
    for name, value in square.items():
        yield f"kernel transposed: {jax_names[name]} ({name})", partial(with_parameters, {name: value})
    if len(square) > 1:
        names = ", ".join(jax_names[n] for n in square)
        yield f"kernels transposed: {names}", lambda: with_parameters(square)
    for hint, replace in _replacements():
        yield hint, partial(_with_replacement, double, replace)
    for name, value in start.items():
        if value.ndim == 1:
            zero = {name: np.zeros_like(value)}
            yield f"{jax_names[name]} ({name}) is missing or not used", partial(with_parameters, zero)
    for name, module in double.module.named_modules():
        if name and not list(module.children()):
            kind = type(module).__name__
            yield f"layer {name} ({kind}) is missing", partial(_without, double, module)
    tensor = torch.from_numpy(theirs.copy())
    for name in ("softmax", "log_softmax", "sigmoid", "tanh", "relu"):
        function = getattr(torch, name)
        arguments = (-1,) if "softmax" in name else ()
        yield f"JAX applies {name} to the outputs, torch does not", partial(function, tensor, *arguments)
    yield "the outputs are transposed", lambda: theirs.swapaxes(-1, -2)
    yield from _ratios("JAX's outputs", theirs, len(double.inputs), double.inputs.shape[1:])


def _loss_alternatives(double: TorchSide, outputs: np.ndarray) -> Alternatives:
    given, labels = to_tensor(outputs, torch.float64), double.labels

    def loss(outputs: torch.Tensor = given, labels: torch.Tensor = labels) -> np.ndarray:
        return to_numpy(double.loss(outputs, labels))

    yield from _ratios("JAX's loss", loss(), len(given), given.shape[1:])
    if not labels.is_floating_point() and given.ndim > 1:
        classes = given.shape[-1]
        for way, shift in (("smaller", -1), ("larger", 1)):
            shifted = labels + shift
            yield f"label off by one: JAX takes labels {way} by 1", partial(loss, labels=shifted % classes)
            yield (
                f"label off by one: JAX takes labels {way} by 1",
                partial(loss, labels=shifted.clamp(0, classes - 1)),
            )
    yield "JAX applies softmax before the loss, torch does not", lambda: loss(given.softmax(-1))
    yield "JAX takes probabilities for logits: log is applied before the loss", lambda: loss(given.log())
    yield "JAX's loss has the other sign", lambda: -loss()


def _ratios(what: str, value: np.ndarray, n: int, rest: Any) -> list[tuple[str, Callable[[], np.ndarray]]]:
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
    return [(f"{hint} ({what})", partial(np.multiply, value, factor)) for hint, factor in factors.items()]


Replace = Callable[[str, Any, list[Any], dict[str, Any]], tuple[Any, list[Any], dict[str, Any]] | None]


class _Replacing(TorchDispatchMode):
    """While active, each torch operation may be replaced by another; counts how many were."""

    def __init__(self, replace: Replace) -> None:
        super().__init__()
        self.replace, self.count = replace, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        changed = self.replace(func.overloadpacket.__name__, func, list(args), dict(kwargs or {}))
        self.count += changed is not None
        func, args, kwargs = changed or (func, args, kwargs or {})
        return func(*args, **kwargs)


def _with_replacement(side: TorchSide, replace: Replace) -> np.ndarray:
    with _Replacing(replace) as mode:
        outputs = outputs_of(side)
    if not mode.count:
        raise ValueError("nothing to replace")
    return outputs


def _without(side: TorchSide, module: torch.nn.Module) -> np.ndarray:
    handle = module.register_forward_hook(lambda module, args, output: args[0])
    try:
        return outputs_of(side)
    finally:
        handle.remove()


def _replacements() -> Iterator[tuple[str, Replace]]:
    for way, flag, theirs in (("tanh", "True", "exact"), ("none", "False", "the tanh formula")):

        def gelu(name: str, func: Any, args: Any, kwargs: Any, way: str = way) -> Any:
            return (func, args, kwargs | {"approximate": way}) if name == "gelu" else None

        yield f"tanh-gelu: matches with approximate={flag}, torch's gelu is {theirs}", gelu

    for correction, divisors in ((0, "by n, torch by n-1"), (1, "by n-1, torch by n")):

        def ddof(name: str, func: Any, args: Any, kwargs: Any, correction: int = correction) -> Any:
            is_variance = name in ("var", "std", "var_mean", "std_mean")
            return (func, args, kwargs | {"correction": correction}) if is_variance else None

        yield f"ddof: matches with ddof={correction}; in var or std JAX divides {divisors}", ddof

    def mean(name: str, func: Any, args: Any, kwargs: Any) -> Any:
        return (torch.ops.aten.sum, args, kwargs) if name == "mean" else None

    yield "missing mean: matches with sum in the place of mean", mean

    for eps in _EPS:

        def norm(name: str, func: Any, args: Any, kwargs: Any, eps: float = eps) -> Any:
            places = [a.name for a in func._schema.arguments]
            if "norm" not in name or "eps" not in places or len(args) <= places.index("eps"):
                return None
            args[places.index("eps")] = eps
            return func, args, kwargs

        yield f"wrong eps: matches with eps={eps:g} in the normalisation", norm

    for slope in (0.0, 0.01, 0.1, 0.2, 0.3):

        def leaky(name: str, func: Any, args: Any, kwargs: Any, slope: float = slope) -> Any:
            return (func, [args[0], slope], kwargs) if name == "leaky_relu" else None

        yield f"leaky_relu: matches with negative_slope={slope:g}", leaky


def _largest(x: Any) -> float:
    return float(np.max(np.abs(x), initial=0.0))
