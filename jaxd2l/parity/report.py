"""What a check found: as a table, Markdown, JSON and a page."""

import json
import math
import os
from typing import Any, NamedTuple

from rich import box
from rich.table import Table
from rich.text import Text

from jaxd2l._environment import environment
from jaxd2l._files import write_file
from jaxd2l.parity.rule import ULP_EDGES, Row, holds

HEADINGS = ("quantity", "precision", "torch", "JAX", "bound", "ratio", "worst at", "verdict", "hint")


class Report(NamedTuple):
    """The result of `parity.check`.

    rows: one comparison each, in the order of the levels.
    context: versions, device, threads, shapes.
    pairs: which JAX parameter is which torch parameter.
    layers: `(torch layer, row or None)`: how near some array that JAX computes comes to each layer's output, in
      float64; None if none has its shape.
    first_diverging: the first torch layer from which on nothing is found in JAX; "" if the outputs agree.
    curves: per-step numbers of the training run, by name.
    flips: where float32 took another branch of a relu than float64: the kink ledger.
    """

    rows: tuple[Row, ...]
    context: dict[str, Any] = {}  # noqa: RUF012  # read only, and a NamedTuple's default
    pairs: tuple[Any, ...] = ()
    layers: tuple[tuple[str, Row | None], ...] = ()
    first_diverging: str = ""
    curves: dict[str, list[float]] = {}  # noqa: RUF012
    flips: tuple[Any, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return all(map(holds, self.rows))

    @property
    def failures(self) -> tuple[Row, ...]:
        """The rows that do not hold."""
        return tuple(row for row in self.rows if not holds(row))

    def assert_ok(self) -> None:
        """Raises an AssertionError that tells what differs, and why if that was found."""
        if not self.ok:
            raise AssertionError(self.summary())

    def summary(self) -> str:
        """A few lines: how many rows hold, and each that does not."""
        lines = [f"{len(self.rows) - len(self.failures)} of {len(self.rows)} comparisons hold"]
        if self.first_diverging:
            lines.append(f"first diverging layer: {self.first_diverging}")
        lines += [" | ".join(filter(None, cells(row))) for row in self.failures]
        return "\n".join(lines)

    def table(self) -> Table:
        """The rows as a rich table that fits a terminal; errors in condition-scaled ULPs, hints below the rows."""
        table = Table(title="parity with PyTorch", caption=self._caption(), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for heading in ("quantity", "bits", "torch", "JAX", "bound", "verdict"):
            is_number = heading in ("bits", "torch", "JAX", "bound")
            table.add_column(heading, justify="right" if is_number else "left", no_wrap=heading != "quantity")
        for row in self.rows:
            quantity, precision, torch, ours, bound, _, _, verdict, hint = cells(row)
            tell = hint and (not holds(row) or row.verdict == "kink-flip")
            text = Text(f"{quantity}\n  {hint}" if tell else quantity)
            style = None if holds(row) else "bold red"
            table.add_row(text, precision.removeprefix("float"), torch, ours, bound, verdict, style=style)
        return table

    def markdown(self) -> str:
        """The rows as a Markdown table, and the context."""
        lines = ["# Parity with PyTorch", "", self._caption(), ""]
        lines += [f"| {' | '.join(HEADINGS)} |", "|---" * 2 + "|---:" * 4 + "|---" * 3 + "|"]
        lines += [f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells(row))} |" for row in self.rows]
        lines += ["", "Errors in condition-scaled ULPs: roundings of what an operation combines.", ""]
        lines += [f"- {name}: {value}" for name, value in self.context.items()]
        return "\n".join(lines) + "\n"

    def json(self) -> str:
        """Everything as JSON. Infinite and undefined numbers are null."""
        content = {
            "ok": self.ok,
            "first_diverging": self.first_diverging,
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
        """Writes one page that needs nothing else: table, histograms, training curves. Raises OSError if it cannot."""
        from jaxd2l.parity.html import page

        write_file(path, page(self).encode())

    def _caption(self) -> str:
        if self.ok:
            return f"all {len(self.rows)} comparisons hold"
        first = f"; first diverging layer: {self.first_diverging}" if self.first_diverging else ""
        return f"{len(self.failures)} of {len(self.rows)} comparisons fail{first}"


def context() -> dict[str, Any]:
    """What a comparison depends on besides its arguments: versions, device, threads."""
    import torch

    here = environment("jaxd2l", "jax", "flax", "optax", "torch", "numpy")
    return here.versions | {"JAX device": here.kind, "torch threads": torch.get_num_threads()}


def number(value: float) -> str:
    """Three digits, or "inf".

    >>> number(0.12345), number(1234567.0), number(float("inf"))
    ('0.123', '1.23e+06', 'inf')
    """
    return f"{value:.3g}"


def cells(row: Row) -> tuple[str, ...]:
    """The row as text, under `HEADINGS`."""
    meaning = row.level == "meaning"
    return (
        row.quantity,
        "float64" if meaning else "float32",
        "" if meaning else number(row.torch_error),
        number(row.jax_error),
        number(row.bound),
        "" if meaning else number(row.ratio),
        ", ".join(map(str, row.worst_index)),
        row.verdict,
        row.hint,
    )


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
