"""`check`: a torch module against its JAX port, level by level, from the weights to a training run."""

import inspect
from collections.abc import Callable
from typing import Any, get_args

import jax
import numpy as np
import torch

from jaxd2l._checks.numbers import require_whole
from jaxd2l.parity import jax_side
from jaxd2l.parity.coverage import coverage
from jaxd2l.parity.merging import consequences
from jaxd2l.parity.optimizer_level import GIVEN_GRADIENTS, OptimizerPair
from jaxd2l.parity.precisions import PrecisionName
from jaxd2l.parity.progress import progress
from jaxd2l.parity.quantities import SAME_LOSS, Values, updated
from jaxd2l.parity.report import Report, context
from jaxd2l.parity.rule import Row, compare_accuracy, compare_meaning
from jaxd2l.parity.samples import Call, arrays
from jaxd2l.parity.sides import LossPair, Mode, Question, Sides, both_sides, output_shapes, types_inside
from jaxd2l.parity.torch_side import StepFunction, fitting_threads, plain_step
from jaxd2l.parity.training_levels import training_levels
from jaxd2l.parity.unseen import unseen
from jaxd2l.parity.values_level import values_level


def check(
    torch_module: torch.nn.Module,
    jax_model: Any,
    batch: Any,
    *,
    weights: Any = "auto",
    loss: LossPair | None = None,
    optim: OptimizerPair | None = None,
    torch_step: StepFunction = plain_step,
    steps: int = 100,
    oracle: str = "float64",
    to_jax: str | Callable[[Any], Any] | None = None,
    outputs: tuple[Callable[[Any], Any], Callable[[Any], Any]] | None = None,
    mode: Mode = "eval",
    seed: int = 0,
    precision: PrecisionName = "float32",
) -> Report:
    """Compares a torch module with its JAX port, and says what differs and why.

    Both get torch's weights and the same batch. Every quantity is compared twice. In float64 both must agree to 8
    roundings of the numbers combined: then they mean the same. In float32 both are measured against torch in float64,
    and JAX may err twice as much as torch plus 4 roundings: then it is as accurate. You pick no tolerance. The levels:
    weights, outputs, layers, loss, gradients, the optimiser, one step, a training run.

    Args:
      torch_module: any module. It is copied, not changed.
      jax_model: a `Model(init, apply)`; a Linen, NNX, Equinox or Haiku module, a function `rngs -> nnx.Module`; or a
        pair `(init, apply)` with `apply(variables, *inputs)`.
      batch: `(inputs, labels)`, or a list of such pairs, which the training run takes in turn. Inputs are an array, a
        tuple of arrays (by position) or a dictionary of arrays (by keyword), of NumPy, JAX or torch.
      weights: how torch's weights become JAX's: "auto"; a mapping `{torch name: jax name}` as for `parity.pair`; a
        mapping `{jax name: Weight}`, see `parity.take`; or a function from torch's arrays by name to the variables.
        Gradients are taken through it. Buffers travel like weights.
      loss: `(torch_loss, jax_loss)`, each `loss(outputs, labels)`, a scalar. Without it, the gradients of a fixed
        random sum of the outputs are compared.
      optim: `(torch_factory, tx)`, for example `(lambda params: torch.optim.SGD(params, lr=0.1), optax.sgd(0.1))`.
        Needs a loss. Without it, no step is compared.
      torch_step: `torch_step(module, optimizer, step)`, called in place of `optimizer.step()` once the gradients are
        there, with `step` counted from 0: for clipping, schedules and whatever else torch's loop does. What must last
        from step to step, such as a scheduler, is kept on the optimiser by the factory.
      steps: length of the training run.
      oracle: "float64", torch's own. There is no other yet.
      to_jax: what the JAX side gets of torch's inputs: a layout, "NCHW->NHWC", which outputs and gradients are then
        turned back from; or a function of an array.
      outputs: `(torch_function, jax_function)`, what to compare of the outputs. Otherwise all arrays in them, by name.
      mode: "eval", or "train": batch statistics, running averages afterwards, and one dropout mask for both.
      seed: decides the noise that measures how far roundings carry.
      precision: "float32", with all digits in matrix products; "bfloat16": parameters and inputs of both sides;
        "tf32"; or "default", products as each library computes them on this device. Errors are counted in roundings
        of that precision.

    Returns:
      A report: `report.ok`, `report.assert_ok()`, `report.table()`, `report.to_html(path)`, ...; `report.unseen` says
      what this check did not look at.

    Raises:
      TypeError: an argument of the wrong kind.
      ValueError: an empty batch, labels that the loss refuses, NaN or inf in weights or inputs, shapes that a model
        cannot take, outputs that do not match, weights that cannot be paired (see `parity.pair`), a module that draws
        at random in evaluation mode.

    >>> import torch
    >>> port = models.linear_regression(2)
    >>> report = check(torch.nn.Linear(2, 1), port, (np.ones((4, 2), np.float32), np.zeros(4, np.int32)))
    >>> report.ok
    True

    Clipping and a schedule, in torch's loop and in optax:

    >>> def torch_factory(params):
    ...     optimizer = torch.optim.SGD(params, lr=0.1)
    ...     optimizer.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    ...     return optimizer
    >>> def torch_step(module, optimizer, step):
    ...     torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    ...     optimizer.step()
    ...     optimizer.schedule.step()
    >>> tx = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(optax.cosine_decay_schedule(0.1, 10)))
    >>> loss = (torch.nn.functional.mse_loss, lambda outputs, labels: jnp.mean((outputs - labels) ** 2))
    >>> batch = np.ones((4, 2), np.float32), np.zeros((4, 1), np.float32)
    >>> optim = (torch_factory, tx)
    >>> check(torch.nn.Linear(2, 1), port, batch, loss=loss, optim=optim, torch_step=torch_step, steps=3).ok
    True
    """
    _require_arguments(torch_module, loss, optim, steps, oracle, seed)
    _require_choices(outputs, mode, to_jax, precision)
    _require_step(torch_step, optim)
    question = Question(batch, weights, to_jax, outputs, loss, mode, seed, precision)
    with progress() as tell:
        sides = both_sides(torch_module, jax_model, question)._replace(tell=tell)
        with fitting_threads(sides.single):
            return _levels(torch_module, sides, mode, optim, torch_step, steps)


