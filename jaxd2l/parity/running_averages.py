"""Why running averages differ after a call in training mode: another momentum, or another variance."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from jaxd2l.parity import hints
from jaxd2l.parity.hints import Alternative
from jaxd2l.parity.quantities import updated
from jaxd2l.parity.sides import Sides
from jaxd2l.parity.torch_side import TorchSide, call, running

_MOMENTA = (0.01, 0.001, 0.1, 0.9, 0.99, 1.0)


def explain(sides: Sides, quantity: str, ours: np.ndarray, theirs: np.ndarray, scale: np.ndarray) -> str:
    """The change to torch's update that gives JAX's running average; empty if none does."""
    for name, module in sides.double.module.named_modules():
        for kind in ("running_mean", "running_var"):
            buffer = f"{name}.{kind}" if name else kind
            if updated(buffer) == quantity and isinstance(module, torch.nn.modules.batchnorm._NormBase):
                before = sides.start[buffer].astype(np.float64)
                count = _count(sides.double, module)
                return hints.explain(ours, theirs, scale, _alternatives(module, kind, before, theirs, count))
    return ""


def _alternatives(
    module: torch.nn.modules.batchnorm._NormBase, kind: str, before: np.ndarray, after: np.ndarray, count: int
) -> Iterator[Alternative]:
    momentum = float(module.momentum or 0.1)
    batch = (after - (1 - momentum) * before) / momentum
    biased = batch * (count - 1) / count
    statistics = {"": batch}
    if kind == "running_var":
        ratio = f"ratio n/(n-1) with n = {count}: JAX keeps the biased variance, as Flax does; torch the unbiased one"
        yield Alternative(ratio, partial(_mixed, before, biased, momentum))
        statistics[", and JAX keeps the biased variance"] = biased
    yield Alternative("JAX does not update the running average", lambda: before)
    for also, statistic in statistics.items():
        swapped = (
            f"momentum convention: torch's momentum {momentum:g} is {1 - momentum:g} in Flax, and JAX has it as it is"
        )
        yield Alternative(swapped + also, partial(_mixed, before, statistic, 1 - momentum))
        for other in _MOMENTA:
            hint = f"JAX's running average takes {other:g} of the batch, torch's {momentum:g}{also}"
            yield Alternative(hint, partial(_mixed, before, statistic, other))


def _mixed(before: np.ndarray, batch: np.ndarray, momentum: float) -> np.ndarray:
    return (1 - momentum) * before + momentum * batch


def _count(side: TorchSide, module: torch.nn.Module) -> int:
    """How many numbers the module averages for each channel."""
    counts: list[int] = []
    handle = module.register_forward_pre_hook(lambda m, args: counts.append(args[0].numel() // args[0].shape[1]))
    try:
        with running(side), torch.no_grad():
            call(side, side.samples[0])
    finally:
        handle.remove()
    return counts[-1]
