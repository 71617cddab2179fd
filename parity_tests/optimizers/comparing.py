"""The same gradients to torch's optimiser and to ours: where both stand after every step."""

from functools import partial

import numpy as np
import optax
import torch

from jaxd2l.parity.noise import with_scales
from jaxd2l.parity.rule import Row, compare_accuracy, compare_meaning
from jaxd2l.parity.suite.optim import SHAPES, STEPS, TorchRun, jax_trajectory, torch_trajectory


def compare(name: str, run: TorchRun, tx: optax.GradientTransformation, seed: int) -> list[Row]:
    """Rows for accuracy and meaning: the parameters after each of 100 steps on random gradients."""
    random = np.random.default_rng(seed)
    start = {what: random.standard_normal(shape).astype(np.float32) for what, shape in SHAPES.items()}
    gradients = {what: random.standard_normal((STEPS, *shape)).astype(np.float32) for what, shape in SHAPES.items()}
    theirs32 = torch_trajectory(run, start, gradients, torch.float32)
    exact, scales = with_scales(partial(torch_trajectory, run, start, gradients, torch.float64), seed)
    ours32, ours64 = (jax_trajectory(start, gradients, tx, dtype) for dtype in (np.float32, np.float64))
    rows = []
    for what in start:
        # Errors build up over the steps, and cancel at random: what a step may err, the later ones may.
        scale = np.maximum(np.maximum.accumulate(scales[what]), np.abs(exact[what]))
        rows.append(compare_accuracy(f"{name}: {what}", theirs32[what], ours32[what], exact[what], scale))
        rows.append(compare_meaning(f"{name}: {what}", exact[what], ours64[what], scale))
    return rows
