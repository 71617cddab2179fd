"""`check`: a torch module against its JAX port, level by level, from the weights to a training run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from jaxd2l._checks.numbers import require_whole
from jaxd2l.parity import jax_side, trajectory
from jaxd2l.parity.jax_side import Evaluators, evaluator
from jaxd2l.parity.merging import consequences
from jaxd2l.parity.optimizer_level import (
    GIVEN_GRADIENTS,
    OptimizerPair,
    Training,
    optimizer_level,
    step_level,
    training_of,
)
from jaxd2l.parity.pairing import Weights
from jaxd2l.parity.report import Report, context
from jaxd2l.parity.rule import Row, compare_accuracy, compare_meaning
from jaxd2l.parity.sides import LossPair, Sides, both_sides, narrow_dtypes, output_shape
from jaxd2l.parity.torch_side import OUTPUTS, SAME_LOSS, Values
from jaxd2l.parity.values_level import values_level


def check(
    torch_module: torch.nn.Module,
    jax_model: Any,
    batch: tuple[Any, Any],
    *,
    weights: Weights = "auto",
    loss: LossPair | None = None,
    optim: OptimizerPair | None = None,
    steps: int = 100,
    oracle: str = "float64",
    seed: int = 0,
) -> Report:
    """Compares a torch module with its JAX port, and says what differs and why.

    Both get torch's weights and the same batch, without dropout. Every quantity is compared twice. In float64 both
    must agree to 8 roundings of the numbers combined: then they mean the same. In float32 both are measured against
    torch in float64, and JAX may err twice as much as torch plus 4 roundings: then it is as accurate. You pick no
    tolerance. The levels: weights, outputs, layers, loss, gradients, the optimiser, one step, a training run.

    Args:
      torch_module: any module with one tensor in and one out. It is copied, not changed.
      jax_model: a `Model(init, apply)`, a Flax Linen module, or an NNX module or a function `rngs -> nnx.Module`.
      batch: `(inputs, labels)`: arrays of NumPy, JAX or torch.
      weights: which JAX parameter is which of torch's: "auto", or a mapping as for `parity.pair`.
      loss: `(torch_loss, jax_loss)`, each `loss(outputs, labels)`, a scalar. Without it, the gradients of a fixed
        random sum of the outputs are compared.
      optim: `(torch_factory, tx)`, for example `(lambda params: torch.optim.SGD(params, lr=0.1), optax.sgd(0.1))`.
        Needs a loss. Without it, no step is compared.
      steps: length of the training run.
      oracle: "float64", torch's own. There is no other yet.
      seed: decides the noise that measures how far roundings carry.

    Raises:
      TypeError: an argument of the wrong kind; a model that returns more than one array.
      ValueError: an empty batch, labels that the loss refuses, NaN or inf in weights or inputs, shapes that a model
        cannot take, weights that cannot be paired (see `parity.pair`).

    >>> import torch
    >>> port, batch = models.linear_regression(2), (np.ones((4, 2), np.float32), np.zeros(4, np.int32))
    >>> check(torch.nn.Linear(2, 1), port, batch).ok
    True
    """
    _require_arguments(torch_module, loss, optim, steps, oracle, seed)
    sides = both_sides(torch_module, jax_model, batch, weights, loss, seed)
    facts, rows = context() | _batch_context(sides, steps if optim else 0), [_weights_row(sides)]
    shape = output_shape(sides)
    if shape != sides.outputs.shape:
        rows.append(compare_meaning(OUTPUTS, sides.outputs, np.zeros(shape, np.float32), 1.0))
        return Report(tuple(rows), facts, sides.ours.pairs)
    narrow = narrow_dtypes(sides)
    if narrow == ["float32"]:  # right for a float32 model, and no reason to call it imprecise
        sides = sides._replace(ours=sides.ours._replace(wide=True))
        facts["float64 in JAX"] = "the model has float32 written into its code; widened to float64 for the comparison"
    evaluators: Evaluators = {dtype: evaluator(sides.ours, dtype, sides.outputs) for dtype in (np.float32, np.float64)}
    values = values_level(sides, evaluators, narrow)
    report = Report((*rows, *values.rows), facts, sides.ours.pairs, values.layers, values.first_diverging)
    if optim is not None:
        report = _with_training(report, sides, training_of(optim, sides.ours), evaluators, steps)
    return report._replace(rows=consequences(report.rows, (OUTPUTS, SAME_LOSS, GIVEN_GRADIENTS)))


def _with_training(report: Report, sides: Sides, training: Training, evaluators: Evaluators, steps: int) -> Report:
    rows = optimizer_level(sides, training), *step_level(sides, training)
    run = trajectory.run(sides, training, evaluators[np.float32], steps)
    return report._replace(rows=(*report.rows, *rows, *run.rows), curves=run.curves, flips=run.flips)


def _require_arguments(module: Any, loss: Any, optim: Any, steps: Any, oracle: Any, seed: Any) -> None:
    if oracle != "float64":
        raise ValueError(f"the oracle is 'float64', got {oracle!r}")
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"torch_module must be a torch.nn.Module, got {type(module).__name__}")
    if optim is not None and loss is None:
        raise ValueError("optim needs loss: without one there is nothing to minimise")
    require_whole(1, steps=steps)
    require_whole(0, seed=seed)
    if loss is not None:
        _require_pair("loss", "(torch_loss, jax_loss)", loss, callable, callable)
    if optim is not None:
        _require_pair("optim", "(torch_factory, tx)", optim, callable, _is_transformation)


def _require_pair(name: str, what: str, given: Any, *is_right: Callable[[Any], bool]) -> None:
    parts = tuple(given) if isinstance(given, tuple | list) else (given,)
    if len(parts) != len(is_right) or not all(f(x) for f, x in zip(is_right, parts, strict=True)):
        raise TypeError(f"{name} must be {what}, got {', '.join(type(x).__name__ for x in parts)}")


def _is_transformation(tx: Any) -> bool:
    return hasattr(tx, "init") and hasattr(tx, "update")


def _weights_row(sides: Sides) -> Row:
    """Torch's weights against themselves, there and back again."""
    ours, theirs = sides.ours, _flat(sides.start)
    back = jax_side.from_params(ours, jax_side.to_params(ours, sides.start))
    return compare_accuracy("weights", theirs, _flat(back), theirs, 1.0)


def _flat(values: Values) -> np.ndarray:
    return np.concatenate([value.ravel() for value in values.values()] or [np.zeros(0, np.float32)])


def _batch_context(sides: Sides, steps: int) -> dict[str, Any]:
    arrays = {"inputs": sides.ours.inputs, "labels": sides.ours.labels}
    shapes = {name: f"{array.dtype} {array.shape}" for name, array in arrays.items()}
    return shapes | {"steps": steps, "seed": sides.seed}
