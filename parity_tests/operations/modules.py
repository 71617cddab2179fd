"""torch's own samples of its modules (ModuleInfo), on Flax's counterparts; the weights travel by `weights="auto"`."""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from torch import nn

from parity_tests.operations.activations import softplus
from parity_tests.operations.counterpart import InexpressibleError, inexpressible
from parity_tests.operations.samples import Case, set_rng_seed

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_modules import module_db

MODULE_INFOS: dict[str, Any] = {info.name: info for info in module_db}

_RNGS = nnx.Rngs(0)


def _linear(m: nn.Linear) -> Any:
    return nnx.Linear(m.in_features, m.out_features, use_bias=m.bias is not None, rngs=_RNGS)


def _conv(m: Any) -> Any:
    padding = m.padding.upper() if isinstance(m.padding, str) else [(p, p) for p in m.padding]
    return nnx.Conv(
        m.in_channels, m.out_channels, m.kernel_size, m.stride, padding=padding, kernel_dilation=m.dilation,
        feature_group_count=m.groups, use_bias=m.bias is not None, rngs=_RNGS,
    )  # fmt: skip


def _conv_transpose(m: Any) -> Any:
    return nnx.ConvTranspose(
        m.in_channels, m.out_channels, m.kernel_size, m.stride, padding="VALID", use_bias=m.bias is not None,
        transpose_kernel=True, rngs=_RNGS,
    )  # fmt: skip


def _layer_norm(m: nn.LayerNorm) -> Any:
    if len(m.normalized_shape) > 1:
        inexpressible("a norm over several axes")
    affine = m.elementwise_affine
    return nnx.LayerNorm(
        m.normalized_shape[0], epsilon=m.eps, use_scale=affine, use_bias=affine and m.bias is not None,
        use_fast_variance=False, rngs=_RNGS,
    )  # fmt: skip


def _rms_norm(m: nn.RMSNorm) -> Any:
    if len(m.normalized_shape) > 1 or m.eps is None:
        inexpressible("a norm over several axes, or an eps that depends on the precision")
    return nnx.RMSNorm(m.normalized_shape[0], epsilon=m.eps, use_scale=m.elementwise_affine, rngs=_RNGS)


def _group_norm(m: nn.GroupNorm) -> Any:
    return nnx.GroupNorm(
        m.num_channels, m.num_groups, epsilon=m.eps, use_scale=m.affine, use_bias=m.affine and m.bias is not None,
        use_fast_variance=False, rngs=_RNGS,
    )  # fmt: skip


def _batch_norm(m: Any) -> Any:
    if not m.track_running_stats:
        inexpressible("statistics of the batch in evaluation mode")
    return nnx.BatchNorm(
        m.num_features, use_running_average=True, epsilon=m.eps, use_scale=m.affine,
        use_bias=m.affine and m.bias is not None, rngs=_RNGS,
    )  # fmt: skip


def _instance_norm(m: Any) -> Any:
    if m.track_running_stats:
        inexpressible("running statistics")
    return nnx.InstanceNorm(
        m.num_features, epsilon=m.eps, use_scale=m.affine, use_bias=m.affine and m.bias is not None,
        use_fast_variance=False, rngs=_RNGS,
    )  # fmt: skip


def _embedding(m: nn.Embedding) -> Any:
    return nnx.Embed(m.num_embeddings, m.embedding_dim, rngs=_RNGS)


def _prelu(m: nn.PReLU) -> Any:
    if m.num_parameters > 1:
        inexpressible("a slope per channel")
    return nnx.PReLU(negative_slope_init=0.25)


def _bilinear(m: nn.Bilinear) -> Any:
    def init(key: Any) -> Any:
        return {name: jnp.zeros(p.shape) for name, p in m.named_parameters()}

    def apply(params: Any, x: Any, y: Any) -> Any:
        return jnp.einsum("...i,oij,...j->...o", x, params["weight"], y) + params.get("bias", 0)

    return init, apply


def _pure(function: Callable[..., Any]) -> Callable[[Any], Any]:
    """A module without weights: its options are attributes of torch's."""
    return lambda m: ((lambda key: {}), (lambda params, *inputs: function(m, *inputs)))


Counterparts = dict[str, Callable[[Any], Any]]

