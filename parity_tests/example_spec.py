"""A user's example: a small torch model, its JAX port, and five mistakes that ports make.

    jaxd2l parity parity_tests/example_spec.py
    PLANT=gelu jaxd2l parity parity_tests/example_spec.py

The second command plants a mistake in the port, and the report should name it.
"""

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from torch import nn

from jaxd2l.types import Model

BUGS = ("kernel", "gelu", "mean", "ddof", "decay")
LR, MOMENTUM, DECAY = 0.1, 0.9, 1e-2


class Classifier(nn.Module):
    """Standardises each example, then a hidden layer."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.hidden, self.output = nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
        return self.output(nn.functional.gelu(self.hidden(x)))


def port(bug: str = "") -> Model:
    """The same in JAX, written by hand, with one mistake if asked for."""

    def init(key: jax.Array) -> dict[str, Any]:
        del key  # the weights come from torch
        return {
            "hidden": {"kernel": jnp.zeros((8, 8)), "bias": jnp.zeros(8)},
            "output": {"kernel": jnp.zeros((8, 3)), "bias": jnp.zeros(3)},
        }

    def apply(params: dict[str, Any], x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True, ddof=0 if bug == "ddof" else 1)
        kernel = params["hidden"]["kernel"]
        h = x @ (kernel.T if bug == "kernel" else kernel) + params["hidden"]["bias"]
        h = jax.nn.gelu(h, approximate=bug == "gelu")
        return h @ params["output"]["kernel"] + params["output"]["bias"]

    return Model(init, apply)


def jax_cross_entropy(outputs: jax.Array, labels: Any, bug: str = "") -> jax.Array:
    """Cross-entropy of integer labels."""
    losses = -jnp.take_along_axis(jax.nn.log_softmax(outputs), labels[:, None], axis=1)
    return losses.sum() if bug == "mean" else losses.mean()


def transformation(bug: str = "") -> optax.GradientTransformation:
    """`torch.optim.SGD` with momentum and weight decay: the decay goes into the momentum."""
    decay, trace = optax.add_decayed_weights(DECAY), optax.trace(MOMENTUM)
    parts = (trace, decay) if bug == "decay" else (decay, trace)
    return optax.chain(*parts, optax.scale_by_learning_rate(LR))


def arguments(bug: str = "", seed: int = 0) -> dict[str, Any]:
    """What `parity.check` takes, for the port with or without a mistake."""
    random = np.random.default_rng(seed)
    return {
        "torch_module": Classifier(seed),
        "jax_model": port(bug),
        "batch": (random.normal(size=(16, 8)).astype(np.float32), random.integers(0, 3, 16)),
        "weights": {"hidden.weight": ("hidden.kernel", "transpose")},  # square, so its shape does not show it
        "loss": (nn.functional.cross_entropy, lambda outputs, labels: jax_cross_entropy(outputs, labels, bug)),
        "optim": (
            lambda params: torch.optim.SGD(params, lr=LR, momentum=MOMENTUM, weight_decay=DECAY),
            transformation(bug),
        ),
        "steps": 10,
    }


# What `jaxd2l parity` looks for in a file.
globals().update(arguments(os.environ.get("PLANT", "")))
