"""Ctrl-C over the whole life of a command. Imports nothing heavy."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from jaxd2l._process.exit_codes import ExitCode

_Handler = Callable[[int, FrameType | None], Any] | int | None


@contextmanager
def handled_by(handler: _Handler) -> Iterator[None]:
    """Lets `handler` take every Ctrl-C meanwhile. Only the main thread ever gets one; elsewhere this does nothing."""
    try:
        usual = signal.signal(signal.SIGINT, handler)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def leave_at_once(*_: object) -> NoReturn:
    """A handler while nothing is done yet: an exception inside the import of a C extension would be a riddle."""
    _say("\njaxd2l: interrupted before anything was done\n")
    os._exit(ExitCode.INTERRUPTED)


@contextmanager
def ctrl_c() -> Iterator[list[int]]:
    """Raises KeyboardInterrupt at every Ctrl-C, and records it.

    JAX has callbacks that run in the garbage collector, where an exception is lost, and libraries turn one that hits
    them while they are imported into an error of their own: the record says what it was.
    """
    presses: list[int] = []
    usual_hook, usual = sys.unraisablehook, signal.getsignal(signal.SIGINT)

    def record(number: int, frame: FrameType | None) -> NoReturn:
        presses.append(number)
        if callable(usual):  # such as one more of these
            usual(number, frame)
        raise KeyboardInterrupt

    def hook(swallowed: "sys.UnraisableHookArgs") -> None:
        if not issubclass(swallowed.exc_type, KeyboardInterrupt):
            usual_hook(swallowed)

    sys.unraisablehook = hook
    try:
        with handled_by(record):
            yield presses
    finally:
        sys.unraisablehook = usual_hook


@contextmanager
def held_back(notice: str = "") -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Lets a Ctrl-C take effect at the end of the block, not in its middle.

    The value is a function: `with released():` in the block is a part of it in which it takes effect as usual.

    Args:
      notice: for a block that takes longer: what to say at the first Ctrl-C. The second one then takes effect at once.
    """
    presses: list[int] = []
    usual = signal.getsignal(signal.SIGINT)

    def wait(number: int, _: object) -> None:
        presses.append(number)
        if notice and len(presses) > 1:
            raise KeyboardInterrupt
        _say(f"\n{notice}\n" if notice else "")

    with handled_by(wait):
        yield lambda: handled_by(usual)
    if presses:
        signal.raise_signal(signal.SIGINT)


def _say(text: str) -> None:
    """Standard error without its buffer, into which a handler may not write."""
    with suppress(OSError, ValueError, AttributeError):  # there may be none
        os.write(sys.stderr.fileno(), text.encode())
