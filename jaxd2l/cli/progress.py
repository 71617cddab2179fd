"""While a run goes on: a bar that shows its progress, and Ctrl-C."""

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
    """Records every Ctrl-C: JAX has callbacks that run in the garbage collector, where an exception would be lost."""
    presses: list[int] = []
    usual_hook = sys.unraisablehook

    def record(number: int, _: object) -> NoReturn:
        presses.append(number)
        raise KeyboardInterrupt

    def hook(swallowed: "sys.UnraisableHookArgs") -> None:
        if not issubclass(swallowed.exc_type, KeyboardInterrupt):
            usual_hook(swallowed)

    usual = signal.signal(signal.SIGINT, record)
    sys.unraisablehook = hook
    try:
        yield presses
    finally:
        sys.unraisablehook = usual_hook
        signal.signal(signal.SIGINT, usual)


@contextmanager
def progress_bar(epochs: int, num_examples: int, done: int = 0) -> Iterator[Callable[[History, float], None]]:
    """A bar on standard error. It advances once per epoch, so it never waits for the device in between."""
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
