"""What a command says: tables, bars, results and complaints, with every name shown as it is."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from jaxd2l._process.streams import printable


def say(text: str) -> None:
    """Prints a result."""
    print(printable(text))


class _Console(Console):
    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def console(*, stderr: bool = False, width: int | None = None) -> Console:
    """For tables and bars. Brackets in a name are no markup, colons no emoji, and nothing in it steers the terminal."""
    return _Console(markup=False, emoji=False, highlight=False, stderr=stderr, width=width)
