"""The parts of a graph's picture: boxes, edges and the legend."""

from typing import TYPE_CHECKING, Any

from jaxd2l.book.graphs.layout import Edge, Point
from jaxd2l.book.graphs.parts import Operation, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_KEPT, _INK = "#C9DFF0", "#222222"
_NAME_SIZE, _DETAIL_SIZE = 10.0, 7.5
_HEIGHT = 0.44
_LEGEND = (
    ("argument", {"facecolor": "white", "linewidth": 0.8}),
    ("computed", {"facecolor": "#F1F1F1", "linewidth": 0.0}),
    ("kept for the backward pass", {"facecolor": _KEPT, "linewidth": 2.0}),
    ("computed for it only", {"facecolor": _KEPT, "linewidth": 1.2, "linestyle": (0, (3, 2))}),
)


def _text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of a text in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(weight="bold" if bold else "normal")
    return float(TextPath((0, 0), text, size=size, prop=font).get_extents().width) / 72


def _detail(value: Value) -> str:
    shape = f"{value.dtype}[{','.join(map(str, value.shape))}]"
    size, unit = float(value.nbytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{shape} · {size:.3g} {unit}"


def value_size(value: Value) -> Point:
    width = max(_text_width(value.name, _NAME_SIZE, bold=True), _text_width(_detail(value), _DETAIL_SIZE))
    return max(width, 0.5) + 0.18, _HEIGHT


def operator_size(op: Operation) -> Point:
    return max(_text_width(op.name, _NAME_SIZE), 0.15) + 0.3, 0.27


def ports(edges: list[Edge], routes: list[list[Point]], sizes: list[Point]) -> list[Point]:
    """How far from the centre each edge leaves its first box and meets its last: side by side, in order."""
    offsets = [[0.0, 0.0] for _ in edges]
    for end, neighbour in ((0, 1), (1, -2)):
        for i, (width, _) in enumerate(sizes):
            at_box = [k for k, edge in enumerate(edges) if edge[end] == i]
            at_box.sort(key=lambda k: routes[k][neighbour][0])
            for place, k in enumerate(at_box):
                offsets[k][end] = (place - (len(at_box) - 1) / 2) * min(0.16, 0.6 * width / len(at_box))
    return [(start, stop) for start, stop in offsets]


def draw_edge(axes: "Axes", route: list[Point], first: Point, last: Point, offsets: Point, *, dashed: bool) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    points = [(route[0][0] + offsets[0], route[0][1] - first[1] / 2)]
    if passed := route[1:-1]:  # clear of the boxes beside the first and the last stopover
        (x0, y0), (x1, y1) = passed[0], passed[-1]
        points += [(x0, y0 + _HEIGHT / 2), *passed[1:-1], (x1, y1 - _HEIGHT / 2)]
    points.append((route[-1][0] + offsets[1], route[-1][1] + last[1] / 2 + 0.01))
    # A smooth curve x(y): upright at both ends, and parallel to the chord of its neighbours at a stopover.
    chords = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in zip(points, points[2:], strict=False)]
    slopes = [0.0, *chords, 0.0]
    vertices, codes = [points[0]], [Path.MOVETO]
    for (x0, y0), (x1, y1), s0, s1 in zip(points, points[1:], slopes, slopes[1:], strict=False):
        reach = (y1 - y0) / (2 if len(points) == 2 else 3)
        vertices += [(x0 + s0 * reach, y0 + reach), (x1 - s1 * reach, y1 - reach), (x1, y1)]
        codes += [Path.CURVE4] * 3
    axes.add_patch(
        FancyArrowPatch(
            path=Path(vertices, codes),
            arrowstyle="-|>",
            mutation_scale=8,
            linewidth=0.9,
            linestyle=(0, (3, 2)) if dashed else "-",
            color=_INK,
            shrinkA=0,
            shrinkB=0,
            joinstyle="miter",
        )
    )


def draw_value(axes: "Axes", value: Value, centre: Point, size: Point) -> None:
    kind = 3 if value.role == "residual" else 2 if value.kept else 0 if value.role == "argument" else 1
    _square(axes, centre, size, _LEGEND[kind][1])
    x, y = centre
    axes.text(x, y + 0.08, value.name, ha="center", va="center", size=_NAME_SIZE, weight="bold", color=_INK)
    axes.text(x, y - 0.11, _detail(value), ha="center", va="center", size=_DETAIL_SIZE, color=_INK)


def draw_operator(axes: "Axes", op: Operation, centre: Point, size: Point) -> None:
    from matplotlib.patches import FancyBboxPatch

    (x, y), (width, height) = centre, size
    shape = f"round,pad=0,rounding_size={height / 2}"
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=shape, facecolor="white", edgecolor=_INK, zorder=2))
    axes.text(x, y - 0.005, op.name, ha="center", va="center_baseline", size=_NAME_SIZE, color=_INK)


def _square(axes: "Axes", centre: Point, size: Point, style: dict[str, Any]) -> None:
    from matplotlib.patches import Rectangle

    corner = (centre[0] - size[0] / 2, centre[1] - size[1] / 2)
    axes.add_patch(Rectangle(corner, *size, edgecolor=_INK, zorder=2, **style))


def legend_rows(width: float) -> list[list[int]]:
    """The numbers of the entries in each row of the legend."""
    rows: list[list[int]] = [[]]
    used = 0.0
    for k, (text, _) in enumerate(_LEGEND):
        needed = _text_width(text, _DETAIL_SIZE) + 0.55
        if rows[-1] and used + needed > width:
            rows.append([])
            used = 0.0
        rows[-1].append(k)
        used += needed
    return rows


def draw_legend(axes: "Axes", rows: list[list[int]], left: float, top: float) -> None:
    for r, row in enumerate(rows):
        x, y = left, top - 0.26 * r - 0.08
        for k in row:
            text, style = _LEGEND[k]
            _square(axes, (x + 0.12, y), (0.24, 0.15), style)
            axes.text(x + 0.32, y - 0.005, text, ha="left", va="center", size=_DETAIL_SIZE, color=_INK)
            x += _text_width(text, _DETAIL_SIZE) + 0.55
