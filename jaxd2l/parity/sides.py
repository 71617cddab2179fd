"""Both sides of a check, made of its arguments: the same weights and the same batch in torch and in JAX."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxd2l._files import named_leaves
from jaxd2l.parity import jax_side
from jaxd2l.parity.bridge import require_finite, to_numpy
from jaxd2l.parity.jax_side import JaxSide
from jaxd2l.parity.pairing import Weights, pair
from jaxd2l.parity.torch_side import LossFunction, TorchSide, Values, evaluated, outputs_of, parameters, torch_side
from jaxd2l.types import Model

LossPair = tuple[LossFunction, Callable[[Any, Any], Any]]
"""`(torch_loss, jax_loss)`, each `loss(outputs, labels)`."""


class Sides(NamedTuple):
    """What every level of a check compares.

    single, double: torch in float32 and in float64.
    ours: the JAX port.
    start: torch's weights, from which both sides start.
    outputs: torch's float32 outputs at these weights.
    seed: decides all noise.
    """

    single: TorchSide
    double: TorchSide
    ours: JaxSide
    start: Values
    outputs: np.ndarray
    seed: int


def both_sides(
    module: torch.nn.Module, jax_model: Any, batch: Any, weights: Weights, loss: LossPair | None, seed: int
) -> Sides:
    """Reads the arguments of `check`, and runs torch once.

    Raises:
      TypeError, ValueError: as `check`.
    """
    inputs, labels = _arrays(batch)
    start = {name: value.astype(np.float32) for name, value in parameters(evaluated(module, torch.float32)).items()}
    require_finite(start)
    model = as_model(jax_model, inputs[:1])
    like = jax.eval_shape(model.init, jax.random.key(0))
    shapes = {name: tuple(leaf.shape) for name, leaf in named_leaves(like).items()}
    pairs = pair({name: value.shape for name, value in start.items()}, shapes, weights=weights)
    torch_loss, jax_loss = loss or _probe(seed)
    single, double = (
        torch_side(module, (inputs, labels), torch_loss, dtype) for dtype in (torch.float32, torch.float64)
    )
    theirs = _torch_runs("the module fails on the inputs", lambda: outputs_of(single))
    if not np.isfinite(theirs).all():
        raise ValueError("torch's own outputs hold NaN or inf, so nothing can be compared with them")
    _torch_runs("the loss refuses the batch", lambda: _require_scalar(single.loss(torch.tensor(theirs), single.labels)))
    return Sides(single, double, JaxSide(model.apply, like, pairs, inputs, labels, jax_loss), start, theirs, seed)


def as_model(jax_model: Any, example: np.ndarray) -> Model:
    """A `Model`, whatever kind of model it is given.

    Raises:
      TypeError: if it is neither a Model nor a Flax module.
    """
    if isinstance(jax_model, Model):
        return jax_model
    from jaxd2l.models import from_flax

    return from_flax(jax_model, example_input=example)


def output_shape(sides: Sides) -> tuple[int, ...]:
    """The shape of the JAX model's outputs, without computing them.

    Raises:
      TypeError: if it returns anything but one array.
      ValueError: if it cannot take the inputs.
    """
    params = jax_side.to_params(sides.ours, sides.start)
    try:
        outputs = jax.eval_shape(sides.ours.apply, params, jnp.asarray(sides.ours.inputs))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the JAX model cannot take the inputs: {error}") from error
    if not isinstance(outputs, jax.ShapeDtypeStruct):
        raise TypeError(f"the JAX model must give one array, got {type(outputs).__name__}")
    return outputs.shape


def narrow_dtypes(sides: Sides) -> list[str]:
    """Names of the dtypes narrower than float64 that the JAX model or loss uses on float64 inputs and weights.

    Raises:
      ValueError: if the loss or its gradient cannot be computed.
    """
    try:
        return jax_side.narrow_dtypes(sides.ours, sides.start, sides.outputs)
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(f"the JAX loss or its gradient cannot be computed: {error}") from error


def _arrays(batch: Any) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels as float32 or int32."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise TypeError(f"the batch must be a pair (inputs, labels), got {type(batch).__name__}")
    inputs, labels = (to_numpy(x) if isinstance(x, torch.Tensor) else np.array(x) for x in batch)
    if not inputs.size or not inputs.ndim:
        raise ValueError(f"the batch is empty: inputs of shape {inputs.shape}")
    if labels.ndim and len(labels) != len(inputs):
        raise ValueError(f"the batch has {len(inputs)} inputs but {len(labels)} labels")
    return _as_32_bits("inputs", inputs), _as_32_bits("labels", labels)


def _as_32_bits(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fiub":
        raise ValueError(f"the {name} must be numbers, got {array.dtype}")
    dtype = np.dtype(np.float32 if array.dtype.kind == "f" else np.int32)
    limits = np.finfo(np.float32) if dtype.kind == "f" else np.iinfo(np.int32)
    inside = (array >= limits.min) & (array <= limits.max)  # NaN is not
    if not inside.all():
        where = tuple(int(i) for i in np.argwhere(~inside)[0])
        raise ValueError(f"the {name} hold {array[where]} at index {where}, outside of {dtype}'s range")
    return array.astype(dtype)


def _torch_runs(complaint: str, compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise ValueError(f"torch: {complaint}: {error}") from error


def _require_scalar(loss: torch.Tensor) -> None:
    if loss.ndim:
        raise ValueError(f"it must be a scalar, got shape {tuple(loss.shape)}; use a mean or a sum")


def _probe(seed: int) -> LossPair:
    """A loss that shows every output: the sum of the outputs times fixed random numbers."""

    def factors(shape: Sequence[int]) -> np.ndarray:
        return np.random.default_rng(seed).normal(size=tuple(shape)).astype(np.float32)

    return (
        lambda outputs, labels: (outputs * torch.tensor(factors(outputs.shape), dtype=outputs.dtype)).sum(),
        lambda outputs, labels: jnp.sum(outputs * jnp.asarray(factors(outputs.shape), outputs.dtype)),
    )
