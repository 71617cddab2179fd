"""Training side by side: a float64 free run, float32 put back on the oracle's path each step, a float32 free run.

The oracle is torch in float64. A free run follows its own parameters from the first step to the last.
"""

import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from jaxd2l.parity import jax_side
from jaxd2l.parity.findings import Curve, CurveQuantity
from jaxd2l.parity.flips import Flip, explained, find_flips
from jaxd2l.parity.jax_side import JaxStep, jax_steps
from jaxd2l.parity.merging import worst
from jaxd2l.parity.noise import Rounding, condition_scales
from jaxd2l.parity.optimizer_level import Training
from jaxd2l.parity.rule import SINGLE, Row, compare_accuracy, compare_meaning, holds, largest_magnitude
from jaxd2l.parity.sides import Sides
from jaxd2l.parity.torch_kinks import Kinks
from jaxd2l.parity.torch_side import TorchStep, Values, gradient_of, set_parameters, torch_steps, torch_values

_NUM_PERTURBED = 4
"""Perturbed float64 runs: each operation of each is off by one float32 rounding of its condition scale."""

FREE64, RESYNCED, FREE32 = "float64 free run", "float32 re-synchronised gradients", "float32 free run"


class Trajectory(NamedTuple):
    """How far apart the runs are after each step.

    rows: one per kind of run; the worst over steps and parameters.
    curves: losses, and relative L2 distances of all parameters from the oracle's.
    flips: those of the float32 free runs.
    """

    rows: tuple[Row, ...]
    curves: tuple[Curve, ...]
    flips: tuple[Flip, ...]


class _Moment(NamedTuple):
    """Every run after one step, and the flips in that step."""

    oracle: TorchStep
    torch32: TorchStep
    jax64: JaxStep
    jax32: JaxStep
    perturbed: list[Values]
    flips: list[Flip]


def run(sides: Sides, training: Training, evaluate: Callable[[Values], Values], steps: int) -> Trajectory:
    """Takes `steps` training steps on the one batch in every way, in lockstep, and compares after each.

    The scale of a parameter is the widest deviation that the perturbed runs have reached so far anywhere in it, in
    float32 roundings: one number per parameter, because over many steps every element's error reaches all others.

    Args:
      sides, training: what to train.
      evaluate: JAX's gradients in float32, compiled.
      steps: how many.
    """
    scale = dict.fromkeys(sides.start, 0.0)
    free64, resynced, free32, ledger, moments = [], [], [], [], []
    lockstep, find = _lockstep(sides, training), jax_side.flip_finder(sides.ours)
    gradient_scale: dict[str, float] = {}
    start = sides.start
    for step in range(steps):
        noise_seed = sides.seed * steps + step
        for row in _resynced(sides, evaluate, start, gradient_scale, noise_seed, step):
            resynced.append(row if holds(row) else explained(row, find(start, step)))
        moment = next(lockstep)
        ledger += moment.flips
        ours = [flip for flip in ledger if flip.side == "JAX"]
        for name, value in moment.oracle.parameters.items():
            scale[name] = max(scale[name], *(largest_magnitude(run[name] - value) / SINGLE for run in moment.perturbed))
            where = f"{name} after step {step + 1}"
            free64.append(compare_meaning(where, value, moment.jax64.parameters[name], scale[name]))
            singles = moment.torch32.parameters[name], moment.jax32.parameters[name]
            free32.append(explained(compare_accuracy(where, *singles, value, scale[name]), ours))
        moments.append(_numbers(moment))
        start = {name: value.astype(np.float32) for name, value in moment.oracle.parameters.items()}
    rows = (worst(FREE64, free64), worst(RESYNCED, resynced), worst(FREE32, free32))
    curves = (Curve(quantity, name, [m[quantity, name] for m in moments]) for quantity, name in moments[0])
    return Trajectory(rows, tuple(curves), tuple(ledger))


def _lockstep(sides: Sides, training: Training) -> Iterator[_Moment]:
    """All runs, one step at a time, forever."""
    factory = training.factory
    oracle_run, torch_run = torch_steps(sides.double, factory), torch_steps(sides.single, factory)
    noises = [Rounding(1000 * sides.seed + i) for i in range(_NUM_PERTURBED)]
    perturbed_runs = [torch_steps(sides.double, factory) for _ in noises]
    jax64, jax32 = (
        jax_steps(sides.ours, training.tx, sides.start, dtype, training.programs[dtype])
        for dtype in (np.float64, np.float32)
    )
    step = 0
    while True:
        with Kinks() as oracle_kinks:
            oracle = next(oracle_run)
        with Kinks() as torch_kinks:
            torch32 = next(torch_run)
        ours64, ours32 = next(jax64), next(jax32)
        perturbed = []
        for noise, perturbed_run in zip(noises, perturbed_runs, strict=True):
            with noise:
                perturbed.append(next(perturbed_run).parameters)
        flips = find_flips(step, "torch", torch_kinks.arguments, oracle_kinks.arguments)
        flips += find_flips(step, "JAX", ours32.kinks, ours64.kinks)
        yield _Moment(oracle, torch32, ours64, ours32, perturbed, flips)
        step += 1


def _numbers(moment: _Moment) -> dict[tuple[CurveQuantity, str], float]:
    """A point of every curve."""
    exact = moment.oracle.parameters
    return {
        ("loss", "torch float64"): moment.oracle.loss,
        ("loss", "torch float32"): moment.torch32.loss,
        ("loss", "JAX float32"): moment.jax32.loss,
        ("distance", "JAX float64"): _distance(moment.jax64.parameters, exact),
        ("distance", "torch float32"): _distance(moment.torch32.parameters, exact),
        ("distance", "JAX float32"): _distance(moment.jax32.parameters, exact),
        ("distance", "perturbed float64"): max(_distance(run, exact) for run in moment.perturbed),
    }


def _resynced(
    sides: Sides,
    evaluate: Callable[[Values], Values],
    start: Values,
    scale: dict[str, float],
    noise_seed: int,
    step: int,
) -> list[Row]:
    """Gradients of all three at the oracle's parameters, rounded to float32: `start`. Updates the scale."""
    single, double = (side._replace(module=copy.deepcopy(side.module)) for side in (sides.single, sides.double))
    for side in (single, double):
        set_parameters(side.module, start)
    exact, theirs, ours = torch_values(double), torch_values(single), evaluate(start)
    measured = condition_scales(lambda: torch_values(double), exact, noise_seed, samples=2)
    rows = []
    for name in start:
        quantity = gradient_of(name)
        # The decaying maximum keeps one lucky draw of the noise from making the unit tiny.
        scale[name] = max(largest_magnitude(measured[quantity]), 0.8 * scale.get(name, 0.0))
        where = f"{quantity} at step {step + 1}"
        rows.append(compare_accuracy(where, theirs[quantity], ours[quantity], exact[quantity], scale[name]))
    return rows


def _distance(a: Values, b: Values) -> float:
    """Relative L2 distance of all parameters."""
    difference = sum(float(np.sum(np.square(a[name].astype(np.float64) - b[name]))) for name in b)
    size = sum(float(np.sum(np.square(value))) for value in b.values())
    return float(np.sqrt(difference / size)) if size else float(np.sqrt(difference))
