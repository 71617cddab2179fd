"""What `check` feeds both sides: one batch or several, whose inputs are an array, a tuple or a dictionary of arrays."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np


class Call(NamedTuple):
    """The inputs of one call of a model: by position and by keyword."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}  # noqa: RUF012  # read only, and a NamedTuple's default


class Sample(NamedTuple):
    """One batch: the inputs, and the labels (an array, or a pytree of arrays)."""

    call: Call
    labels: Any


def as_samples(batch: Any) -> tuple[Sample, ...]:
    """The batches that `check` was given, as NumPy arrays of float32, int32 and bool.

    Args:
      batch: `(inputs, labels)`, or a list of such pairs. Inputs are an array, a tuple of arrays (by position) or a
        dictionary of arrays (by keyword); arrays are those of NumPy, JAX or torch.

    Raises:
      TypeError: anything else.
      ValueError: no examples; another number of labels than of inputs; NaN, inf or numbers too large for 32 bits.
    """
    several = isinstance(batch, list) and batch and all(isinstance(b, tuple | list) and len(b) == 2 for b in batch)
    samples = tuple(_sample(b) for b in (batch if several else [batch]))
    shapes = [jax.tree.map(lambda x: (x.shape[1:], x.dtype), s.call) for s in samples]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError("all batches must have inputs of the same shapes and types, up to the number of examples")
    return samples


def arrays(call: Call) -> list[Any]:
    """All arrays of a call, those given by position first."""
    return [x for x in jax.tree.leaves((call.args, call.kwargs)) if x is not None]


def _sample(batch: Any) -> Sample:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise TypeError(f"the batch must be a pair (inputs, labels), got {type(batch).__name__}")
    inputs, labels = batch
    if isinstance(inputs, Mapping):
        call = Call((), {name: _array("inputs", x) for name, x in inputs.items()})
    elif isinstance(inputs, tuple):
        call = Call(tuple(_array("inputs", x) for x in inputs))
    else:
        call = Call((_array("inputs", inputs),))
    given = arrays(call)
    if not given or any(not x.size or not x.ndim for x in given):
        raise ValueError(f"the batch is empty: inputs of shape {', '.join(str(x.shape) for x in given) or 'none'}")
    labels = jax.tree.map(lambda x: _array("labels", x), labels, is_leaf=lambda x: isinstance(x, list))
    labels = jax.tree.map(lambda x: x.astype(np.int32) if x.dtype == bool else x, labels)
    for array in jax.tree.leaves(labels):
        if array.ndim and len(array) != len(given[0]):
            raise ValueError(f"the batch has {len(given[0])} inputs but {len(array)} labels")
    return Sample(call, labels)


def _of_torch(tensor: Any) -> np.ndarray:
    from jaxd2l.parity.bridge import to_numpy

    return to_numpy(tensor)


def _array(name: str, x: Any) -> np.ndarray:
    """As float32, int32 or bool."""
    array = _of_torch(x) if hasattr(x, "detach") else np.array(x)
    if array.dtype.name in ("bfloat16", "float16"):
        array = array.astype(np.float32)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"the {name} must be numbers, got {array.dtype}")
    if array.dtype == bool:
        return array
    dtype = np.dtype(np.float32 if array.dtype.kind == "f" else np.int32)
    limits = np.finfo(np.float32) if dtype.kind == "f" else np.iinfo(np.int32)
    inside = (array >= limits.min) & (array <= limits.max)  # NaN is not
    if not inside.all():
        where = tuple(int(i) for i in np.argwhere(~inside)[0])
        raise ValueError(f"the {name} hold {array[where]} at index {where}, outside of {dtype}'s range")
    return array.astype(dtype)
