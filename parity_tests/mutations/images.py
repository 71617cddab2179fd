"""Defects in convolution and pooling."""

from parity_tests.mutations.planting import defects

IMAGES = (
    *defects(
        "models._convolution._checked",
        ("columns step as rows", 'pair("dilation", dilation)', 'pair("dilation", dilation)[:1] * 2', "conv2d dilated"),
    ),
    *defects(
        "models._convolution._on_cpu",
        (
            "every group gets the first kernel",
            "_on_cpu(part, weights, ",
            "_on_cpu(part, kernel[..., : weights.shape[-1]], ",
            "conv2d grouped",
        ),
    ),
    *defects(
        "models._convolution._shifted",
        ("strides exchanged", "window.stride[axis - 1]", "window.stride[2 - axis]", "conv2d 1x1"),
    ),
    *defects(
        "models._convolution._tangent",
        ("gradient of the images twice", "dy += _convolution(dx, ", "dy += 2 * _convolution(dx, ", "conv2d"),
        (
            "gradient of a turned kernel",
            "dkernel.transpose(2, 0, 1, 3)",
            "dkernel[::-1].transpose(2, 0, 1, 3)",
            "conv2d",
        ),
    ),
    *defects(
        "models._convolution._in_blocks",
        ("kernels moved the wrong way", "(i, 2 * block - columns - i)", "(2 * block - columns - i, i)", "conv2d LeNet"),
        ("columns stacked before channels", "jnp.stack(moved, 3)", "jnp.stack(moved, 2)", "conv2d LeNet 2"),
    ),
    *defects(
        "_checks.windows.same_sides",
        (
            "same: all before",
            "return (top, spare[0] - top), (left, spare[1] - left)",
            "return (spare[0], 0), (spare[1], 0)",
            "conv2d same",
        ),
    ),
    *defects(
        "models.max_pool",
        ("pads with zeros", "-jnp.inf", "0.0", "max_pool"),
    ),
    *defects(
        "models._pooling._larger",
        ("the last of equal values", "second > first", "second >= first", "max_pool ties"),
        (
            "equal values share",
            "jnp.where((second > first) | jnp.isnan(second), second, first)",
            "jnp.maximum(first, second)",
            "max_pool ties",
        ),
    ),
    *defects(
        "models._pooling._places",
        ("stride 1 by default", "sizes if stride is None", "(1, 1) if stride is None", "max_pool 2|mean_pool 2"),
    ),
    *defects(
        "models._pooling._along",
        (
            "ceil_mode is floor",
            "-(-spare // stride) if ceil_mode",
            "spare // stride if ceil_mode",
            "max_pool 2 ceil|mean_pool 2 ceil",
        ),
    ),
    *defects(
        "models._pooling._counts",
        ("padding never counts", "if count_include_pad", "if False", "mean_pool 3"),
        (
            "counts beyond the padding",
            "np.minimum(starts + places.window, size + places.after)",
            "starts + places.window",
            "mean_pool 2 ceil",
        ),
    ),
    *defects("models.global_mean_pool", ("sum for mean", "jnp.mean(x", "jnp.sum(x", "global_mean_pool")),
)
