"""What goes on beside a run on the command line: a bar that shows how far it is, and Ctrl-C."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxd2l.types import History


@contextmanager
def ctrl_c() -> Iterator[list[int]]:
    """Notes every Ctrl-C: JAX has callbacks that run inside the garbage collector, where an exception is swallowed."""
    presses: list[int] = []
    usual_hook = sys.unraisablehook

    def note(number: int, _: object) -> NoReturn:
        presses.append(number)
        raise KeyboardInterrupt

    def hook(swallowed: "sys.UnraisableHookArgs") -> None:
        if not issubclass(swallowed.exc_type, KeyboardInterrupt):
            usual_hook(swallowed)

    usual = signal.signal(signal.SIGINT, note)
    sys.unraisablehook = hook
    try:
        yield presses
    finally:
        sys.unraisablehook = usual_hook
        signal.signal(signal.SIGINT, usual)


@contextmanager
def progress_bar(epochs: int, num_examples: int, done: int = 0) -> Iterator[Callable[[History, float], None]]:
    """A bar on standard error, advanced once per epoch: the device is never asked in between."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("epoch", total=epochs, completed=done, status="compiling")

        def show(history: History, seconds: float) -> None:
            status = f"loss {history.train_loss[-1]:.4f}  test {history.test_loss[-1]:.4f}"
            progress.update(task, advance=1, status=f"{status}  {num_examples / seconds:,.0f} examples/s")

        yield show
