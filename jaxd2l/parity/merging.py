"""What a row says only beside others: the worst of many, and the row that it follows from."""

from collections.abc import Sequence

import numpy as np

from jaxd2l.parity.rule import Row, Verdict, holds


def worst(quantity: str, rows: Sequence[Row]) -> Row:
    """One row for many: the first that fails, or else the worst, with the histogram of all.

    >>> from jaxd2l.parity.rule import compare_meaning
    >>> worst("both", [compare_meaning(name, 1.0, value, 1.0) for name, value in (("a", 1.0), ("b", 2.0))]).hint
    'first in b'
    """
    failed = [row for row in rows if not holds(row)]
    if failed:
        row = failed[0]
        hint = f"first in {row.quantity}" + (f": {row.hint}" if row.hint else "")
    else:
        row = max(rows, key=lambda row: (row.verdict in ("kink-flip", "known-difference"), row.jax_error / row.bound))
        verdicts = {row.verdict for row in rows}
        row = row._replace(verdict="within-oracle") if verdicts == {"bitwise", "within-oracle"} else row
        hint = "; ".join(filter(None, (f"worst in {row.quantity}", row.hint)))
    histogram = np.sum([row.histogram for row in rows], axis=0)
    return row._replace(quantity=quantity, histogram=tuple(int(n) for n in histogram), hint=hint)


def folded(rows: Sequence[Row]) -> dict[Row, int]:
    """The failures that are causes, one for each mistake, and how many other failures follow from each.

    >>> from jaxd2l.parity.rule import compare_meaning
    >>> rows = [compare_meaning(name, 1.0, 2.0, 1.0) for name in ("outputs", "loss")]
    >>> [(row.quantity, count) for row, count in folded(consequences(rows, ["outputs"])).items()]
    [('outputs', 1)]
    """
    causes: dict[Row, int] = {}
    for row in rows:
        if holds(row):
            continue
        same = next((c for c in causes if _is_of_one_mistake(row, c)), None)
        if same is None:
            causes[row] = 0
        else:
            causes[same] += 1
    return causes


def _is_of_one_mistake(row: Row, cause: Row) -> bool:
    """Whether it follows from the cause, is the same in another precision, or has the very same explanation."""
    return (
        cause.quantity in row.follows_from
        or row.quantity == cause.quantity
        or bool(row.hint and row.hint == cause.hint and row.verdict == "semantic-mismatch")
    )


def consequences(rows: Sequence[Row], causes: Sequence[str]) -> tuple[Row, ...]:
    """Attributes every other failure to the causes that fail; it gets their kind of verdict.

    Args:
      rows: all comparisons.
      causes: quantities on which the others depend.

    >>> from jaxd2l.parity.rule import compare_meaning
    >>> rows = [compare_meaning(name, 1.0, 2.0, 1.0) for name in ("outputs", "loss")]
    >>> [row.follows_from for row in consequences(rows, ["outputs"])]
    [(), ('outputs',)]
    """
    failed = {row.quantity: row.verdict for row in reversed(rows) if not holds(row) and row.quantity in causes}
    if not failed:
        return tuple(rows)
    names = tuple(reversed(failed))
    verdict: Verdict = "semantic-mismatch" if "semantic-mismatch" in failed.values() else "precision-defect"

    def attributed(row: Row) -> Row:
        if holds(row) or row.quantity in causes:
            return row
        hint = "; ".join(filter(None, (f"follows from: {', '.join(names)}", row.hint)))
        return row._replace(verdict=verdict, hint=hint, follows_from=names)

    return tuple(attributed(row) for row in rows)
