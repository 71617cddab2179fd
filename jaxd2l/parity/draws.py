"""In training mode both sides draw the same random numbers, so that one dropout mask serves both.

A draw of either library that keeps a number with probability p is `u < p` for a uniform u. Here u comes from one
stream for both: the first draw of the shape in torch gets the numbers that the first of that shape in JAX gets. So a
port that drops at another rate, or not at all, computes other numbers.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxd2l.parity.programs.torch_dispatch import Dispatch


class Draws(NamedTuple):
    """A stream of uniform numbers.

    seed: decides all of them.
    layouts: permutations that JAX's arrays of so many axes have against torch's, such as (0, 2, 3, 1).
    """

    seed: int
    layouts: dict[int, tuple[int, ...]] = {}  # noqa: RUF012  # read only, and a NamedTuple's default

    def uniform(self, shape: tuple[int, ...], number: int) -> np.ndarray:
        """The numbers of the draw `number` of this shape, in torch's layout."""
        return np.random.default_rng([self.seed, number, *shape]).random(shape)

    @contextlib.contextmanager
    def in_torch(self) -> Iterator[None]:
        """While active, torch's dropout draws from this stream."""
        with _Drawing(self):
            yield

    @contextlib.contextmanager
    def in_jax(self) -> Iterator[None]:
        """While active, `jax.random.bernoulli` draws from this stream, and ignores its key."""
        counts: Counter[tuple[int, ...]] = Counter()

        def bernoulli(key: Any, p: Any = 0.5, shape: Any = None, *args: Any, **kwargs: Any) -> Any:
            wanted = tuple(np.shape(p)) if shape is None else tuple(shape)
            order = self.layouts.get(len(wanted), tuple(range(len(wanted))))
            in_torch = tuple(wanted[order.index(axis)] for axis in range(len(wanted)))
            numbers = self.uniform(in_torch, counts[in_torch]).transpose(order)
            counts[in_torch] += 1
            return jnp.asarray(numbers) < p

        with mock.patch.object(jax.random, "bernoulli", bernoulli):
            yield


class _Drawing(Dispatch):
    """While active, hands torch's draws the numbers of the stream."""

    def __init__(self, draws: Draws) -> None:
        super().__init__()
        self.draws = draws
        self.counts: Counter[tuple[int, ...]] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        p = args[1] if len(args) > 1 else 0.5  # torch leaves out what is the default
        if name in ("bernoulli_", "bernoulli") and isinstance(p, float):
            kept = self._kept(args[0], p)
            return args[0].copy_(kept) if name == "bernoulli_" else kept.to(args[0].dtype)
        if name == "native_dropout":
            kept = self._kept(args[0], 1 - args[1])
            return args[0] * kept / (1 - args[1]), kept
        return func(*args, **(kwargs or {}))

    def _kept(self, x: torch.Tensor, p: float) -> torch.Tensor:
        shape = tuple(x.shape)
        numbers = self.draws.uniform(shape, self.counts[shape])
        self.counts[shape] += 1
        return torch.from_numpy(numbers < p)
