"""Cases and defects of normalisation and of the blocks of chapter 8 (D2L 8.5 to 8.7)."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from jaxd2l import models, parity
from jaxd2l.models import layers
from jaxd2l.parity.rule import Row
from jaxd2l.parity.suite.comparing import Case
from parity_tests import book_networks as book
from parity_tests.mutations.planting import defects

_BLOCKS: dict[str, tuple[Any, Any]] = {
    "block residual": (
        lambda: book.Residual(4, use_1x1conv=True, strides=2),
        lambda: models.residual(4, strides=2, use_1x1conv=True),
    ),
    "block resnext": (
        lambda: book.ResNeXtBlock(6, 2, 1, True, 2),
        lambda: models.resnext_block(6, 2, strides=2, use_1x1conv=True),
    ),
    "block dense": (lambda: book.DenseBlock(2, 2), lambda: models.dense_block(2, 2)),
    "block transition": (lambda: book.transition_block(2), lambda: models.transition(2)),
}


def cases() -> Iterator[Case]:
    """The blocks against the book's, in training mode."""
    for name, (theirs, ours) in _BLOCKS.items():
        yield Case(name, partial(_rows, name, theirs, ours))


def _rows(name: str, theirs: Any, ours: Any, seed: int) -> list[Row]:
    net, model = book.built(theirs, 4, 3, 6, 6), layers.stateful_model(ours(), (6, 6, 3))
    x = np.random.default_rng(seed).standard_normal((4, 3, 6, 6), np.float32)
    report = parity.check(
        net,
        model,
        (x, np.zeros(4, np.int32)),
        weights=book.weights(net, book.variables(model)),
        to_jax="NCHW->NHWC",
        mode="train",
        seed=seed,
    )
    return [row._replace(quantity=f"{name}: {row.quantity}") for row in report.rows]


_TRAIN, _ALL = "batch_norm rows train", "batch_norm rows train|batch_norm images"

NETWORKS = (
    *defects(
        "models.batch_norm",
        ("running variance biased", "var * (n / (n - 1))", "var", _TRAIN),
        (
            "momentum reversed",
            "(1 - momentum) * state[name] + momentum *",
            "momentum * state[name] + (1 - momentum) *",
            _TRAIN,
        ),
        ("momentum of the old average forgotten", "(1 - momentum) * state[name]", "state[name]", _TRAIN),
        ("epsilon outside the root", "jnp.sqrt(var + eps)", "(jnp.sqrt(var) + eps)", "batch_norm options train"),
        ("epsilon 1e-3", "jnp.sqrt(var + eps)", "jnp.sqrt(var + 1e-3)", _TRAIN),
        ("not the root", "jnp.sqrt(var + eps)", "(var + eps)", _TRAIN),
        ("batch statistics in prediction", "    if train:", "    if True:", "batch_norm rows eval"),
        ("running averages in training", "    if train:", "    if False:", _TRAIN),
        ("bias missing", ' + layer["bias"]', "", _TRAIN),
        ("scale missing", '(layer["scale"] / ', "(1 / ", _TRAIN),
        ("each row of pixels by itself", "range(x.ndim - 1)", "range(max(x.ndim - 2, 1))", "batch_norm images train"),
    ),
    *defects(
        "models._normalization._moments",
        ("variance not centred", "(x - mean) ** 2", "x**2", "batch_norm rows train|layer_norm"),
        (
            "variance divided by n - 1",
            "(x - mean) ** 2",
            "(x - mean) ** 2 * x.shape[-1] / (x.shape[-1] - 1)",
            "layer_norm",
        ),
        (
            "no gradient through the mean",
            "jnp.mean(x, axes, keepdims=True)",
            "jnp.mean(lax.stop_gradient(x), axes, keepdims=True)",
            _TRAIN,
        ),
    ),
    *defects(
        "models.layer_norm",
        ("over the batch", 'range(-jnp.ndim(layer["scale"]), 0)', "range(x.ndim - 1)", "layer_norm"),
        (
            "scale after the bias",
            ' * layer["scale"] + layer["bias"]',
            ' + layer["bias"] * layer["scale"]',
            "layer_norm",
        ),
        ("epsilon missing", "jnp.sqrt(var + eps)", "jnp.sqrt(var)", "layer_norm"),
    ),
    *defects(
        "models.residual",
        (
            "relu before the sum",
            "layers.add(f, shortcut), RELU,",
            "layers.add(layers.sequential(f, RELU), shortcut),",
            "block residual",
        ),
        ("no relu after the sum", "layers.add(f, shortcut), RELU,", "layers.add(f, shortcut),", "block residual"),
        (
            "shortcut without stride",
            "layers.conv(channels, 1, stride=strides, init",
            "layers.conv(channels, 1, init",
            "block residual",
        ),
        (
            "padding SAME at stride 2",
            "stride=strides, padding=1",
            "stride=strides, padding=((0, 1), (0, 1))",
            "block residual",
        ),
        ("shortcut missing", "layers.add(f, shortcut)", "f", "block residual"),
    ),
    *defects(
        "models.resnext_block",
        ("number of groups for their width", "groups=inside // group_width", "groups=group_width", "block resnext"),
        (
            "stride in the first convolution",
            "layers.conv(inside, 1, init=init)",
            "layers.conv(inside, 1, stride=strides, init=init)",
            "block resnext",
        ),
        ("shortcut without norm", "init=init), layers.batch_norm())", "init=init), IDENTITY)", "block resnext"),
    ),
    *defects(
        "models.dense_block",
        ("new channels first", "layers.parallel(IDENTITY, conv)", "layers.parallel(conv, IDENTITY)", "block dense"),
        ("relu before the norm", "layers.batch_norm(), RELU,", "RELU, layers.batch_norm(),", "block dense"),
    ),
    *defects(
        "models.transition",
        ("maximum for mean", "layers.mean_pool(2)", "layers.max_pool(2)", "block transition"),
        ("relu missing", "RELU, conv", "conv", "block transition"),
    ),
)
