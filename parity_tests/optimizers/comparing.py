"""The same gradients to torch's optimiser and to ours: where both stand after every step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from jaxd2l.parity.noise import with_scales
from jaxd2l.parity.rule import Row, compare_accuracy, compare_meaning
from parity_tests.optimizers.catalogue import STEPS

SHAPES = {"weight": (3, 4), "bias": (4,)}
Arrays = dict[str, np.ndarray]


class TorchRun(NamedTuple):
    """How torch trains: its optimiser, and what is done to gradients and rates.

    factory: makes the optimiser.
    scheduler: makes its scheduler.
    clip: `clip(parameters)`, before a step.
    """

    factory: Callable[[list[torch.Tensor]], torch.optim.Optimizer]
    scheduler: Callable[[torch.optim.Optimizer], Any] | None = None
    clip: Callable[[list[torch.Tensor]], Any] | None = None


def compare(name: str, run: TorchRun, tx: optax.GradientTransformation, seed: int) -> list[Row]:
    """Rows for accuracy and meaning: the parameters after each of 100 steps on random gradients."""
    random = np.random.default_rng(seed)
    start = {what: random.standard_normal(shape).astype(np.float32) for what, shape in SHAPES.items()}
    gradients = {what: random.standard_normal((STEPS, *shape)).astype(np.float32) for what, shape in SHAPES.items()}
    theirs32 = torch_path(run, start, gradients, torch.float32)
    exact, scales = with_scales(partial(torch_path, run, start, gradients, torch.float64), seed)
    ours32, ours64 = (jax_path(tx, start, gradients, dtype) for dtype in (np.float32, np.float64))
    rows = []
    for what in start:
        # Errors build up over the steps, and cancel at random: what a step may err, the later ones may.
        scale = np.maximum(np.maximum.accumulate(scales[what]), np.abs(exact[what]))
        rows.append(compare_accuracy(f"{name}: {what}", theirs32[what], ours32[what], exact[what], scale))
        rows.append(compare_meaning(f"{name}: {what}", exact[what], ours64[what], scale))
    return rows


@contextmanager
def _default(dtype: torch.dtype) -> Iterator[None]:
    """NAdam keeps its product of momenta in torch's default type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def torch_path(run: TorchRun, start: Arrays, gradients: Arrays, dtype: torch.dtype) -> Arrays:
    """The parameters after each step in torch."""
    with _default(dtype):
        return _torch_path(run, start, gradients, dtype)


def _torch_path(run: TorchRun, start: Arrays, gradients: Arrays, dtype: torch.dtype) -> Arrays:
    params = {name: torch.tensor(p, dtype=dtype, requires_grad=True) for name, p in start.items()}
    optimizer = run.factory(list(params.values()))
    scheduler = run.scheduler(optimizer) if run.scheduler else None
    path: dict[str, list[np.ndarray]] = {name: [] for name in params}
    for step in range(STEPS):
        for name, p in params.items():
            p.grad = torch.tensor(gradients[name][step], dtype=dtype)
        if run.clip:
            run.clip(list(params.values()))
        optimizer.step()
        if scheduler:
            scheduler.step()
        for name, p in params.items():
            path[name].append(p.detach().numpy().copy())
    return {name: np.stack(values) for name, values in path.items()}


def jax_path(tx: optax.GradientTransformation, start: Arrays, gradients: Arrays, dtype: Any) -> Arrays:
    """The parameters after each step in JAX, as one compiled scan."""

    def step(carry: Any, grads: Any) -> Any:
        params, state = carry
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    with jax.enable_x64(dtype == np.float64):
        params, grads = ({name: jnp.array(x, dtype) for name, x in arrays.items()} for arrays in (start, gradients))
        _, path = jax.jit(lambda params, grads: jax.lax.scan(step, (params, tx.init(params)), grads))(params, grads)
        return {name: np.array(values) for name, values in path.items()}
