"""Logarithm of the softmax (D2L 4.5) against torch: values and gradients, in both precisions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxd2l.parity.rule import require
from jaxd2l.parity.suite import activations as suite
from jaxd2l.parity.suite import compare, named

scores = hnp.arrays(np.float32, (3, 5), elements=st.floats(-1e4, 1e4, width=32))


@pytest.mark.parametrize("case", named("log_softmax"), ids=lambda case: case.name)
@pytest.mark.parametrize("seed", range(3))
def test_suite(case, seed):
    require(case.run(seed))


@given(scores)
def test_any_scores(x):
    require(compare("log_softmax", suite.log_softmax(), [x], seed=0))


def test_compiled():
    x = 3 * np.random.default_rng(0).standard_normal((64, 10))
    require(compare("log_softmax", suite.log_softmax(), [x], seed=0, jit=True))
