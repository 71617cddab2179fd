"""SGD (D2L 3.4, 3.7) against `torch.optim.SGD`: every combination of options over 100 steps."""

import pytest

from jaxd2l import optim
from jaxd2l.parity.rule import require
from jaxd2l.parity.suite import named
from jaxd2l.parity.suite import optim as suite


@pytest.mark.parametrize("case", named("sgd"), ids=lambda case: case.name)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_suite(case, seed):
    require(case.run(seed))


def test_every_combination_is_there():
    combinations = list(suite.combinations())
    assert len(combinations) == 20
    assert all(optim.sgd(0.1, **options) for options in combinations)
