"""Which layer diverges first: torch's layers, looked for among everything that JAX computes."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from jaxd2l.parity import jax_side
from jaxd2l.parity.bridge import to_numpy
from jaxd2l.parity.findings import LayerMatch
from jaxd2l.parity.noise import with_scales
from jaxd2l.parity.programs.torch_dispatch import Dispatch
from jaxd2l.parity.programs.torch_rounding import is_view
from jaxd2l.parity.rule import compare_meaning, holds
from jaxd2l.parity.sides import Sides
from jaxd2l.parity.torch_side import TorchSide, Values, call, running


def match_layers(sides: Sides) -> tuple[LayerMatch, ...]:
    """Looks for the output of each torch layer among all arrays that JAX computes on the way, in float64."""
    torch_layers, scales = with_scales(lambda: layer_outputs(sides.double), sides.seed)
    return match(torch_layers, scales, jax_side.intermediates(sides.ours, sides.start, np.float64))


def first_diverging(matches: Sequence[LayerMatch]) -> str:
    """The layer from which on JAX computes nothing that torch does; empty if the last layer is found.

    A layer that is missing while a later one is found was only computed in another way.
    """
    diverging = ""
    for match in reversed(matches):
        if match.nearest is not None and holds(match.nearest):
            break
        diverging = match.layer
    return diverging


def layer_outputs(side: TorchSide) -> Values:
    """The output of every layer, in the order in which they run, under "name (Class)".

    A layer is an innermost module, or an operation outside of all such modules, for example a functional gelu or
    anything in a module written from scratch.
    """
    modules = [(name, m) for name, m in side.module.named_modules() if not isinstance(m, torch.jit.ScriptModule)]
    leaves = {module: name for name, module in modules if not list(module.children()) and name}
    with running(side), torch.no_grad(), _Recording(leaves) as recording:
        call(side, side.samples[0])
    return recording.outputs


class _Recording(Dispatch):
    """While active, collects what the innermost modules return, and what is computed outside of them."""

    def __init__(self, leaves: dict[torch.nn.Module, str]) -> None:
        super().__init__()
        self.outputs: Values = {}
        self.counts: Counter[str] = Counter()
        self.leaves, self.inside = leaves, 0

    def __enter__(self) -> Any:
        self.handles = [m.register_forward_pre_hook(self._before) for m in self.leaves]
        self.handles += [m.register_forward_hook(self._after) for m in self.leaves]
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for handle in self.handles:
            handle.remove()

    def _before(self, module: torch.nn.Module, args: Any) -> None:
        self.inside += 1

    def _after(self, module: torch.nn.Module, args: Any, output: Any) -> None:
        self.inside -= 1
        self._keep(f"{self.leaves[module]} ({type(module).__name__})", output)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if not self.inside and not is_view(func) and any(isinstance(x, torch.Tensor) for x in args):
            self._keep(func.overloadpacket.__name__.strip("_"), output)
        return output

    def _keep(self, name: str, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.is_floating_point():
            self.counts[name] += 1
            times = self.counts[name]
            self.outputs[name if times == 1 else f"{name} #{times}"] = to_numpy(output)


def match(layers: Values, scales: Values, found: Sequence[np.ndarray]) -> tuple[LayerMatch, ...]:
    """For each torch layer the JAX array that comes nearest to it, compared in float64.

    Only arrays of the layer's shape count. A layer with more than one axis per example may also be found with its
    channels last, or flat.

    >>> [found] = match({"0 (ReLU)": np.eye(2)}, {"0 (ReLU)": np.ones((2, 2))}, [np.zeros((2, 2)), np.eye(2)])
    >>> found.nearest.verdict
    'bitwise'
    """
    matches = []
    for name, value in layers.items():
        candidates = [view for array in found for view in _views(array, value.shape)]
        rows = [compare_meaning(name, value, view.astype(np.float64), scales[name]) for view in candidates]
        matches.append(LayerMatch(name, min(rows, key=lambda row: row.jax_error) if rows else None))
    return tuple(matches)


def _views(array: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    views = [array] if array.shape == shape else []
    if array.ndim == len(shape) == 2 and array.T.shape == shape:
        views.append(array.T)
    if array.ndim == len(shape) > 2:
        channels_first = np.moveaxis(array, -1, 1)
        views += [channels_first] if channels_first.shape == shape else []
    if array.ndim != len(shape) and array.size == np.prod(shape) and array.shape[:1] == shape[:1]:
        views.append(array.reshape(shape))
        if array.ndim > 2:
            views.append(np.moveaxis(array, -1, 1).reshape(shape))
    return views
