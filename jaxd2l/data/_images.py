"""Images as numbers (D2L 4.2)."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from jaxd2l._checks.arrays import pixels_or_floats

# 1/255 in two parts, the first so short that its product with 0..255 is exact. Their sum then rounds as a division
# does. XLA would turn the division itself into a product with one rounded reciprocal, and half of the 256 values would
# be off by an ULP.
_HIGH = np.float32(np.floor(2.0**22 / 255) / 2.0**22)
_LOW = np.float32(1 / 255 - float(_HIGH))


def to_float(inputs: Shaped[Array | np.ndarray, "..."]) -> Float[Array, "..."]:
    """Pixels 0..255 as float32 in [0, 1]: `x / 255`, correctly rounded. Floating-point inputs pass unchanged.

    Bit for bit what `torchvision.transforms.ToTensor` gives, compiled or not; the channels stay last. D2L 4.2.1.

    Raises:
      TypeError: neither uint8 nor floating point.

    >>> to_float(np.array([0, 51, 255], np.uint8))
    Array([0. , 0.2, 1. ], dtype=float32)
    """
    x = pixels_or_floats("inputs", inputs)
    if jnp.issubdtype(x.dtype, jnp.floating):
        return x
    x = x.astype(jnp.float32)
    return x * _HIGH + x * _LOW
