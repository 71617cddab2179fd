"""Torch's normalisations, and modules of people's own that scale what they normalise."""

from typing import Any

import torch
from torch.func import functional_call

from jaxd2l.parity.automatic.layers import Entity, Own, TorchLayer

_STATISTICS = {"running_mean": "mean", "running_var": "var"}


def norm(path: str, module: torch.nn.Module, own: Own) -> Entity:
    """A module that multiplies by a weight and perhaps adds a bias. Running statistics are used if JAX has such."""
    roles = set(own.arrays) - set(_STATISTICS)
    if not roles <= {"weight", "bias"} or not (_is_torchs(module) or ("weight" in roles and _scales(module, own))):
        return ()
    parts = {_STATISTICS.get(role, role): part for role, part in own.arrays.items()}
    plain = {role: part.shape for role, part in own.arrays.items() if role in roles}
    alone: tuple[TorchLayer, ...] = (TorchLayer(path, "norm", plain, parts, own.trained),) if plain else ()
    if "mean" not in parts:
        return (alone,)
    shapes = {role: part.shape for role, part in parts.items()}
    return ((TorchLayer(path, "norm", shapes, parts, own.trained),), alone)


_TORCHS = ("BatchNorm", "InstanceNorm", "LayerNorm", "GroupNorm", "RMSNorm")


def _is_torchs(module: torch.nn.Module) -> bool:
    kinds = [kind.__name__ for kind in type(module).__mro__ if kind.__module__.startswith("torch.nn.modules.")]
    kinds += [str(getattr(module, "original_name", ""))]
    return any(name in kind for kind in kinds for name in _TORCHS)


def _scales(module: Any, own: Own) -> bool:
    """Whether a module of a class that is not torch's gives nothing where its weight and bias are zero.

    So a class such as `LlamaRMSNorm` is recognised, and one that multiplies by 1 + weight, as Gemma's, is not.
    """
    if "norm" not in type(module).__name__.lower() or any(len(part.shape) != 1 for part in own.arrays.values()):
        return False
    given = dict(module.named_parameters())
    if len(given) != len(own.arrays):
        return False
    inputs = torch.linspace(-1.0, 2.0, 3 * len(given["weight"])).reshape(3, -1)
    zero = {name: torch.zeros_like(x, dtype=torch.float32) for name, x in given.items()}
    one = {**zero, "weight": torch.ones_like(zero["weight"])}
    try:
        with torch.no_grad():
            dark, light = (functional_call(module, weights, (inputs,)) for weights in (zero, one))
            return not dark.any().item() and bool(light.any().item())
    except Exception:  # another module's own code may raise anything, and then it is not known
        return False
