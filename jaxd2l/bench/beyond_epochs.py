"""What the book times besides training: a loop against a vector (3.1.2), a pass over the data (4.2.2); and sweeps."""

import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxd2l import data, losses, models
from jaxd2l.bench.measure import seconds
from jaxd2l.data.batching import shuffle
from jaxd2l.train.sweep import sweep
from jaxd2l.types import Batch, History

SOURCE = {"loop in torch": 0.41876, "vector in torch": 0.00027, "the book's loader": 11.47}
"""The book's own figures in seconds, on its machine."""


def vectorisation(n: int = 10000) -> dict[str, float]:
    """Seconds to add two vectors of ones: element by element, and at once. D2L 3.1.2."""
    a, b = jnp.ones(n), jnp.ones(n)

    def loop() -> None:
        c, length = jnp.zeros(n), n // 20
        for i in range(length):
            c = c.at[i].set(a[i] + b[i])
        c.block_until_ready()

    compiled_loop = jax.jit(lambda a, b: lax.fori_loop(0, n, lambda i, c: c.at[i].set(a[i] + b[i]), jnp.zeros_like(a)))
    loop()
    times = {
        "loop in JAX, op by op (a twentieth, times 20)": 20 * seconds(loop),
        "loop in JAX, compiled": _best(lambda: compiled_loop(a, b).block_until_ready()),
        "vector in JAX": _best(lambda: (a + b).block_until_ready()),
    }
    if find_spec("torch") is None:
        return times
    from jaxd2l.bench import torch_work as torch_timing

    torch_loop, torch_vector = torch_timing.additions(n)
    return times | {"loop in torch": seconds(torch_loop), "vector in torch": _best(torch_vector)}


def loading(batch_size: int = 64) -> dict[str, float]:
    """Seconds for one pass over the 60000 images, shuffled, as float32 batches. D2L 4.2.2.

    "from the cache to the device" is what comes before it, once: mapping the arrays, checking them, copying them over.
    """
    start = time.perf_counter()
    dataset = data.fashion_mnist()
    train = jax.block_until_ready(jax.device_put(Batch(*dataset.train)))
    times = {"from the cache to the device": time.perf_counter() - start}

    @jax.jit
    def one_pass(train: Batch) -> jax.Array:
        n = len(train.labels)
        order = shuffle(jax.random.key(0), n)[: n // batch_size * batch_size].reshape(-1, batch_size)
        images = jnp.asarray(train.inputs)
        first = data.to_float(images[order[0]])
        return lax.scan(lambda _, indices: (data.to_float(images[indices]), None), first, order)[0]

    times["a pass in JAX, compiled"] = _best(lambda: one_pass(train).block_until_ready())
    if find_spec("torch") is None:
        return times
    from jaxd2l.bench import book_torch, torch_ways

    def book_pass() -> None:
        loader, _ = torch_ways.quietly(book_torch.book_loaders, dataset.train, dataset.test, batch_size)
        for _ in torch_ways.quietly(iter, loader):
            pass

    return times | {"a pass by the book's loader": seconds(book_pass)}


def many_models(counts: Sequence[int], n: int = 6000) -> list[dict[str, Any]]:
    """Seconds per model and epoch when `sweep` trains so many MLPs at once, on n images."""
    whole = data.fashion_mnist()
    dataset = whole._replace(train=Batch(*(x[:n] for x in whole.train)), test=Batch(*(x[:100] for x in whole.test)))
    model, rows = models.mlp(784, 256, 10), []
    for count in counts:
        rates = [0.1 + 0.01 * i for i in range(count)]
        ends: list[float] = []

        def on_epoch(_: History, ends: list[float] = ends) -> None:
            ends.append(time.perf_counter())

        sweep(
            model, losses.cross_entropy, optax.sgd, dataset, seeds=[0], grid={"learning_rate": rates},
            epochs=4, batch_size=256, on_epoch=on_epoch,
        )  # fmt: skip
        least = min(after - before for before, after in pairwise(ends))
        rows.append({"models": count, "per_model_s": least / count})
    return rows


def _best(function: Callable[[], object]) -> float:
    function()
    return min(seconds(function) for _ in range(20))
