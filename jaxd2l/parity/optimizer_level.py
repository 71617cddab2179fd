"""The levels between gradients and a training run: the optimiser on its own, and one training step."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import optax

from jaxd2l.parity import jax_side
from jaxd2l.parity.flips import explained
from jaxd2l.parity.jax_side import JaxSide
from jaxd2l.parity.merging import worst
from jaxd2l.parity.noise import Rounding, condition_scales
from jaxd2l.parity.optimizer_hints import explain_optimizer
from jaxd2l.parity.rule import SINGLE, Row, compare_accuracy, compare_meaning, holds
from jaxd2l.parity.sides import Sides
from jaxd2l.parity.torch_side import OptimizerFactory, Values, gradient_of, torch_path, torch_steps, torch_values

OptimizerPair = tuple[OptimizerFactory, optax.GradientTransformation]
"""`(torch_factory, tx)`."""

GIVEN_GRADIENTS = "optimiser on given gradients"
_NUM_GRADIENTS, _NUM_SAMPLES = 4, 8


class Training(NamedTuple):
    """What the training levels need besides the sides.

    factory: makes torch's optimiser.
    tx: the optax transformation.
    programs: JAX's training step, compiled, by dtype.
    """

    factory: OptimizerFactory
    tx: optax.GradientTransformation
    programs: dict[type, Callable[..., Any]]


def training_of(optim: OptimizerPair, ours: JaxSide) -> Training:
    """Compiles JAX's training step in both precisions."""
    factory, tx = optim
    dtypes: tuple[type, ...] = (np.float32, np.float64)
    return Training(factory, tx, {dtype: jax_side.step_program(ours, tx, dtype) for dtype in dtypes})


def optimizer_level(sides: Sides, training: Training) -> Row:
    """Torch's optimiser and the optax transformation on the same gradients, so that the model plays no part."""
    factory, start = training.factory, sides.start
    exact, random = torch_values(sides.double), np.random.default_rng(sides.seed)
    gradients = [
        {n: exact[gradient_of(n)] * random.normal(size=v.shape) for n, v in start.items()}
        for _ in range(_NUM_GRADIENTS)
    ]
    theirs = torch_path(factory, start, gradients)
    mine = jax_side.jax_path(sides.ours, training.tx, start, gradients)
    scale = _path_scales(factory, start, gradients, theirs, sides.seed)
    rows = [
        compare_meaning(f"{n} after gradient {i + 1}", theirs[i][n], mine[i][n], np.max(scale[n], initial=0.0))
        for i in range(len(gradients))
        for n in start
    ]
    row = worst(GIVEN_GRADIENTS, rows)
    if not holds(row):
        hint = explain_optimizer(factory, start, gradients, mine, theirs, scale)
        row = row._replace(hint=hint or row.hint)
    return row


def step_level(sides: Sides, training: Training) -> list[Row]:
    """Every parameter after one step."""
    factory, start = training.factory, sides.start
    exact, torch32 = (next(torch_steps(side, factory)).parameters for side in (sides.double, sides.single))
    jax64, jax32 = (
        next(jax_side.jax_steps(sides.ours, training.tx, start, dtype, training.programs[dtype])).parameters
        for dtype in (np.float64, np.float32)
    )
    scales = condition_scales(lambda: next(torch_steps(sides.double, factory)).parameters, exact, sides.seed)
    flips = cache(lambda: jax_side.flip_finder(sides.ours)(start, 0))
    rows = []
    for n in start:
        name = f"{n} after one step"
        meaning = compare_meaning(name, exact[n], jax64[n], scales[n])
        accuracy = compare_accuracy(name, torch32[n], jax32[n], exact[n], scales[n])
        if holds(meaning) and not holds(accuracy):
            accuracy = explained(accuracy, flips())
        rows += [meaning, accuracy]
    return rows


def _path_scales(
    factory: OptimizerFactory, start: Values, gradients: list[Values], theirs: list[Values], seed: int
) -> Values:
    """How far rounding noise moves each parameter, over all steps, in float32 roundings."""
    scale = {name: np.zeros(value.shape) for name, value in start.items()}
    for sample in range(_NUM_SAMPLES):
        with Rounding(_NUM_SAMPLES * seed + sample):
            noisy = torch_path(factory, start, gradients)
        for n in scale:
            deviations = [abs(a[n] - b[n]) for a, b in zip(noisy, theirs, strict=True)]
            scale[n] = np.maximum(scale[n], np.max(deviations, 0))
    return {name: value / SINGLE for name, value in scale.items()}
