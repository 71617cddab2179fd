"""The standard streams: nothing that is said steers the terminal, and no reader who has gone ends the work.

Imports nothing heavy.
"""

import io
import logging
import os
import select
import sys
from typing import Any


def printable(text: str) -> str:
    """The same text with everything escaped that a terminal might obey: names in it may be from others.

    >>> printable("a name\\x1b[2J, and a line\\n")
    'a name\\\\x1b[2J, and a line\\n'
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def complain(text: str) -> None:
    """Prints what is wrong, or good to know, on standard error."""
    print(printable(f"jaxd2l: {text}"), file=sys.stderr)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class _Survivor(io.FileIO):
    """A file that may fill up or be closed: what is written then is lost, and `lost` says why."""

    lost: OSError | None = None

    def write(self, content: Any) -> int:
        rest = memoryview(content).cast("B")
        try:
            while len(rest):
                written = super().write(rest)
                if written is None:  # the reader of a pipe that does not wait has to catch up
                    select.select([], [self], [])
                rest = rest[written or 0 :]
        except OSError as error:
            self.lost = self.lost or error
        return len(content)


def surviving(descriptor: int, encoding: str | None) -> io.TextIOWrapper:
    """A stream for text that never fails, whatever becomes of the file behind it."""
    file = _Survivor(descriptor, "w", closefd=False)
    # Line by line: what was said before a kill is to be seen. Names that are not UTF-8 are shown with escapes.
    return io.TextIOWrapper(io.BufferedWriter(file), encoding or "utf-8", "backslashreplace", line_buffering=True)


def survive() -> None:
    """Lets standard output and error be lost without any harm. For the start of a process."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file to be opened would get its number, and what libraries print
            os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = (
        surviving(number, getattr(stream, "encoding", None)) for number, stream in ((1, sys.stdout), (2, sys.stderr))
    )
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("jaxd2l").setLevel(logging.INFO)


def output_lost() -> OSError | None:
    """Why what was printed did not all arrive; None if it did, or if standard output was closed from the start."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.lost if isinstance(raw, _Survivor) else None
