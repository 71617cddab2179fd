"""Images as numbers."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

# 1/255 in two parts, the first short enough that its product with 0..255 is exact. Their sum then rounds as a
# division does. XLA would turn the division itself into a product with one rounded reciprocal, and miss half of
# the 256 values by an ULP.
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
    x = jnp.asarray(inputs)
    if jnp.issubdtype(x.dtype, jnp.floating):
        return x
    if x.dtype != jnp.uint8:
        raise TypeError(f"inputs must be uint8 pixels or floating-point features, got {x.dtype}")
    x = x.astype(jnp.float32)
    return x * _HIGH + x * _LOW
