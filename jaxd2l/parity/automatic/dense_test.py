"""Linear layers and convolutions in each framework, against torch in values and gradients."""

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import numpy as np
import pytest
import torch
from flax import nnx

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(2, 5))
IMAGES = RNG.normal(size=(2, 4, 6, 7))
SIGNAL = RNG.normal(size=(2, 4, 9))
VOLUME = RNG.normal(size=(1, 2, 4, 3, 5))


def key():
    return jax.random.key(0)


def last(x):
    """Channels last."""
    return np.moveaxis(x, 1, -1)


def first(x):
    """Channels first."""
    return np.moveaxis(x, -1, 1) if isinstance(x, np.ndarray) else jax.numpy.moveaxis(x, -1, 1)


def haiku(layer):
    return hk.transform(lambda x: layer()(x))


LINEAR = {
    "Linen": nn.Dense(5),
    "NNX": lambda rngs: nnx.Linear(5, 5, rngs=rngs),
    "Equinox": eqx.nn.Linear(5, 5, key=key()),
    "Haiku": haiku(lambda: hk.Linear(5)),
}


@pytest.mark.parametrize("framework", LINEAR)
def test_a_square_linear_layer(framework, agrees) -> None:
    assert agrees(torch.nn.Linear(5, 5), LINEAR[framework], ROWS).plain


@pytest.mark.parametrize("model", [nn.DenseGeneral((2, 3)), lambda rngs: nnx.LinearGeneral(5, (2, 3), rngs=rngs)])
def test_heads_in_axes_of_their_own(model, agrees) -> None:
    agrees(torch.nn.Linear(5, 6), model, ROWS, to_torch=lambda x: x.reshape(2, 6))


def test_a_linear_layer_and_a_convolution_of_points_are_one_thing(agrees) -> None:
    agrees(torch.nn.Conv2d(4, 4, 1), nn.Dense(4), IMAGES, to_jax=last, to_torch=first)
    agrees(torch.nn.Conv2d(4, 4, 1), nn.Conv(4, (1, 1)), IMAGES, to_jax=last, to_torch=first)
    agrees(torch.nn.Linear(7, 6), nn.Conv(6, (1, 1)), IMAGES)


