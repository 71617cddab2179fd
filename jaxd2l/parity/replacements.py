"""Torch's operations replaced by ones that a port may have used instead, such as gelu by its tanh formula."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from jaxd2l.parity.torch_side import TorchSide, outputs_of

Replace = Callable[[str, Any, list[Any], dict[str, Any]], tuple[Any, list[Any], dict[str, Any]] | None]
"""From an operation's name, the operation and its arguments to what is run instead; None leaves it as it is."""

_SPREADS = frozenset(("var", "std", "var_mean", "std_mean"))
_NORMALISATIONS = frozenset(
    """native_layer_norm native_group_norm native_batch_norm _native_batch_norm_legit
    _native_batch_norm_legit_functional _native_batch_norm_legit_no_training _batch_norm_no_update
    _batch_norm_with_update
    _batch_norm_with_update_functional _batch_norm_impl_index batch_norm group_norm instance_norm layer_norm rms_norm
    _fused_rms_norm""".split()  # noqa: SIM905
)
_EPSILONS = (0.0, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
_SLOPES = (0.0, 0.01, 0.1, 0.2, 0.3)


class Replacement(NamedTuple):
    """What is replaced, in words; and how."""

    hint: str
    replace: Replace


def replacements() -> Iterator[Replacement]:
    """Everything that is tried."""
    for way, flag, theirs in (("tanh", "True", "exact"), ("none", "False", "the tanh formula")):
        hint = f"tanh-gelu: matches with approximate={flag}, torch's gelu is {theirs}"
        yield Replacement(hint, _with_option(frozenset(("gelu",)), "approximate", way))
    for correction, divisors in ((0, "by n, torch by n-1"), (1, "by n-1, torch by n")):
        hint = f"ddof: matches with ddof={correction}; in var or std JAX divides {divisors}"
        yield Replacement(hint, _with_option(_SPREADS, "correction", correction))
    yield Replacement("missing mean: matches with sum in place of mean", _sum_for_mean)
    for eps in _EPSILONS:
        yield Replacement(f"wrong eps: matches with eps={eps:g} in the normalisation", _with_eps(eps))
    for slope in _SLOPES:
        yield Replacement(f"leaky_relu: matches with negative_slope={slope:g}", _with_slope(slope))


def with_replacement(side: TorchSide, output: str, replace: Replace) -> np.ndarray:
    """An output with operations replaced.

    Raises:
      ValueError: if the module has no such operation.
    """
    with _Replacing(replace) as mode:
        outputs = outputs_of(side)[output]
    if not mode.count:
        raise ValueError("nothing to replace")
    return outputs


class _Replacing(TorchDispatchMode):
    """While active, passes each torch operation to `replace`; counts the replaced ones."""

    def __init__(self, replace: Replace) -> None:
        super().__init__()
        self.replace, self.count = replace, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        changed = self.replace(func.overloadpacket.__name__, func, list(args), dict(kwargs or {}))
        self.count += changed is not None
        func, args, kwargs = changed or (func, args, kwargs or {})
        return func(*args, **kwargs)


def _with_option(names: frozenset[str], option: str, value: Any) -> Replace:
    return lambda name, func, args, kwargs: (func, args, kwargs | {option: value}) if name in names else None


def _sum_for_mean(name: str, func: Any, args: Any, kwargs: Any) -> Any:
    return (torch.ops.aten.sum, args, kwargs) if name == "mean" else None


def _with_eps(eps: float) -> Replace:
    def replace(name: str, func: Any, args: Any, kwargs: Any) -> Any:
        places = [argument.name for argument in func._schema.arguments]
        if name not in _NORMALISATIONS or len(args) <= places.index("eps"):
            return None
        args[places.index("eps")] = eps
        return func, args, kwargs

    return replace


def _with_slope(slope: float) -> Replace:
    return lambda name, func, args, kwargs: (func, [args[0], slope], kwargs) if name == "leaky_relu" else None
