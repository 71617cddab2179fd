"""The user's example: each of five planted bugs is named, and the clean port never raises an alarm."""

import pytest
import torch

from jaxd2l import parity
from parity_tests import example_spec

NAMES = {
    "kernel": ("outputs", "kernel transposed: hidden.kernel"),
    "gelu": ("outputs", "tanh-gelu: matches with approximate=True"),
    "mean": ("loss of the same outputs", "missing mean over the batch"),
    "ddof": ("outputs", "ddof: matches with ddof=0"),
    "decay": ("optimiser on given gradients", "decay after momentum"),
}


LAYERS = {"kernel": "hidden (Linear)", "gelu": "gelu", "ddof": "std", "mean": "", "decay": ""}


@pytest.fixture(scope="module", params=example_spec.BUGS)
def planted(request) -> tuple[str, parity.Report]:
    """A bug, and what the tool says of it."""
    return request.param, parity.check(**example_spec.arguments(request.param) | {"steps": 2})


def test_the_tool_names_the_bug(planted) -> None:
    bug, report = planted
    quantity, name = NAMES[bug]
    assert not report.ok
    causes = {row.quantity for row in report.failures if not row.follows_from}
    assert causes == {quantity}
    assert all(row.hint.startswith(f"follows from: {quantity}") for row in report.failures if row.follows_from)
    assert all(name in row.hint for row in report.failures if row.quantity == quantity)
    assert {row.verdict for row in report.failures} == {"semantic-mismatch"}
    with pytest.raises(AssertionError, match=name):
        report.assert_ok()


def test_the_first_diverging_layer_is_named(planted) -> None:
    bug, report = planted
    assert report.first_diverging == LAYERS[bug]


def test_a_check_without_an_optimiser_names_the_layer_too() -> None:
    arguments = {
        name: value for name, value in example_spec.arguments("gelu").items() if name not in ("optim", "steps")
    }
    assert parity.check(**arguments).first_diverging == "gelu"


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 20))])
def test_the_clean_port_raises_no_alarm(seed: int) -> None:
    parity.check(**example_spec.arguments(seed=seed) | {"steps": 3}, seed=seed).assert_ok()


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Threads cost more than they gain on arrays this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
