"""What an optimiser remembers, across: a run that torch began goes on in JAX, and the other way round."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from jaxd2l._files import named_leaves
from jaxd2l.parity.bridge import AnyWeights, from_torch, to_numpy, to_tensor, to_torch
from jaxd2l.types import Params

_FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "ScaleByAdamState": {"mu": ("exp_avg",), "nu": ("exp_avg_sq", "exp_inf")},
    "TraceState": {"trace": ("momentum_buffer",)},
    "_DampenedTraceState": {"trace": ("momentum_buffer",)},
    "ScaleByRssState": {"sum_of_squares": ("sum",)},
    "ScaleByRmsState": {"nu": ("square_avg",)},
    "ScaleByAdaDeltaState": {"e_g": ("square_avg",), "e_x": ("acc_delta",)},
}
"""By the name of an optax state: its fields, and what torch calls them. `jaxd2l.optim` has torch's names itself."""

_COUNTERS = ("count", "step")


def optimizer_from_torch(
    optimizer: torch.optim.Optimizer,
    state: optax.OptState,
    params: Params,
    weights: AnyWeights = "auto",
    *,
    module: torch.nn.Module,
) -> optax.OptState:
    """The memory of a torch optimiser as the state of an optax one.

    With `from_torch` for the parameters, a run that torch began goes on in JAX. Works for the optimisers of
    `jaxd2l.optim` and for optax's sgd, adam, adamw, adamax, adagrad, adadelta and rmsprop (without momentum).

    Args:
      optimizer: torch's, after some steps.
      state: `tx.init(params)`, whose structure and types the result has.
      params: JAX's parameters, or their shapes.
      weights: as for `check`.
      module: torch's, whose parameters the optimiser trains.

    Raises:
      ValueError: a state that is not known, or that torch's optimiser does not have; parameters that have taken
        different numbers of steps; and as `from_torch`.

    >>> from jaxd2l import optim
    >>> module = torch.nn.Linear(2, 1)
    >>> theirs = torch.optim.Adam(module.parameters())
    >>> module(torch.ones(1, 2)).sum().backward()
    >>> theirs.step()
    >>> params = {"kernel": jnp.zeros((2, 1)), "bias": jnp.zeros(1)}
    >>> state = optimizer_from_torch(theirs, optim.adam(1e-3).init(params), params, module=module)
    >>> print(state[0].step, state[0].slots["exp_avg"]["bias"])
    1 [0.1]
    """
    remembered = _by_name(optimizer, module)

    def slot(names: tuple[str, ...], like: Any) -> Any:
        name = _known(names, remembered)
        arrays = {
            parameter: torch.as_tensor(remembered[parameter].get(name, torch.zeros_like(p)))
            for parameter, p in module.named_parameters()
        }
        if all(leaf.ndim == 0 for leaf in jax.tree.leaves(like)) and not any(x.ndim for x in arrays.values()):
            value = to_numpy(next(iter(arrays.values())))  # one number, which torch keeps for each parameter
            return jax.tree.map(lambda leaf: jnp.asarray(value, leaf.dtype), like)
        return _placed(from_torch(arrays, params, weights, module=module), like)

    return _rebuilt(state, slot, _steps(remembered))


