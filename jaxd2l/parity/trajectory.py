"""Training side by side: a float64 free run, float32 put back on the oracle's path each step, a float32 free run.

The oracle is torch in float64. A free run follows its own parameters from the first step to the last.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from jaxd2l.parity import jax_side
from jaxd2l.parity.findings import Curve, CurveQuantity
from jaxd2l.parity.flips import Flip, explained, find_flips
from jaxd2l.parity.jax_training import JaxStep, jax_steps
from jaxd2l.parity.merging import worst
from jaxd2l.parity.noise import with_scales
from jaxd2l.parity.optimizer_level import Training, excused
from jaxd2l.parity.programs.torch_rounding import Rounding
from jaxd2l.parity.quantities import Values, gradient_of
from jaxd2l.parity.rule import ROUNDOFF, SINGLE, Row, compare_accuracy, compare_meaning, holds, largest_magnitude
from jaxd2l.parity.sides import Sides
from jaxd2l.parity.torch_kinks import Kinks
from jaxd2l.parity.torch_side import TorchStep, copied, set_parameters, torch_steps, torch_values

NUM_PERTURBED = 3
"""Perturbed float64 runs: each operation of each is off by one float32 rounding of its condition scale. Fewer samples
than of a single value will do: the scale is the largest of a whole parameter, over all steps so far."""

FREE64, RESYNCED, FREE = "float64 free run", "re-synchronised gradients", "free run"


class Trajectory(NamedTuple):
    """How far apart the runs are after each step.

    rows: one per kind of run; the worst over steps and parameters.
    traces: losses, and relative L2 distances of all parameters from the oracle's.
    flips: those of the float32 free runs.
    """

    rows: tuple[Row, ...]
    traces: tuple[Curve, ...]
    flips: tuple[Flip, ...]


class _Moment(NamedTuple):
    """Where every run stands after one step; `flips` are those of this step.

    shown: the parameters of torch's float64 and float32 runs in the form in which they are compared.
    accurate32: JAX's float32 run with an accurate correction of Adam's bias, if it has one.
    """

    oracle: TorchStep
    torch32: TorchStep
    shown: tuple[Values, Values]
    jax64: JaxStep
    jax32: JaxStep
    perturbed: list[Values]
    flips: list[Flip]
    accurate32: JaxStep | None


def run(sides: Sides, training: Training, steps: int) -> Trajectory:
    """Takes `steps` training steps on the batches in turn in every way, in lockstep, and compares after each.

    The scale of a parameter is the widest deviation that the perturbed runs have reached so far anywhere in it, in
    float32 roundings: one number per parameter, because over many steps every element's error reaches all others.
    """
    scale: dict[str, float] = {}
    free64, resynced, free32, ledger, moments = [], [], [], [], []
    lockstep = _lockstep(sides, training)
    find = jax_side.flip_finder(sides.ours)
    gradient_scale: dict[str, float] = {}
    start, kind = jax_side.cast(sides.start, np.float32), sides.ours.precision.name
    for step in range(steps):
        sides.tell(f"training, step {step + 1} of {steps}")
        noise_seed = sides.seed * steps + step
        for row in _resynced(sides, start, gradient_scale, noise_seed, step):
            resynced.append(row if holds(row) else explained(row, find(start, step)))
        moment = next(lockstep)
        start = jax_side.as_single(jax_side.cast(moment.oracle.parameters, sides.ours.single))
        ledger += moment.flips
        oracle, torch32 = moment.shown
        ours = [flip for flip in ledger if flip.side == "JAX"]
        for name, value in oracle.items():
            deviations = [largest_magnitude(run[name] - value) / SINGLE for run in moment.perturbed]
            scale[name] = max(scale.get(name, 0.0), *deviations)
            where = f"{name} after step {step + 1}"
            free64.append(compare_meaning(where, value, moment.jax64.parameters[name], scale[name]))
            singles = torch32[name], moment.jax32.parameters[name]
            row = explained(compare_accuracy(where, *singles, value, scale[name], kind), ours)
            if not holds(row) and moment.accurate32 is not None:
                accurate = compare_accuracy(
                    where, singles[0], moment.accurate32.parameters[name], value, scale[name], kind
                )
                row = excused(row, explained(accurate, ours))
            free32.append(row)
        moments.append(_numbers(moment, kind))
    rows = (worst(FREE64, free64), worst(f"{kind} {RESYNCED}", resynced), worst(f"{kind} {FREE}", free32))
    traces = (Curve(quantity, name, [m[quantity, name] for m in moments]) for quantity, name in moments[0])
    return Trajectory(rows, tuple(traces), tuple(ledger))


def _lockstep(sides: Sides, training: Training) -> Iterator[_Moment]:
    """All runs, one step at a time, without end."""
    theirs, show = training.torch, sides.ours.weights.shown_of_torch
    oracle_run, torch_run = torch_steps(sides.double, theirs), torch_steps(sides.single, theirs)
    sums: dict[Any, Any] = {}
    noises = [Rounding(1000 * sides.seed + i, sums=sums) for i in range(NUM_PERTURBED)]
    perturbed_runs = [torch_steps(sides.double, theirs) for _ in noises]
    jax64, jax32 = (
        jax_steps(sides.ours, training.tx, sides.start, dtype, training.programs[dtype])
        for dtype in (np.float64, sides.ours.single)
    )
    accurate32 = None
    if training.accurate is not None:
        accurate32 = jax_steps(sides.ours, training.tx, sides.start, sides.ours.single, training.accurate)
    step, ulps = 0, ROUNDOFF[sides.ours.precision.name] / SINGLE
    while True:
        with Kinks() as oracle_kinks:
            oracle = next(oracle_run)
        with Kinks() as torch_kinks:
            torch32 = next(torch_run)
        ours64, ours32 = next(jax64), next(jax32)
        accurate = None if accurate32 is None else next(accurate32)
        perturbed = []
        sums.clear()
        for noise, perturbed_run in zip(noises, perturbed_runs, strict=True):
            with noise:
                perturbed.append(show(next(perturbed_run).parameters))
        flips = find_flips(step, "torch", torch_kinks.arguments, oracle_kinks.arguments, ulps=ulps)
        flips += find_flips(step, "JAX", ours32.kinks, ours64.kinks, ulps=ulps)
        shown = show(oracle.parameters), show(torch32.parameters)
        yield _Moment(oracle, torch32, shown, ours64, ours32, perturbed, flips, accurate)
        step += 1


def _numbers(moment: _Moment, kind: str) -> dict[tuple[CurveQuantity, str], float]:
    """A point of every curve."""
    exact, torch32 = moment.shown
    return {
        ("loss", "torch float64"): moment.oracle.loss,
        ("loss", f"torch {kind}"): moment.torch32.loss,
        ("loss", f"JAX {kind}"): moment.jax32.loss,
        ("distance", "JAX float64"): _distance(moment.jax64.parameters, exact),
        ("distance", f"torch {kind}"): _distance(torch32, exact),
        ("distance", f"JAX {kind}"): _distance(moment.jax32.parameters, exact),
        ("distance", "perturbed float64"): max(_distance(run, exact) for run in moment.perturbed),
    }


def _resynced(
    sides: Sides,
    start: Values,
    scale: dict[str, float],
    noise_seed: int,
    step: int,
) -> list[Row]:
    """Gradients of all three at the oracle's parameters, rounded to float32: `start`. Updates the scale."""
    batch = step % len(sides.ours.samples)
    single, double = (side._replace(module=copied(side.module)) for side in (sides.single, sides.double))
    for side in (single, double):
        set_parameters(side.module, start)
    samples = 1 if scale else NUM_PERTURBED
    exact, measured = with_scales(lambda: torch_values(double, batch=batch), noise_seed, samples)
    theirs, ours = torch_values(single, batch=batch), sides.evaluate(start, batch)
    rows, kind = [], sides.ours.precision.name
    for name in sides.ours.trained:
        quantity = gradient_of(name)
        # The decaying maximum keeps one lucky draw of the noise from making the unit tiny.
        scale[name] = max(largest_magnitude(measured[quantity]), 0.8 * scale.get(name, 0.0))
        where = f"{quantity} at step {step + 1}"
        rows.append(compare_accuracy(where, theirs[quantity], ours[quantity], exact[quantity], scale[name], kind))
    return rows


def _distance(a: Values, b: Values) -> float:
    """Relative L2 distance of all parameters."""
    difference = sum(float(np.sum(np.square(a[name].astype(np.float64) - b[name]))) for name in b)
    size = sum(float(np.sum(np.square(value))) for value in b.values())
    return float(np.sqrt(difference / size)) if size else float(np.sqrt(difference))
