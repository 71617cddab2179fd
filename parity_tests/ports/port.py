"""What a port consists of, and what is asked of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import torch

from jaxd2l import parity


class Bug(NamedTuple):
    """A mistake: options of the port that make it, and the words that the report must say."""

    options: dict[str, Any]
    words: tuple[str, ...]


class Port(NamedTuple):
    """A public model, and its port.

    torch: makes the model, with random weights.
    framework: the JAX framework of the port.
    jax: `jax(**options)` makes the port; without options, the right one.
    inputs: what both get.
    bugs: by name.
    arguments: further arguments of `parity.check`.
    """

    torch: Callable[[], torch.nn.Module]
    framework: str
    jax: Callable[..., Any]
    inputs: Callable[[], Any]
    bugs: dict[str, Bug]
    arguments: dict[str, Any] = {}  # noqa: RUF012  # read only, and a NamedTuple's default


def with_averages(module: torch.nn.Module) -> torch.nn.Module:
    """The module with averages in its norms as after some training; fresh ones are 0 and 1, and hide mistakes."""
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            torch.nn.init.normal_(buffer, 0, 0.1)
        elif name.endswith("running_var"):
            torch.nn.init.uniform_(buffer, 0.5, 1.5)
    return module


def check(port: Port, **options: Any) -> parity.Report:
    """The report of a port; with options, of a wrong one."""
    torch.manual_seed(0)
    labels = torch.zeros(2, dtype=torch.long)  # without a loss nobody looks at them
    with jax.numpy_dtype_promotion("standard"):  # which the code of others may rely on
        return parity.check(port.torch(), port.jax(**options), (port.inputs(), labels), **port.arguments)
