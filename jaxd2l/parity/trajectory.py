"""Training side by side: a float64 free run, float32 put back on the oracle's path each step, a float32 free run."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import optax
import torch

from jaxd2l.parity import jax_side
from jaxd2l.parity.jax_side import JaxSide, evaluator, jax_steps
from jaxd2l.parity.kinks import MARGIN, Flip, Kinks, flips
from jaxd2l.parity.noise import Rounding, condition_scales
from jaxd2l.parity.rule import SINGLE, Row, compare_accuracy, compare_meaning, holds
from jaxd2l.parity.torch_side import (
    TorchSide,
    Values,
    gradient_of,
    parameters,
    set_parameters,
    torch_steps,
    torch_values,
)

ENVELOPE = 4
"""Perturbed float64 runs: each operation of each is off by one float32 rounding of its condition scale."""

FREE64, RESYNCED, FREE32 = "float64 free run", "float32 re-synchronised gradients", "float32 free run"


class Trajectory(NamedTuple):
    """How far apart the runs are after each step.

    rows: one per kind of run; the worst over steps and parameters.
    curves: by name, one number per step: losses, and relative L2 distances of all parameters from the oracle's.
    flips: the kink ledger of the float32 free runs.
    """

    rows: tuple[Row, ...]
    curves: dict[str, list[float]]
    flips: tuple[Flip, ...]


def run(
    single: TorchSide,
    double: TorchSide,
    jax: JaxSide,
    optim: tuple[Callable[..., torch.optim.Optimizer], optax.GradientTransformation],
    programs: dict[type, Callable[..., Any]],
    steps: int,
    seed: int,
) -> Trajectory:
    """Takes `steps` training steps on the one batch in every way, in lockstep, and compares after each.

    The scale of a parameter is the widest deviation that the perturbed runs have reached so far anywhere in it, in
    float32 roundings: a number per parameter, because over many steps every element's error reaches every other.
    """
    factory, tx = optim
    start = parameters(single.module)
    oracle_run, torch_run = torch_steps(double, factory), torch_steps(single, factory)
    noisy_runs = [(torch_steps(double, factory), Rounding(1000 * seed + i)) for i in range(ENVELOPE)]
    jax64, jax32 = (jax_steps(jax, tx, start, dtype, programs[dtype]) for dtype in (np.float64, np.float32))

    free64, resynced, free32, ledger = [], [], [], []
    scale = dict.fromkeys(start, 0.0)
    gradient_scale: dict[str, float] = {}
    curves: dict[str, list[float]] = {name: [] for name in _CURVES}
    evaluate, previous = evaluator(jax, np.float32), _double(start)
    for step in range(steps):
        resynced += _resync(single, double, jax, evaluate, previous, gradient_scale, seed * steps + step, step)

        with Kinks() as torch64_kinks:
            oracle, oracle_loss = next(oracle_run)
        with Kinks() as torch32_kinks:
            torch32, torch_loss = next(torch_run)
        ours64, _, jax64_kinks = next(jax64)
        ours32, jax_loss, jax32_kinks = next(jax32)
        noisy = []
        for noisy_run, rounding in noisy_runs:
            with rounding:
                noisy.append(next(noisy_run)[0])
        for name, value in oracle.items():
            scale[name] = max(scale[name], *(_largest(n[name] - value) / SINGLE for n in noisy))

        new = flips(step, "torch", torch32_kinks.arguments, torch64_kinks.arguments)
        new += flips(step, "JAX", jax32_kinks, jax64_kinks)
        ledger += new
        for name, value in oracle.items():
            where = f"{name} after step {step + 1}"
            free64.append(compare_meaning(where, value, ours64[name], scale[name]))
            row = compare_accuracy(where, torch32[name], ours32[name], value, scale[name])
            free32.append(explained(row, [f for f in ledger if f.side == "JAX"]))
        for name, number in zip(
            _CURVES,
            (
                oracle_loss,
                torch_loss,
                jax_loss,
                _distance(ours64, oracle),
                _distance(torch32, oracle),
                _distance(ours32, oracle),
                max(_distance(n, oracle) for n in noisy),
            ),
            strict=True,
        ):
            curves[name].append(number)
        previous = oracle
    rows = (worst(FREE64, free64), worst(RESYNCED, resynced), worst(FREE32, free32))
    return Trajectory(rows, curves, tuple(ledger))


_CURVES = (
    "loss, torch float64",
    "loss, torch float32",
    "loss, JAX float32",
    "distance, JAX float64",
    "distance, torch float32",
    "distance, JAX float32",
    "distance, perturbed float64",
)


def explained(row: Row, flipped: list[Flip]) -> Row:
    """Calls a failure a kink flip if JAX has taken another branch, first at an argument that rounding could turn."""
    if holds(row) or row.level != "accuracy" or not flipped:
        return row
    first = flipped[0]
    if first.margin > MARGIN or not np.isfinite(row.jax_error):
        return row
    return row._replace(
        verdict="kink-flip",
        hint=f"step {first.step + 1}: {first.kink} takes another branch at {first.index}, "
        f"{first.margin:.2g} ULP from the kink",
    )


def worst(quantity: str, rows: list[Row]) -> Row:
    """One row for many: the worst of them, with the histogram of all."""
    failed = [row for row in rows if not holds(row)]
    if failed:
        row = failed[0]
        hint = f"first in {row.quantity}" + (f": {row.hint}" if row.hint else "")
    else:
        row = max(rows, key=lambda row: (row.verdict == "kink-flip", row.jax_error / row.bound))
        verdicts = {row.verdict for row in rows}
        row = row._replace(verdict="within-oracle") if verdicts == {"bitwise", "within-oracle"} else row
        hint = "; ".join(filter(None, (f"worst in {row.quantity}", row.hint)))
    histogram = np.sum([row.histogram for row in rows], axis=0)
    return row._replace(quantity=quantity, histogram=tuple(int(n) for n in histogram), hint=hint)


def _resync(
    single: TorchSide,
    double: TorchSide,
    jax: JaxSide,
    evaluate: Callable[[Values], Values],
    params: Values,
    scale: dict[str, float],
    seed: int,
    step: int,
) -> list[Row]:
    """Gradients of all three at the oracle's parameters, rounded to float32. Updates the scale."""
    start = {name: value.astype(np.float32) for name, value in params.items()}
    single, double = (side._replace(module=copy.deepcopy(side.module)) for side in (single, double))
    for side in (single, double):
        set_parameters(side.module, start)
    exact, theirs = torch_values(double), torch_values(single)
    ours = evaluate(start)
    measured = condition_scales(lambda: torch_values(double), exact, seed, samples=2)
    rows = []
    for name in start:
        quantity = gradient_of(name)
        # The decaying maximum keeps one lucky draw of the noise from making the unit tiny.
        scale[name] = max(_largest(measured[quantity]), 0.8 * scale.get(name, 0.0))
        where = f"{quantity} at step {step + 1}"
        row = compare_accuracy(where, theirs[quantity], ours[quantity], exact[quantity], scale[name])
        if not holds(row):
            branches = [jax_side.kinks(jax, start, dtype) for dtype in (np.float32, np.float64)]
            row = explained(row, flips(step, "JAX", branches[0], branches[1]))
        rows.append(row)
    return rows


def _double(values: Values) -> Values:
    return {name: value.astype(np.float64) for name, value in values.items()}


def _largest(x: Any) -> float:
    return float(np.max(np.abs(x), initial=0.0))


def _distance(a: Values, b: Values) -> float:
    difference = sum(float(np.sum(np.square(a[name].astype(np.float64) - b[name]))) for name in b)
    size = sum(float(np.sum(np.square(value))) for value in b.values())
    return float(np.sqrt(difference / size)) if size else float(np.sqrt(difference))
