"""The levels of a check: outputs, layers, loss and gradients; the optimiser; one step."""

from collections.abc import Callable
from typing import Any

import numpy as np
import optax
import torch

from jaxd2l.parity import hints, jax_side, layers, trajectory
from jaxd2l.parity.jax_side import JaxSide, evaluator
from jaxd2l.parity.kinks import Flip, flips
from jaxd2l.parity.noise import Rounding, condition_scales
from jaxd2l.parity.optimizer_hints import explain_optimizer
from jaxd2l.parity.rule import DOUBLE, SINGLE, Row, compare_accuracy, compare_meaning, holds
from jaxd2l.parity.torch_side import (
    LOSS,
    OUTPUTS,
    SAME_LOSS,
    TorchSide,
    Values,
    gradient_of,
    torch_path,
    torch_steps,
    torch_values,
)

Optimizers = tuple[Callable[..., torch.optim.Optimizer], optax.GradientTransformation]

GIVEN_GRADIENTS = "optimiser on given gradients"


def values_level(
    single: TorchSide, double: TorchSide, ours: JaxSide, start: Values, same: np.ndarray, narrow: list[str], seed: int
) -> tuple[list[Row], dict[str, Any]]:
    """Rows of outputs, loss and gradients, and the layers."""
    exact, torch32 = torch_values(double, same), torch_values(single, same)
    scales = condition_scales(lambda: torch_values(double, same), exact, seed)
    jax32, jax64 = (evaluator(ours, dtype, same)(start) for dtype in (np.float32, np.float64))
    jax64 = {name: value.astype(np.float64) if value.dtype.kind == "f" else value for name, value in jax64.items()}

    meaning = {name: compare_meaning(name, exact[name], jax64[name], scales[name]) for name in exact}
    if not all(map(holds, meaning.values())):
        meaning = _imprecise(ours, start, same, exact, scales, jax32, jax64, narrow, meaning)
    hint = {name: row.hint for name, row in meaning.items()}
    if meaning[OUTPUTS].verdict == "semantic-mismatch":
        hint[OUTPUTS] = hints.explain_outputs(double, ours, jax64[OUTPUTS], exact[OUTPUTS], scales[OUTPUTS])
    if meaning[SAME_LOSS].verdict == "semantic-mismatch":
        hint[SAME_LOSS] = hints.explain_loss(double, same, jax64[SAME_LOSS], exact[SAME_LOSS], scales[SAME_LOSS])
    if holds(meaning[LOSS]) and holds(meaning[OUTPUTS]):
        for name, row in meaning.items():
            if row.verdict == "semantic-mismatch":
                n = len(double.inputs)
                hint[name] = hints.explain_gradient(name, n, jax64[name], exact[name], scales[name])
        for name, parameter in double.module.named_parameters():
            if not parameter.requires_grad:
                hint[gradient_of(name)] = f"torch does not train {name}: its requires_grad is False"

    torch_layers = layers.layer_outputs(double)
    layer_scales = condition_scales(lambda: layers.layer_outputs(double), torch_layers, seed)
    matched = layers.match(torch_layers, layer_scales, jax_side.intermediates(ours, start, np.float64))
    first = "" if holds(meaning[OUTPUTS]) else layers.first_diverging(torch_layers, matched)

    rows = []
    for name, row in meaning.items():
        accuracy = compare_accuracy(name, torch32[name], jax32[name], exact[name], scales[name])
        if not holds(accuracy):
            accuracy = accuracy._replace(verdict="precision-defect" if holds(row) else row.verdict)
            if name not in (OUTPUTS, LOSS, SAME_LOSS) and holds(row):
                accuracy = trajectory.explained(accuracy, first_flips(ours, start))
        rows += [r if holds(r) else r._replace(hint=hint[name] or r.hint) for r in (row, accuracy)]
    return rows, {"layers": tuple((name, matched.get(name)) for name in torch_layers), "first_diverging": first}


