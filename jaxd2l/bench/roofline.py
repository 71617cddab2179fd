"""How fast this machine multiplies matrices: the measured roof that no epoch can exceed."""

import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp

from jaxd2l.bench.cases import Case
from jaxd2l.bench.measure import seconds
from jaxd2l.models import Precision

SHAPES = ((256, 784, 256), (784, 256, 256), (256, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048))
"""(rows, summed over, columns): the models' own products and larger ones."""

LARGE = 1e7
"""A product with fewer operations spends its time on the call, not on multiplying."""


Library = Literal["JAX", "torch"]


class Peak(NamedTuple):
    """The best rate of a library at a precision, in operations per second."""

    library: Library
    precision: Precision
    rate: float


def peaks() -> tuple[Peak, ...]:
    """The best rate over all shapes, for every library that is installed and every precision."""
    return tuple(
        Peak(library, precision, max(rate(library, precision, shape) for shape in SHAPES))
        for library in libraries()
        for precision in get_args(Precision)
    )


def better(first: Iterable[Peak], second: Iterable[Peak]) -> tuple[Peak, ...]:
    """Of the same peaks measured twice the higher ones: what disturbs a measurement only makes it lower."""
    return tuple(max(pair, key=lambda peak: peak.rate) for pair in zip(first, second, strict=True))


def share(found: Iterable[Peak], precision: Precision, rate: float) -> float:
    """The part of the machine's peak that a rate is.

    At most 1: an epoch that is faster than every product measured alone shows that the peak is at least its own rate.
    """
    return min(1.0, rate / roof(found, precision))


def roof(found: Iterable[Peak], precision: Precision) -> float:
    """The machine's peak at a precision: that of the faster library."""
    return max(peak.rate for peak in found if peak.precision == precision)


def libraries() -> tuple[Library, ...]:
    """Those that are installed."""
    return ("JAX",) if find_spec("torch") is None else ("JAX", "torch")


def products_alone(case: Case, precision: Precision) -> float | None:
    """Seconds of an epoch's large matrix products and nothing else, each at the best rate seen for its shape.

    The best of both libraries. None if no product has `LARGE` operations, or for a network of images.
    """
    if case.network:
        return None
    n, total = case.batch_size, 0.0
    for i, (a, b) in enumerate(pairwise(case.sizes)):
        # Forwards, for the weights' gradient, and for the inputs', which the first layer's inputs do not need.
        for shape in [(n, a, b), (a, n, b)] + [(n, b, a)] * (i > 0):
            if operations(shape) >= LARGE:
                total += operations(shape) / max(rate(library, precision, shape) for library in libraries())
    return total * len(case.dataset.train.labels) / n or None


def operations(shape: tuple[int, int, int]) -> float:
    """Multiplications and additions of one product."""
    rows, inner, columns = shape
    return 2.0 * rows * inner * columns


def rate(library: Library, precision: Precision, shape: tuple[int, int, int]) -> float:
    """The best rate of one product, in operations per second."""
    product = _jax_product(shape, precision) if library == "JAX" else _torch_product(shape, precision)
    product()
    best, until = float("inf"), time.perf_counter() + 0.3
    while time.perf_counter() < until:
        best = min(best, seconds(product))
    return operations(shape) / best


def _jax_product(shape: tuple[int, int, int], precision: Precision) -> Callable[[], object]:
    rows, inner, columns = shape
    dtype = jnp.dtype(precision)
    a, b = jnp.ones((rows, inner), dtype), jnp.ones((inner, columns), dtype)
    product = jax.jit(
        lambda a, b: jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST, preferred_element_type=jnp.float32)
    )
    return lambda: product(a, b).block_until_ready()


def _torch_product(shape: tuple[int, int, int], precision: Precision) -> Callable[[], object]:
    import torch

    from jaxd2l.bench.torch_ways import device, wait

    rows, inner, columns = shape
    dtype = getattr(torch, precision)
    a, b = (torch.ones(size, dtype=dtype, device=device()) for size in ((rows, inner), (inner, columns)))

    def multiply() -> None:
        torch.matmul(a, b)
        wait()

    return multiply