MODULES: Counterparts = {
    "nn.BatchNorm1d": _batch_norm,
    "nn.BatchNorm2d": _batch_norm,
    "nn.BatchNorm3d": _batch_norm,
    "nn.Bilinear": _bilinear,
    "nn.CELU": _pure(lambda m, x: nnx.celu(x, m.alpha)),
    "nn.Conv1d": _conv,
    "nn.Conv2d": _conv,
    "nn.Conv3d": _conv,
    "nn.ConvTranspose1d": _conv_transpose,
    "nn.ConvTranspose2d": _conv_transpose,
    "nn.ConvTranspose3d": _conv_transpose,
    "nn.ELU": _pure(lambda m, x: nnx.elu(x, m.alpha)),
    "nn.Embedding": _embedding,
    "nn.GELU": _pure(lambda m, x: nnx.gelu(x, approximate=m.approximate == "tanh")),
    "nn.GLU": _pure(lambda m, x: nnx.glu(x, m.dim)),
    "nn.GroupNorm": _group_norm,
    "nn.Hardswish": _pure(lambda m, x: nnx.hard_swish(x)),
    "nn.Hardtanh": _pure(lambda m, x: jnp.clip(x, m.min_val, m.max_val)),
    "nn.InstanceNorm1d": _instance_norm,
    "nn.InstanceNorm2d": _instance_norm,
    "nn.InstanceNorm3d": _instance_norm,
    "nn.LayerNorm": _layer_norm,
    "nn.LeakyReLU": _pure(lambda m, x: nnx.leaky_relu(x, m.negative_slope)),
    "nn.Linear": _linear,
    "nn.LogSigmoid": _pure(lambda m, x: nnx.log_sigmoid(x)),
    "nn.LogSoftmax": _pure(lambda m, x: nnx.log_softmax(x, m.dim)),
    "nn.Mish": _pure(lambda m, x: jax.nn.mish(x)),
    "nn.PReLU": _prelu,
    "nn.RMSNorm": _rms_norm,
    "nn.ReLU": _pure(lambda m, x: nnx.relu(x)),
    "nn.ReLU6": _pure(lambda m, x: nnx.relu6(x)),
    "nn.SELU": _pure(lambda m, x: nnx.selu(x)),
    "nn.SiLU": _pure(lambda m, x: nnx.silu(x)),
    "nn.Sigmoid": _pure(lambda m, x: nnx.sigmoid(x)),
    "nn.Softmax": _pure(lambda m, x: nnx.softmax(x, m.dim)),
    "nn.Softmin": _pure(lambda m, x: nnx.softmax(-x, m.dim)),
    "nn.Softplus": _pure(lambda m, x: softplus(x, m.beta, m.threshold)),
    "nn.Softsign": _pure(lambda m, x: nnx.soft_sign(x)),
    "nn.Tanh": _pure(lambda m, x: nnx.tanh(x)),
    "nn.Tanhshrink": _pure(lambda m, x: x - nnx.tanh(x)),
}
"""torch's modules and what makes Flax's of one."""

_CHANNELS_FIRST = ("Conv", "Pool", "GroupNorm", "BatchNorm", "InstanceNorm")
_LAYOUTS = {3: "NCL->NLC", 4: "NCHW->NHWC", 5: "NCDHW->NDHWC"}


def module_cases(
    name: str, seeds: Sequence[int], limit: int, counterparts: Counterparts = MODULES
) -> tuple[list[Case], Counter[str]]:
    """As `samples.cases`: at most `limit` samples, whose weights are those of the first seed."""
    generated = {seed: _generated(name, seed) for seed in seeds}
    left_out: Counter[str] = Counter()
    found: list[Case] = []
    for number in np.random.default_rng(0).permutation(min(map(len, generated.values()))):
        try:
            members = [(seed, generated[seed][number]) for seed in seeds]
            found.append(_case(name, int(number), members, counterparts[name]))
        except InexpressibleError as error:
            left_out[str(error)] += 1
        if len(found) == limit:
            break
    return found, left_out


def _generated(name: str, seed: int) -> list[Any]:
    info = MODULE_INFOS[name]
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        set_rng_seed(seed)
        given = info.module_inputs_func(info, "cpu", torch.float64, False, training=False)
        return [(_made(info, each.constructor_input), _inputs(each.forward_input)) for each in given]


def _made(info: Any, given: Any) -> torch.nn.Module:
    module = info.module_cls(*given.args, **given.kwargs).eval()
    with torch.no_grad():
        for tensor in (*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())):
            tensor.copy_(torch.rand_like(tensor) + 0.5)
    return module


def _inputs(given: Any) -> list[Any]:
    return [x for x in (*given.args, *given.kwargs.values()) if x is not None]


def _case(name: str, number: int, members: list[Any], counterpart: Callable[[Any], Any]) -> Case:
    module, first = members[0][1]
    if not first or any(not isinstance(x, torch.Tensor) or not x.ndim or not x.numel() for x in first):
        inexpressible("a scalar, an empty tensor, or a structure of tensors as input")
    channels_first = any(kind in name for kind in _CHANNELS_FIRST)
    if (
        channels_first
        and first[0].ndim == 1 + ("1d" in name) + 2 * ("2d" in name) + 3 * ("3d" in name)
        and "Batch" not in name
    ):
        inexpressible("no batch")
    batches = tuple(tuple(x.numpy() for x in inputs) for _, (_, inputs) in members)
    layout = _LAYOUTS.get(first[0].ndim) if channels_first else None
    seeds = tuple(seed for seed, _ in members)
    return Case(f"{name} {number + 1}", module, counterpart(module), batches, seeds, None, layout)