def _imprecise(
    ours: JaxSide,
    start: Values,
    same: np.ndarray,
    exact: Values,
    scales: Values,
    jax32: Values,
    jax64: Values,
    narrow: list[str],
    meaning: dict[str, Row],
) -> dict[str, Row]:
    """Calls imprecise what is the right function in too few digits, not another function.

    An error that shrinks with the roundoff, 2^29 times from float32 to float64, is rounding. And if JAX leaves
    float64 for a narrower type on the way, the same program with every type widened shows what was meant.
    """
    wide = evaluator(ours._replace(wide=True), np.float64, same)(start) if narrow else jax64
    result = {}
    for name, row in meaning.items():
        errors = [float(np.max(np.abs(x[name] - exact[name]), initial=0.0)) for x in (jax32, jax64)]
        if holds(row):
            pass
        elif narrow and holds(compare_meaning(name, exact[name], wide[name].astype(np.float64), scales[name])):
            hint = f"the same function, computed in {', '.join(narrow)} on the way even where float64 comes in"
            row = row._replace(verdict="precision-defect", hint=hint)
        elif errors[1] <= errors[0] * 2.0**6 * DOUBLE / SINGLE:
            row = row._replace(
                verdict="precision-defect", hint="the same function, computed in a way that loses digits"
            )
        result[name] = row
    return result


def optimizer_level(double: TorchSide, ours: JaxSide, optim: Optimizers, start: Values, seed: int) -> list[Row]:
    """Torch's optimiser and the optax transformation on the same gradients, so that the model plays no part."""
    factory, tx = optim
    exact = torch_values(double)
    random = np.random.default_rng(seed)
    gradients = [{n: exact[gradient_of(n)] * random.normal(size=v.shape) for n, v in start.items()} for _ in range(4)]
    theirs = torch_path(factory, start, gradients)
    mine = jax_side.jax_path(ours, tx, start, gradients)
    scale = {n: np.zeros(v.shape) for n, v in start.items()}
    for sample in range(8):
        with Rounding(8 * seed + sample):
            noisy = torch_path(factory, start, gradients)
        for n in scale:
            scale[n] = np.maximum(scale[n], np.max([abs(a[n] - b[n]) for a, b in zip(noisy, theirs, strict=True)], 0))
    scale = {n: value / SINGLE for n, value in scale.items()}
    rows = [
        compare_meaning(f"{n} after gradient {i + 1}", theirs[i][n], mine[i][n], np.max(scale[n], initial=0.0))
        for i in range(len(gradients))
        for n in start
    ]
    row = trajectory.worst(GIVEN_GRADIENTS, rows)
    if not holds(row):
        hint = explain_optimizer(factory, start, gradients, mine, theirs, scale)
        row = row._replace(hint=hint or row.hint)
    return [row]


def step_level(
    single: TorchSide,
    double: TorchSide,
    ours: JaxSide,
    optim: Optimizers,
    programs: dict[type, Callable[..., Any]],
    start: Values,
    seed: int,
) -> list[Row]:
    """Every parameter after one step."""
    factory, tx = optim
    exact, torch32 = (next(torch_steps(side, factory))[0] for side in (double, single))
    jax64, jax32 = (
        next(jax_side.jax_steps(ours, tx, start, dtype, programs[dtype]))[0] for dtype in (np.float64, np.float32)
    )
    scales = condition_scales(lambda: next(torch_steps(double, factory))[0], exact, seed)
    rows = []
    for n in start:
        name = f"{n} after one step"
        meaning = compare_meaning(name, exact[n], jax64[n], scales[n])
        accuracy = compare_accuracy(name, torch32[n], jax32[n], exact[n], scales[n])
        if holds(meaning) and not holds(accuracy):
            accuracy = trajectory.explained(accuracy, first_flips(ours, start))
        rows += [meaning, accuracy]
    return rows


def first_flips(ours: JaxSide, start: Values) -> list[Flip]:
    """Branches that JAX takes in float32 and not in float64, before any step."""
    return flips(0, "JAX", jax_side.kinks(ours, start, np.float32), jax_side.kinks(ours, start, np.float64))


def consequences(rows: list[Row]) -> list[Row]:
    """A failure below others is put down to those that cause it, and is of their kind."""
    causes = (OUTPUTS, SAME_LOSS, GIVEN_GRADIENTS)
    failed = {row.quantity: row.verdict for row in rows[::-1] if not holds(row) and row.quantity in causes}
    if not failed:
        return rows
    follows = f"follows from: {', '.join(reversed(failed))}"
    kind = "semantic-mismatch" if "semantic-mismatch" in failed.values() else "precision-defect"
    return [
        row
        if holds(row) or row.quantity in causes
        else row._replace(verdict=kind, hint="; ".join(filter(None, (follows, row.hint))))
        for row in rows
    ]
