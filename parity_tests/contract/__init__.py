"""Where torch and JAX give different values on purpose, and where users wonder whether they do: as data that is run.

A row holds source text and the value it gives, as a session would show it; nothing in the table is only asserted.
The JAX column is what a plain port would write (`jax`, `optax`, `flax`); the last column is this package's. When a
release of a library changes one of the values, `contract_test.py` fails and names the row.
"""

from collections.abc import Sequence

from parity_tests.contract.gradients import GRADIENTS
from parity_tests.contract.layers import LAYERS, OPTIMISERS
from parity_tests.contract.losses import LOSSES
from parity_tests.contract.row import Cell, Row
from parity_tests.contract.tensors import TENSORS

ROWS: tuple[Row, ...] = (*TENSORS, *GRADIENTS, *LOSSES, *LAYERS, *OPTIMISERS)


def is_difference(row: Row) -> bool:
    """Whether the two libraries show different values."""
    return row.torch[1] != row.jax[1]


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, in the order of the book."""
    lines = ["| | D2L | torch | JAX | jaxd2l |", "|---|---|---|---|---|"]
    for row in rows:
        ours = " ".join(part for part in (_cell(row.ours) if row.ours else "", row.note) if part)
        lines.append(f"| {row.name} | {row.section} | {_cell(row.torch)} | {_cell(row.jax)} | {ours} |")
    return "\n".join(lines)


def _cell(cell: Cell) -> str:
    source, value = (text.replace("|", "\\|") for text in cell)
    return f"`{source}` → **{value}**"
