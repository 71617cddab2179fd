"""What rounding does to a PyTorch program: each operation is put off by one rounding of its own magnitude.

As `jax_rounding` does for JAX. torch's dispatcher hands over every operation, those of the backward pass and the
optimiser too. Composite ones (a norm, a softmax, a loss) are first taken apart by torch's own decompositions, so that
what is put off are sums, products and elementary functions.
"""

import math
import random
from functools import cache
from typing import Any

import numpy as np
import torch
from torch._decomp import decomposition_table
from torch.utils._pytree import tree_leaves, tree_map

from jaxd2l.parity.programs.jax_rounding import FUNCTION
from jaxd2l.parity.programs.torch_dispatch import Dispatch

_EXACT = frozenset(
    """abs adaptive_max_pool2d adaptive_max_pool3d amax amin arange argmax argmin as_strided bernoulli bucketize cat
    ceil clamp clamp_max clamp_min clone complex conj_physical constant_pad_nd copy count_nonzero cummax cummin
    diag_embed embedding empty empty_like eq equal eye fill flip floor fmax fmin full full_like gather ge gt hardtanh
    hardtanh_backward imag index index_put index_select isfinite isinf isnan kthvalue le lift_fresh linspace
    logical_and logical_not logical_or lt masked_fill masked_scatter masked_select max max_pool2d_with_indices
    max_pool2d_with_indices_backward max_pool3d_with_indices max_unpool2d maximum median min minimum mode nanmedian
    ne neg new_empty new_full new_ones new_zeros nextafter nonzero normal ones ones_like put rand randint randn
    randperm real reflection_pad1d reflection_pad2d reflection_pad3d relu repeat replication_pad1d replication_pad2d
    replication_pad3d resolve_conj roll rot90 round scalar_tensor scatter searchsorted select_scatter sgn sign
    slice_scatter sort stack take threshold threshold_backward topk tril tril_indices triu triu_indices trunc uniform
    unique view_as_complex view_as_real where zero zeros zeros_like _local_scalar_dense _to_copy _unsafe_index
    _unsafe_view""".split()  # noqa: SIM905
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
    """add addcdiv addcmul cumprod div fmod hypot lerp mul pow prod reciprocal remainder round_decimals rsqrt rsub sqrt
    square sub""".split()  # noqa: SIM905
)

_ELEMENTARY = frozenset(
    """acos acosh asin asinh atan atan2 atanh cos cosh digamma erf erfc erfinv exp exp2 expm1 lgamma log log10 log1p
    log2 sin sinh tan tanh""".split()  # noqa: SIM905
)

_TRANSFORMS = frozenset(("_fft_c2c", "_fft_c2r", "_fft_r2c"))
"""Sums along the axes that are their second argument, with factors of magnitude 1."""

_WHOLE = _EXACT | _SUMS | _ARITHMETIC | _ELEMENTARY | _TRANSFORMS
"""What is not taken apart even where torch has a decomposition of it."""


_MATRICES = frozenset(
    """cholesky_inverse cholesky_solve geqrf householder_product lu_solve ormqr triangular_solve""".split()  # noqa: SIM905
)
"""Decompositions and what is done with them, beside those whose names begin with linalg."""


