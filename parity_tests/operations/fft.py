"""Fourier transforms of jnp.fft, on real and on complex numbers."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from parity_tests.operations.counterpart import Counterpart, inexpressible


def _one(transform: Callable[..., Any]) -> Counterpart:
    return lambda x, n=None, dim=-1, norm=None: transform(x, n, dim, norm)


def _several(transform: Callable[..., Any], default: Any = None) -> Counterpart:
    def several(x: Any, s: Any = None, dim: Any = default, norm: str | None = None) -> Any:
        axes = (dim,) if isinstance(dim, int) else dim
        if s is not None and axes is None:
            axes = tuple(range(-len(s), 0))
        if s is not None and len(s) != len(axes):
            inexpressible("fewer lengths than axes")
        return transform(x, s, axes, norm)

    return several


FFT: dict[str, Counterpart] = {
    "fft_fft": _one(jnp.fft.fft),
    "fft_fft2": _several(jnp.fft.fftn, (-2, -1)),
    "fft_fftn": _several(jnp.fft.fftn),
    "fft_fftshift": lambda x, dim=None: jnp.fft.fftshift(x, dim),
    "fft_hfft": _one(jnp.fft.hfft),
    "fft_ifft": _one(jnp.fft.ifft),
    "fft_ifft2": _several(jnp.fft.ifftn, (-2, -1)),
    "fft_ifftn": _several(jnp.fft.ifftn),
    "fft_ifftshift": lambda x, dim=None: jnp.fft.ifftshift(x, dim),
    "fft_ihfft": _one(jnp.fft.ihfft),
    "fft_irfft": _one(jnp.fft.irfft),
    "fft_irfft2": _several(jnp.fft.irfftn, (-2, -1)),
    "fft_irfftn": _several(jnp.fft.irfftn),
    "fft_rfft": _one(jnp.fft.rfft),
    "fft_rfft2": _several(jnp.fft.rfftn, (-2, -1)),
    "fft_rfftn": _several(jnp.fft.rfftn),
}
