"""Our convolution and pooling on torch's own samples of its modules."""

import warnings

import pytest

pytest.importorskip("expecttest", reason="torch's own samples need the package expecttest")
modules = pytest.importorskip("parity_tests.operations.modules", reason="torch's private module of samples is gone")

from parity_tests.operations import judging  # noqa: E402
from parity_tests.operations.ours import OURS  # noqa: E402


@pytest.mark.parametrize("limit", [1, pytest.param(20, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", OURS)
def test_torch_s_samples_are_accepted(name, limit) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of what it means to remove
        cases, left_out = modules.module_cases(name, range(1), limit, OURS)
        assert cases, left_out
        for case in cases:
            assert not judging.failures(judging.ready(case), 0, 0), case.name
