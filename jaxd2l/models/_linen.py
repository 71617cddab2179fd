"""Flax Linen modules as a `Model`: the half of `from_flax` for Flax's older interface."""

import inspect
from typing import Any

import flax.linen as nn
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from jaxd2l.types import Model, ModelState, Params, StatefulModel

_AVERAGES = "batch_stats"


def from_linen(module: nn.Module, example_input: Array | np.ndarray) -> Model:
    """The parameters are the module's variables, `{"params": {...}}`; a key becomes its "dropout" stream."""

    def init(key: PRNGKeyArray) -> Params:
        variables = module.init(key, example_input, **_mode(module, None, train=False))
        state = sorted(set(variables) - {"params"})
        if state:
            raise ValueError(
                f"{type(module).__name__} keeps state in {state}; a Model has parameters only"
                + (": use from_flax_stateful" if state == [_AVERAGES] else "")
            )
        return variables

    def apply(params: Params, inputs: Array, *, key: PRNGKeyArray | None = None) -> Array:
        rngs = None if key is None else {"dropout": key}
        outputs: Any = module.apply(params, inputs, rngs=rngs, **_mode(module, key, train=key is not None))
        return outputs

    return Model(init, apply)


def from_linen_stateful(module: nn.Module, example_input: Array | np.ndarray) -> StatefulModel:
    """As `from_linen`, for a module with a collection of running averages: `{"batch_stats": {...}}` is the state."""

    def init(key: PRNGKeyArray) -> tuple[Params, ModelState]:
        variables = dict(module.init(key, example_input, **_mode(module, None, train=False)))
        state = {_AVERAGES: variables.pop(_AVERAGES, {})}
        if set(variables) - {"params"}:
            kinds = sorted(set(variables) - {"params"})
            raise ValueError(f"{type(module).__name__} keeps state in {kinds}; only running averages are carried")
        return variables, state

    def apply(
        params: Params, state: ModelState, inputs: Array, /, *, train: bool = False, key: PRNGKeyArray | None = None
    ) -> tuple[Array, ModelState]:
        rngs, mode = None if key is None else {"dropout": key}, _mode(module, key, train=train)
        if not train:
            outputs: Any = module.apply({**params, **state}, inputs, rngs=rngs, **mode)
            return outputs, state
        outputs, changed = module.apply({**params, **state}, inputs, rngs=rngs, mutable=[_AVERAGES], **mode)
        return outputs, {**state, **changed}

    return StatefulModel(init, apply)


def _mode(module: nn.Module, key: PRNGKeyArray | None, *, train: bool) -> dict[str, Any]:
    """What the module is told of the mode, under those of the usual names that it has."""
    accepted = inspect.signature(type(module).__call__).parameters
    flags = {"deterministic": key is None, "train": train, "use_running_average": not train}
    return {name: value for name, value in flags.items() if name in accepted}
