"""Norms, attention, interpolation and what else is a layer in torch.nn.functional, in torch's layout."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from torch.nn import functional

from parity_tests.operations.counterpart import Adapted, Counterpart, inexpressible


def _standardised(x: Any, axes: Any, eps: float) -> Any:
    mean = jnp.mean(x, axes, keepdims=True)
    return (x - mean) / jnp.sqrt(jnp.var(x, axes, keepdims=True) + eps)


def _affine(x: Any, weight: Any, bias: Any, shape: Any) -> Any:
    x = x if weight is None else x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


def _channels(x: Any) -> tuple[int, ...]:
    return (1, -1, *(1,) * (x.ndim - 2))


def _batch_norm(
    x: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    shape = _channels(x)
    if training:
        return _affine(_standardised(x, (0, *range(2, x.ndim)), eps), weight, bias, shape)
    mean, var = (lax.stop_gradient(v).reshape(shape) for v in (running_mean, running_var))
    normed = (x - mean) / jnp.sqrt(var + eps)
    return _affine(normed, weight, bias, shape)


def _instance_norm(
    x: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    if not use_input_stats:
        return _batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    return _affine(_standardised(x, tuple(range(2, x.ndim)), eps), weight, bias, _channels(x))


def _of_torch(norm: Any) -> Any:
    """torch's norm, which wants running statistics without gradients."""

    def normed(x: Any, *args: Any, running_mean: Any = None, running_var: Any = None, **options: Any) -> Any:
        statistics = (*args[:2], running_mean, running_var)
        mean, var = [s.detach() for s in statistics if s is not None] or (None, None)
        return norm(x, mean, var, *args[2:], **options)

    return normed


def _group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    grouped = x.reshape(x.shape[0], num_groups, -1)
    return _affine(_standardised(grouped, (2,), eps).reshape(x.shape), weight, bias, _channels(x))


def _layer_norm(x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    axes = tuple(range(-len(normalized_shape), 0))
    return _affine(_standardised(x, axes, eps), weight, bias, normalized_shape)


def _rms_norm(x: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    if eps is None:
        inexpressible("an eps that depends on the precision")
    axes = tuple(range(-len(normalized_shape), 0))
    y = x / jnp.sqrt(jnp.mean(x * x, axes, keepdims=True) + eps)
    return y if weight is None else y * weight


def _local_response_norm(x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    ones = (1,) * (x.ndim - 2)
    pads = [(0, 0), (size // 2, (size - 1) // 2), *((0, 0) for _ in ones)]
    sums = lax.reduce_window(x * x, 0.0, lax.add, (1, size, *ones), (1, 1, *ones), pads)
    return x / (k + alpha * sums / size) ** beta


def _attention(
    q: Any, k: Any, v: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    if dropout_p:
        inexpressible("random numbers")
    if q.ndim != 4:
        inexpressible("no axis of heads")
    turned = [jnp.swapaxes(x, 1, 2) for x in (q, k, v)]
    mask, bias = (None, attn_mask)
    if attn_mask is not None:
        attn_mask = attn_mask.reshape(*(1,) * (4 - attn_mask.ndim), *attn_mask.shape)
        attn_mask = jnp.broadcast_to(attn_mask, (*attn_mask.shape[:2], q.shape[2], k.shape[2]))
        mask, bias = (attn_mask, None) if attn_mask.dtype == bool else (None, attn_mask)
    y = jax.nn.dot_product_attention(*turned, bias, mask, scale=scale, is_causal=is_causal)
    return jnp.swapaxes(y, 1, 2)


def _linear(x: Any, weight: Any, bias: Any = None) -> Any:
    y = x @ weight.T
    return y if bias is None else y + bias


def _bilinear(x: Any, y: Any, weight: Any, bias: Any = None) -> Any:
    z = jnp.einsum("...i,oij,...j->...o", x, weight, y)
    return z if bias is None else z + bias


def _sizes(size: Any, n: int) -> tuple[int, ...]:
    return (size,) * n if isinstance(size, int) else tuple(size) * (n // len(size))


def _resize(method: str) -> Counterpart:
    """Where torch's and JAX's corners and window agree: half-pixel centres, and no antialiasing."""

    def resize(
        x: Any, size: Any = None, scale_factor: Any = None, mode: str = "", align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> Any:  # fmt: skip
        n = x.ndim - 2
        if align_corners:
            inexpressible("align_corners=True")
        if size is None:
            inexpressible("scale_factor, which torch uses without rounding it to the sizes")
        return jax.image.resize(x, (*x.shape[:2], *_sizes(size, n)), method, antialias=False)

    return resize


def _pixel_shuffle(x: Any, upscale_factor: int) -> Any:
    r = upscale_factor
    *batch, c, h, w = x.shape
    y = x.reshape(*batch, c // r**2, r, r, h, w)
    n = len(batch)
    return y.transpose(*range(n + 1), n + 3, n + 1, n + 4, n + 2).reshape(*batch, c // r**2, h * r, w * r)


def _pixel_unshuffle(x: Any, downscale_factor: int) -> Any:
    r = downscale_factor
    *batch, c, h, w = x.shape
    y = x.reshape(*batch, c, h // r, r, w // r, r)
    n = len(batch)
    return y.transpose(*range(n + 1), n + 2, n + 4, n + 1, n + 3).reshape(*batch, c * r**2, h // r, w // r)


def _channel_shuffle(x: Any, groups: int) -> Any:
    return jnp.swapaxes(x.reshape(len(x), groups, -1, *x.shape[2:]), 1, 2).reshape(x.shape)


def _softmax_of_scores(x: Any, *, dim: int, dtype: Any = None) -> Any:
    return jax.nn.softmax(x, dim)


LAYERS: dict[str, Counterpart] = {
    "nn_functional_batch_norm": Adapted(lambda outputs: outputs, _batch_norm, _of_torch(functional.batch_norm)),
    "nn_functional_bilinear": _bilinear,
    "nn_functional_channel_shuffle": _channel_shuffle,
    "nn_functional_group_norm": _group_norm,
    "nn_functional_instance_norm": Adapted(
        lambda outputs: outputs, _instance_norm, _of_torch(functional.instance_norm)
    ),
    "nn_functional_interpolate_bilinear": _resize("linear"),
    "nn_functional_interpolate_linear": _resize("linear"),
    "nn_functional_interpolate_nearest-exact": _resize("nearest"),
    "nn_functional_interpolate_trilinear": _resize("linear"),
    "nn_functional_layer_norm": _layer_norm,
    "nn_functional_linear": _linear,
    "nn_functional_local_response_norm": _local_response_norm,
    "nn_functional_pixel_shuffle": _pixel_shuffle,
    "nn_functional_pixel_unshuffle": _pixel_unshuffle,
    "nn_functional_rms_norm": _rms_norm,
    "nn_functional_scaled_dot_product_attention": _attention,
    "torch_ops_aten__safe_softmax_default": _softmax_of_scores,
}
