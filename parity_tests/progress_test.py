"""A check says how far it has come where a terminal is there, and nothing elsewhere."""

import os
import pty
import subprocess
import sys

import pytest

PROGRAM = """
import sys, time
from jaxd2l.parity.progress import progress
with progress() as tell:
    for level in ("layers", "training, step 1 of 2"):
        tell(level)
        time.sleep(0.3)
"""


def said(program: str, terminal: bool) -> str:
    """What the program writes to standard error."""
    if not terminal:
        return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", program], stderr=theirs, env={**os.environ, "TERM": "xterm"}
    ) as running:
        os.close(theirs)
        text = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other end is closed
                piece = b""
            if not piece:
                break
            text += piece
    os.close(ours)
    assert running.returncode == 0
    return text.decode()


def test_a_terminal_sees_the_levels_and_a_file_nothing() -> None:
    seen = said(PROGRAM, terminal=True)
    assert "parity: layers" in seen
    assert "parity: training, step 1 of 2" in seen
    assert said(PROGRAM, terminal=False) == ""


@pytest.mark.long
def test_a_whole_check_names_its_levels() -> None:
    check = (
        "from jaxd2l import parity; from parity_tests.example_spec import arguments\n"
        "parity.check(**arguments() | {'steps': 2})"
    )
    seen = said(check, terminal=True)
    for level in ("outputs, loss and gradients in torch", "optimisers", "one step", "training, step 2 of 2"):
        assert level in seen
