"""A clause of the contract: source text in both libraries, and the value it must show."""

from typing import NamedTuple

Cell = tuple[str, str]
"""Source text, and what its last expression shows."""


class Clause(NamedTuple):
    """One behaviour of both libraries.

    name: what the clause is about; unique.
    section: where the book meets it.
    torch, jax: source and value in each library.
    note: what this package does about it, or what you should do.
    ours: source and value in this package, where it has a function for it.
    """

    name: str
    section: str
    torch: Cell
    jax: Cell
    note: str = ""
    ours: Cell | None = None

    @property
    def is_difference(self) -> bool:
        """Whether the two libraries show different values."""
        return self.torch[1] != self.jax[1]
