"""The arguments of the kinks that a torch computation meets: what `flips` compares."""

from collections import Counter
from typing import Any

import numpy as np
import torch

from jaxd2l.parity.bridge import to_numpy
from jaxd2l.parity.programs.torch_dispatch import Dispatch

_AT_0 = frozenset(("relu", "abs", "sign", "leaky_relu", "prelu", "_prelu_kernel"))
_AT_BOUND = frozenset(("threshold", "clamp_min", "clamp_max", "clamp", "hardtanh"))
_BETWEEN_TWO = frozenset(("maximum", "minimum", "gt", "ge", "lt", "le"))


class Kinks(Dispatch):
    """While active, collects the argument of every kink that torch meets: `arguments`, by name. The kink is at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.arguments: dict[str, np.ndarray] = {}
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__.rstrip("_")
        argument = _argument(name, args)
        if argument is not None and argument.is_floating_point():
            self.arguments[f"{name} {self.counts[name]}"] = to_numpy(argument)
            self.counts[name] += 1
        return func(*args, **(kwargs or {}))


def _argument(name: str, args: Any) -> torch.Tensor | None:
    if name in _AT_0:
        return args[0]
    if name in _BETWEEN_TWO or (name in _AT_BOUND and args[1] is not None):
        return args[0] - args[1]
    return None
