"""Normalisation and the networks of chapter 8 against the book's own classes: narrow nets, small images.

Outputs, every gradient, the running averages, one step and a short run, in training mode, with one dropout mask for
both.
"""

from functools import partial

import jax
import numpy as np
import optax
import pytest
import torch
from torch import nn

from jaxd2l import losses, models, parity, train
from jaxd2l.bench.torch_networks import Residual
from jaxd2l.models import layers
from jaxd2l.parity import suite
from jaxd2l.parity.rule import require
from jaxd2l.types import Batch, Dataset
from parity_tests import book_networks as book

KEY = jax.random.key(0)
FIVE, ARCH, STAGES = (4, 4, 4, 4, 4), ((1, 4), (1, 8)), [(1, 4, 2, 1.0), (1, 8, 4, 0.5)]

NETWORKS = {
    "AlexNet": (lambda: book.alexnet(FIVE, 6), partial(models.alexnet, channels=FIVE, num_hiddens=6), 65),
    "VGG": (lambda: book.vgg(ARCH, 6), partial(models.vgg, arch=ARCH, num_hiddens=6), 4),
    "NiN": (lambda: book.nin((4, 4, 4)), partial(models.nin, channels=(4, 4, 4)), 67),
    "GoogLeNet": (lambda: book.googlenet(0.03), partial(models.googlenet, width=0.03), 8),
    "BN-LeNet": (book.bn_lenet, models.batch_norm_lenet, 16),
    "ResNet": (lambda: book.resnet(ARCH), partial(models.resnet, ARCH), 8),
    "DenseNet": (
        lambda: book.densenet(4, 2, (2, 2)),
        partial(models.densenet, channels=4, growth=2, arch=(2, 2)),
        8,
    ),
    "AnyNet": (lambda: book.anynet(4, STAGES), partial(models.anynet, 4, STAGES), 8),
}
BLOCKS = {
    "inception": (lambda: book.Inception(2, (1, 3), (2, 3), 1), models.inception(2, (1, 3), (2, 3), 1)),
    "residual": (lambda: Residual(3), models.residual(3)),
    "residual, stride 2": (lambda: Residual(4, True, 2), models.residual(4, strides=2, use_1x1conv=True)),
    "resnext": (
        lambda: book.ResNeXtBlock(4, 2, 1, True, 2),
        models.resnext_block(4, 2, strides=2, use_1x1conv=True),
    ),
    "dense block": (lambda: book.DenseBlock(2, 2), models.dense_block(2, 2)),
    "transition": (lambda: book.transition_block(2), models.transition(2)),
}
QUICK = ("residual, stride 2",)


def cases(table):
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in table]


def compared(make, model, x, y=None, **options) -> parity.Report:
    net = book.built(make, *x.shape)
    mapping = book.weights(net, book.variables(model))
    return parity.check(net, model, (x, y), weights=mapping, to_jax="NCHW->NHWC", **options)


@pytest.mark.parametrize("name", cases(NETWORKS))
def test_outputs_gradients_averages_and_a_short_run_of_a_network(name) -> None:
    make, model, side = NETWORKS[name]
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 1, side, side), np.float32), rng.integers(0, 10, 6)
    report = compared(
        make,
        model(input_shape=(side, side, 1)),
        x,
        y,
        mode="train",
        loss=(nn.functional.cross_entropy, losses.cross_entropy),
        optim=(lambda p: torch.optim.SGD(p, 0.01), optax.sgd(0.01)),
        steps=3,
    )
    report.assert_ok()


@pytest.mark.parametrize("name", cases(BLOCKS))
@pytest.mark.parametrize("mode", [pytest.param("eval", marks=pytest.mark.long), "train"])
def test_outputs_gradients_and_averages_of_a_block(name, mode) -> None:
    make, block = BLOCKS[name]
    has_state = jax.tree.leaves(jax.eval_shape(lambda key: block.init(key, (6, 6, 3))[1], KEY))
    model = (layers.stateful_model if has_state else layers.model)(block, (6, 6, 3))
    x = np.random.default_rng(0).standard_normal((4, 3, 6, 6), np.float32)
    compared(make, model, x, np.zeros(4, np.int32), mode=mode).assert_ok()


@pytest.mark.long
@pytest.mark.parametrize("name", ["BN-LeNet", "ResNet"])
def test_a_whole_run_on_identical_batches(name, fashion_mnist) -> None:
    make, model, side = NETWORKS[name]
    model = model(input_shape=(side, side, 1))
    crop = slice(14 - side // 2, 14 + side // 2)
    some = Dataset(*(Batch(x[:500, crop, crop], y[:500]) for x, y in fashion_mnist[:2]))
    net = book.built(make, 2, 1, side, side)
    mapping = book.weights(net, book.variables(model))
    start = parity.from_torch(net.state_dict(), book.variables(model), mapping)
    _, history = train.fit(
        model._replace(init=lambda key: (start["params"], start["state"])),
        losses.cross_entropy,
        optax.sgd(0.01),
        some,
        key=KEY,
        epochs=1,
        batch_size=128,
    )
    theirs = book.trained(net, some.train, KEY, learning_rate=0.01, batch_size=128)
    np.testing.assert_allclose(history.step_loss[0], theirs, rtol=1e-4)
    net.eval()
    with torch.no_grad():
        x, y = book.as_torch(some.test)
        expected = nn.functional.cross_entropy(net(x), y).item()
    np.testing.assert_allclose(history.test_loss[0], expected, rtol=1e-4)  # by the running averages


@pytest.mark.parametrize("case", suite.named("batch_norm", "layer_norm"), ids=lambda case: case.name)
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_suite(case, seed) -> None:
    require(case.run(seed))