class Rounding(Dispatch):
    """While active, puts every torch operation off by about one rounding of what it adds or gives.

    Args:
      seed: decides the errors.
      roundoff: half the distance from 1 to the next number.
      sums: the magnitudes that each sum of the program adds, which take as long as the sum itself. Several runs of
        one program share them: the first computes them.
    """

    def __init__(self, seed: int, roundoff: float = 2.0**-24, sums: dict[Any, Any] | None = None) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self.roundoff = roundoff
        self.sums, self.done = {} if sums is None else sums, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if func._schema.is_mutable:
            return self._in_place(func, name.rstrip("_"), args, kwargs)
        if name == "index_put" and (kwargs.get("accumulate") or (len(args) > 3 and args[3])):
            name = "index_put_accumulate"
        if func._overloadname == "decimals":  # rounds x * 10^decimals and divides again
            name = "round_decimals"
        if name in _EXACT or is_view(func) or not any(map(is_inexact, tree_leaves((args, kwargs)))):
            return func(*args, **kwargs)
        if name not in _WHOLE and func in decomposition_table:
            with self:
                parts = decomposition_table[func](*args, **kwargs)
            if parts is not NotImplemented:  # some take apart on other devices only
                return parts
        if name in _SUMS:
            return self._sum_off(func, args, kwargs)
        if name in _TRANSFORMS:
            # What is added to a frequency's sum, it adds without cancellation at frequency 0 of the magnitudes.
            sums = func(args[0].abs().to(args[0].dtype), *args[1:], **kwargs).abs().amax(args[1], keepdim=True)
            return self._off(func(*args, **kwargs), sums)
        if name in _MATRICES or name.lstrip("_").startswith("linalg_"):
            return self._matrices_off(func, args, kwargs)
        size = 1.0 if name in _ARITHMETIC else FUNCTION
        if name not in _ARITHMETIC and sum(map(is_inexact, tree_leaves((args, kwargs)))) > 1:
            # Fused operations that nobody can take apart: what cancels inside is put off before.
            args, kwargs = tree_map(lambda x: self._off(x, x) if is_inexact(x) else x, (args, kwargs))
        result = func(*args, **kwargs)
        if isinstance(result, torch.Tensor):
            return self._off(result, result, size) if is_inexact(result) else result
        return tree_map(lambda x: self._off(x, x, size) if is_inexact(x) else x, result)

    def _matrices_off(self, func: Any, args: Any, kwargs: Any) -> Any:
        """A decomposition is exact for a matrix that is off by roundings of its largest number, and promises no more.

        So is the matrix that it gives; other results, such as a determinant, are off by roundings of their own.
        """
        rank = max(x.ndim for x in tree_leaves((args, kwargs)) if is_inexact(x))

        def off(x: Any, size: float = 1.0) -> Any:
            return self._off(x, _largest(x) if x.ndim == rank else x, size) if is_inexact(x) else x

        args, kwargs = tree_map(off, (args, kwargs))
        return tree_map(lambda x: off(x, FUNCTION), func(*args, **kwargs))

    def _in_place(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        if name not in _EXACT:
            for x in filter(is_inexact, tree_leaves(result)):
                x.copy_(self._off(x, x))
        return result

    def _sum_off(self, func: Any, args: Any, kwargs: Any) -> Any:
        value = func(*args, **kwargs)
        self.done += 1
        which = self.done, func, tuple(x.shape for x in tree_leaves(value) if isinstance(x, torch.Tensor))
        if which not in self.sums:
            args, kwargs = tree_map(lambda x: x.abs() if is_inexact(x) else x, (args, kwargs))
            self.sums[which] = func(*args, **kwargs)
        return self._all_off(value, self.sums[which])

    def _all_off(self, value: Any, scale: Any) -> Any:
        if isinstance(value, tuple | list):
            return type(value)(self._all_off(v, s) for v, s in zip(value, scale, strict=True))
        return self._off(value, scale) if is_inexact(value) else value

    def _off(self, value: torch.Tensor, scale: torch.Tensor, size: float = 1.0) -> torch.Tensor:
        if value.is_complex():
            scale = scale.abs()
            return torch.complex(self._off(value.real, scale, size), self._off(value.imag, scale, size))
        off = torch.addcmul(value, self._errors(value), scale, value=size * self.roundoff)
        if math.isfinite(off.sum()):
            return off
        return torch.where(value.isfinite(), off, value)

    def _errors(self, like: torch.Tensor) -> torch.Tensor:
        """How many roundings every element is off: a piece of a long row, from a place drawn at random."""
        row = _row_of_errors(like.numel().bit_length())
        start = self.random.randrange(len(row) - like.numel())
        return row[start : start + like.numel()].view(like.shape).to(like.dtype)


def _largest(x: torch.Tensor) -> torch.Tensor:
    """The magnitude of each matrix, at each of its numbers."""
    return x.abs().amax(tuple(range(-min(2, x.ndim), 0)), keepdim=True).expand_as(x) if x.numel() else x


@cache
def _row_of_errors(bits: int) -> torch.Tensor:
    """More than 2^bits numbers around 1 and -1. To draw them anew for each operation takes longer than most operations.

    Of 0.5 to 1.5 each, because two of exactly 1 cancel in every second sample.
    """
    drawn = np.random.default_rng(bits).uniform(-1.0, 1.0, (1 << bits) + (1 << 16))
    return torch.from_numpy(np.sign(drawn) * (0.5 + np.abs(drawn)))


def is_inexact(x: Any) -> bool:
    """Whether it is a tensor of real or complex floating-point numbers."""
    return isinstance(x, torch.Tensor) and (x.is_floating_point() or x.is_complex())


@cache
def is_view(func: Any) -> bool:
    """Whether a torch operation only looks at its argument in another way, without computing."""
    return any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
