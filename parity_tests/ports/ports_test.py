"""Public models: the right ports are accepted, with all weights mapped, and planted bugs are found."""

from importlib.util import find_spec

import pytest

from parity_tests.ports.command import PATH, page, read
from parity_tests.ports.measuring import LARGE, PORTS, is_installed, measure, port_of
from parity_tests.ports.port import check

MISSING = [name for name in ("transformers", "jax_resnet") if not find_spec(name)]
needs_extra = pytest.mark.skipif(bool(MISSING), reason=f"needs the extra 'ports': {MISSING} not installed")

QUICK = "ResNet"
CASES = [pytest.param(name, marks=() if name == QUICK else pytest.mark.long) for name in PORTS if is_installed(name)]
PLANTED = [(name, bug) for name, line in read().items() for bug in line["bugs"]][::4]
"""A sample; `python -m parity_tests.ports` plants all."""


@needs_extra
@pytest.mark.parametrize("name", CASES)
def test_a_right_port_is_accepted(name: str) -> None:
    check(port_of(name)).assert_ok()


@needs_extra
@pytest.mark.long
@pytest.mark.parametrize(("name", "bug"), PLANTED)
def test_a_planted_bug_is_found(name: str, bug: str) -> None:
    port = port_of(name)
    assert not check(port, **port.bugs[bug].options).ok


@needs_extra
@pytest.mark.long
def test_a_measurement_says_what_the_check_says() -> None:
    found = measure(QUICK)
    assert (found.failures, found.mapped) == ([], found.parameters)
    assert "missed" not in found.bugs.values()


def test_auto_maps_nine_of_ten_parameters() -> None:
    assert {name: line["mapped"] for name, line in read().items() if line["mapped"] < 0.9 * line["parameters"]} == {}


def test_the_page_is_made_of_what_was_measured() -> None:
    assert PATH.read_text(encoding="utf-8") == page(read())
    assert set(read()) <= {**PORTS, **LARGE}.keys()
