"""Convolution and pooling as layers (D2L 7.2 to 7.5, 8.3)."""

from functools import partial

from jaxtyping import Array, PRNGKeyArray

from jaxd2l import initializers
from jaxd2l._checks.numbers import require_flags, require_form, require_whole
from jaxd2l._checks.windows import Padding, Pair, Sides, pair
from jaxd2l.initializers import ConvInit
from jaxd2l.models import _pooling
from jaxd2l.models._convolution import conv2d
from jaxd2l.models.layers._layer import Layer, Shape, function
from jaxd2l.types import ModelState, Params

TORCH_DEFAULT = initializers.torch_linear()


def conv(
    channels: int,
    window: int | Pair,
    *,
    stride: int | Pair = 1,
    padding: Padding = 0,
    groups: int = 1,
    dilation: int | Pair = 1,
    bias: bool = True,
    init: ConvInit = TORCH_DEFAULT,
) -> Layer:
    """A convolution of as many channels as it gets, to `channels` new ones. D2L 7.2 to 7.4; `torch.nn.LazyConv2d`.

    Parameters: `{"kernel": (rows, columns, inputs / groups, channels), "bias": (channels,)}`. Inputs: (n, height,
    width, inputs).

    Args:
      channels: of the outputs.
      window: rows and columns of the kernel.
      stride, padding, groups, dilation: as for `models.conv2d`.
      bias: whether there is one; before a normalisation it has no effect.
      init: initialiser that takes a window.

    >>> net = layers.model(conv(6, 5, padding=2), (28, 28, 1))
    >>> params = net.init(jax.random.key(0))
    >>> params["kernel"].shape, net.apply(params, jnp.ones((2, 28, 28, 1))).shape
    ((5, 5, 1, 6), (2, 28, 28, 6))
    """
    require_whole(1, channels=channels, groups=groups)
    require_flags(bias=bias)
    require_form("init(key, num_inputs, num_outputs, *window)", init)
    rows, columns = pair("window", window)

    def make(key: PRNGKeyArray, input_shape: Shape, /) -> tuple[Params, ModelState]:
        if len(input_shape) != 3:
            raise ValueError("a convolution takes images of (height, width, channels)")
        if input_shape[-1] % groups:
            raise ValueError(f"{input_shape[-1]} channels cannot be shared out among {groups} groups")
        params = init(key, input_shape[-1] // groups, channels, window=(rows, columns))
        return params if bias else {"kernel": params["kernel"]}, ()

    def apply(
        params: Params, state: ModelState, inputs: Array, /, *, train: bool = False, key: PRNGKeyArray | None = None
    ) -> tuple[Array, ModelState]:
        y = conv2d(inputs, params["kernel"], stride=stride, padding=padding, groups=groups, dilation=dilation)
        return y + params["bias"] if bias else y, state

    return Layer(make, apply, f"conv {rows}x{columns}, {channels}")


def max_pool(
    window: int | Pair,
    *,
    stride: int | Pair | None = None,
    padding: int | Pair | Sides = 0,
    ceil_mode: bool = False,
) -> Layer:
    """The largest value of each window: `models.max_pool` as a layer. D2L 7.5; `torch.nn.MaxPool2d`."""
    pool = partial(_pooling.max_pool, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode)
    return function(pool, name="max_pool {}x{}".format(*pair("window", window)))


def mean_pool(
    window: int | Pair,
    *,
    stride: int | Pair | None = None,
    padding: int | Pair | Sides = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Layer:
    """The mean value of each window: `models.mean_pool` as a layer. D2L 7.5; `torch.nn.AvgPool2d`."""
    pool = partial(
        _pooling.mean_pool,
        window=window,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )
    return function(pool, name="mean_pool {}x{}".format(*pair("window", window)))


def global_mean_pool() -> Layer:
    """The mean of each channel over the whole image. D2L 8.3; `torch.nn.AdaptiveAvgPool2d(1)` and `Flatten()`."""
    return function(_pooling.global_mean_pool, name="global_mean_pool")
