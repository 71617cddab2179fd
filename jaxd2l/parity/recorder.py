"""`record`: torch's side of a check, kept for a machine without torch."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from jaxd2l._checks.numbers import require_whole
from jaxd2l.parity.noise import with_scales
from jaxd2l.parity.programs.torch_rounding import Rounding
from jaxd2l.parity.quantities import Values
from jaxd2l.parity.recording import Recording, after_run, write
from jaxd2l.parity.report import context
from jaxd2l.parity.rule import SINGLE
from jaxd2l.parity.sides import Question, torch_sides
from jaxd2l.parity.torch_side import (
    LossFunction,
    OptimizerFactory,
    StepFunction,
    TorchStep,
    TorchTraining,
    parameters,
    plain_step,
    torch_steps,
    torch_values,
)
from jaxd2l.parity.trajectory import NUM_PERTURBED


def record(
    torch_module: torch.nn.Module,
    batch: Any,
    path: str | os.PathLike[str],
    *,
    loss: LossFunction | None = None,
    optim: OptimizerFactory | None = None,
    torch_step: StepFunction = plain_step,
    steps: int = 100,
    outputs: Callable[[Any], Any] | None = None,
    seed: int = 0,
) -> None:
    """Keeps what a check needs of torch: weights, batch, outputs, loss, gradients, training, and their scales.

    Args:
      torch_module, batch, torch_step, seed: as for `check`; one batch, whose labels are one array.
      steps: length of the training run; its losses and its last parameters are kept.
      path: the safetensors file to write. `check_recorded` reads it, where torch need not be.
      loss, optim, outputs: torch's half of what `check` takes; `optim` needs a loss.

    Raises:
      TypeError, ValueError: as `check`; labels that are no array.
      OSError: the file cannot be written.
    """
    if optim is not None and loss is None:
        raise ValueError("optim needs loss: without one there is nothing to minimise")
    require_whole(1, steps=steps)
    everything = (outputs, _nothing) if outputs else None
    question = Question(batch, outputs=everything, loss=(loss, _nothing) if loss else None, seed=seed)
    theirs = torch_sides(torch_module, question)
    if len(theirs.samples) > 1 or not isinstance(theirs.samples[0].labels, np.ndarray):
        raise ValueError("a recording holds one batch, (inputs, labels), whose labels are one array")
    single = torch_values(theirs.single, theirs.whole)
    exact, scales = with_scales(lambda: torch_values(theirs.double, theirs.whole), seed)
    if optim is not None:
        training = TorchTraining(optim, torch_step)
        single |= _one_step(theirs.single, training)
        more = with_scales(lambda: _one_step(theirs.double, training), seed)
        run = _run(theirs.double, training, steps, seed)
        exact, scales = exact | more[0] | run[0], scales | more[1] | run[1]
    facts = {
        "parameters": list(parameters(theirs.single.module)),
        "trained": [name for name, p in theirs.single.module.named_parameters() if p.requires_grad],
        "seed": seed,
        "loss": loss is not None,
        "optimiser": optim is not None,
        "steps": steps,
        "versions": {name: str(value) for name, value in context().items()},
    }
    write(Recording(theirs.start, theirs.outputs, exact, single, scales, theirs.samples[0], facts), path)


def _one_step(side: Any, training: TorchTraining) -> Values:
    after = next(torch_steps(side, training)).parameters
    return {f"{name} after one step": after[name] for name, _ in side.module.named_parameters()}


def _run(side: Any, training: TorchTraining, steps: int, seed: int) -> tuple[Values, Values]:
    """A run in float64, and the scales: one number for each quantity, since errors reach everywhere in many steps."""
    names = [name for name, _ in side.module.named_parameters()]
    exact = after_run(torch_steps(side, training), steps, names)
    scale = dict.fromkeys(exact, 0.0)
    for sample in range(NUM_PERTURBED):
        noise = Rounding(NUM_PERTURBED * seed + sample)
        found = after_run(_disturbed(torch_steps(side, training), noise), steps, names)
        scale = {name: max(scale[name], float(np.abs(found[name] - x).max()) / SINGLE) for name, x in exact.items()}
    return exact, {name: np.full(x.shape, scale[name]) for name, x in exact.items()}


def _disturbed(steps: Iterator[TorchStep], noise: Rounding) -> Iterator[TorchStep]:
    while True:
        noise.sums.clear()  # or it would keep those of all steps
        with noise:
            step = next(steps)
        yield step


def _nothing(*args: Any) -> Any:
    """Stands for JAX's half, which is not known yet."""
