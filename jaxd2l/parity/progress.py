"""How far a check has come, for people who wait for it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

Tell = Callable[[str], None]
"""`tell(level)`: that a check has come to a level."""


def silent(level: str) -> None:
    """Tells nobody."""


@contextmanager
def progress() -> Iterator[Tell]:
    """A line on standard error that names the level and then goes away; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield silent
        return
    with Console(stderr=True).status("parity: both sides") as status:
        yield lambda level: status.update(f"parity: {level}")
