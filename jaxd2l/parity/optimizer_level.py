"""The levels between gradients and a training run: the optimiser on its own, and one training step."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from jaxd2l.parity import jax_side, jax_training
from jaxd2l.parity.flips import explained
from jaxd2l.parity.jax_side import JaxSide
from jaxd2l.parity.known_differences import BIAS_CORRECTION, accurate_bias_correction, corrects_bias
from jaxd2l.parity.merging import worst
from jaxd2l.parity.noise import with_scales
from jaxd2l.parity.optimizer_hints import Run, explain_optimizer
from jaxd2l.parity.programs.torch_rounding import Rounding
from jaxd2l.parity.quantities import Values, gradient_of
from jaxd2l.parity.rule import SINGLE, Row, compare_accuracy, compare_meaning, holds
from jaxd2l.parity.sides import Sides
from jaxd2l.parity.torch_side import (
    OptimizerFactory,
    StepFunction,
    TorchTraining,
    parameters,
    plain_step,
    torch_path,
    torch_steps,
    torch_values,
)

OptimizerPair = tuple[OptimizerFactory, optax.GradientTransformation]
"""`(torch_factory, tx)`."""

GIVEN_GRADIENTS = "optimiser on given gradients"
_NUM_GRADIENTS, _NUM_SAMPLES = 4, 4


class Training(NamedTuple):
    """What the training levels need besides the sides.

    torch: makes torch's optimiser, and steps.
    tx: the optax transformation.
    programs: JAX's training step on each batch, compiled, by dtype.
    accurate: the float32 step with an accurate correction of Adam's bias; None if there is no bias to correct.
    """

    torch: TorchTraining
    tx: optax.GradientTransformation
    programs: dict[type, list[Callable[..., Any]]]
    accurate: list[Callable[..., Any]] | None = None


def training_of(optim: OptimizerPair, ours: JaxSide, torch_step: StepFunction = plain_step) -> Training:
    """Compiles JAX's training step in both precisions."""
    theirs, tx = TorchTraining(optim[0], torch_step), optim[1]
    dtypes: tuple[type, ...] = (ours.single, np.float64)
    batches = range(len(ours.samples))
    programs = {d: [jax_training.step_program(ours, tx, d, i) for i in batches] for d in dtypes}
    params = jax_training.trainable(ours, ours.weights.like)[0]
    if not corrects_bias(tx, params):
        return Training(theirs, tx, programs)
    accurate = [accurately(jax_training.step_program(ours, tx, ours.single, i)) for i in batches]
    return Training(theirs, tx, programs, accurate)


def accurately(program: Callable[..., Any]) -> Callable[..., Any]:
    """A program that is traced with an accurate correction of Adam's bias."""

    def run(*args: Any) -> Any:
        with accurate_bias_correction():
            return program(*args)

    return run


def optimizer_level(sides: Sides, training: Training) -> Row:
    """Torch's optimiser and the optax transformation on the same gradients, so that the model plays no part."""
    module, weights = sides.double.module, sides.ours.weights
    start = {name: value.astype(np.float64) for name, value in sides.start.items()}
    trained = {name: start[name] for name in parameters(module)}
    rest = {name: value for name, value in start.items() if name not in trained}

    def show(step: Values) -> Values:
        return weights.shown_of_torch({**rest, **step})

    ours, theirs = _given_gradients(sides)
    path = [show(step) for step in torch_path(training.torch, module, theirs)]
    mine = jax_training.jax_path(sides.ours, training.tx, sides.start, ours)
    scale = _path_scales(lambda: map(show, torch_path(training.torch, module, theirs)), path, sides.seed)
    rows = [
        compare_meaning(f"{n} after gradient {i + 1}", step[n], mine[i][n], np.max(scale[n], initial=0.0))
        for i, step in enumerate(path)
        for n in step
    ]
    row = worst(GIVEN_GRADIENTS, rows)
    if not holds(row):
        hint = explain_optimizer(Run(training.torch, module, theirs, show), mine, path, scale)
        row = row._replace(hint=hint or row.hint)
    return row


def _given_gradients(sides: Sides) -> tuple[list[Any], list[Values]]:
    """Random gradients of JAX's variables, of the size of the true ones, and those of torch's that follow from them."""
    exact, weights, random = torch_values(sides.double), sides.ours.weights, np.random.default_rng([sides.seed, 1])
    true = {name: exact.get(gradient_of(name), np.zeros(value.shape)) for name, value in sides.start.items()}
    with jax_side.precision(np.float64):
        size = jax.tree.map(np.asarray, weights.variables(true))
    ours = [jax.tree.map(lambda x: x * random.normal(size=x.shape), size) for _ in range(_NUM_GRADIENTS)]
    start = {name: value.astype(np.float64) for name, value in sides.start.items()}
    return ours, weights.gradients_of_torch(ours, start, sides.ours.trained)


def step_level(sides: Sides, training: Training) -> list[Row]:
    """Every parameter after one step."""
    theirs, start, show = training.torch, sides.start, sides.ours.weights.shown_of_torch
    exact, scales = with_scales(lambda: show(next(torch_steps(sides.double, theirs)).parameters), sides.seed)
    torch32 = show(next(torch_steps(sides.single, theirs)).parameters)
    jax64, jax32 = (
        next(jax_training.jax_steps(sides.ours, training.tx, start, dtype, training.programs[dtype])).parameters
        for dtype in (np.float64, sides.ours.single)
    )
    accurate32 = None
    if training.accurate is not None:
        steps = jax_training.jax_steps(sides.ours, training.tx, start, sides.ours.single, training.accurate)
        accurate32 = next(steps).parameters
    flips = cache(lambda: jax_side.flip_finder(sides.ours)(start, 0))
    rows, kind = [], sides.ours.precision.name
    for n in exact:
        name = f"{n} after one step"
        meaning = compare_meaning(name, exact[n], jax64[n], scales[n])
        accuracy = compare_accuracy(name, torch32[n], jax32[n], exact[n], scales[n], kind)
        if holds(meaning) and not holds(accuracy):
            accuracy = explained(accuracy, flips())
        if not holds(accuracy) and accurate32 is not None:
            accuracy = excused(accuracy, compare_accuracy(name, torch32[n], accurate32[n], exact[n], scales[n], kind))
        rows += [meaning, accuracy]
    frozen = {f"{n} after one step" for n in exact if n in sides.start and n not in sides.ours.trained}
    return [r._replace(hint=_FROZEN) if r.quantity in frozen and not holds(r) else r for r in rows]


_FROZEN = "torch does not train this parameter: its requires_grad is False"


def excused(row: Row, accurate: Row) -> Row:
    """A failure that an accurate correction of Adam's bias removes is a known difference of the libraries."""
    return row._replace(verdict="known-difference", hint=BIAS_CORRECTION) if holds(accurate) else row


def _path_scales(repeat: Callable[[], Iterable[Values]], path: list[Values], seed: int) -> Values:
    """How far rounding noise moves each parameter, over all steps, in float32 roundings."""
    scale = {name: np.zeros(value.shape) for name, value in path[0].items()}
    for sample in range(_NUM_SAMPLES):
        with Rounding(_NUM_SAMPLES * seed + sample):
            noisy = list(repeat())
        for n in scale:
            deviations = [abs(a[n] - b[n]) for a, b in zip(noisy, path, strict=True)]
            scale[n] = np.maximum(scale[n], np.max(deviations, 0))
    return {name: value / SINGLE for name, value in scale.items()}
