"""For pytest: the fixture `parity`, and `--parity-report DIR`. Imports neither torch nor JAX before a test asks for it.

def test_my_port(parity):
    parity(torch_module, jax_model, batch, loss=(torch_loss, jax_loss))
"""

import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest

if TYPE_CHECKING:
    from jaxd2l.parity.report import Report

_PREFIX = "parity_"
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em; }
td, th { text-align: left; padding: .25em .8em; border-bottom: 1px solid #ccc; }
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    parser.getgroup("parity", "ports of PyTorch models to JAX").addoption(
        "--parity-report",
        metavar="DIR",
        type=Path,
        help="write the reports of the fixture `parity` into DIR, as pages and as JSON, with an index.html",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Makes the folder, and has the process that prints the results write the index."""
    folder = config.getoption("--parity-report")
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist
        config.pluginmanager.register(_Index(folder), "parity index")


@pytest.fixture
def parity(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`parity.check`, with the same arguments, that fails the test where something differs; returns the report.

    `strict=True` fails also where the check left something open, see `Report.assert_ok`.
    """
    number = 0

    def check(*args: Any, strict: bool = False, **kwargs: Any) -> "Report":
        __tracebackhide__ = True
        from jaxd2l import parity

        nonlocal number
        number += 1
        report: Report = parity.check(*args, **kwargs)
        name = request.node.nodeid + (f" #{number}" if number > 1 else "")
        properties = _properties(report)
        if (folder := request.config.getoption("--parity-report")) is not None:
            properties["report"] = _write(report, folder, name)
        request.node.user_properties.extend((_PREFIX + key, value) for key, value in properties.items())
        if not report.ok or (strict and report.unseen):
            pytest.fail(report.summary())
        return report

    return check


def _properties(report: "Report") -> dict[str, str]:
    """What stands in the JUnit file: the verdict, the largest error as a part of its bound, the cause."""
    causes = [row for row in report.failures if not row.follows_from]
    worst = max(report.rows, key=lambda row: row.jax_error / row.bound)
    return {
        "verdict": causes[0].verdict if causes else "holds",
        "worst_ratio": f"{worst.jax_error / worst.bound:.3g}",
        "worst_quantity": worst.quantity,
        "cause": next((row.hint for row in causes if row.hint), ""),
    }


def _write(report: "Report", folder: Path, name: str) -> str:
    """The report as a page and as JSON; the name of the page."""
    stem = re.sub(r"[^\w.-]+", "-", name).strip("-")[-120:]
    stem = f"{stem}-{crc32(name.encode()):08x}"  # names that differ only in their punctuation are kept apart
    report.to_html(folder / f"{stem}.html")
    report.to_json(folder / f"{stem}.json")
    return f"{stem}.html"


class _Index:
    """Collects what all tests said, those of other processes too, and writes one page of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[tuple[str, dict[str, str]]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes the properties of a test that has run."""
        if report.when != "call":
            return
        for name, value in report.user_properties:
            if name == f"{_PREFIX}verdict":  # the first of each check
                self.rows.append((report.nodeid, {}))
            if name.startswith(_PREFIX):
                self.rows[-1][1][name.removeprefix(_PREFIX)] = str(value)

    def pytest_sessionfinish(self) -> None:
        """Writes the index."""
        (self.folder / "index.html").write_text(_index(self.rows), encoding="utf-8")


def _index(rows: list[tuple[str, dict[str, str]]]) -> str:
    lines = "".join(
        f"<tr><td><a href='{escape(found['report'], quote=True)}'>{escape(test)}</a></td><td>{escape(found['verdict'])}"
        f"</td><td>{escape(found['worst_ratio'])}</td><td>{escape(found['cause'])}</td></tr>"
        for test, found in rows
    )
    head = f"<meta charset=utf-8><title>Parity with PyTorch</title><style>{_STYLE}</style>"
    headings = "<tr><th>test</th><th>verdict</th><th>largest error by its bound</th><th>cause</th></tr>"
    body = f"<h1>Parity with PyTorch</h1><table>{headings}{lines}</table>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{body}</body></html>\n"