def _levels(
    module: torch.nn.Module, sides: Sides, mode: Mode, optim: OptimizerPair | None, torch_step: StepFunction, steps: int
) -> Report:
    """Compares level by level."""
    facts, rows = context() | _batch_context(sides, steps if optim else 0, mode), [_weights_row(sides)]
    open_points = unseen(module, sides, mode)
    facts |= {"not looked at": "; ".join(open_points)} if open_points else {}
    report = Report(tuple(rows), facts, sides.ours.weights.pairs, unseen=open_points, coverage=coverage(sides.single))
    if wrong := _misshapen(sides):
        return report._replace(rows=(*rows, *wrong))
    inside = types_inside(sides)
    if inside:
        facts["types in JAX's code"] = f"{', '.join(inside)}; float64 in their place for the float64 rows"
    values = values_level(sides, inside)
    first = values.where.layer if values.where else ""
    report = report._replace(
        rows=(*rows, *values.rows), layers=values.layers, first_diverging=first, where=values.where
    )
    if optim is not None:
        run = training_levels(sides, optim, torch_step, steps)
        report = report._replace(rows=(*report.rows, *run.rows), traces=run.traces, flips=run.flips)
    averages = [updated(name) for name in sides.start]
    return report._replace(rows=consequences(report.rows, (*sides.outputs, SAME_LOSS, *averages, GIVEN_GRADIENTS)))


def _require_choices(outputs: Any, mode: Any, to_jax: Any, precision: Any) -> None:
    if outputs is not None:
        _require_pair("outputs", "(torch_function, jax_function)", outputs, callable, callable)
    if precision not in get_args(PrecisionName):
        raise ValueError(f"precision must be one of {', '.join(get_args(PrecisionName))}; got {precision!r}")
    if mode not in get_args(Mode):
        raise ValueError(f"mode must be 'eval' or 'train', got {mode!r}")
    if not (to_jax is None or isinstance(to_jax, str) or callable(to_jax)):
        raise TypeError(f"to_jax must be a layout such as 'NCHW->NHWC' or a function, got {to_jax!r}")


def _require_step(torch_step: Any, optim: Any) -> None:
    if not callable(torch_step):
        raise TypeError(f"torch_step must be a function (module, optimizer, step), got {type(torch_step).__name__}")
    if torch_step is not plain_step and optim is None:
        raise ValueError("torch_step needs optim: without one, nothing steps")
    try:
        inspect.signature(torch_step).bind(None, None, 0)
    except TypeError as error:
        given = inspect.signature(torch_step)
        raise TypeError(f"torch_step is called with (module, optimizer, step), but takes {given}") from error


def _misshapen(sides: Sides) -> list[Row]:
    """A row for each output that has another shape in JAX."""
    shapes = output_shapes(sides)
    return [
        compare_meaning(name, theirs, np.zeros(shapes[name], theirs.dtype), 1.0)
        for name, theirs in sides.outputs.items()
        if shapes[name] != theirs.shape
    ]


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
    weights, arrays = sides.ours.weights, jax_side.cast(sides.start, np.float32)
    with jax_side.precision(np.float32):
        back = weights.shown(weights.variables(arrays))
    with jax.enable_x64(True):
        theirs = weights.shown_of_torch(arrays)
    ours, exact = (_flat({name: x[name] for name in back}) for x in (back, theirs))
    return compare_accuracy("weights", exact, ours, exact, 1.0)


def _flat(values: Values) -> np.ndarray:
    flat = [np.asarray(value, np.float32).ravel() for value in values.values()]
    return np.concatenate(flat or [np.zeros(0, np.float32)])


def _batch_context(sides: Sides, steps: int, mode: str) -> dict[str, Any]:
    sample = sides.ours.samples[0]
    shapes = {name: f"{x.dtype} {x.shape}" for name, x in zip(_names(sample.call), arrays(sample.call), strict=True)}
    labels = ", ".join(f"{x.dtype} {x.shape}" for x in jax.tree.leaves(sample.labels))
    batches = {"batches": len(sides.ours.samples)} if len(sides.ours.samples) > 1 else {}
    return (
        shapes
        | {"labels": labels}
        | batches
        | {"mode": mode, "precision": sides.ours.precision.said, "steps": steps, "seed": sides.seed}
    )


def _names(call: Call) -> list[str]:
    if len(arrays(call)) == 1:
        return ["inputs"]
    return [f"inputs[{i}]" for i in range(len(call.args))] + [f"inputs.{name}" for name in sorted(call.kwargs)]
