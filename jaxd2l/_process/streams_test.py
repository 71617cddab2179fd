"""Standard output and error that fill up or are closed end nothing, and nothing said steers the terminal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxd2l._process.streams import printable, surviving

PROGRAM = """
import os, sys
from jaxd2l._process.streams import output_lost, survive
survive()
for _ in range(3):
    print("x" * 5000)
    print("y", file=sys.stderr)
descriptor = os.open("mine", os.O_CREAT | os.O_WRONLY)
os.write(descriptor, f"{output_lost()} {descriptor > 2}".encode())
"""


@pytest.mark.parametrize(
    ("redirected", "lost"),
    [
        (">/dev/full 2>/dev/full", "[Errno 28] No space left on device"),
        (">&- 2>&- <&-", "None"),
        ("2>&1 | true", "[Errno 32] Broken pipe"),
        (">/dev/null", "None"),
    ],
)
def test_a_process_goes_on_whatever_becomes_of_its_output(tmp_path: Path, redirected: str, lost: str) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = f"{sys.executable} -c '{PROGRAM}' {redirected}"
    subprocess.run(command, shell=True, cwd=tmp_path, env=env, check=True, timeout=60)
    said = (tmp_path / "mine").read_text()
    assert said == f"{lost} True"


def test_a_pipe_that_does_not_wait_loses_nothing() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    child = subprocess.Popen([sys.executable, "-c", "print(len(input()))"], stdin=reading, stdout=subprocess.PIPE)
    os.close(reading)
    stream = surviving(writing, None)
    stream.write("x" * 300_000 + "\n")
    stream.flush()
    assert child.communicate(timeout=60)[0] == b"300000\n"
    os.close(writing)


def test_what_a_terminal_might_obey_is_escaped() -> None:
    assert printable("a\x1b[2J\x9b\r\x07\u202e\udcff\n") == "a\\x1b[2J\\x9b\\r\\x07\\u202e\\udcff\n"
    assert printable("größer │ ✓ 世界") == "größer │ ✓ 世界"
