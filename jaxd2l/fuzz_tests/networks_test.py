"""Hostile sizes of networks and hostile arguments of normalisation. Networks are traced, not computed."""

from functools import partial

import numpy as np
import pytest
from hypothesis import strategies as st

from jaxd2l import initializers, models
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


def scores(make, **arguments):
    """The shape of what a network computes for an image."""
    network = layers.summary(make(**arguments), depth=1)
    return network.rows[-1].output_shape


def has_a_score_for_each_class(result, num_classes=10, **_) -> None:
    assert result == (num_classes,)


def after_block(make, **arguments):
    return layers.output_shape(make(**arguments), (8, 8, 4))


def normalised(x, mean, var, layer, eps) -> np.ndarray:
    return (wide(x) - mean) / np.sqrt(var + eps) * wide(layer["scale"]) + wide(layer["bias"])


def batch_norm_is_right(result, layer, state, x, train=False, momentum=0.1, eps=1e-5) -> None:
    axes = tuple(range(np.ndim(x) - 1))
    if eps < 1e-6 or not np.isfinite(wide(x)).all():
        return
    mean, var = (wide(x).mean(axes), wide(x).var(axes)) if train else (wide(state["mean"]), wide(state["var"]))
    is_close(result.outputs, normalised(x, mean, var, layer, eps), 1e-3, 1e-3)
    if train:
        is_close(result.state["mean"], (1 - momentum) * wide(state["mean"]) + momentum * mean, 1e-3, 1e-3)
        expected = (1 - momentum) * wide(state["var"]) + momentum * wide(x).var(axes, ddof=1)
        is_close(result.state["var"], expected, 1e-3, 1e-3)


def layer_norm_is_right(result, layer, x, eps=1e-5) -> None:
    axes = tuple(range(-np.ndim(layer["scale"]), 0))
    if eps < 1e-6 or not np.isfinite(wide(x)).all():
        return
    mean, var = wide(x).mean(axes, keepdims=True), wide(x).var(axes, keepdims=True)
    is_close(result, normalised(x, mean, var, layer, eps), 1e-3, 1e-3)


inits = mixed(st.just(initializers.torch_linear()), st.sampled_from(["normal", None]))
small = mixed(
    st.sampled_from([(8, 8, 1), [9, 8, 3]]), st.sampled_from([(7, 1), (0, 8, 1), 8, "881", (8, 8, 1.5)]), junk
)
usual = {"num_classes": count(1, 3), "init": inits}
pairs = mixed(st.sampled_from([((1, 2),), ((1, 2), (2, 4))]), st.sampled_from([(), (1, 2), ((1,),), ((0, 2),)]), junk)
stages = mixed(st.sampled_from([((1, 4, 2),), [models.Stage(2, 4, 2, 0.5)]]), st.sampled_from([(), ((1, 4, 3),)]), junk)
two = mixed(st.sampled_from([(1, 2), [2, 3]]), st.sampled_from([(1,), (1, 0), 2, (1, 2, 3)]), junk)
channels = mixed(st.sampled_from([(2,) * 5, (2,) * 3]), junk, st.sampled_from([(2, 2), 3]))
strided = {"strides": count(1, 2), "use_1x1conv": flags, "init": inits}

NETWORKS = {
    "alexnet": (
        {"input_shape": mixed(st.just((65, 65, 1)), small), "channels": channels},
        {"num_hiddens": count(1, 3), "dropout_rate": number(0.0, 1.0)},
    ),
    "vgg": ({"arch": pairs, "input_shape": small}, {"num_hiddens": count(1, 3), "dropout_rate": number(0.0, 1.0)}),
    "nin": (
        {"input_shape": mixed(st.just((67, 67, 1)), small), "channels": channels},
        {"dropout_rate": number(0.0, 1.0)},
    ),
    "googlenet": ({"input_shape": small, "width": number(0.01, 0.02)}, {}),
    "batch_norm_lenet": ({"input_shape": mixed(st.just((16, 16, 1)), small)}, {}),
    "resnet": ({"arch": pairs, "input_shape": small}, {}),
    "resnet18": ({"input_shape": small}, {}),
    "densenet": (
        {"input_shape": small, "arch": mixed(two, st.just((1, 1)))},
        {"channels": count(1, 4), "growth": count(1, 2)},
    ),
    "anynet": ({"input_shape": small, "arch": stages, "stem_channels": count(1, 4)}, {}),
    "regnet_x32": ({"input_shape": small}, {}),
}
BLOCKS = {
    "vgg_block": ({"num_convs": count(1, 2), "channels": count(1, 2)}, {"init": inits}),
    "nin_block": (
        {"channels": count(1, 2), "window": mixed(st.sampled_from([1, (2, 1)]), hostile_counts)},
        {"stride": count(1, 2), "padding": count(0, 1), "init": inits},
    ),
    "inception": ({"c1": count(1, 2), "c2": two, "c3": two, "c4": count(1, 2)}, {"init": inits}),
    "residual": ({"channels": count(4, 4)}, strided),
    "resnext_block": (
        {"channels": count(4, 4), "group_width": count(1, 2)},
        {**strided, "bottleneck": number(0.5, 1.0)},
    ),
    "dense_block": ({"num_convs": count(1, 2), "growth": count(1, 2)}, {"init": inits}),
    "transition": ({"channels": count(1, 4)}, {"init": inits}),
}
norms = st.fixed_dictionaries({"scale": floats((2,)), "bias": mixed(floats((2,)), hostile_arrays)})
averages = st.fixed_dictionaries({"mean": floats((2,)), "var": mixed(floats((2,), 0.5), hostile_arrays)})
eps = {"eps": number(1e-5, 1.0)}

CASES = {
    **{
        f"models.{name}": Case(
            partial(scores, getattr(models, name)), needed, usual | optional, has_a_score_for_each_class
        )
        for name, (needed, optional) in NETWORKS.items()
    },
    **{
        f"models.flax_{name}": Case(
            partial(scores, getattr(models, f"flax_{name}")),
            NETWORKS[name][0],
            {"num_classes": count(1, 3)},
            has_a_score_for_each_class,
        )
        for name in ("batch_norm_lenet", "resnet")
    },
    **{
        f"models.{name}": Case(partial(after_block, getattr(models, name)), needed, optional)
        for name, (needed, optional) in BLOCKS.items()
    },
    "models.batch_norm": Case(
        models.batch_norm,
        {"layer": mixed(norms, junk), "state": mixed(averages, junk), "x": array((3, 2), (2, 3, 3, 2), (1, 2))},
        {"train": flags, "momentum": number(0.0, 1.0), **eps},
        batch_norm_is_right,
    ),
    "models.layer_norm": Case(
        models.layer_norm, {"layer": mixed(norms, junk), "x": array((3, 2), (2, 3, 2))}, eps, layer_norm_is_right
    ),
}
LAYERS = {
    "batch_norm": ({}, {"momentum": number(0.0, 1.0), **eps}),
    "layer_norm": ({}, eps),
}


def made(make, key, **arguments):
    return make(**arguments).init(key, (3, 3, 2))


CASES |= {
    f"models.layers.{name}": Case(partial(made, getattr(layers, name)), {"key": keys, **needed}, optional)
    for name, (needed, optional) in LAYERS.items()
}


@pytest.mark.bad_input
@pytest.mark.parametrize("name", CASES)
def test_right_or_refused(name) -> None:
    hunt(CASES[name])
