"""Pixels as numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l.data import to_float

PIXELS = np.arange(256, dtype=np.uint8)


def test_every_pixel_is_the_correctly_rounded_quotient_compiled_or_not() -> None:
    exact = PIXELS.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(to_float(PIXELS), exact)
    np.testing.assert_array_equal(jax.jit(to_float)(PIXELS), exact)
    np.testing.assert_array_equal(jax.vmap(to_float)(jnp.array(PIXELS)), exact)
    np.testing.assert_array_equal(jax.lax.map(to_float, jnp.array(PIXELS)), exact)


def test_images_keep_their_shape() -> None:
    assert to_float(np.zeros((2, 8, 8, 1), np.uint8)).shape == (2, 8, 8, 1)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_numbers_pass_unchanged(dtype) -> None:
    x = jnp.array([-3.0, 0.5, 300.0], dtype)
    assert to_float(x).dtype == dtype
    np.testing.assert_array_equal(to_float(x), x)


@pytest.mark.bad_input
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16, bool])
def test_other_integers_are_refused(dtype) -> None:
    with pytest.raises(TypeError, match="inputs must be uint8 pixels or floating-point features, got"):
        to_float(np.ones(3, dtype))
