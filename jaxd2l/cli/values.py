"""What an option's text may be, and what it becomes. For argparse, whose errors these functions raise."""

import argparse
import math
from collections.abc import Callable, Sequence

_MAX_VALUES = 10_000  # of one axis of a sweep: a typing error should not fill the memory


def whole(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """A whole number from `minimum` to `maximum`, if there is one."""

    def number(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < minimum or (maximum is not None and int(text) > maximum):
            limits = f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"
            raise argparse.ArgumentTypeError(f"expected a whole number, {limits}; got {text!r}")
        return int(text)

    return number


def positive(text: str) -> float:
    """A number above 0, and finite."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a positive number; got {text!r}")
    return value


def fraction(text: str) -> float:
    """A number from 0 to below 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to below 1; got {text!r}")
    return value


def sizes(text: str) -> tuple[int, ...]:
    """Whole numbers from 1 on, separated by commas."""
    return tuple(whole(1)(part) for part in text.split(","))


def names(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Different ones of the known names, separated by commas."""

    def listed(text: str) -> tuple[str, ...]:
        found = tuple(part.strip() for part in text.split(","))
        if unknown := [name for name in found if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        if len(set(found)) < len(found):
            raise argparse.ArgumentTypeError(f"a name stands twice in {text!r}")
        return found

    return listed


def seeds(text: str) -> int:
    """How many seeds a sweep has."""
    return whole(1, _MAX_VALUES)(text)


def values(text: str) -> tuple[float, ...]:
    """Numbers separated by commas, or COUNT of them from FROM to TO at equal ratios (log) or distances (lin).

    >>> values("0.01,0.1"), values("1:100:log:3")
    ((0.01, 0.1), (1.0, 10.0, 100.0))
    """
    start, *rest = text.split(":")
    if not rest:
        return tuple(_not_negative(part) for part in text.split(","))
    if len(rest) != 3 or rest[1] not in ("log", "lin"):
        raise argparse.ArgumentTypeError(f"expected numbers as 0.01,0.1,1 or FROM:TO:log:COUNT, or lin; got {text!r}")
    first, last, count = _not_negative(start), _not_negative(rest[0]), whole(2, _MAX_VALUES)(rest[2])
    if rest[1] == "lin":
        return tuple(first + (last - first) * i / (count - 1) for i in range(count))
    if not (first > 0 and last > 0):
        raise argparse.ArgumentTypeError(f"equal ratios need FROM and TO above 0; got {text!r}")
    return tuple(first * (last / first) ** (i / (count - 1)) for i in range(count))


def _not_negative(text: str) -> float:
    return 0.0 if text.strip() in ("0", "0.0") else positive(text)
