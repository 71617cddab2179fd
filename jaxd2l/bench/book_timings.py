"""What the book times besides training: a loop against a vector (D2L 3.1.2), and a pass over the data (4.2.2)."""

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxd2l import data
from jaxd2l.bench.measure import seconds
from jaxd2l.data import shuffle
from jaxd2l.types import Batch


class Task(NamedTuple):
    """Something that was timed. book_s: the book's own figure in seconds, on its machine; None if it has none."""

    what: str
    seconds: float
    book_s: float | None = None


def vectorisation(n: int = 10000) -> tuple[Task, ...]:
    """Adding two vectors of ones: element by element, and at once. D2L 3.1.2."""
    a, b = jnp.ones(n), jnp.ones(n)

    def loop() -> None:
        c, length = jnp.zeros(n), n // 20
        for i in range(length):
            c = c.at[i].set(a[i] + b[i])
        c.block_until_ready()

    compiled_loop = jax.jit(lambda a, b: lax.fori_loop(0, n, lambda i, c: c.at[i].set(a[i] + b[i]), jnp.zeros_like(a)))
    loop()
    tasks = (
        Task("loop in JAX, op by op (a twentieth, times 20)", 20 * seconds(loop)),
        Task("loop in JAX, compiled", _best(lambda: compiled_loop(a, b).block_until_ready())),
        Task("vector in JAX", _best(lambda: (a + b).block_until_ready())),
    )
    return tasks if find_spec("torch") is None else tasks + _torch_vectorisation(n)


def loading(batch_size: int = 64) -> tuple[Task, ...]:
    """One pass over the 60000 images, shuffled, as float32 batches. D2L 4.2.2.

    "from the cache to the device" comes before it, once: mapping the arrays, checking them, copying them over.
    """
    start = time.perf_counter()
    dataset = data.fashion_mnist()
    train = jax.block_until_ready(jax.device_put(Batch(*dataset.train)))
    copying = Task("from the cache to the device", time.perf_counter() - start)

    @jax.jit
    def one_pass(train: Batch) -> jax.Array:
        n = len(train.labels)
        order = shuffle(jax.random.key(0), n)[: n // batch_size * batch_size].reshape(-1, batch_size)
        images = jnp.asarray(train.inputs)
        first = data.to_float(images[order[0]])
        return lax.scan(lambda _, indices: (data.to_float(images[indices]), None), first, order)[0]

    tasks = (copying, Task("a pass in JAX, compiled", _best(lambda: one_pass(train).block_until_ready())))
    if find_spec("torch") is None:
        return tasks
    from jaxd2l.bench import torch_loops, torch_ways

    def book_pass() -> None:
        loader, _ = torch_ways.quietly(torch_loops.book_loaders, dataset.train, dataset.test, batch_size)
        for _ in torch_ways.quietly(iter, loader):
            pass

    return *tasks, Task("a pass by the book's loader", seconds(book_pass), book_s=11.47)


def _torch_vectorisation(n: int) -> tuple[Task, ...]:
    import torch

    x, y = torch.ones(n), torch.ones(n)

    def loop() -> None:
        c = torch.zeros(n)
        for i in range(n):
            c[i] = x[i] + y[i]

    return (
        Task("loop in torch", seconds(loop), book_s=0.41876),
        Task("vector in torch", _best(lambda: x + y), book_s=0.00027),
    )


def _best(function: Callable[[], object]) -> float:
    function()
    return min(seconds(function) for _ in range(20))
