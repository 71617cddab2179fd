"""Cases on data: the order of the examples, pixels, and the digits."""

from collections.abc import Iterator

import jax
import numpy as np
import torch

from jaxd2l import data, keys
from jaxd2l.parity.rule import Row, compare_accuracy, compare_meaning
from jaxd2l.parity.suite.comparing import Case
from parity_tests.mutations.claims import claim


def cases() -> Iterator[Case]:
    """All of them."""
    yield Case("order of the examples", lambda seed: list(_order(seed)))
    yield Case("pixels", lambda seed: list(_pixels(seed)))
    yield Case("digits", lambda seed: list(_digits(seed)))


def _order(seed: int) -> Iterator[Row]:
    key, n = jax.random.key(seed), 60
    epochs = [data.epoch_indices(key, epoch, n, 16) for epoch in range(3)]
    orders = [np.concatenate(batches) for batches in epochs]
    yield claim("each example once", all(np.array_equal(np.sort(order), np.arange(n)) for order in orders))
    yield claim("the last batch is short", [len(batch) for batch in epochs[0]] == [16, 16, 16, 12])
    yield claim("each epoch has its own order", len({order.tobytes() for order in orders}) == 3)
    steps = [np.abs(np.diff(order)) for order in orders]
    yield claim("neighbours do not stay neighbours", all(np.mean(step == 1) < 0.5 for step in steps))
    yield claim("orders depend on the epoch", keys.order_key(key, 0) != keys.order_key(key, 1))


def _pixels(seed: int) -> Iterator[Row]:
    pixels = np.arange(256, dtype=np.uint8)
    theirs = (torch.tensor(pixels).to(torch.float32) / 255).numpy()
    # A function of this moment, as above.
    for how, function in (("eager", data.to_float), ("compiled", jax.jit(lambda x: data.to_float(x)))):
        ours = np.array(function(pixels))
        yield compare_accuracy(f"pixels, {how}", theirs, ours, pixels / 255, pixels / 255)
        yield claim(f"pixels, {how}, are torchvision's to the bit", np.array_equal(theirs, ours))


def _digits(seed: int) -> Iterator[Row]:
    from sklearn.datasets import load_digits

    bunch, (ours, test, _) = load_digits(), data.digits()
    pixels = np.concatenate([ours.inputs, test.inputs])[..., 0]
    expected = np.rint(bunch.images * 255 / 16).astype(np.int64)
    yield compare_meaning("digits", expected, pixels.astype(np.int64), 1.0)
    yield compare_meaning("labels", bunch.target, np.concatenate([ours.labels, test.labels]).astype(np.int64), 1.0)
