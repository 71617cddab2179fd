"""The pytest plugin, in a pytest of its own: a wrong port fails its test, and reports lie where they are wanted."""

import json
import sys
from xml.etree import ElementTree

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import numpy as np
import pytest
import torch
from jaxd2l import models

BATCH = np.eye(3, dtype=np.float32), np.zeros(3, np.int32)

@pytest.mark.parametrize("size", [2])
def test_right(parity, size):
    port = models.softmax_regression(3, size)
    report = parity(torch.nn.Linear(3, size), port, BATCH)
    assert report.ok
    parity(torch.nn.Linear(3, size), port, BATCH, seed=1)

def test_wrong(parity):
    port = models.softmax_regression(3, 2)
    port = port._replace(apply=lambda p, x, *, key=None: x @ p["kernel"])
    parity(torch.nn.Linear(3, 2), port, BATCH)

def test_strict(parity):
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout())
    parity(net, models.softmax_regression(3, 2), BATCH, strict=True)

def test_without():
    pass
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Runs TESTS in another process, with the plugin and with warnings as errors."""
    pytester.makepyfile(test_ports=TESTS)
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    monkeypatch.setenv("PYTHONPATH", ":".join(filter(None, sys.path)))
    options = ("-p", "jaxd2l.parity.pytest_plugin", "-p", "no:jaxd2l_parity", "-p", "no:jaxtyping")
    return lambda *more: pytester.runpytest_subprocess(*options, *more)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.long)])
def test_reports_index_and_properties(run, pytester, workers) -> None:
    result = run("--parity-report", "out/reports", "--junitxml", "junit.xml", "-n", str(workers))
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*bias*missing or not used*"])
    folder = pytester.path / "out" / "reports"
    names = sorted(path.name for path in folder.iterdir())
    assert sorted(name.rpartition("-")[0] for name in names if name.endswith(".json")) == [
        "test_ports.py-test_right-2",
        "test_ports.py-test_right-2-2",
        "test_ports.py-test_strict",
        "test_ports.py-test_wrong",
    ]
    assert len(names) == 9
    assert not json.loads(next(folder.glob("*wrong*.json")).read_text())["ok"]
    index = (folder / "index.html").read_text()
    assert index.count("<tr><td>") == 4
    assert all(name in index for name in names if name.endswith(".html") and name != "index.html")
    cases = ElementTree.parse(pytester.path / "junit.xml").getroot().iter("testcase")
    properties = {c.get("name"): [(p.get("name"), p.get("value")) for p in c.iter("property")] for c in cases}
    assert dict(properties["test_wrong"])["parity_verdict"] == "semantic-mismatch"
    assert "not used" in dict(properties["test_wrong"])["parity_cause"]
    assert [value for name, value in properties["test_right[2]"] if name == "parity_verdict"] == ["holds", "holds"]
    assert not properties["test_without"]


def test_without_the_option_nothing_is_written_and_collecting_imports_neither_library(run, pytester) -> None:
    pytester.makepyfile(test_ports="import sys\ndef test(): assert not {'torch', 'jax'} & set(sys.modules)\n")
    run("-n", "0").assert_outcomes(passed=1)
    assert not list(pytester.path.rglob("*.html"))
