"""While a run goes on: a bar that shows its progress."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxd2l.cli.output import console
from jaxd2l.types import History


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
    with Progress(*columns, console=console(stderr=True)) as progress:
        task = progress.add_task("epoch", total=epochs, completed=done, status="compiling")

        def show(history: History, seconds: float) -> None:
            status = f"loss {history.train_loss[-1]:.4f}  test {history.test_loss[-1]:.4f}"
            progress.update(task, advance=1, status=f"{status}  {num_examples / seconds:,.0f} examples/s")

        yield show
