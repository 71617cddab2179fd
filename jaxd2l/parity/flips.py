"""Flips: where float32 takes another branch of a relu, an abs or a comparison than float64. NumPy only.

Such a place, where a function changes its branch, is a kink. Two correct float32 computations may fall on different
sides of it if the argument lies within rounding of the kink. Their gradients then differ by a finite amount that no
tolerance can allow for. So `check` records the branches and compares them with those of float64.
"""

from typing import NamedTuple

import numpy as np

from jaxd2l.parity.rule import Row, holds

MARGIN = 64.0
"""Distance from the kink, in ULPs, within which rounding explains a flip."""


class Flip(NamedTuple):
    """A branch that float32 takes and float64 does not.

    step: of training, from 0.
    side: "torch" or "JAX".
    kink: which operation, for example "relu 0": the first relu that runs.
    index: which element.
    margin: distance of the float64 argument from the kink, in float32 ULPs of the operation's typical argument.
    """

    step: int
    side: str
    kink: str
    index: tuple[int, ...]  # type: ignore[assignment]  # tuple.index is not missed here
    margin: float


def find_flips(
    step: int,
    side: str,
    arguments: dict[str, np.ndarray],
    oracle: dict[str, np.ndarray],
    limit: int = 8,
    ulps: float = 1.0,
) -> list[Flip]:
    """The arguments that lie on the other side of their kink in float32, nearest first; at most `limit`.

    Args:
      step, side: go into the `Flip`s as they are.
      arguments: of each kink in float32; the kink itself is at 0.
      oracle: the same in float64.
      limit: how many to return.
      ulps: how many of float32's an ULP of the precision has.

    >>> find_flips(3, "JAX", {"relu 0": np.array([1.0, -1e-9])}, {"relu 0": np.array([1.0, 1e-9])})[0].index
    (1,)
    """
    found = []
    for name, reference in oracle.items():
        if name not in arguments or arguments[name].shape != reference.shape:
            continue
        finite = reference[np.isfinite(reference)]
        size = float(np.sqrt(np.mean(np.square(finite)))) if finite.size else 0.0
        for index in np.argwhere((arguments[name] > 0) != (reference > 0)):
            where = tuple(int(i) for i in index)
            ulp = ulps * float(np.spacing(np.float32(size)))
            found.append(Flip(step, side, name, where, abs(float(reference[where])) / ulp))
    return sorted(found, key=lambda flip: flip.margin)[:limit]


def explained(row: Row, flips: list[Flip]) -> Row:
    """Calls a failure a kink flip if JAX took another branch, first at an argument that rounding could push across."""
    if holds(row) or row.level != "accuracy" or not flips:
        return row
    first = flips[0]
    if first.margin > MARGIN or not np.isfinite(row.jax_error):
        return row
    where = f"step {first.step + 1}: {first.kink} takes another branch at {first.index}"
    return row._replace(verdict="kink-flip", hint=f"{where}, {first.margin:.2g} ULP from the kink")
