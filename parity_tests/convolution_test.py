"""Convolution and pooling (D2L 7.2 to 7.5) against torch.nn.functional."""

import numpy as np
import pytest

from jaxd2l.parity.rule import require
from jaxd2l.parity.suite import compare, images, named

CASES = named("conv2d", "max_pool", "mean_pool", "global_mean_pool")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long), pytest.param(2, marks=pytest.mark.long)])
def test_suite(case, seed):
    require(case.run(seed))


@pytest.mark.long
@pytest.mark.parametrize("name", images.CONVOLUTIONS)
def test_compiled(name):
    shape, weight, options = images.CONVOLUTIONS[name]
    inputs = [np.float32(np.random.default_rng(0).standard_normal(s)) for s in ((32, *shape[1:]), weight, weight[:1])]
    require(compare("conv2d", images.conv2d(**options), inputs, seed=0, jit=True))
