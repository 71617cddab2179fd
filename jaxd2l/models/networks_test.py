"""The networks of chapter 8: sizes, numbers of parameters and of operations of the book's, without computing them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l import activations, models
from jaxd2l.models import layers

KEY = jax.random.key(0)
VGG_11 = ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512))
QUARTER = tuple((n, channels // 4) for n, channels in VGG_11)
VGG_16 = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
VGG_19 = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))

BOOK = {
    "AlexNet": (models.alexnet, (224, 224, 1), 46_764_746, 938_146_176),
    "VGG-11": (models.vgg, (224, 224, 1), 128_806_154, 7_547_232_256),
    "VGG-11, a quarter": (partial(models.vgg, arch=QUARTER), (224, 224, 1), 43_093_322, 512_155_648),
    "VGG-16": (partial(models.vgg, arch=VGG_16), (224, 224, 1), 134_300_362, None),
    "VGG-19": (partial(models.vgg, arch=VGG_19), (224, 224, 1), 139_610_058, None),
    "NiN": (models.nin, (224, 224, 1), 1_992_166, 762_297_352),
    "GoogLeNet": (models.googlenet, (96, 96, 1), 5_977_530, 276_066_304),
    "BN-LeNet": (models.batch_norm_lenet, (28, 28, 1), 44_878, None),
    "ResNet-18": (models.resnet18, (96, 96, 1), 11_178_378, 318_657_536),
    "ResNet-18, small": (models.resnet18, (28, 28, 1), 11_178_378, 33_010_944),
    "DenseNet": (models.densenet, (96, 96, 1), 758_226, 129_077_168),
    "RegNetX-32": (models.regnet_x32, (96, 96, 1), 179_290, 40_293_152),
}
SHAPES = {
    "AlexNet": [(54, 54, 96), (26, 26, 96), (26, 26, 256), (12, 12, 256), (12, 12, 384), (5, 5, 256), (6400,), (4096,)],
    "VGG-11": [(112, 112, 64), (56, 56, 128), (28, 28, 256), (14, 14, 512), (7, 7, 512), (25088,), (4096,), (10,)],
    "NiN": [(54, 54, 96), (26, 26, 96), (26, 26, 256), (12, 12, 256), (12, 12, 384), (5, 5, 384), (5, 5, 10), (10,)],
    "GoogLeNet": [(24, 24, 64), (12, 12, 192), (6, 6, 480), (3, 3, 832), (1024,), (10,)],
    "BN-LeNet": [(24, 24, 6), (12, 12, 6), (8, 8, 16), (4, 4, 16), (256,), (120,), (84,), (10,)],
    "ResNet-18": [(24, 24, 64), (12, 12, 128), (6, 6, 256), (3, 3, 512), (512,), (10,)],
    "ResNet-18, small": [(7, 7, 64), (4, 4, 128), (2, 2, 256), (1, 1, 512), (512,), (10,)],
    "DenseNet": [
        *((24, 24, 64), (24, 24, 192), (12, 12, 96), (12, 12, 224), (6, 6, 112)),
        *((6, 6, 240), (3, 3, 120), (3, 3, 248), (248,), (10,)),
    ],
    "RegNetX-32": [(48, 48, 32), (24, 24, 32), (12, 12, 80), (80,), (10,)],
}


def count(tree: object) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(("name", "make", "input_shape", "params", "operations"), [(n, *b) for n, b in BOOK.items()])
def test_the_book_s_networks_have_its_sizes_parameters_and_operations(
    name, make, input_shape, params, operations
) -> None:
    network = layers.summary(make(input_shape=input_shape))
    assert network.parameters == params
    assert operations in (None, network.multiply_adds)
    shapes = iter([row.output_shape for row in network.rows])
    assert [shape for shape in SHAPES.get(name, []) if shape not in shapes] == []  # in this order


def test_running_statistics_of_lenet() -> None:
    assert layers.summary(models.batch_norm_lenet()).state == 452  # and four step counters in torch


@pytest.mark.parametrize(
    ("block", "before", "after", "params"),
    [
        (models.inception(64, (96, 128), (16, 32), 32), (12, 12, 192), (12, 12, 256), 163_696),
        (models.residual(3), (6, 6, 3), (6, 6, 3), 180),
        (models.residual(6, strides=2, use_1x1conv=True), (6, 6, 3), (3, 3, 6), 546),
        (models.resnext_block(32, 16), (96, 96, 32), (96, 96, 32), 6_944),
        (models.dense_block(2, 10), (8, 8, 3), (8, 8, 23), 1_492),
        (models.transition(10), (8, 8, 23), (4, 4, 10), 286),
    ],
)
def test_blocks_of_the_book(block, before, after, params) -> None:
    assert layers.output_shape(block, before) == after
    assert count(jax.eval_shape(partial(lambda key: block.init(key, before)[0]), KEY)) == params


def test_a_residual_block_whose_last_scale_is_0_passes_on_what_it_gets() -> None:
    block = models.residual(3)
    ((f, shortcut), relu), state = block.init(jax.random.key(0), (6, 6, 3))
    f = (*f[:4], {"scale": jnp.zeros(3), "bias": jnp.zeros(3)})
    x = jax.random.normal(jax.random.key(1), (4, 6, 6, 3))
    y, _ = block.apply(((f, shortcut), relu), state, x, train=True)
    np.testing.assert_array_equal(y, activations.relu(x))


def test_groups_of_a_resnext_block() -> None:
    for channels, groups in ((32, 2), (80, 5)):
        (f, _), _ = jax.eval_shape(lambda key, n=channels: models.resnext_block(n, 16).init(key, (8, 8, n))[0], KEY)
        assert f[3]["kernel"].shape == (3, 3, 16, channels)
        assert channels // f[3]["kernel"].shape[2] == groups


def test_a_regnet_of_32_layers() -> None:
    convs = [leaf for leaf in jax.tree.leaves(jax.eval_shape(models.regnet_x32().init, KEY)[0]) if leaf.ndim in (2, 4)]
    shortcuts = 2
    assert len(convs) - shortcuts == 32


SMALLEST = {"alexnet": 65, "vgg": 32, "nin": 67, "googlenet": 1, "batch_norm_lenet": 16, "resnet18": 1, "densenet": 29}


@pytest.mark.bad_input
@pytest.mark.parametrize(("name", "smallest"), SMALLEST.items())
def test_the_smallest_image_is_taken_and_a_smaller_one_refused(name, smallest) -> None:
    make = getattr(models, name)
    make(input_shape=(smallest, smallest, 1))
    if smallest > 1:
        with pytest.raises(ValueError, match=f"needs images of at least {smallest} x {smallest}"):
            make(input_shape=(smallest, smallest - 1, 1))


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.alexnet((65, 65)), r"input_shape must be \(height, width, channels\)"),
        (lambda: models.resnext_block(30, 16), "30 channels inside cannot be shared out among groups of 16"),
        (lambda: layers.output_shape(models.residual(4), (6, 6, 3)), r"must have one shape, got \(6, 6, 4\) and"),
        (lambda: models.densenet(arch=(4, 0)), r"arch\[1\]"),
        (lambda: models.googlenet(width=0), "width must be"),
        (lambda: models.alexnet(num_classes=0), "num_classes must be at least 1"),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()
