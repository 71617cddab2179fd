"""What rounding does to a PyTorch program: each operation is put off by one rounding of its own magnitude.

As `jax_rounding` does for JAX. torch's dispatcher hands over every operation, those of the backward pass and the
optimiser too. Composite ones (a norm, a softmax, a loss) are first taken apart by torch's own decompositions, so that
what is put off are sums, products and elementary functions.
"""

from typing import Any

import torch
from torch._decomp import decomposition_table
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from jaxd2l.parity.programs.jax_rounding import FUNCTION

_EXACT = frozenset(
    """abs adaptive_max_pool2d amax amin arange argmax argmin as_strided bernoulli bucketize cat ceil clamp clamp_max
    clamp_min clone complex conj_physical constant_pad_nd copy count_nonzero cummax cummin diag_embed embedding empty
    empty_like eq equal eye fill flip floor fmax fmin full full_like gather ge gt hardtanh hardtanh_backward imag index
    index_put index_select isfinite isinf isnan kthvalue le lift_fresh linspace logical_and logical_not logical_or lt
    masked_fill masked_scatter masked_select max max_pool2d_with_indices max_pool2d_with_indices_backward
    max_pool3d_with_indices max_unpool2d maximum median min minimum mode nanmedian ne neg new_empty new_full new_ones
    new_zeros nextafter nonzero normal ones ones_like put rand randint randn randperm real reflection_pad1d
    reflection_pad2d reflection_pad3d relu repeat replication_pad1d replication_pad2d replication_pad3d resolve_conj
    roll rot90 round scalar_tensor scatter searchsorted select_scatter sgn sign slice_scatter sort stack take threshold
    threshold_backward topk tril tril_indices triu triu_indices trunc uniform unique view_as_complex view_as_real where
    zero zeros zeros_like _local_scalar_dense _to_copy _unsafe_index _unsafe_view""".split()  # noqa: SIM905
)
"""Operations that move, choose, compare, draw or negate numbers."""

_SUMS = frozenset(
    """_adaptive_avg_pool2d _adaptive_avg_pool2d_backward _adaptive_avg_pool3d _adaptive_avg_pool3d_backward
    _convolution _embedding_bag addbmm addmm addmv addr avg_pool1d avg_pool2d avg_pool2d_backward avg_pool3d
    avg_pool3d_backward baddbmm bmm col2im convolution convolution_backward cumsum dot embedding_dense_backward
    index_add index_put_accumulate linear mean mm mv nansum scatter_add sum trace unfold_backward vdot""".split()  # noqa: SIM905
)
"""Operations linear in each of their arguments: of the arguments' magnitudes they make the sum of what they add."""

_ARITHMETIC = frozenset(
    """add addcdiv addcmul cumprod div fmod hypot lerp mul pow prod reciprocal remainder rsqrt rsub sqrt square
    sub""".split()  # noqa: SIM905
)

_WHOLE = _EXACT | _SUMS | _ARITHMETIC
"""What is not taken apart even where torch has a decomposition of it."""


class Rounding(TorchDispatchMode):
    """While active, puts every torch operation off by plus or minus one rounding of what it adds or gives."""

    def __init__(self, seed: int, roundoff: float = 2.0**-24) -> None:
        super().__init__()
        self.random = torch.Generator().manual_seed(seed)
        self.roundoff = roundoff

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if func._schema.is_mutable:
            return self._in_place(func, name.rstrip("_"), args, kwargs)
        if name == "index_put" and (kwargs.get("accumulate") or (len(args) > 3 and args[3])):
            name = "index_put_accumulate"
        if name in _EXACT or is_view(func) or not any(map(is_inexact, tree_leaves((args, kwargs)))):
            return func(*args, **kwargs)
        if name not in _WHOLE and func in decomposition_table:
            with self:
                return decomposition_table[func](*args, **kwargs)
        if name in _SUMS:
            args_of_scale, kwargs_of_scale = tree_map(lambda x: x.abs() if is_inexact(x) else x, (args, kwargs))
            return self._all_off(func(*args, **kwargs), func(*args_of_scale, **kwargs_of_scale))
        size = 1.0 if name in _ARITHMETIC else FUNCTION
        if name not in _ARITHMETIC and sum(map(is_inexact, tree_leaves((args, kwargs)))) > 1:
            # Fused operations that nobody can take apart: what cancels inside is put off before.
            args, kwargs = tree_map(lambda x: self._off(x, x.abs()) if is_inexact(x) else x, (args, kwargs))
        return tree_map(lambda x: self._off(x, size * x.abs()) if is_inexact(x) else x, func(*args, **kwargs))

    def _in_place(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        if name not in _EXACT:
            for x in filter(is_inexact, tree_leaves(result)):
                x.copy_(self._off(x, x.abs()))
        return result

    def _all_off(self, value: Any, scale: Any) -> Any:
        if isinstance(value, tuple | list):
            return type(value)(self._all_off(v, s) for v, s in zip(value, scale, strict=True))
        return self._off(value, scale.abs()) if is_inexact(value) else value

    def _off(self, value: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        if value.is_complex():
            return torch.complex(self._off(value.real, scale), self._off(value.imag, scale))
        off = torch.empty_like(value).bernoulli_(0.5, generator=self.random).sub_(0.5).mul_(2 * self.roundoff)
        return torch.where(value.isfinite(), torch.addcmul(value, off, scale), value)


def is_inexact(x: Any) -> bool:
    """Whether it is a tensor of real or complex floating-point numbers."""
    return isinstance(x, torch.Tensor) and (x.is_floating_point() or x.is_complex())


def is_view(func: Any) -> bool:
    """Whether a torch operation only looks at its argument in another way, without computing."""
    return any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
