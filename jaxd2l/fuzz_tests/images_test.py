"""Hostile arguments to convolution, pooling and layers; right results are those of a loop over all windows."""

import jax
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxd2l import initializers, models
from jaxd2l.book import builders, convolution
from jaxd2l.fuzz_tests.arguments import (
    Case,
    array,
    count,
    flags,
    floats,
    hostile_arrays,
    hostile_counts,
    hunt,
    is_close,
    junk,
    keys,
    mixed,
    number,
    wide,
)
from jaxd2l.models import layers


def both(value) -> tuple[int, int]:
    return tuple(value) if isinstance(value, tuple | list) else (value, value)


def padded(x, padding, value: float) -> np.ndarray:
    around = (
        padding if isinstance(padding, tuple) and isinstance(padding[0], tuple) else [(p, p) for p in both(padding)]
    )
    return np.pad(wide(x), [(0, 0), *around, (0, 0)], constant_values=value)


def windows(x: np.ndarray, window, stride, dilation=1) -> np.ndarray:
    """Shape (rows, columns, n, places of the window, channels): what the window sees at each place."""
    (k, m), (s, t), (d, e) = both(window), both(stride), both(dilation)
    height, width = (
        (n - q * (r - 1) - 1) // p + 1 for n, r, p, q in zip(x.shape[1:3], (k, m), (s, t), (d, e), strict=True)
    )
    seen = [
        [x[:, i * s : i * s + d * k : d, j * t : j * t + e * m : e][:, :k, :m] for j in range(width)]
        for i in range(height)
    ]
    seen = np.asarray(seen)
    return seen.reshape(height, width, x.shape[0], k * m, x.shape[-1])


