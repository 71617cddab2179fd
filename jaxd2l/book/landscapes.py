"""Pictures of descent: paths on the curve of a function, or over the contour lines of two variables (D2L 12.3)."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.figure import Figure

from jaxd2l._checks.numbers import require_whole_between
from jaxd2l._checks.shapes import require_shapes
from jaxd2l.plots import STYLES

__all__ = ["contours", "on_curve"]

Limits = tuple[float, float]
_MARKERS = ("o", "s", "^", "D", "v", "x")


def __dir__() -> list[str]:
    return __all__


def on_curve(
    f: Callable[[Array], Array],
    paths: Mapping[str, Float[Array | np.ndarray, " points"]],
    *,
    xlim: Limits | None = None,
    xlabel: str = "x",
    ylabel: str = "f(x)",
    title: str = "",
) -> Figure:
    """The curve of a function of one variable, and up to six paths on it. The book's `show_trace`. D2L 12.3.1.

    Args:
      f: maps a scalar to a scalar.
      paths: the points of each path, by its name, as `descent.gradient_descent` returns them; an empty mapping draws
        the curve alone, and then `xlim` is needed.
      xlim: from where to where the curve is drawn; by default the paths and a margin.
      xlabel, ylabel: what the axes show.
      title: printed above.

    Raises:
      ValueError: more than six paths, or a path of another shape.

    >>> on_curve(jnp.square, {"rate 0.1": np.array([2.0, 1.6, 1.28])}).axes[0].get_xlabel()
    'x'
    """
    _require_paths(0, "points>=1", paths)
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    xlim = xlim or _around(np.concatenate([np.asarray(path) for path in paths.values()]))
    x = np.linspace(*xlim, 400)
    axes.plot(x, jax.vmap(f)(jnp.asarray(x)), color="0.6", linewidth=1.5)
    heights = {name: np.asarray(jax.vmap(f)(jnp.asarray(path))) for name, path in paths.items()}
    for (name, path), style in zip(paths.items(), _styles(), strict=False):
        axes.plot(path, heights[name], label=name, **style)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title, xlim=xlim)
    axes.grid(alpha=0.3)
    if paths:
        figure.legend(loc="outside lower center", ncols=min(3, len(paths)), frameon=False)
    return figure


def contours(
    f: Callable[[Array], Array],
    paths: Mapping[str, Float[Array | np.ndarray, "points 2"]],
    *,
    xlim: Limits | None = None,
    ylim: Limits | None = None,
    xlabel: str = "$x_1$",
    ylabel: str = "$x_2$",
    title: str = "",
) -> Figure:
    """Contour lines of a function of two variables, and up to six paths over them: `show_trace_2d`. D2L 12.3.2.

    The lines are closer together near the lowest point than equal steps would be, so that a ravine shows. A star marks
    where each path ends.

    Args:
      f: maps an array (2,) to a scalar.
      paths: the points of each path, (points, 2), by its name.
      xlim, ylim: what is drawn; by default the paths and a margin.
      xlabel, ylabel: what the axes show.
      title: printed above.

    Raises:
      ValueError: no path, more than six, or a path of another shape.

    >>> bowl = lambda x: x[0] ** 2 + 2 * x[1] ** 2
    >>> figure = contours(bowl, {"rate 0.1": np.array([[-5.0, -2.0], [-4.0, -1.2]])})
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['rate 0.1']
    """
    _require_paths(1, "points>=1 2", paths)
    points = np.concatenate([np.asarray(path) for path in paths.values()])
    xlim, ylim = xlim or _around(points[:, 0]), ylim or _around(points[:, 1])
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    grid = jnp.asarray(np.stack(np.meshgrid(np.linspace(*xlim, 120), np.linspace(*ylim, 120)), -1))
    heights = np.asarray(jax.vmap(jax.vmap(f))(grid))
    lowest, highest = heights.min(), heights.max()
    levels = lowest + (highest - lowest) * np.linspace(0.02, 1, 12) ** 2
    axes.contour(grid[..., 0], grid[..., 1], heights, levels, colors="0.75", linewidths=0.8, linestyles="-")
    for (name, path), style in zip(paths.items(), _styles(), strict=False):
        [line] = axes.plot(*np.asarray(path).T, label=name, **style)
        axes.plot(*np.asarray(path)[-1], marker="*", markersize=11, color=line.get_color(), markeredgecolor="black")
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title, xlim=xlim, ylim=ylim)
    figure.legend(loc="outside lower center", ncols=min(3, len(paths)), frameon=False)
    return figure


def _require_paths(fewest: int, pattern: str, paths: Mapping[str, Array | np.ndarray]) -> None:
    require_whole_between(fewest, len(STYLES), **{"the number of paths": len(paths)})
    for name, path in paths.items():
        require_shapes(pattern, **{f"paths[{name!r}]": path})


def _styles() -> list[dict[str, Any]]:
    """A colour, dashes and a marker for each path: any one of the three tells them apart."""
    sizes = {"markersize": 4, "linewidth": 1.3}
    return [style | sizes | {"marker": marker} for style, marker in zip(STYLES, _MARKERS, strict=True)]


def _around(values: np.ndarray) -> Limits:
    """From the smallest to the largest finite value, and a margin; 0 is within, for most minima are there."""
    finite = np.append(values[np.isfinite(values)], 0.0)
    margin = 0.12 * (finite.max() - finite.min()) or 1.0
    return float(finite.min() - margin), float(finite.max() + margin)
