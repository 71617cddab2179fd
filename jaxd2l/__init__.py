"""Dive into Deep Learning, chapters 2 to 5, as pure JAX functions checked against PyTorch.

Rooms are imported when first named, so `import jaxd2l` costs next to nothing.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxd2l import (
        activations,
        autodiff,
        backprop,
        checkpoint,
        data,
        debugging,
        distribution_shift,
        generalization,
        graphs,
        house_prices,
        information,
        initializers,
        keys,
        losses,
        metrics,
        models,
        optim,
        parity,
        plots,
        preprocessing,
        processes,
        sharding,
        stability,
        sweep,
        tensors,
        train,
        types,
    )

__all__ = [
    "activations",
    "autodiff",
    "backprop",
    "checkpoint",
    "data",
    "debugging",
    "distribution_shift",
    "generalization",
    "graphs",
    "house_prices",
    "information",
    "initializers",
    "keys",
    "losses",
    "metrics",
    "models",
    "optim",
    "parity",
    "plots",
    "preprocessing",
    "processes",
    "sharding",
    "stability",
    "sweep",
    "tensors",
    "train",
    "types",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
