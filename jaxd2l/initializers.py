"""Initial parameters of a fully connected or a convolutional layer (D2L 3.4.1, 4.4.2, 5.2.1, 5.4.2, 6.3).

Each function returns an initialiser `init(key, num_inputs, num_outputs) -> {"kernel": (in, out), "bias": (out,)}`,
float32. It draws kernel and bias together because torch's bias depends on the number of inputs, which the bias' own
shape does not show. With a window, `init(key, 1, 6, window=(5, 5))`, the kernel is (5, 5, 1, 6): that of a convolution
whose outputs each see 5 x 5 pixels of one channel. "in" and "out" then mean fan_in = 5 * 5 * 1 and fan_out = 5 * 5 * 6,
as in torch.
"""

import math
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from jaxd2l._checks.numbers import (
    require_all_whole,
    require_choice,
    require_not_negative,
    require_positive,
    require_whole,
)

__all__ = [
    "ConvInit",
    "Fan",
    "Linear",
    "LinearInit",
    "flax_linear",
    "kaiming_normal",
    "kaiming_uniform",
    "normal",
    "torch_linear",
    "xavier_normal",
    "xavier_uniform",
]

Linear = dict[str, Array]
LinearInit = Callable[[PRNGKeyArray, int, int], Linear]
ConvInit = Callable[..., Linear]
"""A `LinearInit` that takes a window as well."""
Fan = Literal["fan_in", "fan_out"]


def __dir__() -> list[str]:
    return __all__


def normal(stddev: float = 0.01) -> ConvInit:
    """Kernel ~ N(0, stddev^2), bias 0: the book's choice. D2L 3.4.1, 4.4.2, 5.2.1; `torch.nn.init.normal_`.

    `normal(0.0)` makes every parameter 0: harmless in a linear model, a symmetry that never breaks in an MLP (5.4.1.3).

    >>> layer = normal(0.01)(jax.random.key(0), 784, 10)
    >>> layer["kernel"].shape, layer["bias"].shape
    ((784, 10), (10,))
    """
    require_not_negative(stddev=stddev)
    return _kernel_and_zeros(lambda fan_in, fan_out: stddev, "normal")


def xavier_normal(gain: float = 1.0) -> ConvInit:
    """Kernel ~ N(0, 2 gain^2 / (in + out)), bias 0. D2L 5.4.2.2; `torch.nn.init.xavier_normal_`.

    A compromise between keeping the variance of the activations and keeping that of the gradients. Not truncated,
    unlike `jax.nn.initializers.glorot_normal`.
    """
    require_positive(gain=gain)
    return _kernel_and_zeros(lambda fan_in, fan_out: gain * math.sqrt(2 / (fan_in + fan_out)), "normal")


def xavier_uniform(gain: float = 1.0) -> ConvInit:
    """Kernel ~ U(-a, a) with `a = gain sqrt(6 / (in + out))`, bias 0. D2L 5.4.2.2; `torch.nn.init.xavier_uniform_`.

    >>> kernel = xavier_uniform()(jax.random.key(0), 1, 6, window=(5, 5))["kernel"]
    >>> kernel.shape, bool(jnp.abs(kernel).max() <= math.sqrt(6 / (25 * 1 + 25 * 6)))
    ((5, 5, 1, 6), True)
    """
    require_positive(gain=gain)
    return _kernel_and_zeros(lambda fan_in, fan_out: gain * math.sqrt(2 / (fan_in + fan_out)), "uniform")


def kaiming_normal(gain: float = math.sqrt(2), *, mode: Fan = "fan_in") -> ConvInit:
    """Kernel ~ N(0, gain^2 / fan), bias 0; the gain sqrt(2) is relu's. D2L 5.4; `torch.nn.init.kaiming_normal_`.

    Not truncated, unlike `jax.nn.initializers.he_normal`. fan_in keeps the variance of the activations,
    fan_out that of the gradients.
    """
    return _kernel_and_zeros(_kaiming_stddev(gain, mode), "normal")


def kaiming_uniform(gain: float = math.sqrt(2), *, mode: Fan = "fan_in") -> ConvInit:
    """Kernel ~ U(-a, a) with `a = gain sqrt(3 / fan)`, bias 0. D2L 5.4; `torch.nn.init.kaiming_uniform_`."""
    return _kernel_and_zeros(_kaiming_stddev(gain, mode), "uniform")


def torch_linear() -> ConvInit:
    """The default of `torch.nn.Linear` and `Conv2d`: kernel and bias both ~ U(-1/sqrt(in), 1/sqrt(in)). D2L 5.4.

    >>> layer = torch_linear()(jax.random.key(0), 100, 50)
    >>> bool(jnp.abs(layer["kernel"]).max() <= 0.1), bool(jnp.abs(layer["bias"]).max() <= 0.1)
    (True, True)
    """

    def init(key: PRNGKeyArray, num_inputs: int, num_outputs: int, window: tuple[int, ...] = ()) -> Linear:
        shape = _kernel_shape(num_inputs, num_outputs, window)
        bound = 1 / math.sqrt(math.prod(shape[:-1]))
        kernel_key, bias_key = jax.random.split(key)
        return {
            "kernel": jax.random.uniform(kernel_key, shape, minval=-bound, maxval=bound),
            "bias": jax.random.uniform(bias_key, (num_outputs,), minval=-bound, maxval=bound),
        }

    return init


def flax_linear() -> ConvInit:
    """The default of `flax.linen.Dense`: LeCun's truncated normal of variance 1/in, bias 0. D2L 5.4."""

    def init(key: PRNGKeyArray, num_inputs: int, num_outputs: int, window: tuple[int, ...] = ()) -> Linear:
        shape = _kernel_shape(num_inputs, num_outputs, window)
        kernel = jax.nn.initializers.lecun_normal()(key, shape)
        return {"kernel": kernel, "bias": jnp.zeros(num_outputs)}

    return init


def _kernel_and_zeros(stddev: Callable[[int, int], float], distribution: Literal["normal", "uniform"]) -> ConvInit:
    def init(key: PRNGKeyArray, num_inputs: int, num_outputs: int, window: tuple[int, ...] = ()) -> Linear:
        shape = _kernel_shape(num_inputs, num_outputs, window)
        area = math.prod(window)
        sd = stddev(area * num_inputs, area * num_outputs)
        if distribution == "normal":
            kernel = sd * jax.random.normal(key, shape)
        else:
            bound = math.sqrt(3) * sd
            kernel = jax.random.uniform(key, shape, minval=-bound, maxval=bound)
        return {"kernel": kernel, "bias": jnp.zeros(num_outputs)}

    return init


def _kernel_shape(num_inputs: int, num_outputs: int, window: tuple[int, ...]) -> tuple[int, ...]:
    require_whole(1, num_inputs=num_inputs, num_outputs=num_outputs)
    require_all_whole(1, window=window)
    return (*window, num_inputs, num_outputs)


def _kaiming_stddev(gain: float, mode: str) -> Callable[[int, int], float]:
    require_positive(gain=gain)
    require_choice(Fan, mode=mode)
    return lambda fan_in, fan_out: gain / math.sqrt(fan_in if mode == "fan_in" else fan_out)
