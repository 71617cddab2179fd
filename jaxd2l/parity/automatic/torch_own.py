"""What a torch module has of its own: parameters and buffers under their names, and weights computed of parameters."""

from typing import Any

import jax.numpy as jnp
import torch

from jaxd2l.parity.automatic.layers import Own, Part
from jaxd2l.parity.weights import take


def own_parts(module: torch.nn.Module, names: dict[int, str]) -> Own:
    """The parameters and buffers of the module itself; one whose weight is g v / |v| has that as its weight.

    Args:
      module: the module.
      names: the name of each tensor of the whole module, by `id`.
    """
    parameters: dict[str, torch.Tensor] = dict(module.named_parameters(recurse=False, remove_duplicate=False))
    buffers = dict(module.named_buffers(recurse=False, remove_duplicate=False))
    originals, odd = _parametrized(module)
    if "weight_orig" in parameters:  # spectral_norm and prune of torch.nn.utils, the old way
        originals, odd = {**originals, "weight": parameters.pop("weight_orig")}, (*odd, "weight_orig")
    parameters |= originals
    arrays = {role: _part(x, names) for role, x in {**parameters, **buffers}.items() if x.is_floating_point()}
    trained = frozenset(names[id(x)] for x in parameters.values())
    for g, v in (("weight_g", "weight_v"), ("original0", "original1")):
        if g in arrays and v in arrays:
            return _normalised(arrays, trained, g, v)
    problem = f"torch computes a weight of {type(module).__name__} from {', '.join(odd)}" if odd else ""
    return Own(arrays, trained, None, problem)


def _part(tensor: torch.Tensor, names: dict[int, str]) -> Part:
    return Part(take(names[id(tensor)]), tuple(tensor.shape))


def _parametrized(module: Any) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """The originals of what `torch.nn.utils.parametrize` computes, and which of it is no weight norm."""
    found: dict[str, torch.Tensor] = {}
    odd: tuple[str, ...] = ()
    for role, steps in dict(getattr(module, "parametrizations", {}) or {}).items():
        originals = dict(steps.named_parameters(recurse=False))
        if role == "weight" and [type(step).__name__ for step in steps] == ["_WeightNorm"]:
            found |= originals
        else:
            found[role] = next(iter(originals.values()))
            odd += (f"{', '.join(originals)} by {', '.join(type(step).__name__ for step in steps)}",)
    return found, odd


def _normalised(arrays: dict[str, Part], trained: frozenset[str], g: str, v: str) -> Own:
    magnitude, direction = arrays[g], arrays[v]
    weight = Part(magnitude.weight.then(weight_norm, direction.weight), direction.shape)
    rest = {role: part for role, part in arrays.items() if role not in (g, v)}
    return Own({**rest, "weight": weight}, trained, (magnitude, direction))


def weight_norm(g: Any, v: Any) -> Any:
    """`g v / |v|`, the norm over all axes along which g has one number.

    >>> weight_norm(jnp.array([[10.0]]), jnp.array([[3.0, 4.0]])).tolist()
    [[6.0, 8.0]]
    """
    axes = tuple(i for i in range(v.ndim) if g.ndim < v.ndim or g.shape[i] == 1)
    return g * v / jnp.sqrt(jnp.sum(v * v, axis=axes, keepdims=True))
