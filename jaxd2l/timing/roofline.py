"""How fast this machine multiplies matrices: the measured roof that every epoch stays under."""

import time
from collections.abc import Callable
from importlib.util import find_spec

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

SHAPES = ((256, 784, 256), (784, 256, 256), (256, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048))
"""(rows, summed over, columns): the models' own products and larger ones."""


def peaks() -> dict[str, float]:
    """The best rate seen over all shapes, by library and precision, in operations per second."""
    rates = {
        f"JAX {name}": max(_rate(_jax_product(shape, dtype), shape) for shape in SHAPES)
        for name, dtype in (("float32", jnp.float32), ("bfloat16", jnp.bfloat16))
    }
    if find_spec("torch") is not None:
        rates |= {
            f"torch {name}": max(_rate(_torch_product(shape, name), shape) for shape in SHAPES)
            for name in ("float32", "bfloat16")
        }
    return rates


def roof(rates: dict[str, float], precision: str) -> float:
    """The machine's peak at a precision: that of the faster library."""
    return max(rate for name, rate in rates.items() if name.endswith(precision))


def _rate(product: Callable[[], object], shape: tuple[int, int, int]) -> float:
    product()
    best, until = float("inf"), time.perf_counter() + 0.3
    while time.perf_counter() < until:
        begun = time.perf_counter()
        product()
        best = min(best, time.perf_counter() - begun)
    return 2.0 * shape[0] * shape[1] * shape[2] / best


def _jax_product(shape: tuple[int, int, int], dtype: DTypeLike) -> Callable[[], object]:
    rows, inner, columns = shape
    a, b = jnp.ones((rows, inner), dtype), jnp.ones((inner, columns), dtype)
    product = jax.jit(
        lambda a, b: jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST, preferred_element_type=jnp.float32)
    )
    return lambda: product(a, b).block_until_ready()


def _torch_product(shape: tuple[int, int, int], precision: str) -> Callable[[], object]:
    import torch

    from jaxd2l.timing.torch_ways import device

    rows, inner, columns = shape
    dtype = getattr(torch, precision)
    a, b = (torch.ones(size, dtype=dtype, device=device()) for size in ((rows, inner), (inner, columns)))

    def product() -> None:
        torch.matmul(a, b)
        if a.is_cuda:
            torch.cuda.synchronize()

    return product
