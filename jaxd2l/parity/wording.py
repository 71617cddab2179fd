"""A row in words and numbers, and what the words mean."""

from typing import NamedTuple

from jaxd2l.parity.findings import Divergence
from jaxd2l.parity.rule import Row

HEADINGS = ("quantity", "precision", "torch", "JAX", "bound", "ratio", "worst at", "verdict", "hint")

DETAILED_HEADINGS = (
    *("quantity", "precision", "torch (roundings)", "JAX (roundings)", "bound (roundings)", "ratio"),
    *("absolute error", "relative error", "worst at", "verdict", "hint"),
)

LEGEND = {
    "precision": "float64 rows ask whether both compute the same function, float32 rows whether JAX is as accurate as "
    "torch.",
    "torch, JAX": "the largest error of each, in roundings (ULPs). One rounding is the last digit that the precision "
    "holds, 2^-53 in float64 and 2^-24 in float32, of the numbers that an operation combines, not of what is left of "
    "them: if 1000 and -999.9 add up to 0.1, the sum may be off by roundings of 1000. In float64 torch is the measure "
    "and has no error; in float32 torch's float64 result is the measure for both.",
    "bound": "the largest error that JAX may have: 8 roundings in float64; twice torch's error plus 4 in float32.",
    "ratio": "JAX's error divided by torch's.",
    "absolute error, relative error": "the largest of JAX's, in the quantity's own unit and as a part of the number "
    "itself, zeros left out. They judge nothing: a right sum that cancels to nearly 0 has a large relative error.",
    "worst at": "the element, counted from 0, at which JAX errs most.",
    "bitwise": "holds: both have the same bits.",
    "within-oracle": "holds: JAX errs no more than the bound allows.",
    "kink-flip": "holds: rounding pushed a number across a kink, such as the one of relu at 0, so a gradient jumped.",
    "known-difference": "holds: the library that JAX uses is less accurate there than torch, which explains all of it.",
    "precision-defect": "fails: the right function, computed with too many digits lost.",
    "semantic-mismatch": "fails: JAX computes another function.",
    "follows from": "this failure is a consequence of another one; fix that one first.",
}
"""What the words in a report mean."""


def number(value: float) -> str:
    """Three digits, or "inf".

    >>> number(0.12345), number(1234567.0), number(float("inf"))
    ('0.123', '1.23e+06', 'inf')
    """
    return f"{value:.3g}"


class Whereabouts(NamedTuple):
    """One side of a divergence in words: "torch", what it computes, where in the source, and what stands there."""

    side: str
    what: str
    place: str
    code: str


def whereabouts(where: Divergence | None) -> list[Whereabouts]:
    """Both sides of a divergence; without a side whose line is not known."""
    if where is None:
        return []
    ours = "computes something else" if where.layer else "computes all that torch does, and then something else"
    theirs = f"computes {where.quantity}" if where.layer else "ends"
    sides = (("torch", theirs, where.torch_line), ("JAX", ours, where.jax_line))
    return [Whereabouts(s, what, f"{line} in {line.function}", line.text) for s, what, line in sides if line]


def detailed_cells(row: Row) -> tuple[str, ...]:
    """The row as text, under `DETAILED_HEADINGS`."""
    brief = cells(row)
    return (*brief[:6], number(row.absolute), number(row.relative), *brief[6:])


def cells(row: Row) -> tuple[str, ...]:
    """The row as text, under `HEADINGS`."""
    meaning = row.level == "meaning"
    return (
        row.quantity,
        row.precision,
        "" if meaning else number(row.torch_error),
        number(row.jax_error),
        number(row.bound),
        "" if meaning else number(row.ratio),
        ", ".join(map(str, row.worst_index)),
        row.verdict,
        row.hint,
    )
