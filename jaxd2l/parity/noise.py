"""How far roundings carry in a torch computation: its condition scale, measured.

The condition scale of one operation is known: `|x| |W| + |b|` for a linear layer, the result's magnitude for an
elementwise function. For a whole model, with its loss, its gradients and the steps of an optimiser, it is the combined
effect on the result when every operation errs by its own scale. A formula for that would be a worst case that grows by
a factor per layer until it excuses everything. So it is measured: the float64 computation is repeated while every
operation, backward pass and optimiser included, is perturbed at random by plus or minus one float32 rounding of its own
condition scale. The largest deviation over the repetitions, divided by the rounding, is the scale.

This is stochastic arithmetic (CESTAC, Monte Carlo arithmetic). It needs no formula for the model, and it sees what a
worst case does not: that later layers damp an error, or that a kink is near.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from jaxd2l.parity.rule import SINGLE
from jaxd2l.parity.torch_kinks import Kinks

SAMPLES = 16
"""With 16 samples of a normal distribution, the largest is below half a standard deviation once in 5 million."""

_EXACT = frozenset(
    """relu threshold threshold_backward where cat stack index index_select gather clone copy _to_copy masked_fill
    constant_pad_nd neg abs sign max amax min amin maximum minimum clamp clamp_min clamp_max argmax embedding fill
    zero zeros_like ones_like new_zeros new_full full_like empty_like max_pool2d_with_indices hardtanh scatter flip
    max_pool2d_with_indices_backward slice_backward select_backward index_put roll repeat tril triu sort topk
    nll_loss_backward eq ne gt ge lt le arange full zeros ones scalar_tensor""".split()  # noqa: SIM905
)
"""Operations that only choose, move or negate numbers, so that nothing is rounded."""

_MULTILINEAR = frozenset(
    """mm addmm bmm baddbmm mv addmv dot convolution _convolution sum mean cumsum avg_pool2d _adaptive_avg_pool2d
    nll_loss_forward embedding_dense_backward linear mse_loss""".split()  # noqa: SIM905
)
"""Operations whose condition scale is the operation itself on the arguments' magnitudes."""

_INEXACT = frozenset(
    "exp expm1 tanh sigmoid log1p erf erfc softplus sin cos pow silu elu celu selu mish log_sigmoid_forward".split()  # noqa: SIM905
)
"""Elementwise functions that JAX does not round correctly but computes to within 6 ULPs (measured: exp 4.5, expm1 5.7,
tanh 4.2, erf 4.6, softplus 2.9, log1p 2.4, sigmoid 2.2). A scale of four roundings allows for that."""

_SHIFTED = frozenset(("_log_softmax", "_softmax", "logsumexp"))
"""Functions of differences to the maximum, which are exact. The magnitude of their argument does not count, so that
an offset of 1e6 on the logits is no excuse."""


class Rounding(TorchDispatchMode):
    """While active, perturbs every torch operation by one rounding of its condition scale."""

    def __init__(self, seed: int, roundoff: float = SINGLE) -> None:
        super().__init__()
        self.random = torch.Generator().manual_seed(seed)
        self.roundoff = roundoff

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        base = name.rstrip("_") if func._schema.is_mutable else name
        if base in _EXACT or is_view(func):
            return func(*args, **kwargs)
        if base in _SHIFTED:
            args = (self._off_from_max(args[0], args[1]), *args[1:])
        if base in _MULTILINEAR:
            result = func(*args, **kwargs)
            return self._off(result, func(*_magnitudes(args), **_magnitudes(kwargs)))
        if base.endswith("backward") or base in _COMPOSITE:
            # Fused operations with cancellation inside: their arguments are perturbed as well.
            args = tree_map(lambda x: self._off(x, x) if _is_float(x) else x, args)
        result = func(*args, **kwargs)
        if func._schema.is_mutable:
            for x in (result,) if isinstance(result, torch.Tensor) else ():
                x.copy_(self._off(x, x))
            return result
        size = 4.0 if base in _INEXACT else 1.0
        floor = 1.0 if base in ("_log_softmax", "logsumexp") else 0.0  # log(sum) rounds at 1 even where it ends near 0
        return tree_map(lambda x: self._off(x, size * (x.abs() + floor)) if _is_float(x) else x, result)

    def _off(self, value: Any, scale: Any) -> Any:
        if isinstance(value, tuple | list):
            return type(value)(self._off(v, s) for v, s in zip(value, scale, strict=True))
        if not _is_float(value):
            return value
        off = torch.empty_like(value).bernoulli_(0.5, generator=self.random).sub_(0.5).mul_(2 * self.roundoff)
        return torch.where(value.isfinite(), torch.addcmul(value, off, scale), value)

    def _off_from_max(self, x: torch.Tensor, axis: int | list[int]) -> torch.Tensor:
        if not x.numel():
            return x
        difference = x - x.amax(axis, keepdim=True)
        return self._off(x, difference)


_COMPOSITE = frozenset(
    """native_layer_norm native_batch_norm _native_batch_norm_legit_no_training native_group_norm var std var_mean
    std_mean linalg_vector_norm norm gelu prod logit _fused_rms_norm
    _scaled_dot_product_flash_attention_for_cpu""".split()  # noqa: SIM905
)


def condition_scales(
    compute: Callable[[], dict[str, np.ndarray]], exact: dict[str, np.ndarray], seed: int, samples: int = SAMPLES
) -> dict[str, np.ndarray]:
    """The condition scale of every element of every quantity that `compute()` returns in float64.

    Args:
      compute: repeats the float64 computation from its start, in torch.
      exact: its result without noise.
      seed: decides the noise.
      samples: repetitions.
    """
    with Kinks() as undisturbed:
        compute()
    smooth: list[dict[str, np.ndarray]] = []
    other: list[dict[str, np.ndarray]] = []
    for sample in range(samples):
        with Rounding(seed * samples + sample), Kinks() as disturbed:
            noisy = compute()
        same_branches = all(
            np.array_equal(x > 0, disturbed.arguments[name] > 0) for name, x in undisturbed.arguments.items()
        )
        (smooth if same_branches else other).append(noisy)
    # Past a kink gradients jump, and a scale that contains the jump would excuse anything. So repetitions that cross
    # one do not count, unless all do: a model with that many kinks has no other scale.
    deviations = {
        name: [np.abs(noisy[name] - value) / SINGLE for noisy in smooth or other] for name, value in exact.items()
    }
    return {name: np.asarray(np.fmax.reduce(values)) for name, values in deviations.items()}


def _is_float(x: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.is_floating_point()


def is_view(func: Any) -> bool:
    """Whether a torch operation only returns its argument in another shape, without computing."""
    return any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)


def _magnitudes(arguments: Any) -> Any:
    return tree_map(lambda x: x.abs() if _is_float(x) else x, arguments)
