"""Images in rows, each under its title."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped
from matplotlib.figure import Figure

_SMALL = 20
"""Pixels below which an image is smoothed."""


def image_grid(
    images: Shaped[np.ndarray, "n height width channels"],
    *,
    titles: Sequence[str] = (),
    columns: int = 8,
    title: str = "",
) -> Figure:
    """Images in rows, each under its title: the book's `show_images`. D2L 4.2.3.

    Images of fewer than 20 pixels are drawn smoothly, because one sees a digit in them, and squares in 8 x 8 pixels.

    Args:
      images: uint8 or floating point in [0, 1]; one channel (grey) or three (colour).
      titles: one per image, or none at all.
      columns: images per row.
      title: printed above all.

    Raises:
      ValueError: no images, another shape, or more or fewer titles than images.

    >>> len(image_grid(np.zeros((3, 8, 8, 1)), titles=["a", "b", "c"]).axes)
    3
    """
    images = np.asarray(images)
    if images.ndim != 4 or not len(images) or images.shape[-1] not in (1, 3):
        raise ValueError(f"images must have shape (n, height, width, 1 or 3) with n > 0; got {images.shape}")
    if titles and len(titles) != len(images):
        raise ValueError(f"got {len(titles)} titles for {len(images)} images")
    white = 255 if images.dtype == np.uint8 else 1
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    width = max(1.2, 0.07 * max((len(line) for title in titles for line in title.splitlines()), default=0))
    above = 0.05 + 0.14 * max((title.count("\n") + 1 for title in titles), default=0)
    head = 0.3 if title else 0.0
    whole = max(width * columns, 0.2 + 0.08 * len(title)), (1.1 + above) * rows + head
    figure = Figure(figsize=whole)
    figure.suptitle(title, fontsize=10, y=1 - 0.06 / whole[1], va="top")
    interpolation = "bicubic" if max(images.shape[1:3]) < _SMALL else "nearest"
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        left, bottom = (whole[0] - columns * width) / 2 + column * width, (1.1 + above) * (rows - 1 - row)
        axes = figure.add_axes((left / whole[0], (bottom + 0.05) / whole[1], width / whole[0], 1 / whole[1]))
        pixels = image.squeeze(-1) if image.shape[-1] == 1 else image
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=white, interpolation=interpolation)
        axes.set_axis_off()
        if titles:
            axes.set_title(titles[i], fontsize=8, y=1, pad=2)
    return figure
