"""Cases for what pairs of functions cannot show: draws, orders, keys, errors, a run by hand.

Some say only yes or no (`claim`), and some compare distributions (`compare_draws`); such rows stand beside those of
the rule, and `assert_close` has no part in them.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from scipy import stats

from jaxd2l import data, initializers, keys, losses, models, train
from jaxd2l.book import tensors
from jaxd2l.parity.rule import Row, compare_accuracy, compare_meaning
from jaxd2l.parity.suite.activations import ELEMENTWISE, log_softmax
from jaxd2l.parity.suite.layers import draw, perceptron
from jaxd2l.parity.suite.pairs import Case, case
from jaxd2l.types import Batch, Dataset, Model
from parity_tests.mutations import runs as mutation_runs

FALSE_ALARM = 2.0**-24
"""How often two samples of one distribution may be called different."""

INITIALISERS: dict[str, tuple[Callable[[], initializers.LinearInit], Callable[[torch.nn.Linear], Any]]] = {
    "normal": (lambda: initializers.normal(0.01), lambda layer: torch.nn.init.normal_(layer.weight, 0.0, 0.01)),
    "xavier_normal": (
        lambda: initializers.xavier_normal(1.5),
        lambda layer: torch.nn.init.xavier_normal_(layer.weight, 1.5),
    ),
    "xavier_uniform": (
        lambda: initializers.xavier_uniform(),
        lambda layer: torch.nn.init.xavier_uniform_(layer.weight),
    ),
    "kaiming_normal": (
        lambda: initializers.kaiming_normal(),
        lambda layer: torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu"),
    ),
    "kaiming_uniform fan_out": (
        lambda: initializers.kaiming_uniform(mode="fan_out"),
        lambda layer: torch.nn.init.kaiming_uniform_(layer.weight, mode="fan_out", nonlinearity="relu"),
    ),
    "torch_linear": (lambda: initializers.torch_linear(), lambda layer: None),
    "flax_linear": (
        lambda: initializers.flax_linear(),
        lambda layer: torch.nn.init.trunc_normal_(
            layer.weight, std=(sd := layer.in_features**-0.5 / stats.truncnorm.std(-2, 2)), a=-2 * sd, b=2 * sd
        ),
    ),
}
"""Ours, made when a case runs, and how torch draws the same weight; each leaves its bias at 0 except torch's own."""


def cases() -> Iterator[Case]:
    """All of them."""
    kinks = np.array([0.0, -0.0, 1.0, -1.0])
    for name in ("relu", "leaky_relu"):
        yield case(f"kinks of {name}", ELEMENTWISE[name], lambda rng: [kinks])
    # Where a probability rounds to 0, and where it rounds to 1.
    far_apart = np.array([[0.0, -200.0, -30.0], [12.0, 0.0, -5.0]])
    yield case("scores far apart", log_softmax(), lambda rng: [far_apart])
    yield case("square layer", perceptron((8, 8)), lambda rng: draw(rng, (8, 8), "relu", 16))
    for name in INITIALISERS:
        yield Case(f"drawn {name}", lambda seed, name=name: list(_drawn(name, seed)))
    for name, run in _RUNS.items():
        yield Case(name, lambda seed, run=run: list(run(seed)))
    yield from mutation_runs.cases()


def claim(quantity: str, holds: Any) -> Row:
    """A row that says only whether something is so."""
    error, verdict = (0.0, "bitwise") if holds else (math.inf, "semantic-mismatch")
    return Row(quantity, "claim", 0.0, error, 0.0, 1.0, (), (), verdict)


def compare_draws(quantity: str, theirs: Any, ours: Any) -> Row:
    """Two samples by the Kolmogorov-Smirnov test: its distance, in units of the one that chance may give."""
    theirs, ours = (np.sort(np.asarray(x).ravel()) for x in (theirs, ours))
    result = stats.ks_2samp(theirs, ours, method="asymp")
    chance = math.sqrt(-math.log(FALSE_ALARM / 2) / 2 * (1 / theirs.size + 1 / ours.size))
    verdict = "within-oracle" if result.pvalue > FALSE_ALARM else "semantic-mismatch"
    return Row(quantity, "distribution", 0.0, float(result.statistic / chance), 1.0, 1.0, (), (), verdict)


def fails(function: Callable[[], Any]) -> bool:
    """Whether it refuses its arguments."""
    try:
        function()
    except (ValueError, IndexError):
        return True
    return False


def _out_of_bounds(seed: int) -> Iterator[Row]:
    x = jnp.arange(3)
    for index in (3, -4):
        yield claim(f"reading at {index}", fails(lambda index=index: tensors.at(x, index)))
        yield claim(f"writing at {index}", fails(lambda index=index: tensors.set_at(x, index, 0)))
    theirs = torch.zeros(1)
    ours = tensors.copy_from(theirs)
    theirs.add_(1)
    yield claim("a copy from torch does not change with it", not np.any(ours))


