"""Corners, filters and borders of resized images."""

import jax
import jax.numpy as jnp
import numpy as np
from torch.nn import functional as F  # noqa: N812

from parity_tests.causes.settings import normal, of_function, plant

X = normal(2, 3, 6, 6)


def resize(x, size=12, method="bilinear", antialias=False):
    return jax.image.resize(x, (*x.shape[:2], size, size), method, antialias=antialias)


def corners(x, size=12):
    def along(x, axis):
        n = x.shape[axis]
        at = np.arange(size) * (n - 1) / (size - 1)
        low = np.minimum(at.astype(int), n - 2)
        w = (at - low).reshape([-1 if i == axis else 1 for i in range(4)])
        return jnp.take(x, low, axis) * (1 - w) + jnp.take(x, low + 1, axis) * w

    return along(along(x, 2), 3)


def nearest(x, size=9):
    at = np.floor(np.arange(size) * 6 / size).astype(int)
    return x[:, :, at][:, :, :, at]


UP = of_function(lambda x: F.interpolate(x, 12, mode="bilinear"), lambda x, f=resize: f(x), X)
CORNERS = of_function(lambda x: F.interpolate(x, 12, mode="bilinear", align_corners=True), lambda x, f=corners: f(x), X)
DOWN = of_function(lambda x: F.interpolate(x, 4, mode="bilinear"), lambda x, f=lambda x: resize(x, 4): f(x), X)
SMOOTH = of_function(
    lambda x: F.interpolate(x, 4, mode="bilinear", antialias=True), lambda x, aa=True: resize(x, 4, antialias=aa), X
)
NEAREST = of_function(lambda x: F.interpolate(x, 9), lambda x, f=nearest: f(x), X)
DOUBLED = of_function(
    lambda x: F.interpolate(x, scale_factor=2), lambda x, f=lambda x: x.repeat(2, 2).repeat(2, 3): f(x), X
)
REFLECT = of_function(
    lambda x: F.pad(x, (1, 2, 2, 1), "reflect"),
    lambda x, mode="reflect", w=((2, 1), (1, 2)): jnp.pad(x, ((0, 0), (0, 0), *w), mode=mode),
    X,
)
ZEROS = of_function(lambda x: F.pad(x, (1, 1, 1, 1)), lambda x, mode="constant": jnp.pad(
    x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode=mode
), X)  # fmt: skip

DEFECTS = [
    *plant("resizing", UP, {
        "align_corners": ("align_corners=True", {"f": corners}),
        "nearest for bilinear": ("nearest", {"f": lambda x: resize(x, method="nearest")}),
    }),
    *plant("resizing", CORNERS, {"no align_corners": ("align_corners=False", {"f": resize})}),
    *plant("resizing", DOWN, {
        "antialias": ("antialias=True", {"f": lambda x: resize(x, 4, antialias=True)}),
        "nearest for bilinear, smaller": ("nearest", {"f": lambda x: resize(x, 4, "nearest")}),
    }),
    *plant("resizing", SMOOTH, {"no antialias": ("antialias=False", {"aa": False})}),
    *plant("resizing", NEAREST, {
        "half-pixel centres": ("nearest&half", {"f": lambda x: resize(x, 9, "nearest")}),
        "bilinear for nearest": ("bilinear", {"f": lambda x: resize(x, 9)}),
    }),
    *plant("resizing", DOUBLED, {"tiled for repeated": ("tiles", {"f": lambda x: jnp.tile(x, (1, 1, 2, 2))})}),
    *plant("resizing", REFLECT, {
        "symmetric for reflect": ("padding&symmetric", {"mode": "symmetric"}),
        "edge for reflect": ("padding&replicate", {"mode": "edge"}),
        "before and after swapped": ("padding&swapped", {"w": ((1, 2), (2, 1))}),
    }),
    *plant("resizing", ZEROS, {"wrapped for zeros": ("padding&circular", {"mode": "wrap"})}),
]  # fmt: skip
