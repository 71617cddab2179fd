"""Which of the arrays that JAX computes are the one that torch computes, whatever the layout of their axes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jaxd2l.parity.rule import DOUBLE, MEANING_BOUND, Row, compare_meaning

_SAMPLED, _COMPARED = 64, 4
_NOTHING = np.zeros(())


class Match(NamedTuple):
    """What was found of one of torch's arrays.

    nearest: the comparison with the JAX array that comes nearest; None if none has its shape.
    places: of the arrays that agree to within `CLOSE` roundings, and the error of each in roundings.
    """

    nearest: Row | None
    places: dict[int, float]


CLOSE = 2.0**16
"""Roundings (7e-12 of the whole) that another way to compute the same may lose, and no mistake is as small as."""


def match(
    name: str,
    value: np.ndarray,
    scale: np.ndarray,
    arrays: Sequence[np.ndarray],
    excused: np.ndarray = _NOTHING,
    *,
    flat: bool = False,
) -> Match:
    """Looks for an array among those that JAX computes, in float64.

    Args:
      name: for the row.
      value: torch's.
      scale: its condition scale.
      arrays: JAX's.
      excused: an error that does not count.
      flat: whether the order of the elements in one row counts, as in a flatten.

    >>> match("0 (ReLU)", np.eye(2), np.ones((2, 2)), [np.zeros((2, 2)), np.eye(2)]).nearest.verdict
    'bitwise'
    """
    seen = [(i, view) for i, array in enumerate(arrays) for view in views(array, value.shape, flat=flat)]
    if not seen:
        return Match(None, {})
    unit = np.maximum(DOUBLE * np.where(np.isfinite(scale), scale, np.abs(value)), np.finfo(np.float64).smallest_normal)
    some = np.unravel_index(np.linspace(0, max(value.size - 1, 0), _SAMPLED).astype(int), value.shape or (1,))
    some = some if value.ndim and value.size else ()
    excused = np.broadcast_to(excused, value.shape)
    rough = [_error(value[some], view[some], unit[some], excused[some]) for _, view in seen]
    order = np.argsort(rough, kind="stable")
    allowed = np.fmax(scale, excused / (MEANING_BOUND * DOUBLE))
    rows = [compare_meaning(name, value, seen[k][1].astype(np.float64), allowed) for k in order[:_COMPARED]]
    places: dict[int, float] = {}
    for i, view in (seen[k] for k in order if rough[k] <= CLOSE):
        error = _error(value, view, unit, excused)
        if error <= min(CLOSE, places.get(i, np.inf)):
            places[i] = error
    return Match(min(rows, key=lambda row: row.jax_error), places)


def distance(value: np.ndarray, array: np.ndarray) -> float:
    """How far an array in its nearest layout is from torch's: the relative L2 distance, inf if none has its shape."""
    size = float(np.linalg.norm(value)) or 1.0
    with np.errstate(invalid="ignore", over="ignore"):
        found = [float(np.linalg.norm(value - view)) / size for view in views(array, value.shape)]
    return min((d for d in found if np.isfinite(d)), default=np.inf)


def is_reordered(value: np.ndarray, array: np.ndarray) -> bool:
    """Whether an array of the same shape has the same elements in each example, in another order.

    >>> is_reordered(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 3.0, 2.0]]))
    True
    """
    if array.shape != value.shape or value.ndim < 2:
        return False
    ours, theirs = (np.sort(x.reshape(len(x), -1), 1) for x in (array, value))
    return bool(np.allclose(ours, theirs, rtol=CLOSE * DOUBLE, atol=0.0)) and not np.array_equal(value, array)


def views(array: np.ndarray, shape: tuple[int, ...], *, flat: bool = False) -> Iterator[np.ndarray]:
    """An array in the layouts of a shape that frameworks use for the same thing.

    The axes of an array may stand in another order, with channels last or time first. Axes that torch keeps apart may
    be one in JAX and the other way round, as long as this changes no order: a flatten of channels-last images is not
    one of channels-first images. Axes of length 1 do not matter, and a table of angles that torch holds twice over, for
    pairs that are turned, JAX may hold once.
    """
    if array.shape == shape:
        yield array
    elif _long_axes(array.shape) == _long_axes(shape):
        yield array.reshape(shape)
    elif array.ndim and _long_axes((*array.shape[:-1], 2 * array.shape[-1])) == _long_axes(shape):
        yield np.concatenate((array, array), -1).reshape(shape)
        yield array.repeat(2, -1).reshape(shape)
    if array.ndim == len(shape):
        yield from (x for x in _turned(array) if x.shape == shape)
    elif array.size == np.prod(shape) and array.shape[:1] == shape[:1]:
        yield array.reshape(shape)
        keeps_channels = min(array.ndim, len(shape)) > 2 and array.shape[-1] == shape[1]
        if keeps_channels and not flat:
            yield np.moveaxis(array, -1, 1).reshape(shape)


def _long_axes(shape: tuple[int, ...]) -> list[int]:
    return [n for n in shape if n != 1]


def _turned(array: np.ndarray) -> Iterator[np.ndarray]:
    if array.ndim == 2:
        yield array.T
    if array.ndim > 2:
        yield from (np.moveaxis(array, -1, 1), np.swapaxes(array, 0, 1))
    if array.ndim > 3:
        yield np.swapaxes(array, 1, 2)


def _error(value: np.ndarray, view: np.ndarray, unit: np.ndarray, excused: np.ndarray) -> float:
    """The largest error in roundings; where both are the same inf or NaN there is none."""
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.maximum(np.abs(value - view) - excused, 0.0) / unit
        off = np.where((value == view) | (np.isnan(value) & np.isnan(view)), 0.0, off)
    return float(np.max(np.where(np.isnan(off), np.inf, off), initial=0.0))
