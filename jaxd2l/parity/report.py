"""What a check found: in a few lines, as a table, as Markdown, as JSON and as a page."""

import json
import math
import os
import textwrap
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from jaxd2l._files import write_file
from jaxd2l._process.environment import environment
from jaxd2l._process.streams import printable
from jaxd2l._tables import in_markdown, markdown_table
from jaxd2l.parity.findings import Findings
from jaxd2l.parity.merging import folded
from jaxd2l.parity.rule import ULP_EDGES, holds
from jaxd2l.parity.wording import DETAILED_HEADINGS, LEGEND, cells, detailed_cells, whereabouts


class Report(Findings):
    """The result of `parity.check`: its `Findings`, and the forms in which to read them."""

    __slots__ = ()

    def __str__(self) -> str:
        return self.summary()

    def assert_ok(self, *, strict: bool = False) -> None:
        """Raises an AssertionError that says what differs, and why if that is known.

        Args:
          strict: also raise if the check left something open (`unseen`).
        """
        if not self.ok or (strict and self.unseen):
            raise AssertionError(self.summary())

    def summary(self) -> str:
        """A few lines: how many rows hold, each mistake with what follows from it, and the cause last."""
        lines = [f"{len(self.rows) - len(self.failures)} of {len(self.rows)} comparisons hold"]
        lines += [f"not looked at: {sentence}" for sentence in self.unseen]
        lines += [f"not tried by this batch: {sentence}" for sentence in self.coverage]
        if self.first_diverging:
            lines.append(f"first diverging layer: {self.first_diverging}")
        lines += self._places()
        for row, following in folded(self.rows).items():
            lines.append(" | ".join(filter(None, cells(row))) + _following(following))
        return "\n".join(lines if self.ok else [*lines, self._cause()])

    def table(self) -> Table:
        """The rows as a rich table that fits a terminal, with hints below the rows; `LEGEND` explains the words.

        Failures that follow from another one are only counted. The last line says the cause.
        """
        caption = f"errors in roundings (ULPs) of the numbers combined; {self._caption()}"
        causes = folded(self.rows)
        table = Table(
            title="parity with PyTorch",
            caption=Text(caption if self.ok else f"{caption}\n{self._cause()}"),  # as text: code may look like markup
            caption_justify="left",
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
        )
        for heading in ("quantity", "bits", "torch", "JAX", "bound", "verdict"):
            is_number = heading in ("bits", "torch", "JAX", "bound")
            table.add_column(heading, justify="right" if is_number else "left", no_wrap=heading != "quantity")
        for row in self.rows:
            if not holds(row) and row not in causes:
                continue
            quantity, _, torch, ours, bound, _, _, verdict, hint = cells(row)
            is_shown = hint and (not holds(row) or row.verdict in ("kink-flip", "known-difference"))
            text = Text((f"{quantity}\n  {hint}" if is_shown else quantity) + _following(causes.get(row, 0)))
            style = None if holds(row) else "bold red"
            table.add_row(text, "64" if row.level == "meaning" else "32", torch, ours, bound, verdict, style=style)
        return table

    def markdown(self) -> str:
        """The rows as a Markdown table, the legend and the context."""
        parts = ["# Parity with PyTorch", f"{in_markdown(self._verdict())}."]
        places = whereabouts(self.where)
        parts += [
            f"{in_markdown(f'{side} {what} at {place}')}:\n\n" + textwrap.indent(printable(code), "    ")
            for side, what, place, code in places
        ]
        parts += [f"Not looked at: {in_markdown(sentence)}." for sentence in self.unseen]
        parts += [f"Not tried by this batch: {in_markdown(sentence)}." for sentence in self.coverage]
        escaped = ([in_markdown(str(cell)) for cell in detailed_cells(row)] for row in self.rows)
        parts.append(markdown_table(DETAILED_HEADINGS, escaped, "llrrrrrrlll"))
        for title, entries in (("How to read it", LEGEND), ("Context", self.context)):
            parts += [f"## {title}", "\n".join(f"- {in_markdown(f'{n}: {value}')}" for n, value in entries.items())]
        return "\n\n".join(parts) + "\n"

    def json(self) -> str:
        """Everything as JSON, as `report_schema.json` describes it. Infinite and undefined numbers are null."""
        content = {
            "schema": "jaxd2l.parity.report/1",
            "ok": self.ok,
            "first_diverging": self.first_diverging,
            "where": self.where
            and {
                "quantity": self.where.quantity,
                "torch_line": self.where.torch_line and self.where.torch_line._asdict(),
                "jax_line": self.where.jax_line and self.where.jax_line._asdict(),
            },
            "unseen": self.unseen,
            "coverage": self.coverage,
            "context": self.context,
            "ulp_edges": ULP_EDGES,
            "rows": [row._asdict() for row in self.rows],
            "pairs": [p._asdict() for p in self.pairs],
            "layers": [{"layer": name, "nearest": row and row._asdict()} for name, row in self.layers],
            "curves": self.curves,
            "flips": [flip._asdict() for flip in self.flips],
        }
        return json.dumps(_finite(content), indent=2, allow_nan=False)

    def to_markdown(self, path: str | os.PathLike[str]) -> None:
        """Writes `markdown()`. Raises OSError if it cannot."""
        write_file(path, self.markdown().encode())

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Writes `json()`. Raises OSError if it cannot."""
        write_file(path, self.json().encode())

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Writes one self-contained page: table, histograms, training curves. Raises OSError if it cannot."""
        from jaxd2l.parity.html import page

        write_file(path, page(self).encode())

    def _cause(self) -> str:
        """Why the first failure is one, in a line."""
        row = next(iter(folded(self.rows)))
        layer = f", from layer {self.first_diverging} on" if self.first_diverging else ""
        return f"cause: {row.hint}" if row.hint else f"cause: not found; {row.quantity} differ{layer}"

    def _verdict(self) -> str:
        if self.ok:
            return f"all {len(self.rows)} comparisons hold"
        first = f"; first diverging layer: {self.first_diverging}" if self.first_diverging else ""
        return f"{len(self.failures)} of {len(self.rows)} comparisons fail{first}"

    def _caption(self) -> str:
        """What stands below the table in a terminal: the verdict, the lines of source, what was not tried."""
        coverage = (f"not tried by this batch: {sentence}" for sentence in self.coverage)
        return "\n".join([self._verdict(), *self._places(), *coverage])

    def _places(self) -> list[str]:
        """The lines of source at which the two programs part."""
        found = whereabouts(self.where)
        return [line for side, what, place, code in found for line in (f"{side} {what} at {place}:", f"  {code}")]


def _following(count: int) -> str:
    return f"\n  and {count} more follow from it" if count else ""


def context() -> dict[str, Any]:
    """What a comparison depends on besides its arguments: versions, device, threads."""
    import torch

    here = environment("jaxd2l", "jax", "flax", "optax", "torch", "numpy")
    return here.versions | {"JAX device": here.kind, "torch threads": torch.get_num_threads()}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
