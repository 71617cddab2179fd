"""Layers that the builder's guide makes: control flow, and exercises without parameters (D2L 6.1.3, 6.5)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from jaxd2l._checks.arrays import finite, floating
from jaxd2l._checks.shapes import require_not_empty, require_shapes

__all__ = ["halved", "leading_fourier", "tensor_reduction"]


def __dir__() -> list[str]:
    return __all__


def halved(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Halves x until the sum of its magnitudes is at most 1: the loop in the book's `FixedHiddenMLP`. D2L 6.1.3.

    PyTorch differentiates the loop that ran. JAX cannot reverse a `while_loop`, so the number of halvings is computed
    first, as a constant: the gradient is that of `x / 2^n`, as in torch. Works under `jit`.

    Raises:
      TypeError: if x is not floating point.
      ValueError: NaN or infinity, or no numbers at all.

    >>> halved(jnp.array([1.0, 2.0, 4.0]))
    Array([0.125, 0.25 , 0.5  ], dtype=float32)
    """
    x = finite("x", x)
    size = jax.lax.stop_gradient(jnp.sum(jnp.abs(x)))
    factor, _ = jax.lax.while_loop(lambda s: s[1] > 1, lambda s: (s[0] / 2, s[1] / 2), (jnp.ones_like(size), size))
    return x * factor


def tensor_reduction(
    W: Float[Array, "inputs inputs outputs"], x: Float[Array, "n inputs"]
) -> Float[Array, "n outputs"]:
    """`y_k = sum over i, j of W_ijk x_i x_j`. D2L 6.5, exercise 1; `torch.nn.functional.bilinear(x, x, ...)`.

    Raises:
      TypeError: what is not floating point.
      ValueError: shapes that do not fit.

    >>> tensor_reduction(jnp.ones((2, 2, 1)), jnp.array([[1.0, 2.0]]))
    Array([[9.]], dtype=float32)
    """
    W, x = floating("W", W), floating("x", x)
    require_shapes("inputs inputs outputs, n inputs", W=W, x=x)
    return jnp.einsum("ijk,ni,nj->nk", W, x, x)


def leading_fourier(x: Float[Array, "*batch n"]) -> Complex[Array, "*batch half"]:
    """The leading half of the Fourier coefficients of each row. D2L 6.5, exercise 2; `torch.fft.fft`.

    Raises:
      TypeError: if x is not floating point.
      ValueError: rows without numbers.

    >>> leading_fourier(jnp.array([1.0, 2.0, 3.0, 4.0]))
    Array([10.+0.j, -2.+2.j], dtype=complex64)
    """
    x = floating("x", x)
    require_shapes("*batch n", x=x)
    require_not_empty(-1, x=x)
    return jnp.fft.fft(x)[..., : -(-x.shape[-1] // 2)]
