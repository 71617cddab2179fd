"""Our convolution and pooling as counterparts of torch's modules, replayed on torch's own samples (ModuleInfo)."""

from typing import Any

import jax.numpy as jnp
from torch import nn

from jaxd2l import models
from parity_tests.operations.counterpart import inexpressible
from parity_tests.operations.modules import Counterparts


def _conv(m: nn.Conv2d) -> Any:
    if m.padding_mode != "zeros":
        inexpressible("a padding that is no zeros")

    def init(key: Any) -> Any:
        kernel = jnp.zeros((*m.kernel_size, m.in_channels // m.groups, m.out_channels))
        return {"kernel": kernel, **({} if m.bias is None else {"bias": jnp.zeros(m.out_channels)})}

    def apply(params: Any, x: Any) -> Any:
        options = {"stride": m.stride, "padding": m.padding, "groups": m.groups, "dilation": m.dilation}
        return models.conv2d(x, params["kernel"], **options) + params.get("bias", 0)

    return init, apply


def _max_pool(m: nn.MaxPool2d) -> Any:
    if m.return_indices or m.dilation not in (1, (1, 1)):
        inexpressible("indices or dilation")
    options = {"stride": m.stride, "padding": m.padding, "ceil_mode": m.ceil_mode}
    return (lambda key: {}), lambda params, x: models.max_pool(x, m.kernel_size, **options)


def _mean_pool(m: nn.AvgPool2d) -> Any:
    if m.divisor_override is not None:
        inexpressible("another divisor")
    options = {"padding": m.padding, "ceil_mode": m.ceil_mode, "count_include_pad": m.count_include_pad}
    return (lambda key: {}), lambda params, x: models.mean_pool(x, m.kernel_size, stride=m.stride, **options)


OURS: Counterparts = {"nn.Conv2d": _conv, "nn.MaxPool2d": _max_pool, "nn.AvgPool2d": _mean_pool}
