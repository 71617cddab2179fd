"""`check`: a torch module against its JAX port, level by level, from the weights to a training run."""

import copy
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxd2l._checks.numbers import require_whole
from jaxd2l._files import named_leaves
from jaxd2l.parity import jax_side, trajectory
from jaxd2l.parity.bridge import to_numpy
from jaxd2l.parity.jax_side import JaxSide
from jaxd2l.parity.levels import Optimizers, consequences, optimizer_level, step_level, values_level
from jaxd2l.parity.pairing import Weights, pair
from jaxd2l.parity.report import Report, context
from jaxd2l.parity.rule import compare_accuracy, compare_meaning
from jaxd2l.parity.torch_side import OUTPUTS, Values, outputs_of, parameters, torch_side
from jaxd2l.types import Model

Losses = tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]


def check(
    torch_module: torch.nn.Module,
    jax_model: Any,
    batch: tuple[Any, Any],
    weights: Weights = "auto",
    loss: Losses | None = None,
    optim: Optimizers | None = None,
    steps: int = 100,
    oracle: str = "float64",
    *,
    seed: int = 0,
) -> Report:
    """Compares a torch module with a JAX port of it, and says what differs and why.

    Both get torch's weights and the same batch, without dropout. Each quantity is compared twice. In float64 both
    must agree to 8 roundings of the condition scale: that is the meaning. In float32 both are held against torch
    in float64, and JAX may err twice as much as torch plus 4 roundings: that is the accuracy. No tolerance is
    picked. The levels: weights, outputs, layers, loss, gradients, the optimiser, one step, a training run.

    Args:
      torch_module: any module with one tensor in and one out. It is copied, not changed.
      jax_model: a `Model(init, apply)`, a Flax Linen module, or an NNX module or a function `rngs -> nnx.Module`.
      batch: `(inputs, labels)`: arrays of NumPy, JAX or torch.
      weights: how torch's parameters are named in JAX: "auto", or a mapping as for `parity.pair`.
      loss: `(torch_loss, jax_loss)`, each `loss(outputs, labels)`, a scalar. Without it the gradients of a fixed
        random sum of the outputs are compared.
      optim: `(torch_factory, tx)`, for example `(lambda params: torch.optim.SGD(params, lr=0.1), optax.sgd(0.1))`.
        Needs a loss. Without it no step is compared.
      steps: length of the training run.
      oracle: "float64", torch's own; there is no other yet.
      seed: decides the noise by which condition scales are measured.

    Returns:
      A report: `report.ok`, `report.assert_ok()`, `report.table()`, `report.to_html(path)`, ...

    Raises:
      TypeError: an argument that is not of the kind described, a model that gives more than one array.
      ValueError: an empty batch, labels that the loss refuses, NaN or inf in weights or inputs, shapes that a model
        cannot take, weights that cannot be paired (see `parity.pair`).

    >>> import torch
    >>> port = models.linear_regression(2)
    >>> report = check(torch.nn.Linear(2, 1), port, (np.ones((4, 2), np.float32), np.zeros(4, np.int32)))
    >>> report.ok
    True
    """
    if oracle != "float64":
        raise ValueError(f"the oracle is 'float64', got {oracle!r}")
    if not isinstance(torch_module, torch.nn.Module):
        raise TypeError(f"torch_module must be a torch.nn.Module, got {type(torch_module).__name__}")
    if optim is not None and loss is None:
        raise ValueError("optim needs loss: there is nothing to minimise")
    require_whole(1, steps=steps)
    require_whole(0, seed=seed)
    if loss is not None:
        _pair("loss", "(torch_loss, jax_loss)", loss, callable, callable)
    if optim is not None:
        _pair("optim", "(torch_factory, tx)", optim, callable, _is_transformation)
    inputs, labels = _batch(batch)
    start = _weights(torch_module)
    model = as_model(jax_model, inputs[:1])
    like = jax.eval_shape(model.init, jax.random.key(0))
    leaves = named_leaves(like)
    pairs = pair({n: v.shape for n, v in start.items()}, {n: tuple(v.shape) for n, v in leaves.items()}, weights)

    single_model = torch_side(torch_module, (inputs, labels), _no_loss, torch.float32)
    theirs = _torch_runs("the module fails on the inputs", lambda: outputs_of(single_model))
    if not np.isfinite(theirs).all():
        raise ValueError("torch's outputs hold NaN or inf already; nothing can be compared with that")
    torch_loss, jax_loss = loss or _probe(theirs.shape, seed)
    single, double = (
        torch_side(torch_module, (inputs, labels), torch_loss, dtype) for dtype in (torch.float32, torch.float64)
    )
    _torch_runs("the loss refuses the batch", lambda: _scalar(single.loss(torch.tensor(theirs), single.labels)))
    ours = JaxSide(model.apply, like, pairs, inputs, labels, jax_loss)

    sent = jax_side.from_params(ours, jax_side.to_params(ours, start))
    rows = [compare_accuracy("weights", _flat(start), _flat(sent), _flat(start), 1.0)]
    found: dict[str, Any] = {
        "pairs": pairs,
        "context": context() | _batch_context(inputs, labels, optim and steps, seed),
    }

    try:
        outputs = jax.eval_shape(ours.apply, jax_side.to_params(ours, start), jnp.asarray(inputs))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the JAX model cannot take the inputs: {error}") from error
    if not isinstance(outputs, jax.ShapeDtypeStruct):
        raise TypeError(f"the JAX model must give one array, got {type(outputs).__name__}")
    if outputs.shape != theirs.shape:
        rows.append(compare_meaning(OUTPUTS, theirs, np.zeros(outputs.shape, np.float32), 1.0))
        return Report(tuple(rows), **found)

    try:
        narrow = jax_side.narrow_dtypes(ours, start, theirs)
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(f"the JAX loss or its gradient cannot be computed: {error}") from error
    if narrow == ["float32"]:  # right for a float32 model, and no reason to call it imprecise
        ours = ours._replace(wide=True)
        found["context"]["float64 in JAX"] = "the model writes float32 into itself; widened for the comparison"
    rows_of_values, more = values_level(single, double, ours, start, theirs, narrow, seed)
    rows += rows_of_values
    found |= more
    if optim is not None:
        dtypes: tuple[type, ...] = (np.float32, np.float64)
        programs = {dtype: jax_side.step_program(ours, optim[1], dtype) for dtype in dtypes}
        rows += optimizer_level(double, ours, optim, start, seed)
        rows += step_level(single, double, ours, optim, programs, start, seed)
        run = trajectory.run(single, double, ours, optim, programs, steps, seed)
        rows += run.rows
        found |= {"curves": run.curves, "flips": run.flips}
    return Report(tuple(consequences(rows)), **found)


