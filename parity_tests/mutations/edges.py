"""Cases at the edges: kinks, extreme scores, what must be refused, and the shapes that models flatten."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxd2l import losses, models
from jaxd2l.book import tensors
from jaxd2l.parity.rule import Row, compare_accuracy
from jaxd2l.parity.suite.activations import ELEMENTWISE, log_softmax
from jaxd2l.parity.suite.comparing import Case, case
from jaxd2l.parity.suite.layers import draw, perceptron
from parity_tests.mutations.claims import claim, fails


def cases() -> Iterator[Case]:
    """All of them."""
    kinks = np.array([0.0, -0.0, 1.0, -1.0])
    for name in ("relu", "leaky_relu"):
        yield case(f"kinks of {name}", ELEMENTWISE[name], lambda rng: [kinks])
    # Where a probability rounds to 0, and where it rounds to 1.
    far_apart = np.array([[0.0, -200.0, -30.0], [12.0, 0.0, -5.0]])
    yield case("scores far apart", log_softmax(), lambda rng: [far_apart])
    yield case("square layer", perceptron((8, 8)), lambda rng: draw(rng, (8, 8), "relu", 16))
    yield Case("labels out of range", lambda seed: list(_labels_out_of_range(seed)))
    yield Case("impossible class", lambda seed: list(_impossible_class(seed)))
    yield Case("shapes that do not fit", lambda seed: list(_shapes(seed)))
    yield Case("images flattened", lambda seed: list(_images(seed)))
    yield Case("out of bounds", lambda seed: list(_out_of_bounds(seed)))


def _labels_out_of_range(seed: int) -> Iterator[Row]:
    logits = jax.random.normal(jax.random.key(seed), (1, 3))
    for label in (-1, 3):
        labels = jnp.array([label])
        yield claim(f"label {label} is refused", fails(lambda labels=labels: losses.cross_entropy(logits, labels)))
        # A function of this moment, so that nothing compiled before is used.
        loss, gradient = jax.jit(jax.value_and_grad(lambda x, y: losses.cross_entropy(x, y)))(logits, labels)
        yield claim(
            f"label {label} under jit: loss and gradient are NaN", np.isnan(loss) and np.all(np.isnan(gradient))
        )


def _impossible_class(seed: int) -> Iterator[Row]:
    loss = losses.cross_entropy(jnp.array([[0.0, -jnp.inf]]), jnp.array([[1.0, 0.0]]))
    yield compare_accuracy("0 log 0", np.float32(0), np.array(loss), 0.0, 1.0)


def _shapes(seed: int) -> Iterator[Row]:
    yield claim("(n, 1) against (n,)", fails(lambda: losses.squared_loss(jnp.ones((2, 1)), jnp.ones(2))))


def _images(seed: int) -> Iterator[Row]:
    images = np.random.default_rng(seed).integers(0, 9, (4, 2, 3, 1)).astype(np.float32)
    kernel = np.float32([[10.0**i, 1.0] for i in range(6)])
    ours = models.softmax_regression(6, 2).apply({"kernel": jnp.array(kernel), "bias": jnp.zeros(2)}, images)
    theirs = torch.flatten(torch.tensor(images), 1) @ torch.tensor(kernel)
    oracle = np.float64(images).reshape(4, 6) @ np.float64(kernel)
    yield compare_accuracy("logits of images", theirs.numpy(), np.array(ours), oracle, oracle)


def _out_of_bounds(seed: int) -> Iterator[Row]:
    x = jnp.arange(3)
    for index in (3, -4):
        yield claim(f"reading at {index}", fails(lambda index=index: tensors.at(x, index)))
        yield claim(f"writing at {index}", fails(lambda index=index: tensors.set_at(x, index, 0)))
    theirs = torch.zeros(1)
    ours = tensors.copy_from(theirs)
    theirs.add_(1)
    yield claim("a copy from torch does not change with it", not np.any(ours))
