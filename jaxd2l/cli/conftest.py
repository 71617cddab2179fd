"""What the tests of the command line share."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def own_process() -> dict[str, str]:
    """The environment of a process that finds what this one finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


@pytest.fixture(scope="session")
def jaxd2l_process(own_process: dict[str, str]) -> Callable[..., subprocess.Popen]:
    """Starts the command `jaxd2l` with the given arguments."""

    def start(*arguments: str, cwd: Path, **options: object) -> subprocess.Popen:
        # A shell starts its background jobs with SIGINT ignored, and they pass that on: set it right for the test.
        listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
        command = [sys.executable, "-c", f"{listening}; from jaxd2l.__main__ import main; main()", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=cwd, env=own_process, **{**pipes, **options})

    return start


def _draw_nothing(request: pytest.FixtureRequest) -> None:
    patch = pytest.MonkeyPatch()
    request.addfinalizer(patch.undo)  # see jaxd2l/conftest.py: no `yield` in fixtures here
    for name in ("outcome.curves_picture", "outcome.mistakes_picture", "predict.examples_picture"):
        patch.setattr(f"jaxd2l.cli.{name}", lambda *_: b"\x89PNG\r\n")


@pytest.fixture
def blank_pictures(request: pytest.FixtureRequest) -> None:
    """Empty pictures, where they are not the point: a short run spends half its time on drawing them."""
    _draw_nothing(request)


@pytest.fixture(scope="module")
def only_blank_pictures(request: pytest.FixtureRequest) -> None:
    """Empty pictures in a whole file of tests, its own fixtures included."""
    _draw_nothing(request)
