"""Initialisers (D2L 3.4, 5.4) against torch's: the same distributions, by bounds, moments and Kolmogorov-Smirnov."""

import math

import jax
import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import init

from jaxd2l import initializers

NUM_INPUTS, NUM_OUTPUTS = 300, 200

# Ours, and torch's on a (out, in) weight. Sizes differ, so that fan_in and fan_out cannot be confused.
NORMAL = {
    "normal": (initializers.normal(0.01), lambda w: init.normal_(w, std=0.01)),
    "normal 2": (initializers.normal(2.0), lambda w: init.normal_(w, std=2.0)),
    "xavier_normal": (initializers.xavier_normal(), init.xavier_normal_),
    "xavier_normal gain": (initializers.xavier_normal(5 / 3), lambda w: init.xavier_normal_(w, gain=5 / 3)),
    "kaiming_normal": (initializers.kaiming_normal(), lambda w: init.kaiming_normal_(w, nonlinearity="relu")),
    "kaiming_normal fan_out": (
        initializers.kaiming_normal(mode="fan_out"),
        lambda w: init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"),
    ),
}
UNIFORM = {
    "xavier_uniform": (initializers.xavier_uniform(), init.xavier_uniform_),
    "xavier_uniform gain": (initializers.xavier_uniform(5 / 3), lambda w: init.xavier_uniform_(w, gain=5 / 3)),
    "kaiming_uniform": (initializers.kaiming_uniform(), lambda w: init.kaiming_uniform_(w, nonlinearity="relu")),
    "kaiming_uniform linear": (
        initializers.kaiming_uniform(gain=1.0, mode="fan_out"),
        lambda w: init.kaiming_uniform_(w, mode="fan_out", nonlinearity="linear"),
    ),
}


@pytest.mark.parametrize("name", [*NORMAL, *UNIFORM])
def test_kernels_have_torch_s_distribution(name):
    ours, theirs = (NORMAL | UNIFORM)[name]
    layer = ours(jax.random.key(0), NUM_INPUTS, NUM_OUTPUTS)
    torch.manual_seed(0)
    weight = theirs(torch.empty(NUM_OUTPUTS, NUM_INPUTS)).numpy()
    same_distribution(np.asarray(layer["kernel"]), weight)
    assert not np.any(layer["bias"])
    if name in UNIFORM:
        same_bounds(np.asarray(layer["kernel"]), weight)


def test_torch_linear_is_what_nn_linear_does_by_default():
    layer = initializers.torch_linear()(jax.random.key(0), NUM_INPUTS, NUM_OUTPUTS)
    torch.manual_seed(0)
    modules = [torch.nn.Linear(NUM_INPUTS, NUM_OUTPUTS) for _ in range(10)]
    biases = np.concatenate([module.bias.detach().numpy() for module in modules])
    keys = jax.random.split(jax.random.key(0), 10)
    our_biases = np.concatenate([initializers.torch_linear()(k, NUM_INPUTS, NUM_OUTPUTS)["bias"] for k in keys])
    for mine, theirs in ((np.asarray(layer["kernel"]), modules[0].weight.detach().numpy()), (our_biases, biases)):
        same_distribution(mine, theirs)
        same_bounds(mine, theirs)


def same_distribution(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Mean and standard deviation within five standard errors, and one distribution by Kolmogorov-Smirnov."""
    n, deviation = ours.size, theirs.std()
    assert abs(ours.mean() - theirs.mean()) < 5 * deviation * math.sqrt(2 / n)
    assert abs(ours.std() - deviation) < 5 * deviation / math.sqrt(n)
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 0.001


def same_bounds(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Extremes of n uniform numbers lie within about 1/n of the bounds."""
    for extreme in (np.min, np.max):
        np.testing.assert_allclose(extreme(ours), extreme(theirs), rtol=20 / ours.size)
