"""What the quantities of a check are called. Needs no torch."""

from typing import Any

import jax
import numpy as np

Values = dict[str, np.ndarray]
"""Quantities by name. Parameters and gradients have torch's names, shapes and orientation."""

OUTPUTS, SAME_LOSS, LOSS = "outputs", "loss of the same outputs", "loss"
INPUT_GRADIENT = "gradient of the inputs"


def input_names(call: Any) -> list[str]:
    """What the gradient of each input is called; of a single one simply INPUT_GRADIENT."""
    if len(jax.tree.leaves((call.args, call.kwargs))) == 1:
        return [INPUT_GRADIENT]
    names = [f"inputs[{i}]" for i in range(len(call.args))] + [f"inputs.{name}" for name in sorted(call.kwargs)]
    return [gradient_of(name) for name in names]


def updated(name: str) -> str:
    """What a buffer is called after a call in training mode."""
    return f"{name} updated"


def gradient_of(name: str) -> str:
    """The quantity's name."""
    return f"gradient of {name}"