def as_model(jax_model: Any, example: np.ndarray) -> Model:
    """A `Model`, whatever it came as.

    Raises:
      TypeError: if it is neither a Model nor a Flax module.
    """
    if isinstance(jax_model, Model):
        return jax_model
    from jaxd2l.models.flax import from_flax

    return from_flax(jax_model, example)


def _pair(name: str, what: str, given: Any, *is_right: Callable[[Any], bool]) -> None:
    parts = tuple(given) if isinstance(given, tuple | list) else (given,)
    if len(parts) != len(is_right) or not all(f(x) for f, x in zip(is_right, parts, strict=True)):
        raise TypeError(f"{name} must be {what}, got {', '.join(type(x).__name__ for x in parts)}")


def _is_transformation(tx: Any) -> bool:
    return hasattr(tx, "init") and hasattr(tx, "update")


def _batch(batch: tuple[Any, Any]) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise TypeError(f"the batch must be a pair (inputs, labels), got {type(batch).__name__}")
    inputs, labels = (to_numpy(x) if isinstance(x, torch.Tensor) else np.array(x) for x in batch)
    if not inputs.size or not inputs.ndim:
        raise ValueError(f"the batch is empty: inputs of shape {inputs.shape}")
    if labels.ndim and len(labels) != len(inputs):
        raise ValueError(f"the batch has {len(inputs)} inputs but {len(labels)} labels")
    result = []
    for name, array in (("inputs", inputs), ("labels", labels)):
        if array.dtype.kind not in "fiub":
            raise ValueError(f"the {name} must be numbers, got {array.dtype}")
        dtype = np.dtype(np.float32 if array.dtype.kind == "f" else np.int32)
        limits = np.finfo(np.float32) if dtype.kind == "f" else np.iinfo(np.int32)
        inside = (array >= limits.min) & (array <= limits.max)  # NaN is not
        if not inside.all():
            where = tuple(int(i) for i in np.argwhere(~inside)[0])
            raise ValueError(f"the {name} hold {array[where]} at index {where}, outside of {dtype}'s range")
        result.append(array.astype(dtype))
    return result[0], result[1]


def _weights(module: torch.nn.Module) -> Values:
    weights = {name: value.astype(np.float32) for name, value in parameters(copy.deepcopy(module).float()).items()}
    for name, value in weights.items():
        if not np.isfinite(value).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])
            raise ValueError(
                f"the weight {name} holds {value[where]} at index {where}; nothing can be compared with that"
            )
    return weights


def _torch_runs(complaint: str, compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise ValueError(f"torch: {complaint}: {error}") from error


def _scalar(loss: torch.Tensor) -> None:
    if loss.ndim:
        raise ValueError(f"it must be a scalar, got shape {tuple(loss.shape)}; use a mean or a sum")


def _no_loss(outputs: Any, labels: Any) -> Any:
    raise AssertionError("only the outputs are asked for")


def _probe(shape: tuple[int, ...], seed: int) -> Losses:
    """A loss that shows every output: the sum of the outputs times fixed random numbers."""
    factors = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return (
        lambda outputs, labels: (outputs * torch.tensor(factors, dtype=outputs.dtype)).sum(),
        lambda outputs, labels: jnp.sum(outputs * jnp.asarray(factors, outputs.dtype)),
    )


def _flat(values: Values) -> np.ndarray:
    return np.concatenate([value.ravel() for value in values.values()] or [np.zeros(0, np.float32)])


def _batch_context(inputs: np.ndarray, labels: np.ndarray, steps: int | None, seed: int) -> dict[str, Any]:
    shapes = {"inputs": f"{inputs.dtype} {inputs.shape}", "labels": f"{labels.dtype} {labels.shape}"}
    return shapes | {"steps": steps or 0, "seed": seed}
