"""Norms with their running averages, embeddings and PReLU in each framework, against torch in values and gradients."""

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import numpy as np
import pytest
import torch
from flax import nnx

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(4, 6))
IMAGES = RNG.normal(size=(2, 6, 3, 4))
IDS = np.array([[0, 3, 2], [4, 1, 1]], np.int32)


def key():
    return jax.random.key(0)


def last(x):
    return np.moveaxis(x, 1, -1)


def first(x):
    return jax.numpy.moveaxis(x, -1, 1)


def haiku(call):
    return hk.transform_with_state(lambda x, is_training: call(x, is_training))


BATCH_NORMS = {
    "Linen": nn.BatchNorm(use_running_average=True, epsilon=1e-5),
    "NNX": lambda rngs: nnx.BatchNorm(6, use_running_average=True, epsilon=1e-5, rngs=rngs),
    "Equinox ema": eqx.nn.BatchNorm(6, "batch", mode="ema"),
    "Equinox batch": eqx.nn.BatchNorm(6, "batch", mode="batch"),
    "Haiku": haiku(lambda x, is_training: hk.BatchNorm(True, True, 0.9)(x, is_training)),
}


@pytest.mark.parametrize("framework", BATCH_NORMS)
def test_a_batch_norm_with_its_averages(framework, agrees) -> None:
    agrees(torch.nn.BatchNorm1d(6), BATCH_NORMS[framework], ROWS)


def test_a_batch_norm_of_images_whose_arrays_have_axes_of_length_one(agrees) -> None:
    agrees(torch.nn.BatchNorm2d(6), BATCH_NORMS["Haiku"], IMAGES, to_jax=last, to_torch=first)


def test_a_batch_norm_without_weights(agrees) -> None:
    model = nn.BatchNorm(use_running_average=True, epsilon=1e-5, use_bias=False, use_scale=False)
    module = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.BatchNorm1d(6, affine=False))
    agrees(module, nn.Sequential([nn.Dense(6), model]), ROWS)


def test_averages_that_the_port_has_elsewhere_are_not_needed(agrees) -> None:
    module = torch.nn.BatchNorm1d(6)

    class Scale(nn.Module):
        @nn.compact
        def __call__(self, x):
            return x * self.param("scale", nn.initializers.ones, (6,)) + self.param("bias", nn.initializers.zeros, (6,))

    agrees(module, Scale(), ROWS, forward=lambda module, x: x * module.weight + module.bias)


NORMS = {
    "Linen": (nn.LayerNorm(epsilon=1e-5), nn.GroupNorm(2, epsilon=1e-5), nn.RMSNorm(epsilon=1e-5)),
    "NNX": (
        lambda rngs: nnx.LayerNorm(6, epsilon=1e-5, rngs=rngs),
        lambda rngs: nnx.GroupNorm(6, 2, epsilon=1e-5, rngs=rngs),
        lambda rngs: nnx.RMSNorm(6, epsilon=1e-5, rngs=rngs),
    ),
    "Equinox": (eqx.nn.LayerNorm(6), eqx.nn.GroupNorm(2, 6), eqx.nn.RMSNorm(6, use_bias=False)),
    "Haiku": tuple(
        hk.transform(call)
        for call in (
            lambda x: hk.LayerNorm(-1, True, True)(x),
            lambda x: hk.GroupNorm(2)(x),
            lambda x: hk.RMSNorm(-1)(x),
        )
    ),
}


@pytest.mark.parametrize("framework", NORMS)
def test_layer_norm_group_norm_and_rms_norm(framework, agrees) -> None:
    layer, group, rms = NORMS[framework]
    turn = {} if framework == "Equinox" else {"to_jax": last, "to_torch": first}
    agrees(torch.nn.LayerNorm(6), layer, ROWS)
    agrees(torch.nn.GroupNorm(2, 6), group, IMAGES, **turn)
    agrees(torch.nn.RMSNorm(6, eps=1e-5), rms, ROWS)


class TheirNorm(torch.nn.Module):
    """As people write it."""

    def __init__(self, offset: float = 0.0) -> None:
        super().__init__()
        self.weight, self.offset = torch.nn.Parameter(torch.ones(6)), offset

    def forward(self, x):
        return (self.offset + self.weight) * x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5)


def test_a_norm_of_peoples_own_is_recognised_by_what_it_does(agrees, weights_of) -> None:
    model = NORMS["Linen"][2]
    agrees(torch.nn.Sequential(TheirNorm(), torch.nn.RMSNorm(6, 1e-5)), nn.Sequential([model, model.clone()]), ROWS)
    with pytest.raises(ValueError, match="may be meant"):  # scales by 1 + weight: a plain array of no known kind
        weights_of(torch.nn.Sequential(TheirNorm(1.0), TheirNorm()), nn.Sequential([model, model.clone()]), ROWS)


EMBEDDINGS = {
    "Linen": nn.Embed(6, 6),
    "NNX": lambda rngs: nnx.Embed(6, 6, rngs=rngs),
    "Equinox": eqx.nn.Embedding(6, 6, key=key()),
    "Haiku": hk.transform(lambda x: hk.Embed(6, 6)(x)),
}


@pytest.mark.parametrize("framework", EMBEDDINGS)
def test_a_square_embedding(framework, agrees) -> None:
    agrees(torch.nn.Embedding(6, 6), EMBEDDINGS[framework], IDS if framework != "Equinox" else IDS[0])


@pytest.mark.parametrize("model", [nn.PReLU(), lambda rngs: nnx.PReLU(), eqx.nn.PReLU()])
def test_a_prelu_has_one_slope_of_shape_one_or_none(model, agrees) -> None:
    agrees(torch.nn.PReLU(), model, ROWS)


def test_a_prelu_for_each_channel(agrees) -> None:
    agrees(torch.nn.PReLU(6), eqx.nn.PReLU(jax.numpy.ones(6)), ROWS)
