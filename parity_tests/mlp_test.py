"""Perceptrons with one to three hidden layers and each activation (D2L 5.1, 5.2), from scratch and in Flax."""

import numpy as np
import pytest
import torch

from jaxd2l.parity.rule import require
from jaxd2l.parity.suite import compare, layers, named


@pytest.mark.parametrize("case", named("mlp", "flax mlp"), ids=lambda case: case.name)
@pytest.mark.parametrize("seed", range(2))
def test_suite(case, seed):
    require(case.run(seed))


@pytest.mark.parametrize("flax", [False, True])
def test_the_book_s_sizes_compiled(flax):
    sizes = (784, 256, 10)
    inputs = layers.draw(np.random.default_rng(0), sizes, "relu", 64)
    require(compare("mlp 784-256-10", layers.perceptron(sizes, flax=flax), inputs, seed=0, jit=True))


def test_the_book_s_from_scratch_form():
    def book(x, w1, b1, w2, b2):
        a = x @ w1.T + b1
        h = torch.max(a, torch.zeros_like(a))
        return h @ w2.T + b2

    sizes = (12, 16, 5)
    inputs = layers.draw(np.random.default_rng(0), sizes, "relu", 16)
    require(compare("mlp from scratch", layers.perceptron(sizes)._replace(torch=book), inputs, seed=0))