def optimizer_to_torch(
    state: optax.OptState,
    optimizer: torch.optim.Optimizer,
    params: Params,
    weights: AnyWeights = "auto",
    *,
    module: torch.nn.Module,
) -> dict[str, Any]:
    """The state of an optax optimiser for torch's: `optimizer.load_state_dict(optimizer_to_torch(...))`.

    Args:
      state: JAX's, after some steps.
      optimizer: torch's, which need not have taken any; its options stay.
      params: JAX's parameters, or their shapes.
      weights: as for `check`.
      module: torch's, whose parameters the optimiser trains.

    Raises:
      ValueError: a state that is not known, or one of a part of the parameters; and as `to_torch`.

    >>> from jaxd2l import optim
    >>> module, params = torch.nn.Linear(2, 1), {"kernel": jnp.zeros((2, 1)), "bias": jnp.zeros(1)}
    >>> theirs = torch.optim.Adam(module.parameters())
    >>> theirs.load_state_dict(optimizer_to_torch(optim.adam(1e-3).init(params), theirs, params, module=module))
    >>> theirs.state[module.bias]["exp_avg"]
    tensor([0.])
    """
    shapes = {name: tuple(p.shape) for name, p in module.named_parameters()}
    found: dict[str, dict[str, torch.Tensor]] = {name: {} for name in shapes}
    counts: list[int] = []

    def slot(names: tuple[str, ...], tree: Any) -> Any:
        leaves = named_leaves(tree)
        if all(leaf.ndim == 0 for leaf in leaves.values()) and any(shapes.values()):
            number = np.asarray(next(iter(leaves.values())))
            tensors = {name: to_tensor(number) for name in shapes}  # each its own, for torch changes it in place
        elif leaves.keys() != named_leaves(params).keys():
            raise ValueError("this optimiser's state is of a part of the parameters; torch's is of all of them")
        else:
            tensors = to_torch(tree, shapes, weights, module=module)
        name = names[-1] if isinstance(optimizer, torch.optim.Adamax) else names[0]
        for parameter, tensor in tensors.items():
            found[parameter][name] = tensor
        return tree

    _rebuilt(state, slot, None, counts)
    now = optimizer.state_dict()
    names = {id(p): name for name, p in module.named_parameters()}
    order = [names[id(p)] for group in optimizer.param_groups for p in group["params"]]
    if not isinstance(optimizer, torch.optim.SGD):
        for slots in found.values():
            slots["step"] = torch.tensor(float(max(counts, default=0)))
    return now | {"state": {i: found[name] for i, name in enumerate(order)}}


def _by_name(optimizer: torch.optim.Optimizer, module: torch.nn.Module) -> dict[str, dict[str, Any]]:
    return {name: dict(optimizer.state.get(p, {})) for name, p in module.named_parameters()}


def _steps(remembered: Mapping[str, Mapping[str, Any]]) -> int | None:
    """How many steps torch has taken; None if it does not count them, as SGD."""
    steps = {int(slots["step"]) for slots in remembered.values() if "step" in slots}
    if len(steps) > 1:
        raise ValueError(f"torch's parameters have taken different numbers of steps: {sorted(steps)}")
    return steps.pop() if steps else None


def _known(names: tuple[str, ...], remembered: Mapping[str, Mapping[str, Any]]) -> str:
    there = {name for slots in remembered.values() for name in slots}
    for name in names:
        if name in there:
            return name
    has = ", ".join(sorted(there - {"step"})) or "nothing yet: it has taken no step"
    raise ValueError(f"torch's optimiser remembers no {' or '.join(names)}; it has {has}")


def _rebuilt(
    state: Any, slot: Callable[[tuple[str, ...], Any], Any], steps: int | None, counts: list[int] | None = None
) -> Any:
    """A state with every slot replaced by `slot(torch's names, slot)`, and every counter by `steps`."""
    kind = type(state).__name__
    fields = _FIELDS.get(kind, {})
    if kind == "RuleState":
        own = {name: slot((name,), tree) for name, tree in state.slots.items()}
        return state._replace(step=_count(state.step, steps, counts), slots=own)
    if hasattr(state, "_fields"):
        new = {}
        for name in state._fields:
            value = getattr(state, name)
            if name in fields:
                new[name] = slot(fields[name], value)
            elif name in _COUNTERS:
                new[name] = _count(value, steps, counts)
            elif name == "is_first":
                new[name] = jnp.array(False) if counts is None else value
            else:
                new[name] = _rebuilt(value, slot, steps, counts)
        return state._replace(**new)
    if isinstance(state, tuple | list):
        return type(state)(_rebuilt(part, slot, steps, counts) for part in state)
    if isinstance(state, dict):
        return {name: _rebuilt(part, slot, steps, counts) for name, part in state.items()}
    if jax.tree.leaves(state):
        raise ValueError(f"an optimiser's state of this kind is not known: {kind}; take one of jaxd2l.optim")
    return state


def _count(value: Any, steps: int | None, counts: list[int] | None) -> Any:
    if counts is not None:
        counts.append(int(value))
    return value if steps is None else jnp.asarray(steps, value.dtype)


def _placed(full: Any, like: Any) -> Any:
    """A slot in its own types; where a mask leaves parameters out, they stay out."""

    def is_masked(x: Any) -> bool:
        return isinstance(x, optax.MaskedNode)

    return jax.tree.map(
        lambda old, new: old if is_masked(old) else new.astype(old.dtype), like, full, is_leaf=is_masked
    )
