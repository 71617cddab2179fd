"""Parity with PyTorch: does a JAX port compute what the torch original computes, and as well?

`check(torch_module, jax_model, batch, ...)` compares any pair and returns a `Report`. The weight bridge
(`from_torch`, `to_torch`, `read_safetensors`, `write_safetensors`) carries parameters across. The only room that
imports torch, and only when one of these is first asked for; `parity.rule` needs NumPy alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxd2l.parity.bridge import from_torch, read_safetensors, to_torch, write_safetensors
    from jaxd2l.parity.checking import check
    from jaxd2l.parity.kinks import Flip
    from jaxd2l.parity.pairing import Pair, pair
    from jaxd2l.parity.report import Report
    from jaxd2l.parity.rule import Row

__all__ = [
    "Flip",
    "Pair",
    "Report",
    "Row",
    "check",
    "from_torch",
    "pair",
    "read_safetensors",
    "to_torch",
    "write_safetensors",
]

_HOMES = {
    "Flip": "kinks",
    "Pair": "pairing",
    "Report": "report",
    "Row": "rule",
    "check": "checking",
    "from_torch": "bridge",
    "pair": "pairing",
    "read_safetensors": "bridge",
    "to_torch": "bridge",
    "write_safetensors": "bridge",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ImportError(f"parity.{name} compares with PyTorch: pip install 'jaxd2l[parity]'") from error


def __dir__() -> list[str]:
    return __all__
