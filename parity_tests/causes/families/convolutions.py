"""Padding, kernel, dilation, stride and channels of convolutions."""

import jax
import jax.numpy as jnp
from torch import nn

from parity_tests.causes.settings import Setting, normal, plant

IMAGES, SIGNAL = normal(2, 4, 9, 9), normal(2, 4, 11)


def conv(x, w, b=None, stride=1, padding=((1, 1), (1, 1)), dilation=1, groups=1, flip=(), swap=False):
    w = jnp.swapaxes(w, -1, -2) if swap else w
    w = jnp.flip(w, flip) if flip else w
    n = x.ndim - 2
    names = ("NCHW", "OIHW", "NCHW") if n == 2 else ("NCH", "OIH", "NCH")
    y = jax.lax.conv_general_dilated(
        x, w, (stride,) * n, padding, rhs_dilation=(dilation,) * n, dimension_numbers=names, feature_group_count=groups
    )
    return y if b is None else y + b.reshape(-1, *(1,) * n)


def one(**fixed):
    def port(p, x, mode=None, pad=1, roll_out=0, **options):
        if mode:
            x, options = jnp.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode=mode), options | {"padding": "VALID"}
        y = conv(x, p["weight"], p["bias"], **fixed | options)
        return y if not roll_out else y.reshape(len(y), roll_out, -1, *y.shape[2:]).swapaxes(1, 2).reshape(y.shape)

    return port


STRIDED = Setting(lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1), one(stride=2), normal(2, 4, 8, 8))
PLAIN = Setting(lambda: nn.Conv2d(4, 6, 3, padding=1), one(), IMAGES)
FIVE = Setting(lambda: nn.Conv2d(4, 6, 5, padding=2), one(padding=((2, 2), (2, 2))), IMAGES)
CIRCULAR = Setting(
    lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"),
    lambda p, x, mode="wrap": one()(p, x, mode=mode),
    IMAGES,
)
DILATED = Setting(
    lambda: nn.Conv2d(4, 6, 3, padding=3, dilation=3), one(padding=((3, 3), (3, 3)), dilation=3), normal(2, 4, 12, 12)
)
GROUPED = Setting(lambda: nn.Conv2d(4, 8, 3, padding=1, groups=2), one(groups=2), IMAGES)
CAUSAL = Setting(lambda: nn.Conv1d(4, 5, 3, padding=1), one(padding=((1, 1),)), SIGNAL)
SQUARE = Setting(lambda: nn.Conv2d(4, 4, 3, padding=1), lambda p, x, **o: conv(
    x, p["weight"].swapaxes(0, 1) if o.pop("io", 0) else p["weight"], p["bias"], **o
), IMAGES)  # fmt: skip


def transposed(p, x, padding=2, flip=True, swap=False):
    w = p["weight"].swapaxes(0, 1)
    w = jnp.flip(w, (2, 3)) if flip else w
    w = jnp.swapaxes(w, 2, 3) if swap else w
    low, high = (padding, padding) if isinstance(padding, int) else padding
    y = jax.lax.conv_general_dilated(
        x, w, (1, 1), ((low, high), (low, high)), lhs_dilation=(2, 2), dimension_numbers=("NCHW", "OIHW", "NCHW")
    )
    return y + p["bias"][:, None, None]


TRANSPOSED = Setting(lambda: nn.ConvTranspose2d(4, 3, 4, stride=2, padding=1), transposed, normal(2, 4, 5, 5))


def bottleneck() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(4, 3, 1), nn.ReLU(), nn.Conv2d(3, 3, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(3, 5, 1)
    )


def bottleneck_port(p, x, strides=(1, 2), relu=True):
    x = jax.nn.relu(conv(x, p["0.weight"], p["0.bias"], strides[0], "VALID"))
    x = jax.nn.relu(conv(x, p["2.weight"], p["2.bias"], strides[1]))
    return conv(x, p["4.weight"], p["4.bias"], padding="VALID")


BOTTLENECK = Setting(bottleneck, bottleneck_port, normal(2, 4, 8, 8))

DEFECTS = [
    *plant("convolutions", STRIDED, {
        "SAME for padding=1 at stride 2": ("padding&SAME", {"padding": "SAME"}),
        "the odd place at the start": ("padding", {"padding": ((2, 0), (2, 0))}),
        "reflected border": ("padding&reflect", {"mode": "reflect"}),
    }),
    *plant("convolutions", PLAIN, {
        "kernel flipped": ("kernel flipped", {"flip": (2, 3)}),
        "kernel flipped in width": ("kernel flipped&width", {"flip": (3,)}),
        "height and width swapped": ("height and width", {"swap": True}),
        "replicated border": ("padding&replicate", {"mode": "edge"}),
        "padding all on one side": ("padding", {"padding": ((2, 0), (2, 0))}),
    }),
    *plant("convolutions", FIVE, {
        "wrapped border": ("padding&circular", {"mode": "wrap", "pad": 2}),
        "padding (1, 3)": ("padding", {"padding": ((1, 3), (1, 3))}),
    }),
    *plant("convolutions", CIRCULAR, {"zeros for circular": ("padding&zeros", {"mode": "constant"})}),
    *plant("convolutions", DILATED, {
        "no dilation": ("dilation&missing", {"dilation": 1, "padding": "SAME"}),
        "dilation 2 for 3": ("dilation&2", {"dilation": 2, "padding": "SAME"}),
    }),
    *plant("convolutions", GROUPED, {"groups' outputs interleaved": ("order&channels", {"roll_out": 2})}),
    *plant("convolutions", CAUSAL, {
        "causal padding": ("padding&causal", {"padding": ((2, 0),)}),
        "kernel flipped in one dimension": ("kernel flipped", {"flip": (2,)}),
    }),
    *plant("convolutions", SQUARE, {"input and output channels swapped": ("kernel transposed", {"io": 1})}),
    *plant("convolutions", TRANSPOSED, {
        "kernel not flipped": ("kernel flipped", {"flip": False}),
        "padding moved": ("padding", {"padding": (3, 1)}),
        "transposed kernel with height and width swapped": ("height and width", {"swap": True}),
    }),
    *plant("convolutions", BOTTLENECK, {"stride on the first convolution": ("stride", {"strides": (2, 1)})}),
]  # fmt: skip
