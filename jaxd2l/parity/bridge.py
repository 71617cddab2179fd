"""The weight bridge: torch's state_dict and JAX's params, both ways. It always copies.

A kernel is transposed in JAX: torch's `(out, in, *window)` is JAX's `(*window, in, out)`.
"""

import os
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
import torch

from jaxd2l._files import named_leaves, read_tensors, write_file
from jaxd2l.parity.pairing import Pair, Shape, Weights, orient, pair
from jaxd2l.types import Params


def from_torch(state_dict: Mapping[str, torch.Tensor], like: Params, *, weights: Weights = "auto") -> Params:
    """A state_dict as JAX params: copies in the structure and the dtypes of `like`.

    Args:
      state_dict: parameters by name; `module.state_dict()`.
      like: a pytree of arrays or of their shapes, such as `jax.eval_shape(model.init, key)`.
      weights: as for `pair`.

    Raises:
      ValueError: as `pair`; NaN or inf among the weights.

    >>> import torch
    >>> params = from_torch(torch.nn.Linear(2, 3).state_dict(), {"kernel": jnp.zeros((2, 3)), "bias": jnp.zeros(3)})
    >>> params["kernel"].shape
    (2, 3)
    """
    arrays = {name: to_numpy(tensor) for name, tensor in state_dict.items()}
    return arrays_to_params(arrays, like, pair(_shapes(arrays), _shapes(named_leaves(like)), weights=weights))


def to_torch(
    params: Params, like: Mapping[str, torch.Tensor | Shape], *, weights: Weights = "auto"
) -> dict[str, torch.Tensor]:
    """JAX params as a state_dict: copies, for `module.load_state_dict`.

    Args:
      params: a pytree of arrays.
      like: the state_dict to be replaced, or its shapes by name.
      weights: as for `pair`.

    Raises:
      ValueError: as `pair`.

    >>> import torch
    >>> module = torch.nn.Linear(2, 3)
    >>> state = to_torch({"kernel": jnp.ones((2, 3)), "bias": jnp.zeros(3)}, module.state_dict())
    >>> module.load_state_dict(state)
    <All keys matched successfully>
    """
    leaves = named_leaves(params)
    shapes = {name: tuple(x) if isinstance(x, tuple) else tuple(x.shape) for name, x in like.items()}
    pairs = pair(shapes, _shapes(leaves), weights=weights)
    return {p.torch: to_tensor(orient(np.asarray(leaves[p.jax]), p.orientation, to="torch")) for p in pairs}


def read_safetensors(path: str | os.PathLike[str], like: Params, *, weights: Weights = "auto") -> Params:
    """JAX params from a safetensors file with torch's names, such as the ones on model hubs.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: as `from_torch`, or a damaged file.
    """
    arrays = read_tensors(path)
    return arrays_to_params(arrays, like, pair(_shapes(arrays), _shapes(named_leaves(like)), weights=weights))


def write_safetensors(
    path: str | os.PathLike[str],
    params: Params,
    like: Mapping[str, torch.Tensor | Shape],
    *,
    weights: Weights = "auto",
) -> None:
    """Writes JAX params with torch's names and orientation, for torch's `load_state_dict(load_file(path))`.

    Raises:
      ValueError: as `to_torch`.
      OSError: if it cannot be written.
    """
    arrays = {name: np.ascontiguousarray(to_numpy(t)) for name, t in to_torch(params, like, weights=weights).items()}
    write_file(path, safetensors.numpy.save(arrays))


def arrays_to_params(arrays: Mapping[str, np.ndarray], like: Params, pairs: tuple[Pair, ...]) -> Params:
    """Arrays by torch's names, in the structure and the dtypes of `like`."""
    require_finite(arrays)
    by_jax_name = {p.jax: orient(arrays[p.torch], p.orientation, to="jax") for p in pairs}
    leaves = [jnp.array(by_jax_name[name], leaf.dtype, copy=True) for name, leaf in named_leaves(like).items()]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def require_finite(weights: Mapping[str, np.ndarray]) -> None:
    """Refuses weights that hold NaN or inf.

    >>> require_finite({"bias": np.array([0.0, np.nan])})
    Traceback (most recent call last):
    ValueError: the weight bias holds nan at index (1,); weights must be finite numbers
    """
    for name, array in weights.items():
        if not np.isfinite(array).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise ValueError(f"the weight {name} holds {array[where]} at index {where}; weights must be finite numbers")


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """A copy: torch's in-place steps must not change JAX's arrays, nor XLA's reuse of memory torch's."""
    tensor = tensor.detach().cpu()
    return np.array((tensor.float() if tensor.dtype in _NOT_NUMPYS else tensor).numpy())


def to_tensor(array: np.ndarray, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A copy, for the same reason."""
    if array.dtype.name == "bfloat16":
        return torch.tensor(array.astype(np.float32), dtype=dtype or torch.bfloat16)
    return torch.tensor(np.array(array), dtype=dtype)


_NOT_NUMPYS = (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)
"""Types that NumPy does not have; float32 holds every number of theirs."""


def _shapes(arrays: Mapping[str, Any]) -> dict[str, Shape]:
    return {name: tuple(array.shape) for name, array in arrays.items()}
