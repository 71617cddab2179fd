"""Softmax (D2L 4.1, 4.4) against torch: values and gradients, in both precisions."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxd2l import activations
from jaxd2l.parity.rule import require
from jaxd2l.parity.suite import activations as suite
from jaxd2l.parity.suite import compare, named

scores = hnp.arrays(np.float32, (3, 5), elements=st.floats(-1e4, 1e4, width=32))


@pytest.mark.parametrize("case", named("softmax"), ids=lambda case: case.name)
@pytest.mark.parametrize("seed", range(3))
def test_suite(case, seed):
    require(case.run(seed))


@given(scores)
def test_any_scores(x):
    require(compare("softmax", suite.softmax(), [x], seed=0))


def test_compiled():
    x = 3 * np.random.default_rng(0).standard_normal((64, 10))
    require(compare("softmax", suite.softmax(), [x], seed=0, jit=True))


def test_the_book_s_from_scratch_form():
    def book(x):
        exponentials = torch.exp(x)
        return exponentials / exponentials.sum(1, keepdims=True)

    x = np.random.default_rng(0).random((2, 5))
    require(compare("softmax", suite.softmax()._replace(torch=book), [x], seed=0))


def test_probabilities_sum_to_one():
    x = jnp.asarray(np.random.default_rng(0).standard_normal((2, 5)), jnp.float32)
    np.testing.assert_array_max_ulp(np.asarray(activations.softmax(x).sum(1)), np.ones(2, np.float32), 2)
