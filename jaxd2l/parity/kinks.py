"""Kinks: the places where relu, abs, maximum and comparisons change their branch.

Two correct float32 computations may take different branches where the argument is within rounding of the kink; the
gradient then differs by a finite amount, and no tolerance is right. So the branches are written down, and compared
with those of float64.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

MARGIN = 64.0
"""ULP from the kink within which rounding explains a flip."""


class Flip(NamedTuple):
    """A branch that float32 takes and float64 does not.

    step: of training, from 0.
    side: "torch" or "JAX".
    kink: which operation, for example "relu 0": the first relu that runs.
    index: which element.
    margin: distance of the float64 argument from the kink, in float32 ULPs of the operation's typical argument.
    """

    step: int
    side: str
    kink: str
    index: tuple[int, ...]  # type: ignore[assignment]  # tuple.index is not missed here
    margin: float


class Kinks(TorchDispatchMode):
    """While active, collects the argument of every kink that torch meets: `arguments`, by name; the kink is at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.arguments: dict[str, np.ndarray] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__.rstrip("_")
        argument = _argument(name, args)
        if argument is not None and argument.is_floating_point():
            number = sum(known.startswith(f"{name} ") for known in self.arguments)
            self.arguments[f"{name} {number}"] = argument.detach().cpu().numpy().copy()
        return func(*args, **(kwargs or {}))


def _argument(name: str, args: Any) -> torch.Tensor | None:
    if name in ("relu", "abs", "sign", "leaky_relu", "prelu", "_prelu_kernel"):
        return args[0]
    if name in ("threshold", "clamp_min", "clamp_max", "clamp", "hardtanh") and args[1] is not None:
        return args[0] - args[1]
    if name in ("maximum", "minimum", "gt", "ge", "lt", "le"):
        return args[0] - args[1]
    return None


def flips(
    step: int, side: str, arguments: dict[str, np.ndarray], oracle: dict[str, np.ndarray], limit: int = 8
) -> list[Flip]:
    """The kinks that the float32 arguments lie on the other side of, the nearest first; at most `limit` of them.

    >>> flips(3, "JAX", {"relu 0": np.array([1.0, -1e-9])}, {"relu 0": np.array([1.0, 1e-9])})[0].index
    (1,)
    """
    found = []
    for name, reference in oracle.items():
        if name not in arguments or arguments[name].shape != reference.shape:
            continue
        finite = reference[np.isfinite(reference)]
        size = float(np.sqrt(np.mean(np.square(finite)))) if finite.size else 0.0
        for index in np.argwhere((arguments[name] > 0) != (reference > 0)):
            where = tuple(int(i) for i in index)
            ulp = float(np.spacing(np.float32(size)))
            found.append(Flip(step, side, name, where, abs(float(reference[where])) / ulp))
    return sorted(found, key=lambda flip: flip.margin)[:limit]
