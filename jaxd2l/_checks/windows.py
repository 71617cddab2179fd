"""Windows that slide over the height and the width of images: sizes, steps and padding. Without JAX."""

from collections.abc import Sequence
from typing import Any, Literal

from jaxd2l._checks.numbers import require_whole

Pair = tuple[int, int]
Sides = tuple[Pair, Pair]
"""Rows added above and below, columns added left and right."""

Padding = int | Pair | Sides | Literal["same", "valid"]


def pair(name: str, value: Any, *, minimum: int = 1) -> Pair:
    """A number for the height and one for the width; a single number means both.

    >>> pair("stride", 2), pair("stride", (2, 3))
    ((2, 2), (2, 3))
    >>> pair("stride", 0)
    Traceback (most recent call last):
    ValueError: stride must be at least 1, got 0
    """
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if len(value) != 2:
            raise ValueError(f"{name} must be a whole number, or one for the height and one for the width; got {value}")
        require_whole(minimum, **{f"{name}[{i}]": number for i, number in enumerate(value)})
        return int(value[0]), int(value[1])
    require_whole(minimum, **{name: value})
    return int(value), int(value)


def sides(padding: Any) -> Sides:
    """How many rows and columns of padding are added, before and after.

    >>> sides(1), sides((1, 2)), sides(((0, 1), (0, 1)))
    (((1, 1), (1, 1)), ((1, 1), (2, 2)), ((0, 1), (0, 1)))
    """
    if isinstance(padding, str):
        raise ValueError(
            f"padding must be a whole number, one for the height and one for the width, or ((top, bottom), "
            f"(left, right)); got {padding!r}"
        )
    if isinstance(padding, Sequence) and any(isinstance(side, Sequence) for side in padding):
        if len(padding) != 2:
            raise ValueError(f"padding must be ((top, bottom), (left, right)); got {padding}")
        return pair("padding[0]", padding[0], minimum=0), pair("padding[1]", padding[1], minimum=0)
    height, width = pair("padding", padding, minimum=0)
    return (height, height), (width, width)


def same_sides(window: Pair, stride: Pair, dilation: Pair) -> Sides:
    """The padding with which the outputs are as many as the inputs; an odd row or column is added at the end.

    >>> same_sides((3, 2), (1, 1), (1, 1))
    ((1, 1), (0, 1))
    >>> same_sides((3, 3), (2, 2), (1, 1))
    Traceback (most recent call last):
    ValueError: padding="same" needs stride 1, as in torch; got (2, 2). For 3 x 3 say padding=1
    """
    spare = [d * (k - 1) for k, d in zip(window, dilation, strict=True)]
    if stride != (1, 1):
        half = spare[0] // 2 if spare[0] == spare[1] else (spare[0] // 2, spare[1] // 2)
        raise ValueError(
            f'padding="same" needs stride 1, as in torch; got {stride}. For {window[0]} x {window[1]} say '
            f"padding={half}"
        )
    top, left = spare[0] // 2, spare[1] // 2
    return (top, spare[0] - top), (left, spare[1] - left)


def require_padding_within(window: Pair, padding: Sides) -> None:
    """At most half a window: otherwise some windows would hold nothing but padding.

    >>> require_padding_within((3, 3), ((2, 2), (0, 0)))
    Traceback (most recent call last):
    ValueError: padding must be at most half of the window of 3 x 3, got ((2, 2), (0, 0))
    """
    if any(max(around) > k // 2 for k, around in zip(window, padding, strict=True)):
        raise ValueError(f"padding must be at most half of the window of {window[0]} x {window[1]}, got {padding}")


def require_window_fits(window: Pair, size: Sequence[int], padding: Sides) -> None:
    """At least one place for the window on the padded image.

    >>> require_window_fits((5, 5), (3, 3), ((0, 0), (0, 0)))
    Traceback (most recent call last):
    ValueError: a window of 5 x 5 does not fit on 3 x 3; make the window smaller or the padding larger
    """
    padded = [n + sum(sides) for n, sides in zip(size, padding, strict=True)]
    if any(k > n for k, n in zip(window, padded, strict=True)):
        wide = f", padded to {padded[0]} x {padded[1]}" if padded != list(size) else ""
        raise ValueError(
            f"a window of {window[0]} x {window[1]} does not fit on {size[0]} x {size[1]}{wide}; make the window "
            "smaller or the padding larger"
        )
