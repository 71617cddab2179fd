"""Markdown tables, for every report and every generated page."""

import re
from collections.abc import Iterable, Sequence
from html import escape

from jaxd2l._process.streams import printable

_RULES = {"l": "---", "r": "---:", "c": ":---:"}


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[object]], align: str | None = None) -> str:
    """A table in GitHub's Markdown, without a newline at the end. Pipes and newlines in cells are escaped.

    Args:
      headings: one per column.
      rows: each with as many cells as there are headings; a cell may be anything that `str` takes.
      align: one letter per column, "l" (left), "r" (right) or "c" (centre); left everywhere if not given.

    Raises:
      ValueError: a row, or `align`, of another length than the headings; another letter in `align`.

    >>> print(markdown_table(["what", "seconds"], [["a | b", 1.5], ["two\\nlines", 2]], align="lr"))
    | what | seconds |
    |---|---:|
    | a \\| b | 1.5 |
    | two<br>lines | 2 |
    """
    align = "l" * len(headings) if align is None else align
    if len(align) != len(headings) or set(align) - set(_RULES):
        raise ValueError(f"align needs one of the letters l, r, c for each of {len(headings)} columns, got {align!r}")
    lines = [_line(headings), f"|{'|'.join(_RULES[letter] for letter in align)}|"]
    for row in rows:
        if len(row) != len(headings):
            raise ValueError(f"a row has {len(row)} cells but the table has {len(headings)} columns: {list(row)}")
        lines.append(_line(row))
    return "\n".join(lines)


def in_markdown(text: str) -> str:
    """Text of others as it is, in Markdown and in HTML made of it: nothing in it is markup or steers a terminal.

    >>> in_markdown("<b>a*b</b> [x](y)")
    '&lt;b&gt;a\\\\*b&lt;/b&gt; \\\\[x\\\\](y)'
    """
    return re.sub(r"([`*\[\]])", r"\\\1", escape(printable(text), quote=False))


def _line(cells: Sequence[object]) -> str:
    escaped = (str(cell).replace("|", "\\|").replace("\n", "<br>") for cell in cells)
    return f"| {' | '.join(escaped)} |"
