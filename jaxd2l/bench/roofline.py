"""How fast this machine multiplies matrices: the measured roof that every epoch stays under."""

import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from typing import get_args

import jax
import jax.numpy as jnp

from jaxd2l.bench.cases import Case
from jaxd2l.models.products import Precision

SHAPES = ((256, 784, 256), (784, 256, 256), (256, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048))
"""(rows, summed over, columns): the models' own products and larger ones."""

LARGE = 1e7
"""Operations of a product from which on its time is its own, and not that of the call."""


def peaks() -> dict[str, float]:
    """The best rate seen over all shapes, by library and precision, in operations per second."""
    return {
        f"{library} {precision}": max(rate(library, precision, shape) for shape in SHAPES)
        for library in libraries()
        for precision in get_args(Precision)
    }


def libraries() -> tuple[str, ...]:
    """Those that are here."""
    return ("JAX",) if find_spec("torch") is None else ("JAX", "torch")


def products_alone(case: Case, precision: Precision) -> float | None:
    """Seconds of an epoch's large matrix products and nothing else, each at the best rate seen for its shape.

    The best of both libraries. None if no product has `LARGE` operations.
    """
    n, seconds = case.batch_size, 0.0
    for i, (a, b) in enumerate(pairwise(case.sizes)):
        # Forwards, for the weights' gradient, and for the inputs', which the first layer's inputs do not need.
        for shape in [(n, a, b), (a, n, b)] + [(n, b, a)] * (i > 0):
            if operations(shape) >= LARGE:
                seconds += operations(shape) / max(rate(library, precision, shape) for library in libraries())
    return seconds * len(case.dataset.train.labels) / n or None


def operations(shape: tuple[int, int, int]) -> float:
    """Multiplications and additions of one product."""
    rows, inner, columns = shape
    return 2.0 * rows * inner * columns


def rate(library: str, precision: Precision, shape: tuple[int, int, int]) -> float:
    """The best rate of one product, in operations per second."""
    if library == "JAX":
        return _rate(_jax_product(shape, precision), shape)
    from jaxd2l.bench import torch_work as torch_timing

    return _rate(torch_timing.product(shape, precision), shape)


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
    return operations(shape) / best


def _jax_product(shape: tuple[int, int, int], precision: Precision) -> Callable[[], object]:
    rows, inner, columns = shape
    dtype = jnp.dtype(precision)
    a, b = jnp.ones((rows, inner), dtype), jnp.ones((inner, columns), dtype)
    product = jax.jit(
        lambda a, b: jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST, preferred_element_type=jnp.float32)
    )
    return lambda: product(a, b).block_until_ready()
