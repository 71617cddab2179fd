"""Flax Linen modules as a `Model`: the half of `from_flax` for Flax's older interface."""

import inspect
from typing import Any

import flax.linen as nn
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from jaxd2l.types import Model, Params


def from_linen(module: nn.Module, example_input: Array | np.ndarray) -> Model:
    """The parameters are the module's variables, `{"params": {...}}`; a key becomes its "dropout" stream."""
    accepted = inspect.signature(type(module).__call__).parameters

    def mode(key: PRNGKeyArray | None) -> dict[str, Any]:
        flags = {"deterministic": key is None, "train": key is not None}
        return {name: value for name, value in flags.items() if name in accepted}

    def init(key: PRNGKeyArray) -> Params:
        variables = module.init(key, example_input, **mode(None))
        state = sorted(set(variables) - {"params"})
        if state:
            raise ValueError(f"{type(module).__name__} keeps state in {state}; a Model has parameters only")
        return variables

    def apply(params: Params, inputs: Array, *, key: PRNGKeyArray | None = None) -> Array:
        rngs = None if key is None else {"dropout": key}
        outputs: Any = module.apply(params, inputs, rngs=rngs, **mode(key))
        return outputs

    return Model(init, apply)
