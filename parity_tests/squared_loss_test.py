"""The squared loss (D2L 3.1, 3.4) against the book's formula and against `mse_loss`, which is twice it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.nn import functional

from jaxd2l.parity.rule import require
from jaxd2l.parity.suite import compare, named
from jaxd2l.parity.suite import losses as suite

numbers = hnp.arrays(np.float32, (4, 1), elements=st.floats(-1e6, 1e6, width=32))


@pytest.mark.parametrize("case", named("squared_loss"), ids=lambda case: case.name)
@pytest.mark.parametrize("seed", range(3))
def test_suite(case, seed):
    require(case.run(seed))


@given(numbers, numbers)
def test_any_numbers(predictions, targets):
    require(compare("squared_loss", suite.squared_loss(), [predictions, targets], seed=0))


@pytest.mark.parametrize("reduction", suite.REDUCTIONS)
def test_half_of_mse_loss(reduction):
    pair = suite.squared_loss(reduction)._replace(
        torch=lambda predictions, targets: functional.mse_loss(predictions, targets, reduction=reduction) / 2
    )
    inputs = list(np.random.default_rng(0).standard_normal((2, 32, 1)))
    require(compare("mse_loss / 2", pair, inputs, seed=0))
    require(compare("mse_loss / 2", pair, inputs, seed=0, jit=True))
