"""The weight bridge: torch's state_dict and JAX's params, both ways. It always copies.

A kernel is transposed in JAX: torch's `(out, in, *window)` is JAX's `(*window, in, out)`.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
import torch

from jaxd2l._files import named_leaves, read_tensors, write_file
from jaxd2l.parity.assignment import Assignment, assignment
from jaxd2l.parity.pairing import Shape, Weights, orient
from jaxd2l.parity.state_dicts import COUNTER, carried
from jaxd2l.parity.undoing import undone
from jaxd2l.parity.weights import Weight
from jaxd2l.types import Params

AnyWeights = Weights | Mapping[str, Weight] | Callable[[Any], Any]
"""All that `check` takes: "auto", a mapping, or a function."""


def from_torch(
    state_dict: Mapping[str, torch.Tensor],
    like: Params,
    weights: AnyWeights = "auto",
    *,
    module: torch.nn.Module | None = None,
) -> Params:
    """A state_dict as JAX params: copies in the structure and the dtypes of `like`.

    Tensors that share memory are taken once, and a BatchNorm's `num_batches_tracked` not at all.

    Args:
      state_dict: parameters by name; `module.state_dict()`.
      like: a pytree of arrays or of their shapes, such as `jax.eval_shape(model.init, key)`.
      weights: as for `check`.
      module: torch's module. With it "auto" knows layers, such as an LSTM; without it, names and shapes only.

    Raises:
      ValueError: as `pair`; NaN or inf among the weights.

    >>> import torch
    >>> params = from_torch(torch.nn.Linear(2, 3).state_dict(), {"kernel": jnp.zeros((2, 3)), "bias": jnp.zeros(3)})
    >>> params["kernel"].shape
    (2, 3)
    """
    return _params(
        {name: to_numpy(x) for name, x in _own(state_dict, like, weights, module).items()}, like, weights, module
    )


def to_torch(
    params: Params,
    like: Mapping[str, torch.Tensor | Shape],
    weights: AnyWeights = "auto",
    *,
    module: torch.nn.Module | None = None,
) -> dict[str, torch.Tensor]:
    """JAX params as a state_dict: copies, for `module.load_state_dict`.

    Weights that JAX keeps as a sum are halved: the two biases of an LSTM. Tensors that share memory get equal values.

    Args:
      params: a pytree of arrays.
      like: the state_dict to be replaced, or its shapes by name.
      weights: as for `check`.
      module: as for `from_torch`.

    Raises:
      ValueError: as `pair`; params that torch's weights cannot give.

    >>> import torch
    >>> module = torch.nn.Linear(2, 3)
    >>> state = to_torch({"kernel": jnp.ones((2, 3)), "bias": jnp.zeros(3)}, module.state_dict())
    >>> module.load_state_dict(state)
    <All keys matched successfully>
    """
    leaves, own = named_leaves(params), _own(like, params, weights, module)
    shapes = {name: tuple(x) if isinstance(x, tuple) else tuple(x.shape) for name, x in own.items()}
    of = _assignment(shapes, params, weights, module)
    found = {p.torch: orient(np.asarray(leaves[p.jax]), p.orientation, to="torch") for p in of.plain.values()}
    if len(found) < len(leaves):
        found |= {name: x.astype(np.float32) for name, x in undone(of, params, shapes).items() if name not in found}
    names = carried(like, module, _chosen(weights)) if len(own) < len(like) else {name: name for name in like}
    return {
        name: to_tensor(found[names[name]]) if names.get(name) in found else _as_it_was(name, x)
        for name, x in like.items()
    }


def read_safetensors(
    path: str | os.PathLike[str],
    like: Params,
    weights: AnyWeights = "auto",
    *,
    module: torch.nn.Module | None = None,
) -> Params:
    """JAX params from a safetensors file with torch's names, such as the ones on model hubs.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: as `from_torch`, or a damaged file.
    """
    return _params(_own(read_tensors(path), like, weights, module), like, weights, module)


def write_safetensors(
    path: str | os.PathLike[str],
    params: Params,
    like: Mapping[str, torch.Tensor | Shape],
    weights: AnyWeights = "auto",
    *,
    module: torch.nn.Module | None = None,
) -> None:
    """Writes JAX params with torch's names and orientation, for torch's `load_state_dict(load_file(path))`.

    Raises:
      ValueError: as `to_torch`.
      OSError: if it cannot be written.
    """
    state = to_torch(params, like, weights=weights, module=module)
    write_file(path, safetensors.numpy.save({name: np.ascontiguousarray(to_numpy(t)) for name, t in state.items()}))


def _chosen(weights: AnyWeights) -> set[str]:
    """Torch's names in a mapping."""
    if not isinstance(weights, Mapping):
        return set()
    return {n for name, w in weights.items() for n in (w.sources if isinstance(w, Weight) else (name,))}


def _own(state: Mapping[str, Any], like: Params, weights: AnyWeights, module: torch.nn.Module | None) -> dict[str, Any]:
    """Every tensor of a state_dict once, unless JAX has an array for each of its names; counters left out."""
    names = carried(state, module, _chosen(weights))
    if module is None and len(named_leaves(like)) >= len(names):
        return {name: state[name] for name in names}
    return {key: state[name] for name, key in reversed(names.items())}


def _assignment(
    shapes: Mapping[str, Shape], like: Params, weights: AnyWeights, module: torch.nn.Module | None
) -> Assignment:
    if module is None:
        return assignment(shapes, {}, like, weights)
    trained = {name: tuple(x.shape) for name, x in module.named_parameters()}
    missing = [name for name in trained if name not in shapes]
    if missing:
        raise ValueError(f"the state_dict lacks parameters that the module has: {', '.join(missing)}")
    buffers = {name: shapes[name] for name, x in module.named_buffers() if name in shapes and x.is_floating_point()}
    of_flax = {name.partition(".")[0] for name in named_leaves(like)} <= {"params", "batch_stats"}
    return assignment(trained, buffers, like, weights, module, "Linen" if of_flax else "")


def _params(arrays: dict[str, np.ndarray], like: Params, weights: AnyWeights, module: torch.nn.Module | None) -> Params:
    """Arrays by torch's names, in the structure and the dtypes of `like`."""
    require_finite(arrays)
    of = _assignment(_shapes(arrays), like, weights, module)
    made = jax.tree.leaves(of.variables(arrays))
    leaves = [jnp.array(x, leaf.dtype, copy=True) for x, leaf in zip(made, jax.tree.leaves(like), strict=True)]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _as_it_was(name: str, x: torch.Tensor | Shape) -> torch.Tensor:
    """What JAX has no place for: a counter, a buffer."""
    if isinstance(x, torch.Tensor):
        return x.detach().clone()
    if name.rpartition(".")[2] == COUNTER:
        return torch.tensor(0)
    raise ValueError(f"the JAX params have nothing for {name} {x}; give its tensor in `like`")


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
    # torch keeps some tensors as a promise: a conjugate, a negative, a gradient of nothing but zeros.
    return np.array((tensor.float() if tensor.dtype in _NOT_NUMPYS else tensor).numpy(force=True))


def to_tensor(array: np.ndarray, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A copy, for the same reason."""
    if array.dtype.name == "bfloat16":
        return torch.tensor(array.astype(np.float32), dtype=dtype or torch.bfloat16)
    return torch.tensor(np.array(array), dtype=dtype)


_NOT_NUMPYS = (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)
"""Types that NumPy does not have; float32 holds every number of theirs."""


def _shapes(arrays: Mapping[str, Any]) -> dict[str, Shape]:
    return {name: tuple(array.shape) for name, array in arrays.items()}
