"""Activations of torch.nn.functional, and dropout that drops nothing."""

from typing import Any

import jax
import jax.numpy as jnp

from parity_tests.operations.counterpart import Counterpart, inexpressible


def _prelu(x: Any, weight: Any) -> Any:
    if weight.size > 1 and x.ndim > 1:
        weight = weight.reshape(-1, *(1,) * (x.ndim - 2))
    return jnp.where(x > 0, x, weight.reshape(()) * x if weight.size == 1 else weight * x)


def softplus(x: Any, beta: float = 1, threshold: float = 20) -> Any:
    return jnp.where(x * beta > threshold, x, jax.nn.softplus(jnp.where(x * beta > threshold, 0, x) * beta) / beta)


def _threshold(x: Any, threshold: float, value: float, inplace: bool = False) -> Any:
    return jnp.where(x > threshold, x, value)


def _hardshrink(x: Any, lambd: float = 0.5) -> Any:
    return jnp.where((x >= -lambd) & (x <= lambd), 0.0, x)


def _softshrink(x: Any, lambd: float = 0.5) -> Any:
    return jnp.where(x > lambd, x - lambd, jnp.where(x < -lambd, x + lambd, 0.0))


def _glu(x: Any, dim: int = -1) -> Any:
    return jax.nn.glu(x, dim)


def _dropout(x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    if training and p:
        inexpressible("random numbers")
    return x


def _rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False) -> Any:
    if training:
        inexpressible("random numbers")
    return jax.nn.leaky_relu(x, (lower + upper) / 2)


ACTIVATIONS: dict[str, Counterpart] = {
    "nn_functional_alpha_dropout": _dropout,
    "nn_functional_celu": lambda x, alpha=1.0, inplace=False: jax.nn.celu(x, alpha),
    "nn_functional_dropout": _dropout,
    "nn_functional_dropout2d": _dropout,
    "nn_functional_dropout3d": _dropout,
    "nn_functional_elu": lambda x, alpha=1.0, inplace=False: jax.nn.elu(x, alpha),
    "nn_functional_feature_alpha_dropout_without_train": _dropout,
    "nn_functional_gelu": lambda x, *, approximate="none": jax.nn.gelu(x, approximate == "tanh"),
    "nn_functional_glu": _glu,
    "nn_functional_hardshrink": _hardshrink,
    "nn_functional_hardsigmoid": lambda x, inplace=False: jax.nn.hard_sigmoid(x),
    "nn_functional_hardswish": lambda x, inplace=False: jax.nn.hard_swish(x),
    "nn_functional_hardtanh": lambda x, min_val=-1.0, max_val=1.0, inplace=False: jnp.clip(x, min_val, max_val),
    "nn_functional_leaky_relu": lambda x, negative_slope=0.01, inplace=False: jax.nn.leaky_relu(x, negative_slope),
    "nn_functional_logsigmoid": jax.nn.log_sigmoid,
    "nn_functional_mish": lambda x, inplace=False: jax.nn.mish(x),
    "nn_functional_prelu": _prelu,
    "nn_functional_relu": lambda x, inplace=False: jax.nn.relu(x),
    "nn_functional_relu6": lambda x, inplace=False: jax.nn.relu6(x),
    "nn_functional_rrelu": _rrelu,
    "nn_functional_selu": lambda x, inplace=False: jax.nn.selu(x),
    "nn_functional_silu": lambda x, inplace=False: jax.nn.silu(x),
    "nn_functional_softplus": softplus,
    "nn_functional_softshrink": _softshrink,
    "nn_functional_softsign": jax.nn.soft_sign,
    "nn_functional_tanhshrink": lambda x: x - jnp.tanh(x),
    "nn_functional_threshold": _threshold,
}
