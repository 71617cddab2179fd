"""Sizes that a network is built with. Without JAX."""

from typing import Any

from jaxd2l._checks.numbers import require_all_whole, require_real, require_sequence, require_whole


def require_images(network: str, smallest: int, *, input_shape: Any, num_classes: Any) -> None:
    """The shape of an image, large enough for a network that halves it again and again, and a number of classes.

    >>> require_images("AlexNet", 65, input_shape=(28, 28, 1), num_classes=10)
    Traceback (most recent call last):
    ValueError: AlexNet needs images of at least 65 x 65, got 28 x 28; data.fashion_mnist(resize=65) enlarges them
    """
    require_whole(1, num_classes=num_classes)
    require_all_whole(1, input_shape=input_shape)
    if len(input_shape) != 3:
        raise ValueError(f"input_shape must be (height, width, channels) of an image, got {tuple(input_shape)}")
    height, width, _ = input_shape
    if min(height, width) < smallest:
        raise ValueError(
            f"{network} needs images of at least {smallest} x {smallest}, got {height} x {width}; "
            f"data.fashion_mnist(resize={smallest}) enlarges them"
        )


def require_counts(number: int, **sequences: Any) -> None:
    """So many whole numbers, each at least 1.

    >>> require_counts(3, channels=(96, 256))
    Traceback (most recent call last):
    ValueError: channels must be 3 numbers, got (96, 256)
    """
    require_all_whole(1, **sequences)
    for name, values in sequences.items():
        if len(values) != number:
            raise ValueError(f"{name} must be {number} numbers, got {tuple(values)}")


def require_arch(columns: str, *, arch: Any, optional: str = "") -> None:
    """A row of numbers for each block or stage of a network, at least one: whole numbers, and a real one if optional.

    >>> require_arch("convolutions channels", arch=((1, 64), 128))
    Traceback (most recent call last):
    TypeError: arch[1] must be a list or a tuple, got 128
    >>> require_arch("depth channels group_width", arch=[(4, 32)], optional="bottleneck")
    Traceback (most recent call last):
    ValueError: arch[0] must be (depth, channels, group_width), bottleneck may follow; got (4, 32)
    """
    require_sequence(arch=arch)
    require_whole(1, **{"the number of rows in arch": len(arch)})
    names = columns.split()
    rule = f"({', '.join(names)}){optional and f', {optional} may follow'}"
    for i, row in enumerate(arch):
        require_sequence(**{f"arch[{i}]": row})
        if len(row) not in (len(names), len(names) + bool(optional)):
            raise ValueError(f"arch[{i}] must be {rule}; got {tuple(row)}")
        require_all_whole(1, **{f"arch[{i}]": row[: len(names)]})
        require_real(**{f"arch[{i}][{j}]": value for j, value in enumerate(row) if j == len(names)})
