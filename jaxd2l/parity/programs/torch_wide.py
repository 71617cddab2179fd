"""A PyTorch program in float64 throughout, also where the module casts to a narrower type or holds one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch._decomp import decomposition_table
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_map

from jaxd2l.parity.programs.torch_dispatch import Dispatch

_NARROW = (torch.float32, torch.bfloat16, torch.float16)

_NARROW_INSIDE = frozenset(("hardsigmoid", "hardsigmoid_backward", "hardswish", "hardswish_backward"))
"""Operations whose kernels hold a float32 constant (1/6) for float64 numbers too; torch's decompositions do not."""


class _Wide(Dispatch):
    """While active, whatever would become a narrow floating-point tensor becomes a float64 one."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if _holds_narrow((*args, *kwargs.values())):
            args, kwargs = tree_map(lambda x: torch.float64 if _is_narrow(x) else x, (args, kwargs))
            if not func._schema.is_mutable:
                args, kwargs = tree_map(_widened, (args, kwargs))
        if func.overloadpacket.__name__ in _NARROW_INSIDE and func in decomposition_table:
            return decomposition_table[func](*args, **kwargs)
        return func(*args, **kwargs)


@contextmanager
def wide() -> Iterator[None]:
    """torch in float64: new tensors, casts and constants too; attention by its formula, since fused kernels differ."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with sdpa_kernel(SDPBackend.MATH), _Wide():
            yield
    finally:
        torch.set_default_dtype(before)


def _holds_narrow(values: Sequence[Any]) -> bool:
    """Whether a type or a tensor among them is narrow. Without pytrees, for every operation is asked."""
    for x in values:
        if isinstance(x, torch.Tensor):
            if x.dtype in _NARROW:
                return True
        elif _is_narrow(x) or (isinstance(x, list | tuple) and _holds_narrow(x)):
            return True
    return False


def _is_narrow(x: Any) -> bool:
    return isinstance(x, torch.dtype) and x in _NARROW


def _widened(x: Any) -> Any:
    return x.double() if isinstance(x, torch.Tensor) and x.dtype in _NARROW else x