CONVOLUTIONS = {
    "Linen 1d": (torch.nn.Conv1d(4, 4, 3), nn.Conv(4, (3,), padding="VALID"), SIGNAL),
    "Linen 2d": (torch.nn.Conv2d(4, 4, (2, 3)), nn.Conv(4, (2, 3), padding="VALID"), IMAGES),
    "Linen 3d": (torch.nn.Conv3d(2, 2, (2, 3, 1)), nn.Conv(2, (2, 3, 1), padding="VALID"), VOLUME),
    "Linen groups": (
        torch.nn.Conv2d(4, 8, 3, groups=4),
        nn.Conv(8, (3, 3), padding="VALID", feature_group_count=4),
        IMAGES,
    ),
    "NNX 2d": (torch.nn.Conv2d(4, 4, 3), lambda rngs: nnx.Conv(4, 4, (3, 3), padding="VALID", rngs=rngs), IMAGES),
    "Haiku 1d": (torch.nn.Conv1d(4, 4, 3), haiku(lambda: hk.Conv1D(4, 3, padding="VALID")), SIGNAL),
    "Haiku 2d": (torch.nn.Conv2d(4, 4, 3), haiku(lambda: hk.Conv2D(4, 3, padding="VALID")), IMAGES),
    "Haiku depthwise": (
        torch.nn.Conv2d(4, 8, 3, groups=4),
        haiku(lambda: hk.DepthwiseConv2D(2, 3, padding="VALID")),
        IMAGES,
    ),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_a_convolution(case, agrees) -> None:
    module, model, inputs = CONVOLUTIONS[case]
    agrees(module, model, inputs, to_jax=last, to_torch=first)


EQUINOX_CONVOLUTIONS = {
    "1d": (torch.nn.Conv1d(4, 4, 3), eqx.nn.Conv1d(4, 4, 3, key=key()), SIGNAL),
    "2d": (torch.nn.Conv2d(4, 6, 3), eqx.nn.Conv2d(4, 6, 3, key=key()), IMAGES),
    "point": (torch.nn.Conv2d(4, 4, 1), eqx.nn.Conv2d(4, 4, 1, key=key()), IMAGES),
    "transposed": (torch.nn.ConvTranspose2d(4, 4, 3, 2), eqx.nn.ConvTranspose2d(4, 4, 3, 2, key=key()), IMAGES),
    "transposed 1d": (torch.nn.ConvTranspose1d(4, 3, 3, 2), eqx.nn.ConvTranspose1d(4, 3, 3, 2, key=key()), SIGNAL),
    "transposed groups": (
        torch.nn.ConvTranspose2d(4, 6, 3, 2, groups=2),
        eqx.nn.ConvTranspose2d(4, 6, 3, 2, groups=2, key=key()),
        IMAGES,
    ),
}


@pytest.mark.parametrize("case", EQUINOX_CONVOLUTIONS)
def test_a_convolution_of_equinox(case, agrees) -> None:
    agrees(*EQUINOX_CONVOLUTIONS[case])


def flax_transposed(out, **options):
    return {
        "Linen": nn.ConvTranspose(out, (3, 2), (2, 2), padding="VALID", **options),
        "NNX": lambda rngs: nnx.ConvTranspose(4, out, (3, 2), (2, 2), padding="VALID", rngs=rngs, **options),
    }


@pytest.mark.parametrize("framework", ["Linen", "NNX"])
@pytest.mark.parametrize("transpose_kernel", [False, True])
def test_a_transposed_convolution_is_flipped_as_flax_has_it(framework, transpose_kernel, agrees) -> None:
    model = flax_transposed(6, transpose_kernel=transpose_kernel)[framework]
    agrees(torch.nn.ConvTranspose2d(4, 6, (3, 2), 2), model, IMAGES, to_jax=last, to_torch=first)


def test_a_transposed_convolution_whose_shape_does_not_say_it_is_refused(weights_of) -> None:
    with pytest.raises(
        ValueError, match=r"take\('weight'\).transpose\(2, 3, 0, 1\).flip\(0, 1\) .* or take\('weight'\).T"
    ):
        weights_of(torch.nn.ConvTranspose2d(4, 4, (3, 2), 2), flax_transposed(4)["Linen"], last(IMAGES))


def test_a_transposed_convolution_of_haiku(agrees) -> None:
    model = haiku(lambda: hk.Conv2DTranspose(4, (3, 2), 2, padding="VALID"))
    agrees(torch.nn.ConvTranspose2d(4, 4, (3, 2), 2), model, IMAGES, to_jax=last, to_torch=first)


WEIGHT_NORMS = {
    "Linen": nn.WeightNorm(nn.Dense(5)),
    "Linen, normalised before": nn.Dense(5),
    "NNX": lambda rngs: nnx.WeightNorm(nnx.Linear(5, 5, rngs=rngs), rngs=rngs),
    "Equinox": eqx.nn.WeightNorm(eqx.nn.Linear(5, 5, key=key())),
}


@pytest.mark.parametrize("framework", WEIGHT_NORMS)
def test_a_weight_norm(framework, agrees) -> None:
    agrees(torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(5, 5)), WEIGHT_NORMS[framework], ROWS)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
def test_an_old_weight_norm_of_a_convolution_inside_a_module(agrees) -> None:
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.WeightNorm(nn.Conv(4, (3,), padding="VALID"))(nn.Dense(4)(x))

    old = torch.nn.utils.weight_norm(torch.nn.Conv1d(4, 4, 3))
    module = torch.nn.Sequential(torch.nn.Conv1d(4, 4, 1), old)
    agrees(module, Net(), SIGNAL, to_jax=last, to_torch=first)


def test_a_weight_that_torch_computes_otherwise_is_refused(weights_of) -> None:
    module = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(5, 4))
    with pytest.raises(ValueError, match="_SpectralNorm"):
        weights_of(module, nn.Dense(4), ROWS)