def conv2d_is_right(result, x, kernel, stride=1, padding=0, groups=1, dilation=1) -> None:
    rows, columns, inputs, outputs = np.shape(kernel)
    if padding == "same":
        spare = [d * (k - 1) for d, k in zip(both(dilation), (rows, columns), strict=True)]
        padding = tuple((s // 2, s - s // 2) for s in spare)
    seen = windows(padded(x, padding, 0), (rows, columns), stride, dilation)
    parts = []
    for g in range(groups):
        weights = wide(kernel)[..., g * outputs // groups : (g + 1) * outputs // groups].reshape(
            rows * columns, inputs, -1
        )
        parts.append(np.einsum("ijnpc,pco->nijo", seen[..., g * inputs : (g + 1) * inputs], weights))
    is_close(result, np.concatenate(parts, -1), 1e-4, 1e-3)


def max_pool_is_right(result, x, window, stride=None, padding=0, ceil_mode=False) -> None:
    if not ceil_mode:
        seen = windows(padded(x, padding, -np.inf), window, window if stride is None else stride)
        is_close(result, np.moveaxis(seen.max(3), 2, 0))


def mean_pool_is_right(result, x, window, stride=None, padding=0, ceil_mode=False, count_include_pad=True) -> None:
    if not ceil_mode:
        steps = window if stride is None else stride
        seen = windows(padded(x, padding, 0), window, steps)
        counted = windows(padded(np.ones_like(wide(x)), padding, float(count_include_pad)), window, steps)
        is_close(result, np.moveaxis(seen.sum(3) / counted.sum(3), 2, 0), 1e-4, 1e-4)


def outputs_of(make):
    """What the model of a layer computes."""

    def outputs(key, inputs, input_shape, **arguments):
        model = layers.model(make(**arguments), input_shape)
        return model.apply(model.init(key), inputs)

    return outputs


def outputs_of_lenet(make):
    def outputs(key, inputs, **arguments):
        model = make(**arguments)
        return model.apply(model.init(key), inputs)

    return outputs


def outputs_are_finite(result, inputs, **arguments) -> None:
    assert np.shape(result)[0] == np.shape(inputs)[0]
    assert np.isfinite(np.asarray(result)).all() or not np.isfinite(wide(inputs)).all()


def has_one_row_of_scores(result, inputs, num_classes=10, **arguments) -> None:
    assert np.shape(result) == (len(inputs), num_classes)
    assert np.isfinite(np.asarray(result)).all()


def corr2d_is_right(result, X, K) -> None:
    (rows, columns), K = np.shape(K), wide(K)
    seen = windows(wide(X)[None, :, :, None], (rows, columns), 1)[:, :, 0, :, 0]
    is_close(result, seen @ K.ravel(), 1e-4, 1e-3)


def halving_is_right(result, x) -> None:
    size = np.abs(wide(x)).sum()
    is_close(result, wide(x) / 2 ** max(np.ceil(np.log2(size)), 0) if size > 0 else wide(x))


sizes = mixed(
    st.sampled_from([1, 2, 3, (2, 1), [1, 2], np.int64(2)]), hostile_counts, st.sampled_from([(1, 2, 3), (2, 0)])
)
paddings = mixed(
    st.sampled_from([0, 1, (1, 0), ((0, 1), (1, 0))]), hostile_counts, st.sampled_from(["full", ((1, 1),), (1, (0, 1))])
)
images = array((2, 4, 5, 2), (0, 4, 5, 2))
kernels = mixed(floats(st.sampled_from([(2, 3, 2, 2), (1, 1, 2, 4), (3, 3, 1, 2)])), hostile_arrays)
pooled = {"x": images, "window": sizes}
moved = {"stride": mixed(sizes, st.none()), "padding": paddings, "ceil_mode": flags}

shapes = mixed(
    st.sampled_from([(4, 5, 2), [4, 5, 2]]),
    st.sampled_from([(3,), (), (0, 3, 1), (3, 3, 2.5), 3, "331"]),
    junk,
)
inits = mixed(
    st.sampled_from([initializers.torch_linear(), initializers.normal(0.1)]), st.sampled_from(["normal", None, abs])
)
seen = {"key": keys, "inputs": images, "input_shape": shapes}
trees = st.fixed_dictionaries({"kernel": floats((2, 3)), "bias": mixed(floats((3,)), hostile_arrays)})
names = mixed(st.sampled_from(["kernel", "bias", "*"]), st.sampled_from(["weight", "", "kernel.0", 3]))
pictures = mixed(floats((2, 12, 12, 1), -1.0, 1.0), images)
networks = mixed(st.just(layers.sequential(layers.conv(2, 2), layers.max_pool(2))), junk)

matrices = array((4, 5), low=-2.0, high=2.0)
small = array((1, 2), (2, 2), low=-2.0, high=2.0)

CASES = {
    "book.convolution.corr2d": Case(convolution.corr2d, {"X": matrices, "K": small}, {}, corr2d_is_right),
    "book.convolution.corr2d_matrix": Case(
        convolution.corr2d_matrix,
        {"K": small, "shape": mixed(st.just((4, 5)), sizes)},
        {},
        lambda result, K, shape: is_close(np.asarray(result).sum(1), np.full(len(result), wide(K).sum()), 1e-3, 1e-3),
    ),
    "book.convolution.learn_kernel": Case(
        convolution.learn_kernel,
        {"X": matrices, "Y": array((4, 4), (3, 4)), "kernel": small},
        {"learning_rate": number(0.001, 0.1), "steps": count(0, 2)},
    ),
    "book.convolution.receptive_field": Case(
        convolution.receptive_field,
        {"layers": mixed(st.just([(3, 1), (2, 2)]), junk, st.lists(sizes, max_size=2))},
    ),
    "book.convolution.conv_cost": Case(
        convolution.conv_cost,
        {"shape": sizes, "window": sizes, "inputs": count(1, 3), "outputs": count(1, 3)},
        {"padding": paddings},
    ),
    "book.builders.halved": Case(builders.halved, {"x": array((3,), (2, 2))}, {}, halving_is_right),
    "book.builders.tensor_reduction": Case(
        builders.tensor_reduction,
        {"W": array((2, 2, 3)), "x": array((4, 2))},
        {},
        lambda result, W, x: is_close(result, np.einsum("ijk,ni,nj->nk", wide(W), wide(x), wide(x)), 1e-3, 1e-2),
    ),
    "book.builders.leading_fourier": Case(
        builders.leading_fourier,
        {"x": array((4,), (2, 3))},
        {},
        lambda result, x: is_close(
            np.abs(result), np.abs(np.fft.fft(wide(x)))[..., : -(-np.shape(x)[-1] // 2)], 1e-3, 1e-3
        ),
    ),
    "models.conv2d": Case(
        models.conv2d,
        {"x": images, "kernel": kernels},
        {"stride": sizes, "padding": mixed(paddings, st.just("same")), "groups": count(1, 2), "dilation": sizes},
        conv2d_is_right,
    ),
    "models.max_pool": Case(models.max_pool, pooled, moved, max_pool_is_right),
    "models.mean_pool": Case(models.mean_pool, pooled, {**moved, "count_include_pad": flags}, mean_pool_is_right),
    "models.layers.conv": Case(
        outputs_of(layers.conv),
        {**seen, "channels": count(1, 2), "window": sizes},
        {"stride": sizes, "padding": paddings, "groups": count(1, 2), "dilation": sizes, "bias": flags, "init": inits},
        outputs_are_finite,
    ),
    "models.layers.dense": Case(
        outputs_of(lambda **sizes: layers.sequential(layers.flatten(), layers.dense(**sizes))),
        {**seen, "num_outputs": count(1, 3)},
        {"init": inits},
        outputs_are_finite,
    ),
    "models.layers.dropout": Case(outputs_of(layers.dropout), {**seen, "rate": number(0.0, 1.0)}),
    "models.layers.max_pool": Case(outputs_of(layers.max_pool), {**seen, "window": sizes}, moved, outputs_are_finite),
    "models.layers.mean_pool": Case(
        outputs_of(layers.mean_pool),
        {**seen, "window": sizes},
        {**moved, "count_include_pad": flags},
        outputs_are_finite,
    ),
    "models.layers.repeat": Case(
        outputs_of(layers.repeat), {**seen, "times": count(1, 2), "layer": networks}, {}, outputs_are_finite
    ),
    "models.layers.tied": Case(
        outputs_of(layers.tied), {**seen, "times": count(1, 2), "layer": networks}, {}, outputs_are_finite
    ),
    "models.layers.summary": Case(
        layers.summary,
        {"network": networks, "input_shape": mixed(shapes, st.none())},
        {"depth": count(0, 2)},
        lambda result, **arguments: is_close(result.parameters, 10 if arguments["input_shape"][-1] == 1 else 18),
    ),
    "models.layers.replaced": Case(
        layers.replaced,
        {"params": trees, "values": mixed(st.dictionaries(names, array((), (3,)), max_size=2), junk)},
        {},
        lambda result, params, values: is_close(np.shape(result["kernel"]), np.shape(params["kernel"])),
    ),
    "models.layers.redrawn": Case(
        layers.redrawn,
        {"key": keys, "params": trees, "rules": mixed(st.dictionaries(names, st.just(jax.nn.initializers.ones)), junk)},
        {},
        lambda result, key, params, rules: (
            is_close(result["bias"], wide(params["bias"]) if not rules else np.ones(3))
            if not rules or "kernel" not in rules
            else None
        ),
    ),
    **{
        f"models.{name}": Case(
            outputs_of_lenet(getattr(models, name)),
            {"key": keys, "inputs": pictures},
            {
                "input_shape": mixed(st.just((12, 12, 1)), shapes),
                "num_classes": count(1, 3),
                "pool": st.sampled_from([models.max_pool, models.mean_pool, "max", abs]),
                "init": inits,
            },
            has_one_row_of_scores,
        )
        for name in ("lenet", "flax_lenet")
    },
    "models.global_mean_pool": Case(
        models.global_mean_pool, {"x": images}, {}, lambda result, x: is_close(result, wide(x).mean((1, 2)))
    ),
}


@pytest.mark.bad_input
@pytest.mark.parametrize("name", CASES)
def test_right_or_refused(name) -> None:
    hunt(CASES[name])
