"""Parameters in another orientation, left out or exchanged; layers left out or run twice."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import combinations

import numpy as np
import torch

from jaxd2l.parity.quantities import Values
from jaxd2l.parity.torch_side import TorchSide, buffers, outputs_of, parameters, set_parameters
from jaxd2l.parity.trials import Trial

_PAIRS = 200
"""How many pairs of parameters are exchanged at most."""


def transposed(start: Values, jax_names: Mapping[str, str]) -> Iterator[Trial]:
    """Square kernels, each transposed, and all of them."""
    square = [n for n, v in start.items() if v.ndim > 1 and v.shape[0] == v.shape[1]]
    for name in square:
        yield _with(f"kernel transposed: {jax_names[name]} ({name})", {name: lambda v: np.swapaxes(v, 0, 1)})
    if len(square) > 1:
        hint = f"kernels transposed: {', '.join(jax_names[name] for name in square)}"
        yield _with(hint, dict.fromkeys(square, lambda v: np.swapaxes(v, 0, 1)))


def others(start: Values, jax_names: Mapping[str, str]) -> Iterator[Trial]:
    """Parameters that are not used, or used in another's place."""
    vectors = [name for name, value in start.items() if value.ndim == 1]
    for name in vectors:
        hint = f"{jax_names[name]} ({name}) is missing or not used"
        yield _with(hint, {name: np.zeros_like}, 1)
        yield _with(f"{hint}: JAX has ones", {name: np.ones_like}, 1)
    biases = [name for name in vectors if "bias" in name]
    if len(biases) > 1:
        yield _with(f"all biases are missing or not used: {', '.join(biases)}", dict.fromkeys(biases, np.zeros_like), 1)
    for a, b in list(combinations(start, 2))[:_PAIRS]:
        if start[a].shape == start[b].shape:
            yield _exchanged(f"{a} and {b} are exchanged in JAX", a, b, both=True)
            yield _exchanged(f"JAX uses {a} in place of {b}, too", a, b, both=False)
            yield _exchanged(f"JAX uses {b} in place of {a}, too", b, a, both=False)
    for name, value in start.items():
        for axis in range(value.ndim):
            if value.ndim > 1 and 1 < value.shape[axis] < 5000:
                hint = f"order: {name} runs backwards along axis {axis} in JAX"
                yield _with(hint, {name: partial(np.flip, axis=axis)}, 1)
    for name in vectors:
        yield _with(f"order: {name} runs backwards in JAX", {name: np.flip}, 1)
        yield _with(f"the sign of {name} is the other in JAX", {name: np.negative}, 1)


def layers(module: torch.nn.Module) -> Iterator[Trial]:
    """Layers that are not there, that run twice, or that stand in another's place."""
    for name, part in module.named_modules():
        if not name or isinstance(part, torch.jit.ScriptModule):
            continue
        what = f"layer {name} ({type(part).__name__})"
        yield _hooked(f"{what} is missing", name, lambda part, args, output: args[0], 1)
        yield _hooked(f"{what} is applied twice in JAX", name, _again, 2)
    same: dict[tuple[str, str], list[str]] = {}
    for name, part in module.named_modules():
        if name and any(True for _ in part.parameters(recurse=False)):
            same.setdefault((type(part).__name__, str([tuple(p.shape) for p in part.parameters()])), []).append(name)
    for (kind, _), names in same.items():
        for a, b in list(combinations(names, 2))[:_PAIRS]:
            yield _layers_exchanged(f"layers {a} and {b} ({kind}) are exchanged in JAX", a, b, both=True)
            yield _layers_exchanged(f"JAX uses layer {a} in place of {b} ({kind}), too", a, b, both=False)
            yield _layers_exchanged(f"JAX uses layer {b} in place of {a} ({kind}), too", b, a, both=False)


def _again(part: torch.nn.Module, args: object, output: torch.Tensor) -> object:
    return part.forward(output)


def _with(hint: str, changes: Mapping[str, Callable[[np.ndarray], np.ndarray]], rank: int = 0) -> Trial:
    """Parameters changed each on its own."""
    return _changed(hint, lambda now: {name: change(now[name]) for name, change in changes.items()}, rank)


def _exchanged(hint: str, a: str, b: str, *, both: bool) -> Trial:
    return _changed(hint, lambda now: {b: now[a]} | ({a: now[b]} if both else {}), 1)


def _layers_exchanged(hint: str, a: str, b: str, *, both: bool) -> Trial:
    def change(now: Values) -> Values:
        of = {name: [n for n in now if n.rpartition(".")[0] == name] for name in (a, b)}
        pairs = list(zip(of[a], of[b], strict=True))
        return {y: now[x] for x, y in pairs} | ({x: now[y] for x, y in pairs} if both else {})

    return _changed(hint, change, 0)


def _changed(hint: str, change: Callable[[Values], Values], rank: int) -> Trial:
    """Parameters changed; they are put back afterwards."""

    def compute(side: TorchSide) -> Values:
        now = parameters(side.module) | buffers(side.module)
        try:
            set_parameters(side.module, change(now))
            return outputs_of(side)
        finally:
            set_parameters(side.module, now)

    return Trial(hint, compute, rank)


def _hooked(hint: str, name: str, hook: Callable[..., object], rank: int) -> Trial:
    """What a layer returns changed by a hook."""

    def compute(side: TorchSide) -> Values:
        handle = side.module.get_submodule(name).register_forward_hook(hook)
        try:
            return outputs_of(side)
        finally:
            handle.remove()

    return Trial(hint, compute, rank)
