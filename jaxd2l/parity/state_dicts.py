"""What of a state_dict is carried: every tensor once, though it may have several names, and no counters."""

from collections.abc import Collection, Mapping
from typing import Any

import torch

COUNTER = "num_batches_tracked"
"""How many batches a BatchNorm has seen: no weight, and nothing depends on it but the average of `momentum=None`."""


def carried(state: Mapping[str, Any], module: torch.nn.Module | None, chosen: Collection[str] = ()) -> dict[str, str]:
    """For each name in a state_dict the name of the tensor: the first of those that it has. Counters are left out.

    Args:
      state: tensors, or arrays or shapes, by name. Tensors are the same, as tied weights are, if they share memory.
      module: if given, its parameters decide which names mean the same, and `named_parameters` which is the first.
      chosen: without a module, names to prefer.

    >>> weight = torch.zeros(2)
    >>> carried({"a": weight, "b": weight, "c": torch.zeros(2)}, None)
    {'a': 'a', 'b': 'a', 'c': 'c'}
    """
    first: dict[Any, str] = {}
    known: dict[str, Any] = {}
    if module is not None:
        known |= module.named_parameters(remove_duplicate=False)
        known |= module.named_buffers(remove_duplicate=False)
        for name, tensor in known.items():
            first.setdefault(id(tensor), name)
    names = [name for name in state if name.rpartition(".")[2] != COUNTER]
    which = {name: id(known[name]) if name in known else _memory(name, state[name]) for name in names}
    for name in sorted(names, key=lambda name: name not in chosen):
        first.setdefault(which[name], name)
    return {name: first[which[name]] for name in names}


def _memory(name: str, x: Any) -> Any:
    """Equal for two names of one tensor; an array or a shape is one for itself."""
    if not isinstance(x, torch.Tensor) or not x.numel():
        return name
    return x.data_ptr(), tuple(x.shape), x.stride()
