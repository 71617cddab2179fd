"""What a planted defect is made of: a torch module, a JAX port with options, and the options that make it wrong."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxd2l import parity

RANDOM = np.random.default_rng(11)


class Setting(NamedTuple):
    """A module and its right port.

    module: makes the torch module.
    port: `port(p, *inputs, **options)`, JAX, where `p` has torch's arrays by torch's names; right without options.
    inputs: an array, or a tuple of arrays.
    check: further arguments of `parity.check`, or a function of the options that gives them.
    labels: for a loss.
    """

    module: Callable[[], torch.nn.Module]
    port: Callable[..., Any]
    inputs: Any
    check: Mapping[str, Any] | Callable[..., Mapping[str, Any]] = {}  # noqa: RUF012  # read only
    labels: Any = None


class Defect(NamedTuple):
    """One mistake.

    family, name: where it is listed, and as what.
    words: what the hint must hold, separated by "&".
    setting: where it is planted.
    options: what the port is called with.
    """

    family: str
    name: str
    words: str
    setting: Setting
    options: Mapping[str, Any]


def plant(family: str, setting: Setting, table: Mapping[str, tuple[str, Mapping[str, Any]]]) -> list[Defect]:
    """The defects of one setting: `{name: (words, options)}`."""
    return [Defect(family, name, words, setting, options) for name, (words, options) in table.items()]


def checked(setting: Setting, options: Mapping[str, Any], seed: int = 0) -> parity.Report:
    """What `parity.check` says of the port with these options."""
    torch.manual_seed(seed)
    module = setting.module()
    with torch.no_grad():  # nothing stays at 0 or 1, where much is invisible
        for value in (*module.parameters(), *module.buffers()):
            if value.is_floating_point() and value.numel() and (value == value.flatten()[0]).all():
                value.uniform_(0.5, 1.5)
    shapes = {
        name: value.shape for name, value in module.state_dict(keep_vars=True).items() if value.is_floating_point()
    }
    more = setting.check(**options) if callable(setting.check) else setting.check
    options = {} if callable(setting.check) else options

    def init(key: jax.Array) -> dict[str, jax.Array]:
        return {name: jnp.zeros(shape) for name, shape in shapes.items()}

    def apply(params: Any, *inputs: Any) -> Any:
        return setting.port(params, *inputs, **options)

    inputs = setting.inputs if isinstance(setting.inputs, tuple) else (setting.inputs,)
    labels = np.zeros(len(inputs[0]), np.int32) if setting.labels is None else setting.labels
    return parity.check(module, (init, apply), (inputs, labels), weights=dict, **more)


def normal(*shape: int) -> np.ndarray:
    """Inputs."""
    return RANDOM.normal(size=shape).astype(np.float32)


class Function(torch.nn.Module):
    """A function of the inputs times a parameter, so that there is one."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function, self.s = function, torch.nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor, *rest: torch.Tensor) -> Any:
        return self.function(x * self.s, *rest)


def of_function(theirs: Callable[..., Any], ours: Callable[..., Any], inputs: Any, **more: Any) -> Setting:
    """A setting of two functions without parameters; `ours(x, **options)`."""

    def port(p: Any, x: Any, *rest: Any, **options: Any) -> Any:
        return ours(x * p["s"], *rest, **options)

    return Setting(lambda: Function(theirs), port, inputs, **more)
