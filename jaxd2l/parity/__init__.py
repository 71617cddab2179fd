"""Parity with PyTorch: does a JAX port compute what the torch original computes, and as accurately?

`check(torch_module, jax_model, batch, ...)` compares any pair and returns a `Report`. The weight bridge
(`from_torch`, `to_torch`, `read_safetensors`, `write_safetensors`) carries parameters across. Where weights do not find
their places by themselves, a mapping of names to `take("name")` says it; `concatenate`, `stack` and `constant` and the
methods of a `Weight` are the algebra. torch is imported only
when one of these is first used; `parity.rule` needs NumPy alone.
"""

from typing import Any

import lazy_loader

_attribute, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    try:
        return _attribute(name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ImportError(f"parity.{name} compares with PyTorch: pip install 'jaxd2l[parity]'") from error
