"""What torch computes on the way to its outputs: each quantity, what it was computed from, and by which line."""

import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from jaxd2l.parity.bridge import to_numpy
from jaxd2l.parity.leaves import named_arrays
from jaxd2l.parity.programs.torch_dispatch import ModuleDispatch
from jaxd2l.parity.programs.torch_rounding import is_view
from jaxd2l.parity.source_lines import Line, torch_line
from jaxd2l.parity.torch_side import TorchSide, call, running

Kind = Literal["layer", "inside", "reshape"]
"""What is listed in a report, what happens inside of a listed layer, and what only changes its argument's shape."""


class Quantity(NamedTuple):
    """One array that torch computes.

    name: "0 (ReLU)", "lstm (LSTM) output[0]", "block (Block): gelu"; " #2" is the second of a name.
    layer: the innermost module, or the operation outside of all such, to which it belongs: "lstm (LSTM)".
    value: in float64.
    producers: names of the quantities from which it was computed; none if directly from inputs and parameters.
    line: of the user's code.
    """

    name: str
    layer: str
    kind: Kind
    value: np.ndarray
    producers: frozenset[str]
    line: Line | None


class Trace(NamedTuple):
    """All quantities in the order in which torch computes them, and from which of them each output comes."""

    quantities: tuple[Quantity, ...]
    outputs: dict[str, frozenset[str]]


def trace(side: TorchSide, *, inside: bool = False) -> Trace:
    """Runs the module on the first batch.

    A layer is an innermost module, or an operation outside of all such modules, for example a functional gelu or
    anything in a module written from scratch.

    Args:
      side: what to run.
      inside: also records what happens inside of innermost modules that are not torch's own, and reshapes.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it fuses a whole encoder layer into one operation
    try:
        with running(side), torch.no_grad(), _Recording(side.module, inside=inside) as recording:
            outputs = named_arrays(side.pick(call(side, side.samples[0])))
            origins = {name: recording.origin(_dense(x)) for name, x in outputs}
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return Trace(tuple(recording.quantities), origins)


_OF_NO_VALUE = frozenset(
    """bernoulli empty_like full_like new_empty new_full new_ones new_zeros ones_like rand_like randn_like
    zeros_like""".split()  # noqa: SIM905
)
"""Operations that take only the shape of their argument."""

_COPIES = frozenset(("clone", "_to_copy", "lift_fresh"))
_RESHAPES = frozenset(("view", "_unsafe_view", "_reshape_alias"))


class _Recording(ModuleDispatch):
    """While active, records what the innermost modules return, and what is computed outside of them."""

    def __init__(self, module: torch.nn.Module, *, inside: bool) -> None:
        super().__init__(module)
        self.names = {m: f"{name} ({type(m).__name__})" if name else "" for name, m in self.parts.items()}
        self.leaves = {m for name, m in self.parts.items() if name and not list(m.children())}
        self.inside = inside
        self.running: list[tuple[torch.nn.Module, str, Line | None]] = []
        self.quantities: list[Quantity] = []
        self.counts: Counter[str] = Counter()
        self.origins: dict[int, frozenset[str]] = {}  # by storage
        self.of_views: dict[int, dict[int, frozenset[str]]] = {}  # by storage, then by tensor
        self.alive: list[Any] = []  # so that no other object gets the same id

    def begins(self, module: torch.nn.Module, args: Any) -> None:
        is_leaf = module in self.leaves
        layer, line = (self._numbered(self.names[module]), torch_line(sys._getframe())) if is_leaf else ("", None)
        self.running.append((module, layer, line))

    def ends(self, module: torch.nn.Module, args: Any, output: Any) -> None:
        _, layer, line = self.running.pop()
        if not layer or any(outer for _, outer, _ in self.running):
            return
        kind: Kind = "reshape" if isinstance(module, torch.nn.Flatten | torch.nn.Unflatten) else "layer"
        found = [(name, x) for name, x in named_arrays(output, f"{layer} output") if _dense(x)]
        for name, x in found:
            self._keep(layer if name == f"{layer} output" else name, layer, kind, x, self.origin([x]), line)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output, name = func(*args, **(kwargs or {})), func.overloadpacket.__name__
        given, made = _dense((args, kwargs)), _dense(output)
        if not given or not made or name in _OF_NO_VALUE:
            return output
        origin, reshapes = self.origin(given), name in _RESHAPES and made[0].shape != given[0].shape
        is_seen = (not is_view(func) and name not in _COPIES) if not reshapes else self.inside
        if is_seen and self._is_outside_of_torchs_own():
            self._record("reshape" if reshapes else name.strip("_"), made, origin, reshapes)
        else:
            for x in made:
                self._note(x, origin, of_view=is_view(func))
        return output

    def _is_outside_of_torchs_own(self) -> bool:
        leaf = next((m for m, layer, _ in self.running if layer), None)
        return leaf is None or (self.inside and not type(leaf).__module__.startswith("torch."))

    def _record(self, operation: str, made: list[torch.Tensor], origin: frozenset[str], reshapes: bool) -> None:
        line = torch_line(sys._getframe(1))
        leaf = next((layer for _, layer, _ in self.running if layer), "")
        owner = leaf or (self.names[self.running[-1][0]] if self.running else "")
        name = self._numbered(f"{owner}: {operation}" if owner else operation)
        kind: Kind = "reshape" if reshapes else "inside" if leaf else "layer"
        floating = [x for x in made if x.is_floating_point()]
        for i, x in enumerate(made):
            if not x.is_floating_point():
                self._note(x, origin)
            else:
                one = name if len(floating) == 1 else f"{name} output[{i}]"
                self._keep(one, leaf or name, kind, x, origin, line)

    def _keep(
        self, name: str, layer: str, kind: Kind, x: torch.Tensor, origin: frozenset[str], line: Line | None
    ) -> None:
        if x.is_floating_point():
            self.quantities.append(Quantity(name, layer, kind, to_numpy(x), origin, line))
            self._note(x, frozenset((name,)), of_view=kind == "reshape")

    def _numbered(self, name: str) -> str:
        self.counts[name] += 1
        return name if self.counts[name] == 1 else f"{name} #{self.counts[name]}"

    def origin(self, tensors: Iterable[torch.Tensor]) -> frozenset[str]:
        """The quantities from which these were computed."""
        known = [self.of_views.get(_storage(x), {}).get(id(x), self.origins.get(_storage(x))) for x in tensors]
        return frozenset().union(*filter(None, known))

    def _note(self, x: torch.Tensor, origin: frozenset[str], *, of_view: bool = False) -> None:
        self.alive.append(x)
        if of_view:
            self.of_views.setdefault(_storage(x), {})[id(x)] = origin
        else:  # written anew, or in place: then no view of it is what it was
            self.origins[_storage(x)] = origin
            self.of_views.pop(_storage(x), None)


def _dense(values: Any) -> list[torch.Tensor]:
    return [x for x in tree_leaves(values) if isinstance(x, torch.Tensor) and x.layout is torch.strided]


def _storage(x: torch.Tensor) -> int:
    return x.untyped_storage()._cdata
