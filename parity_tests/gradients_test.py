"""Gradients through whole models and losses (D2L 4.4, 5.3): loss of a batch, down to each parameter and the input."""

from itertools import product

import jax
import numpy as np
import pytest
import torch
from torch.func import functional_call
from torch.nn import functional

from jaxd2l import losses
from jaxd2l.parity.rule import require
from jaxd2l.parity.suite import FunctionPair, compare, error_bounds, layers

SIZES = (20, 16, 10)


def classifier_loss(labels: np.ndarray, activation: str, flax: bool) -> FunctionPair:
    """Mean cross-entropy of a perceptron; inputs x and the parameters."""
    pair = layers.perceptron(SIZES, activation, flax=flax)
    net = layers.sequential(SIZES, activation)
    names = [name for name, _ in net.named_parameters()]

    def theirs(x: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        logits = functional_call(net, dict(zip(names, parameters, strict=True)), x)
        return functional.cross_entropy(logits, torch.tensor(labels))

    def ours(x: jax.Array, *parameters: jax.Array) -> jax.Array:
        return losses.cross_entropy(pair.jax(x, *parameters), np.int32(labels))

    def scale(c: np.ndarray, x: np.ndarray, *parameters: np.ndarray) -> list[np.ndarray]:
        logits, error = error_bounds.outputs(x, parameters, activation)
        value, g, g_error = error_bounds.cross_entropy_gradient(logits, error, labels)
        scales = error_bounds.gradients(g, g_error, x, parameters, activation)
        return [value, *(np.abs(c) * s for s in scales)]

    return FunctionPair(theirs, ours, scale, pair.names)


@pytest.mark.parametrize(("activation", "flax"), list(product(layers.ACTIVATIONS, (False, True))))
def test_cross_entropy_of_a_perceptron(activation, flax):
    rng = np.random.default_rng(0)
    inputs = layers.draw(rng, SIZES, activation, 32)
    pair = classifier_loss(rng.integers(0, 10, 32), activation, flax)
    require(compare(f"loss of a {activation} perceptron", pair, inputs, seed=0, jit=True))
