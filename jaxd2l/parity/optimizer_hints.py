"""Why two optimisers differ, found as in `hints`: torch's is changed in one known way and then gives what JAX gives."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from jaxd2l.parity.hints import explain
from jaxd2l.parity.torch_side import Values, torch_path


def explain_optimizer(
    factory: Callable[..., torch.optim.Optimizer],
    start: Values,
    gradients: list[Values],
    ours: list[Values],
    theirs: list[Values],
    scale: Values,
) -> str:
    """Why the paths of parameters differ although the gradients are the same."""
    stack = _flat(ours), _flat(theirs), _flat([scale])
    return explain(stack[0], stack[1], np.max(stack[2], initial=0.0), _alternatives(factory, start, gradients, ours))


def _alternatives(
    factory: Callable[..., torch.optim.Optimizer], start: Values, gradients: list[Values], ours: list[Values]
) -> Iterator[tuple[str, Callable[[], Any]]]:
    def path(**options: Any) -> np.ndarray:
        return _flat(torch_path(factory, start, gradients, **options))

    still = [name for name in start if all(np.array_equal(step[name], start[name]) for step in ours)]
    if 0 < len(still) < len(start):
        masked = [{n: np.zeros_like(g) if n in still else g for n, g in step.items()} for step in gradients]
        frozen = {n: start[n] for n in still}
        yield (
            f"not updated in JAX: {', '.join(still)}",
            lambda: _flat([step | frozen for step in torch_path(factory, start, masked)]),
        )

    settings = factory([torch.zeros(1, dtype=torch.float64, requires_grad=True)]).param_groups[0]
    decay, momentum = settings.get("weight_decay", 0.0), settings.get("momentum", 0.0)
    if decay:
        undecayed = {"weight_decay": 0.0}
        for hint, factor in (
            (
                "decay after momentum: JAX adds weight_decay * p to the step, not to the gradient",
                lambda lr: -lr * decay,
            ),
            (
                "decay after lr: JAX adds weight_decay * p to the update, learning rate and sign left out",
                lambda lr: decay,
            ),
            ("decay after lr: JAX takes weight_decay * p from p, learning rate left out", lambda lr: -decay),
        ):

            def after(optimizer: Any, old: torch.Tensor, new: torch.Tensor, factor: Any = factor) -> torch.Tensor:
                return new + factor(optimizer.param_groups[0]["lr"]) * old

            yield hint, partial(path, tweak=undecayed, after=after)
        yield "weight decay is missing in JAX", lambda: path(tweak=undecayed)
        yield "JAX does not decay biases, torch does", lambda: _flat(_bias_spared(factory, start, gradients, undecayed))
    if momentum:
        yield "momentum is missing in JAX", lambda: path(tweak={"momentum": 0.0, "nesterov": False})
        nesterov = not settings.get("nesterov", False)
        hint = "JAX has nesterov momentum, torch not" if nesterov else "JAX has no nesterov momentum, torch has"
        yield hint, lambda: path(tweak={"nesterov": nesterov, "dampening": 0.0})
        for dampening in (0.0, momentum):
            hint = f"matches with dampening={dampening:g}"
            yield hint, partial(path, tweak={"dampening": dampening, "nesterov": False})
        if not decay:
            damped = [{n: (1 - momentum) * g for n, g in step.items()} for step in gradients]
            yield (
                "JAX averages gradients, (1 - momentum) g from the first step on",
                lambda: _flat(torch_path(factory, start, damped, tweak={"dampening": 0.0})),
            )
    if settings.get("eps"):
        for eps in (1e-16, 1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-3):
            yield f"wrong eps: matches with eps={eps:g} in the optimiser", partial(path, tweak={"eps": eps})
    for rate in (10.0, 0.1, 2.0, 0.5, -1.0):
        what = "the other sign" if rate < 0 else f"{rate:g} times the learning rate"
        yield f"JAX has {what}", partial(_with_rate, factory, start, gradients, rate)


def _with_rate(factory: Any, start: Values, gradients: list[Values], factor: float) -> np.ndarray:
    if factor < 0:
        return _flat(torch_path(factory, start, [{n: -g for n, g in step.items()} for step in gradients]))
    rate = factory([torch.zeros(1, requires_grad=True)]).param_groups[0]["lr"]
    return _flat(torch_path(factory, start, gradients, tweak={"lr": rate * factor}))


def _bias_spared(factory: Any, start: Values, gradients: list[Values], undecayed: dict[str, Any]) -> list[Values]:
    decayed, plain = (torch_path(factory, start, gradients, tweak=tweak) for tweak in ({}, undecayed))
    return [
        {name: (p if value.ndim < 2 else d)[name] for name, value in start.items()}
        for d, p in zip(decayed, plain, strict=True)
    ]


def _flat(path: list[Values]) -> np.ndarray:
    return np.concatenate([value.ravel() for step in path for value in step.values()] or [np.zeros(0)])
