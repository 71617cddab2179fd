"""Both sides of a check, made of its arguments: the same weights and the same batches in torch and in JAX."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import torch

from jaxd2l.parity import jax_side
from jaxd2l.parity.assignment import assignment
from jaxd2l.parity.bridge import require_finite
from jaxd2l.parity.draws import Draws
from jaxd2l.parity.frameworks import as_port
from jaxd2l.parity.jax_side import JaxSide, named_outputs
from jaxd2l.parity.layouts import layouts, to_jax_layout, to_torch_layout
from jaxd2l.parity.leaves import named_arrays
from jaxd2l.parity.pairing import Weights
from jaxd2l.parity.precisions import PrecisionName, precision_of
from jaxd2l.parity.probe import factors, jax_probe
from jaxd2l.parity.progress import Tell, silent
from jaxd2l.parity.quantities import Values
from jaxd2l.parity.samples import Call, Sample, as_samples
from jaxd2l.parity.torch_side import (
    LossFunction,
    TorchSide,
    buffers,
    call,
    copied,
    outputs_of,
    parameters,
    running,
    torch_side,
)
from jaxd2l.parity.weights import Weight

LossPair = tuple[LossFunction, Callable[[Any, Any], Any]]
"""`(torch_loss, jax_loss)`, each `loss(outputs, labels)`."""

Mode = Literal["eval", "train"]


class Question(NamedTuple):
    """What `check` was asked, besides the module and the model; see there."""

    batch: Any
    weights: Weights | Mapping[str, Weight] | Callable[[Any], Any] = "auto"
    to_jax: str | Callable[[Any], Any] | None = None
    outputs: tuple[Callable[[Any], Any], Callable[[Any], Any]] | None = None
    loss: LossPair | None = None
    mode: Mode = "eval"
    seed: int = 0
    precision: PrecisionName = "float32"


class Sides(NamedTuple):
    """What every level of a check compares.

    single, double: torch in float32 and in float64.
    ours: the JAX port.
    evaluate: `evaluate(arrays, batch=0)`, what the port computes in float32, compiled once for all levels.
    start: torch's weights and buffers, from which both sides start; float64 where torch has them so.
    outputs: torch's float32 outputs at these weights, by name.
    whole: the same as the module returned them.
    seed: decides all noise.
    tell: says how far the check has come.
    """

    single: TorchSide
    double: TorchSide
    ours: JaxSide
    evaluate: Callable[..., Values]
    start: Values
    outputs: Values
    whole: Any
    seed: int
    tell: Tell = silent


class TorchSides(NamedTuple):
    """Torch's half of `Sides`, which see, and the batches."""

    single: TorchSide
    double: TorchSide
    start: Values
    outputs: Values
    whole: Any
    samples: tuple[Sample, ...]


def torch_sides(module: torch.nn.Module, question: Question) -> TorchSides:
    """Torch in float32 and in float64, run once.

    Raises:
      TypeError, ValueError: as `check`.
    """
    precision = precision_of(question.precision)
    single_type = getattr(torch, precision.in_torch)
    samples = tuple(jax.tree.map(partial(_rounded, precision.in_numpy), s) for s in as_samples(question.batch))
    module = copied(module)
    if precision.in_torch != "float32":
        module = module.to(single_type)  # so that float64 starts from the same numbers
    start = {name: _at_least_single(value) for name, value in (parameters(module) | buffers(module)).items()}
    require_finite(start)
    draws = Draws(question.seed, layouts(question.to_jax)) if question.mode == "train" else None
    pick = (question.outputs or (_everything, _everything))[0]
    torch_loss = question.loss[0] if question.loss else _torch_probe(question.seed, pick)
    single, double = (
        torch_side(module, samples, torch_loss, dtype, pick, draws) for dtype in (single_type, torch.float64)
    )
    whole = _torch_runs("the module fails on the inputs", lambda: _run_once(single))
    theirs = outputs_of(single)
    _require_outputs(single, theirs)
    _torch_runs("the loss refuses the batch", lambda: _require_scalar(_loss_of(single, whole)))
    return TorchSides(single, double, start, theirs, whole, samples)


def both_sides(module: torch.nn.Module, jax_model: Any, question: Question) -> Sides:
    """Reads the arguments of `check`, and runs both sides once.

    Raises:
      TypeError, ValueError: as `check`.
    """
    theirs = torch_sides(module, question)
    ours = _our_side(jax_model, question, theirs.samples, theirs.single, theirs.single.draws)
    ours = named_outputs(ours._replace(precision=precision_of(question.precision)), theirs.start, theirs.outputs)
    ours = ours._replace(loss=question.loss[1] if question.loss else jax_probe(question.seed, ours))
    evaluate = jax_side.evaluator(ours, ours.single, theirs.outputs)
    return Sides(*theirs[:2], ours, evaluate, *theirs[2:5], question.seed)


