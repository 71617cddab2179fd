"""Convolutions: the book's numbers, XLA's own convolution and its derivatives, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxd2l import models
from jaxd2l.models import _convolution
from jaxd2l.models._convolution import conv2d

X, K = jnp.arange(9.0).reshape(1, 3, 3, 1), jnp.arange(4.0).reshape(2, 2, 1, 1)
RNG = np.random.default_rng(0)

WAYS = {
    "plain": ((3, 8, 9, 4), (3, 3, 4, 5), {}),
    "padded": ((3, 8, 9, 4), (3, 2, 4, 5), {"padding": (2, 1)}),
    "strided": ((3, 8, 9, 4), (3, 2, 4, 5), {"padding": 1, "stride": (2, 3)}),
    "rows left over": ((2, 8, 8, 2), (3, 3, 2, 3), {"stride": 4}),
    "sides differ": ((2, 6, 6, 2), (3, 3, 2, 3), {"padding": ((0, 1), (2, 0)), "stride": 2}),
    "dilated": ((2, 9, 9, 3), (3, 2, 3, 2), {"dilation": (2, 3), "padding": 2, "stride": 2}),
    "grouped": ((2, 7, 7, 6), (3, 3, 2, 9), {"groups": 3, "padding": 1}),
    "a group for each channel": ((2, 7, 7, 4), (3, 3, 1, 4), {"groups": 4, "stride": 2}),
    "1 x 1": ((2, 7, 6, 4), (1, 1, 4, 5), {}),
    "1 x 1, strided": ((2, 7, 6, 4), (1, 1, 4, 5), {"stride": (2, 3)}),
    "1 x 1, padded": ((2, 7, 6, 4), (1, 1, 4, 5), {"padding": 1}),
    "columns in pairs": ((2, 6, 8, 3), (3, 3, 3, 4), {"padding": 1}),
    "columns in fours": ((2, 9, 12, 1), (5, 5, 1, 6), {}),
    "a column left over": ((2, 7, 8, 2), (3, 5, 2, 3), {"padding": ((1, 0), (3, 2))}),
    "more columns in a block than there are": ((2, 4, 5, 2), (2, 5, 2, 3), {}),
    "many channels": ((2, 6, 7, 9), (3, 2, 9, 4), {"padding": 1}),
    "many channels, strided and dilated": ((2, 9, 9, 9), (3, 2, 9, 4), {"dilation": (2, 1), "stride": 2}),
    "many channels, small images": ((2, 2, 3, 9), (3, 3, 9, 4), {"padding": 1}),
    "padding beyond the kernel": ((2, 4, 4, 2), (2, 2, 2, 3), {"padding": 3}),
}


def by_xla(x, kernel, *, stride=1, padding=0, groups=1, dilation=1):
    """XLA's convolution, differentiated by JAX."""

    def both(value):
        return value if isinstance(value, tuple) else (value, value)

    around = both(padding)
    return lax.conv_general_dilated(
        x,
        kernel,
        both(stride),
        around if isinstance(around[0], tuple) else tuple((p, p) for p in around),
        rhs_dilation=both(dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def derivatives(conv, x, kernel, options):
    """The values, both gradients, a derivative in a direction, and one of second order."""

    def loss(x, kernel):
        return jnp.sum(jnp.sin(conv(x, kernel, **options)))

    def squared_gradient(kernel):
        return jnp.sum(jax.grad(loss)(x, kernel) ** 2)

    directions = (jnp.cos(x), jnp.sin(kernel))
    return (
        conv(x, kernel, **options),
        *jax.grad(loss, (0, 1))(x, kernel),
        jax.jvp(loss, (x, kernel), directions)[1],
        jax.grad(squared_gradient)(kernel),
    )


@pytest.mark.parametrize(("shape", "kernel_shape", "options"), WAYS.values(), ids=WAYS)
def test_values_and_derivatives_are_those_of_xla(shape, kernel_shape, options) -> None:
    x, kernel = (jnp.asarray(RNG.normal(size=s), jnp.float32) for s in (shape, kernel_shape))
    ours, xla = (jax.jit(lambda c=c: derivatives(c, x, kernel, options))() for c in (conv2d, by_xla))
    for a, b in zip(ours, xla, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * float(jnp.abs(b).max()))


def asked(function, shape, kernel_shape, padding, stride=1):
    window = _convolution._Window((stride, stride), ((padding, padding), (padding, padding)), (1, 1))
    return function(jnp.ones(shape), jnp.ones(kernel_shape), window)


def test_xla_convolves_where_it_is_fast() -> None:
    def is_fast(*options):
        return asked(_convolution._is_fast, *options)

    assert is_fast((1, 14, 14, 64), (3, 3, 64, 64), 1)
    assert not is_fast((1, 14, 14, 6), (5, 5, 6, 16), 0)  # few channels
    assert not is_fast((1, 2, 2, 64), (3, 3, 64, 64), 1)  # a window larger than the outputs
    assert not is_fast((1, 14, 14, 64), (1, 1, 64, 64), 0)  # a product already


def test_lenet_s_convolutions_run_in_blocks_of_columns_and_wide_ones_do_not() -> None:
    def block(*options):
        return asked(_convolution._block, *options)

    assert block((1, 28, 28, 1), (5, 5, 1, 6), 2) == 4
    assert block((1, 14, 14, 6), (5, 5, 6, 16), 0) == 5
    assert block((1, 15, 15, 6), (5, 5, 6, 16), 0) == 4  # 11 columns: one is left over
    assert block((1, 14, 14, 64), (3, 3, 64, 64), 1) == 1
    assert block((1, 28, 28, 1), (7, 7, 1, 64), 3, 2) == 1


def test_the_book_s_example_with_padding_and_stride() -> None:
    def of(**options):
        return conv2d(X, K, **options)[0, :, :, 0].tolist()

    assert of() == [[19, 25], [37, 43]]
    assert of(padding=1) == [[0, 3, 8, 4], [9, 19, 25, 10], [21, 37, 43, 16], [6, 7, 8, 0]]
    assert of(padding=1, stride=(3, 2)) == [[0, 8], [6, 8]]
    assert of(padding="same") == [[19, 25, 10], [37, 43, 16], [7, 8, 0]]
    assert of(padding="valid") == of()
    flipped = conv2d(X, K[::-1, ::-1])[0, :, :, 0]
    assert flipped.tolist() == [[5, 11], [23, 29]]


def test_the_book_s_channels() -> None:
    inputs = jnp.concatenate([X, X + 1], -1)
    kernel = jnp.concatenate([K, K + 1], 2)
    assert conv2d(inputs, kernel)[0, :, :, 0].tolist() == [[56, 72], [104, 120]]
    outputs = conv2d(inputs, jnp.concatenate([kernel, kernel + 1, kernel + 2], 3))
    expected = [[[56, 72], [104, 120]], [[76, 100], [148, 172]], [[96, 128], [192, 224]]]
    assert jnp.moveaxis(outputs[0], -1, 0).tolist() == expected


@pytest.mark.parametrize(
    ("kernel", "options", "shape"),
    [
        ((3, 3), {"padding": 1}, (8, 8)),
        ((5, 3), {"padding": (2, 1)}, (8, 8)),
        ((3, 3), {"padding": 1, "stride": 2}, (4, 4)),
        ((3, 5), {"padding": (0, 1), "stride": (3, 4)}, (2, 2)),
    ],
)
def test_output_sizes_of_the_book(kernel, options, shape) -> None:
    y = jax.eval_shape(lambda: conv2d(jnp.ones((1, 8, 8, 1)), jnp.ones((*kernel, 1, 1)), **options))
    assert y.shape[1:3] == shape


@pytest.mark.parametrize(("channels", "roundings"), [(12, 0.0), (1, 2e-6)], ids=["XLA's", "of patches"])
def test_the_images_move_and_so_do_the_outputs(channels, roundings) -> None:
    x = jnp.zeros((1, 12, 12, channels)).at[:, 3:6, 4:7].set(1.0)
    kernel = jnp.asarray(RNG.normal(size=(3, 3, channels, 2)))
    moved = conv2d(jnp.roll(x, (2, 1), (1, 2)), kernel, padding=1)
    np.testing.assert_allclose(moved, jnp.roll(conv2d(x, kernel, padding=1), (2, 1), (1, 2)), rtol=0, atol=roundings)


def test_groups_are_one_convolution_whose_other_weights_are_0() -> None:
    x, kernel = (jnp.asarray(RNG.normal(size=s), jnp.float32) for s in ((2, 5, 5, 6), (3, 3, 2, 9)))
    blocks = np.zeros((3, 3, 6, 9), np.float32)
    for g in range(3):
        blocks[:, :, 2 * g : 2 * g + 2, 3 * g : 3 * g + 3] = kernel[..., 3 * g : 3 * g + 3]
    np.testing.assert_allclose(conv2d(x, kernel, groups=3), conv2d(x, jnp.asarray(blocks)), rtol=1e-5, atol=1e-5)


def test_under_vmap_each_kernel_meets_its_own_images() -> None:
    x, kernels = (jnp.asarray(RNG.normal(size=s), jnp.float32) for s in ((3, 2, 6, 6, 4), (3, 3, 3, 4, 5)))

    def gradients(x, kernel):
        return jax.grad(lambda *a: jnp.sum(conv2d(*a, padding=1) ** 2), (0, 1))(x, kernel)

    for mapped, alone in zip(
        jax.vmap(gradients)(x, kernels), zip(*map(gradients, x, kernels), strict=True), strict=True
    ):
        np.testing.assert_allclose(mapped, jnp.stack(alone), rtol=1e-4, atol=1e-3)


def test_a_second_call_does_not_compile_again() -> None:
    conv2d(X, K)
    size = _convolution._conv2d._cache_size()
    conv2d(X + 1, K)
    assert _convolution._conv2d._cache_size() == size


def test_other_processors_get_xla_s_own_convolution() -> None:
    def loss(x, kernel):
        return jnp.sum(conv2d(x, kernel, padding=1) ** 2)

    exported = jax.export.export(jax.jit(jax.grad(loss, (0, 1))), platforms=["cuda", "tpu"])(X, K)
    assert "stablehlo.convolution" in exported.mlir_module()


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("x", "kernel", "options", "message"),
    [
        (X[0], K, {}, r"x and kernel must have shapes .*got \(3, 3, 1\)"),
        (X, jnp.ones((2, 2, 3, 1)), {}, "x has 1 channels, but the kernel is for 3"),
        (
            jnp.ones((1, 3, 3, 4)),
            jnp.ones((2, 2, 2, 3)),
            {"groups": 2},
            "3 outputs cannot be shared out among 2 groups",
        ),
        (X, jnp.ones((4, 4, 1, 1)), {}, "a window of 4 x 4 does not fit on 3 x 3; make"),
        (X, jnp.ones((2, 2, 1, 1)), {"dilation": 5, "padding": 1}, "of 6 x 6 does not fit on 3 x 3, padded to 5 x 5"),
        (X, K, {"stride": 0}, "stride must be at least 1, got 0"),
        (X, K, {"stride": (1, 2, 3)}, "stride must be a whole number, or one for the height and one for the width"),
        (X, K, {"padding": -1}, "padding must be at least 0, got -1"),
        (X, K, {"padding": "full"}, "padding must be .*got 'full'"),
        (X, K, {"padding": ((1, 1), 0, (0, 0))}, "padding must be .*left, right"),
        (X, K, {"padding": "same", "stride": 2}, 'padding="same" needs stride 1, as in torch'),
    ],
)
def test_what_does_not_fit_is_refused_in_words(x, kernel, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        conv2d(x, kernel, **options)


@pytest.mark.bad_input
def test_pixels_are_refused() -> None:
    with pytest.raises(TypeError, match="x must be floating point, got uint8"):
        models.conv2d(jnp.ones((1, 3, 3, 1), jnp.uint8), K)
