"""The contract as Markdown."""

from collections.abc import Sequence

from jaxd2l._tables import markdown_table
from parity_tests.contract.clause import Cell, Clause


def table(clauses: Sequence[Clause]) -> str:
    """The clauses in the order in which they are given, which is that of the book."""
    return markdown_table(["", "D2L", "torch", "JAX", "jaxd2l"], [_cells(clause) for clause in clauses])


def _cells(clause: Clause) -> list[str]:
    ours = " ".join(filter(None, (_shown(clause.ours), clause.note)))
    return [clause.name, clause.section, _shown(clause.torch), _shown(clause.jax), ours]


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return ""
    source, value = cell
    return f"`{source}` → **{value}**"