def types_inside(sides: Sides) -> list[str]:
    """Names of the types narrower than float64 that the JAX model's or loss's own code names.

    Raises:
      ValueError: if the loss or its gradient cannot be computed.
    """
    try:
        return jax_side.types_inside(sides.ours, sides.start, sides.outputs)
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(f"the JAX loss or its gradient cannot be computed: {error}") from error


def _our_side(
    jax_model: Any, question: Question, samples: tuple[Sample, ...], theirs: TorchSide, draws: Draws | None
) -> JaxSide:
    to_jax, single = to_jax_layout(question.to_jax), precision_of(question.precision).in_numpy
    turned = tuple(
        Sample(
            Call(*jax.tree.map(to_jax, (s.call.args, s.call.kwargs))),
            jax.tree.map(lambda x: x.astype(single) if x.dtype == np.float32 else x, s.labels),
        )
        for s in samples
    )
    one = Call(*jax.tree.map(lambda x: x[:1], (turned[0].call.args, turned[0].call.kwargs)))
    port = as_port(jax_model, one)
    try:
        like = jax.eval_shape(port.init, jax.random.key(0))
    except (TypeError, ValueError, ZeroDivisionError) as error:  # an initialiser divides by the size of its input
        raise ValueError(f"the JAX model cannot take the inputs: {error}") from error
    shapes = [{n: v.shape for n, v in kept(theirs.module).items()} for kept in (parameters, buffers)]
    weights = assignment(shapes[0], shapes[1], like, question.weights, theirs.module, port.framework)
    weights = weights._replace(variables=jax.jit(weights.variables))
    trained = tuple(name for name, p in theirs.module.named_parameters() if p.requires_grad)
    pick = (question.outputs or (_everything, _everything))[1]
    return JaxSide(port, weights, trained, turned, _no_loss, pick, {}, to_torch_layout(question.to_jax), draws)


def output_shapes(sides: Sides) -> dict[str, tuple[int, ...]]:
    """The shape of each of torch's outputs in JAX, in torch's layout, without computing them."""
    ours = sides.ours

    def outputs(arrays: dict[str, Any], inputs: Call) -> Any:
        found = dict(named_arrays(ours.pick(jax_side.run(ours, ours.weights.variables(arrays), inputs)[0])))
        return {name: ours.layout(found[of_jax]) for name, of_jax in ours.names.items()}

    with jax_side.precision(np.float32):
        arrays = jax_side.cast(sides.start, np.float32)
        found = jax.eval_shape(outputs, arrays, jax_side.at(ours, np.float32))
    return {name: x.shape for name, x in found.items()}


def _run_once(side: TorchSide) -> Any:
    with running(side), torch.no_grad():
        return call(side, side.samples[0])


def _loss_of(side: TorchSide, outputs: Any) -> torch.Tensor:
    with running(side), torch.no_grad():
        return side.loss(outputs, side.samples[0].labels)


def _require_outputs(single: TorchSide, theirs: Values) -> None:
    if not theirs:
        raise ValueError("torch's module returns no tensor; choose what to compare with outputs=(torch, jax)")
    if not all(np.isfinite(x).all() for x in theirs.values()):
        raise ValueError("torch's own outputs hold NaN or inf, so nothing can be compared with them")
    again = outputs_of(single)
    random = [name for name, x in theirs.items() if not np.array_equal(x, again[name], equal_nan=True)]
    if random:
        raise ValueError(
            f"torch's module returns other {', '.join(random)} for the same inputs each time: it draws at random "
            "although it is in evaluation mode; is a functional dropout missing training=self.training?"
        )


def _rounded(single: Any, x: np.ndarray) -> np.ndarray:
    """An array of float32 with numbers of another type."""
    return x.astype(single).astype(np.float32) if x.dtype == np.float32 else x


def _at_least_single(value: np.ndarray) -> np.ndarray:
    return value if value.dtype == np.float64 else value.astype(np.float32)


def _torch_runs(complaint: str, compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise ValueError(f"torch: {complaint}: {error}") from error


def _require_scalar(loss: Any) -> None:
    if not isinstance(loss, torch.Tensor) or loss.ndim:
        what = f"shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise ValueError(f"it must be a scalar, got {what}; use a mean or a sum")


def _everything(outputs: Any) -> Any:
    return outputs


def _no_loss(outputs: Any, labels: Any) -> Any:
    raise AssertionError("the loss is not known yet")


def _torch_probe(seed: int, pick: Callable[[Any], Any]) -> LossFunction:
    """A loss that shows every output: the sum of the outputs times fixed random numbers."""

    def probe(outputs: Any, labels: Any) -> Any:
        found = [x for _, x in named_arrays(pick(outputs)) if x.is_floating_point()]
        return sum((x * torch.tensor(factors(seed, x.shape, i), dtype=x.dtype)).sum() for i, x in enumerate(found))

    return probe
