"""SGD with every combination of its options, over 100 steps (D2L 3.4.4, 3.7)."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from torch.optim.lr_scheduler import MultiStepLR

from jaxd2l import optim
from jaxd2l.parity.rule import Row, compare_accuracy, compare_meaning
from jaxd2l.parity.suite.comparing import Case

STEPS, RATE = 100, 0.1
SHAPES = {"weight": (3, 4), "bias": (4,)}
Arrays = dict[str, np.ndarray]


def cases() -> Iterator[Case]:
    """Every combination that torch allows, and a schedule."""
    for options in combinations():
        name = "sgd " + " ".join(f"{key}={value}" for key, value in options.items() if value)
        name = name.replace("=True", "").strip()
        yield Case(name, partial(_rows, name, options))
    yield Case("sgd schedule", partial(_rows, "sgd schedule", {"momentum": 0.9}, halve_at=STEPS // 2))


def combinations() -> Iterator[dict[str, Any]]:
    """Options of `torch.optim.SGD` beside the learning rate."""
    names = ("momentum", "dampening", "weight_decay", "nesterov", "maximize")
    for values in product((0.0, 0.9), (0.0, 0.3), (0.0, 0.1), (False, True), (False, True)):
        options = dict(zip(names, values, strict=True))
        if not options["nesterov"] or (options["momentum"] and not options["dampening"]):
            yield options


class TorchRun(NamedTuple):
    """How torch trains: its optimiser, and what is done to gradients and rates.

    factory: makes the optimiser.
    scheduler: makes its scheduler.
    clip: `clip(parameters)`, before a step.
    """

    factory: Callable[[list[torch.Tensor]], torch.optim.Optimizer]
    scheduler: Callable[[torch.optim.Optimizer], Any] | None = None
    clip: Callable[[list[torch.Tensor]], Any] | None = None


def torch_trajectory(run: TorchRun, start: Arrays, grads: Arrays, dtype: torch.dtype) -> Arrays:
    """Parameters after each step of torch's optimiser on given gradients."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)  # in which NAdam keeps its product of momenta
    try:
        return _torch_trajectory(run, start, grads, dtype)
    finally:
        torch.set_default_dtype(before)


def _torch_trajectory(run: TorchRun, start: Arrays, grads: Arrays, dtype: torch.dtype) -> Arrays:
    params = {name: torch.tensor(p, dtype=dtype, requires_grad=True) for name, p in start.items()}
    optimizer = run.factory(list(params.values()))
    scheduler = run.scheduler(optimizer) if run.scheduler else None
    path: dict[str, list[np.ndarray]] = {name: [] for name in params}
    for step in range(len(next(iter(grads.values())))):
        for name, p in params.items():
            p.grad = torch.tensor(grads[name][step], dtype=dtype)
        if run.clip:
            run.clip(list(params.values()))
        optimizer.step()
        if scheduler:
            scheduler.step()
        for name, p in params.items():
            path[name].append(p.detach().numpy().copy())
    return {name: np.stack(values) for name, values in path.items()}


def jax_trajectory(start: Arrays, grads: Arrays, tx: optax.GradientTransformation, dtype: Any) -> Arrays:
    """Parameters after each step in JAX, as one compiled scan."""

    def step(carry: Any, grads: Any) -> Any:
        params, state = carry
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    with jax.enable_x64(dtype == np.float64):
        params, given = ({name: jnp.array(x, dtype) for name, x in arrays.items()} for arrays in (start, grads))
        _, path = jax.jit(lambda params, given: jax.lax.scan(step, (params, tx.init(params)), given))(params, given)
        return {name: np.array(values) for name, values in path.items()}


def majorant(start: np.ndarray, grads: np.ndarray, learning_rates: np.ndarray, options: dict[str, Any]) -> np.ndarray:
    """Condition scale of each step's parameters: the same recursion, over magnitudes."""
    momentum, dampening, decay = (options.get(k, 0.0) for k in ("momentum", "dampening", "weight_decay"))
    p, buffer, scales = np.abs(start), None, []
    for g, learning_rate in zip(np.abs(grads), learning_rates, strict=True):
        g = g + decay * p
        buffer = g if buffer is None or not momentum else momentum * buffer + (1 - dampening) * g
        p = p + learning_rate * (g + momentum * buffer if options.get("nesterov") else buffer)
        scales.append(p)
    return np.stack(scales)


def _rows(name: str, options: dict[str, Any], seed: int, halve_at: int = STEPS) -> list[Row]:
    rng = np.random.default_rng(seed)
    start = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
    grads = {name: rng.standard_normal((STEPS, *shape)).astype(np.float32) for name, shape in SHAPES.items()}
    learning_rates = np.where(np.arange(STEPS) < halve_at, RATE, RATE / 2)
    # optax's own schedules stay float32 even in float64.
    schedule = (lambda step: jnp.where(step < halve_at, RATE, RATE / 2)) if halve_at < STEPS else RATE
    tx = optim.sgd(schedule, **options)
    run = TorchRun(partial(torch.optim.SGD, lr=RATE, **options), partial(MultiStepLR, milestones=[halve_at], gamma=0.5))
    theirs32, oracle = (torch_trajectory(run, start, grads, dtype) for dtype in (torch.float32, torch.float64))
    ours32, ours64 = (jax_trajectory(start, grads, tx, dtype) for dtype in (np.float32, np.float64))
    rows = []
    for what in start:
        scale = majorant(start[what], grads[what], learning_rates, options)
        rows.append(compare_accuracy(f"{name}: {what}", theirs32[what], ours32[what], oracle[what], scale))
        rows.append(compare_meaning(f"{name}: {what}", oracle[what], ours64[what], scale))
    return rows
