"""What a batch never makes a model do: a bound that is never reached, a mask that masks nothing, a padding never seen.

A port that does such a thing wrong agrees all the same. Nothing here fails a check; it says what another batch would
have to hold.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from jaxd2l.parity.programs.torch_dispatch import ModuleDispatch
from jaxd2l.parity.samples import Sample
from jaxd2l.parity.source_lines import torch_line
from jaxd2l.parity.torch_side import TorchSide, call, running


def coverage(side: TorchSide) -> tuple[str, ...]:
    """A sentence for each thing that none of the batches made torch's module or loss do."""
    with running(side), torch.no_grad(), _Watching(side) as seen:
        for sample in side.samples:
            seen.labels = [x for x in tree_leaves(sample.labels) if isinstance(x, torch.Tensor)]
            side.loss(call(side, sample), sample.labels)
    silent = [f"{name} never ran" for name in seen.dropouts if side.draws is not None]
    missed = [sentence for sentence, happened in seen.happened.items() if not happened]
    return (*silent, *missed, *_masks(side.samples), *(_classes(side.samples) if seen.uses_labels else ()))


class _Watching(ModuleDispatch):
    """While active, notes by sentence whether what it denies has happened after all."""

    def __init__(self, side: TorchSide) -> None:
        super().__init__(side.module)
        self.names = {m: f"{name} ({type(m).__name__})" if name else type(m).__name__ for name, m in self.parts.items()}
        self.dropouts = [self.names[m] for m in self.parts.values() if isinstance(m, torch.nn.Dropout) and m.p]
        self.running: list[torch.nn.Module] = []
        self.happened: dict[str, bool] = {}
        self.labels: list[torch.Tensor] = []
        self.uses_labels = False

    def begins(self, module: torch.nn.Module, args: Any) -> None:
        self.running.append(module)
        self.dropouts = [name for name in self.dropouts if name != self.names[module]]

    def ends(self, module: torch.nn.Module, args: Any, output: Any) -> None:
        self.running.pop()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = func.overloadpacket.__name__.rstrip("_"), kwargs or {}
        if name in _ASKED:
            for what, happened in _ASKED[name](args, kwargs):
                sentence = f"{self._place(name)} {what}"
                self.happened[sentence] = self.happened.get(sentence, False) or bool(happened)
        self.uses_labels |= any(x is label for x in tree_leaves((args, kwargs)) for label in self.labels)
        return func(*args, **kwargs)

    def _place(self, operation: str) -> str:
        """The module, if it is one of torch's own, else the operation and the line that calls it."""
        inner = self.running[-1] if self.running else None
        if inner is not None and type(inner).__module__.startswith("torch.nn"):
            return self.names[inner]
        line = torch_line(sys._getframe(1))
        called = _CALLED.get(operation, operation.strip("_"))
        return f"{called} ({line})" if line else called


_Questions = Iterator[tuple[str, Any]]

_NO_BOUND = 1e30
"""A bound beyond this only keeps inf away."""


def _negative(args: Any, kwargs: Any) -> _Questions:
    yield "never saw a negative number", args[0].lt(0).any()


def _bounds(low: Any, high: Any, x: torch.Tensor) -> _Questions:
    for bound, reached in ((low, torch.Tensor.le), (high, torch.Tensor.ge)):
        if isinstance(bound, int | float) and abs(bound) < _NO_BOUND:
            yield f"never reached {bound:g}", reached(x, bound).any()


def _clamp(args: Any, kwargs: Any) -> _Questions:
    low, high = (kwargs.get(name, args[i] if len(args) > i else None) for i, name in ((1, "min"), (2, "max")))
    yield from _bounds(low, high, args[0])


def _hardtanh(args: Any, kwargs: Any) -> _Questions:
    low, high = args[1:3] if len(args) > 2 else (-1.0, 1.0)
    yield from _bounds(low, high, args[0])


def _embedding(args: Any, kwargs: Any) -> _Questions:
    padding = kwargs.get("padding_idx", args[2] if len(args) > 2 else -1)
    if padding >= 0:
        yield f"never saw its padding token, {padding}", (args[1] == padding).any()


def _masked_fill(args: Any, kwargs: Any) -> _Questions:
    yield "masks nothing", args[1].any()


def _where(args: Any, kwargs: Any) -> _Questions:
    if len(args) > 2:
        yield "always takes its first argument", not args[0].all()
        yield "always takes its second argument", args[0].any()


def _attention(args: Any, kwargs: Any) -> _Questions:
    mask = kwargs.get("attn_mask")
    if mask is not None:
        yield "has a mask that masks nothing", mask.logical_not().any() if mask.dtype == torch.bool else mask.any()


def _nll(args: Any, kwargs: Any) -> _Questions:
    ignored = args[4]
    if ignored != _TORCHS_IGNORE_INDEX:
        yield f"never met a label to ignore, {ignored}", (args[1] == ignored).any()


_TORCHS_IGNORE_INDEX = -100

_CALLED = {
    "nll_loss_forward": "the loss",
    "nll_loss2d_forward": "the loss",
    "_scaled_dot_product_flash_attention_for_cpu": "attention",
}

_ASKED: dict[str, Callable[[Any, Any], _Questions]] = {
    **dict.fromkeys(("relu", "leaky_relu", "elu", "_prelu_kernel", "celu"), _negative),
    **dict.fromkeys(("hardswish", "hardsigmoid"), lambda args, kwargs: _bounds(-3.0, 3.0, args[0])),
    "clamp": _clamp,
    "clamp_min": lambda args, kwargs: _bounds(args[1], None, args[0]),
    "clamp_max": lambda args, kwargs: _bounds(None, args[1], args[0]),
    "hardtanh": _hardtanh,
    "embedding": _embedding,
    "masked_fill": _masked_fill,
    "where": _where,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "nll_loss_forward": _nll,
    "nll_loss2d_forward": _nll,
}
"""By operation, what may never happen in it, and whether it does in this call."""


def _masks(samples: tuple[Sample, ...]) -> Iterator[str]:
    """Masks among the inputs, by their name or as booleans, that are true everywhere."""
    for name in samples[0].call.kwargs:
        given = [sample.call.kwargs[name] for sample in samples]
        if "mask" in name and all(x is not None and bool((x == 1).all()) for x in given):
            yield f"the input {name} masks nothing"


def _classes(samples: tuple[Sample, ...]) -> Iterator[str]:
    labels = [x for sample in samples for x in tree_leaves(sample.labels) if not x.is_floating_point()]
    classes = torch.unique(torch.cat([x.ravel() for x in labels])) if labels else torch.empty(0)
    if len(classes) == 1:
        yield f"all labels are of one class, {int(classes[0])}"