def _drawn(name: str, seed: int) -> Iterator[Row]:
    ours, theirs = INITIALISERS[name]
    num_in, num_out = (16, 20000) if name == "torch_linear" else (200, 1250)
    layer = ours()(jax.random.key(seed), num_in, num_out)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        linear = torch.nn.Linear(num_in, num_out)
        theirs(linear)
        yield compare_draws(f"{name}: kernel", linear.weight.numpy(), layer["kernel"])
        if name == "torch_linear":
            yield compare_draws(f"{name}: bias", linear.bias.numpy(), layer["bias"])
        else:
            yield claim(f"{name}: bias is 0", not np.any(layer["bias"]))


def _layers_drawn(seed: int) -> Iterator[Row]:
    first, second = models.mlp(8, (8,), 8).init(jax.random.key(seed))
    yield claim("each layer has a draw of its own", np.all(first["kernel"] != second["kernel"]))


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


def _masks(seed: int) -> Iterator[Row]:
    first, second = jax.random.split(jax.random.key(seed))
    one, other = (np.array(models.dropout(jnp.ones((64, 64)), 0.5, key)) for key in (first, second))
    yield claim("another key, another mask", np.any(one != other))
    yield claim("each example has a mask of its own", np.any(one != one[:1]))
    identity = {"kernel": jnp.eye(256), "bias": jnp.zeros(256)}
    model = models.mlp(256, (256, 256), 256, dropout_rate=0.5)
    kept = np.array(model.apply((identity,) * 3, jnp.ones((16, 256)), key=first)) > 0
    yield claim("a unit survives two independent masks in a quarter of cases", 0.2 < kept.mean() < 0.3)


def _dropout_in_training(seed: int) -> Iterator[Row]:
    """A model whose output is its noise, so that the losses show which keys it was given."""

    def apply(params: Any, inputs: Any, *, key: Any = None) -> Any:
        noise = 0.0 if key is None else jax.random.uniform(key)
        return jnp.zeros((len(inputs), 1)) * params["w"] + noise

    dataset = Dataset(*2 * [Batch(np.ones((6, 1), np.float32), np.zeros((6, 1), np.float32))])
    model = Model(lambda key: {"w": jnp.ones(())}, apply)
    _, history = train.fit(
        model, losses.squared_loss, mutation_runs.plain_sgd(), dataset, key=jax.random.key(seed), epochs=2, batch_size=2
    )
    yield claim("each step has its own noise", len(np.unique(history.step_loss)) == history.step_loss.size)
    yield claim("there is noise", np.all(history.step_loss > 0))
    yield claim("an evaluation has none", not np.any(history.test_loss))


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


def _synthetic(seed: int) -> Iterator[Row]:
    w, b, noise = np.float32([2.0, -3.4]), 4.2, 0.5
    dataset = data.synthetic_regression(jax.random.key(seed), w, b, noise, 20000)
    (x, y), (x_test, _) = dataset.train, dataset.test
    residuals = np.ravel(y) - (x @ w + b)
    generator = torch.Generator().manual_seed(seed)
    yield compare_draws("features", torch.randn(40000, generator=generator).numpy(), x)
    yield compare_draws("noise", (noise * torch.randn(20000, generator=generator)).numpy(), residuals)
    yield claim("training and test examples differ", not np.array_equal(x, x_test))
    correlation = np.corrcoef(residuals, np.ravel(x)[: residuals.size])[0, 1]
    yield claim("noise does not depend on features", abs(correlation) < 0.5)


def _digits(seed: int) -> Iterator[Row]:
    from sklearn.datasets import load_digits

    bunch, (ours, test, _) = load_digits(), data.digits()
    pixels = np.concatenate([ours.inputs, test.inputs])[..., 0]
    expected = np.rint(bunch.images * 255 / 16).astype(np.int64)
    yield compare_meaning("digits", expected, pixels.astype(np.int64), 1.0)
    yield compare_meaning("labels", bunch.target, np.concatenate([ours.labels, test.labels]).astype(np.int64), 1.0)


_RUNS: dict[str, Callable[[int], Iterator[Row]]] = {
    "layers drawn": _layers_drawn,
    "labels out of range": _labels_out_of_range,
    "impossible class": _impossible_class,
    "shapes that do not fit": _shapes,
    "images flattened": _images,
    "masks differ": _masks,
    "dropout in training": _dropout_in_training,
    "order of the examples": _order,
    "out of bounds": _out_of_bounds,
    "pixels": _pixels,
    "synthetic regression": _synthetic,
    "digits": _digits,
}
