"""Everything that is compared: options, schedules, clipping."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import optax
import torch

from jaxd2l import optim
from jaxd2l.parity.rule import Row
from jaxd2l.parity.suite.optim import TorchRun
from parity_tests.optimizers.catalogue import OPTIMIZERS, SCHEDULES, Optimizer
from parity_tests.optimizers.comparing import compare

_CLIPS = (
    ("clip_grad_norm", lambda ps: torch.nn.utils.clip_grad_norm_(ps, 1.0), optim.clip_grad_norm(1.0)),
    (
        "clip_grad_norm, largest entry",
        lambda ps: torch.nn.utils.clip_grad_norm_(ps, 1.0, norm_type=float("inf")),
        optim.clip_grad_norm(1.0, norm_type=float("inf")),
    ),
    ("clip_grad_value", lambda ps: torch.nn.utils.clip_grad_value_(ps, 0.5), optim.clip_grad_value(0.5)),
)


class Case(NamedTuple):
    """One comparison; `run(seed)` gives the rows."""

    optimizer: str
    name: str
    run: Callable[[int], list[Row]]


def cases() -> Iterator[Case]:
    """Each optimiser with each combination of options; with each schedule; with each way of clipping; with both."""
    for optimizer in OPTIMIZERS:
        for options in optimizer.combinations():
            yield _case(optimizer, _named(options), options)
        if optimizer.name != "Rprop":  # it has no rate after its first step
            for name, scheduler, schedule in SCHEDULES:
                yield _case(optimizer, name, {}, scheduler=scheduler, rate=schedule(optimizer.rate))
        for name, clip, ours in _CLIPS:
            yield _case(optimizer, name, {}, clip=clip, ours=ours)
        if optimizer.name != "Rprop":
            (name, scheduler, schedule), (clip_name, clip, ours) = SCHEDULES[0], _CLIPS[0]
            rate = schedule(optimizer.rate)
            yield _case(optimizer, f"{name}, {clip_name}", {}, scheduler=scheduler, rate=rate, clip=clip, ours=ours)


def _named(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())


def _case(
    optimizer: Optimizer,
    name: str,
    options: dict[str, Any],
    *,
    scheduler: Callable[[torch.optim.Optimizer], Any] | None = None,
    rate: float | optax.Schedule | None = None,
    clip: Callable[[list[torch.Tensor]], Any] | None = None,
    ours: optax.GradientTransformation | None = None,
) -> Case:
    factory = partial(optimizer.torch, lr=optimizer.rate, foreach=False, **options)
    tx = optimizer.ours(optimizer.rate if rate is None else rate, **options)
    run = TorchRun(factory, scheduler, clip)
    return Case(
        optimizer.name, name, partial(compare, f"{optimizer.name} {name}", run, optax.chain(ours, tx) if ours else tx)
    )
