"""A graph and its picture: squares for values, rounded boxes for operators, as in the book's figure (D2L 5.3.2)."""

from typing import TYPE_CHECKING, NamedTuple

from jaxd2l.book.graphs.boxes import (
    draw_edge,
    draw_legend,
    draw_operator,
    draw_value,
    legend_rows,
    operator_size,
    ports,
    value_size,
)
from jaxd2l.book.graphs.layout import Edge, Point, layered
from jaxd2l.book.graphs.parts import Operation, Value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARGIN = 0.2


class Graph(NamedTuple):
    """Values, the operators between them, and for each residual the values it is made of.

    A notebook shows a graph as a picture.
    """

    values: tuple[Value, ...]
    operations: tuple[Operation, ...]
    derivations: tuple[Operation, ...]

    @property
    def kept(self) -> tuple[Value, ...]:
        """What the backward pass keeps, arguments included."""
        return tuple(value for value in self.values if value.kept)

    @property
    def kept_bytes(self) -> int:
        """Memory in bytes that the backward pass needs beyond arguments and constants."""
        return sum(value.nbytes for value in self.kept if value.role not in ("argument", "constant"))

    def _repr_svg_(self) -> str:
        from jaxd2l import plots  # loads matplotlib

        return plots.svg(figure(self))


def figure(graph: Graph) -> "Figure":
    """Draws a graph: arguments above, outputs below, what the backward pass keeps in blue and framed.

    Each value is a square with its name, dtype, shape and size in memory, each operator a rounded box. A dashed
    square is an array that only the derivative needs, not the function itself. Constants that the backward pass
    keeps (zeros, for example) are left out. `plots.svg` and `plots.png` turn the figure into a file. D2L 5.3.2.

    >>> from jaxd2l.book.graphs import graph
    >>> picture = figure(graph(lambda x: jnp.sum(jnp.sin(x)), jnp.ones(3)))
    >>> [text.get_text() for text in picture.axes[0].texts][:2]
    ['x', 'f32[3] · 12 B']
    """
    from matplotlib.figure import Figure

    values, edges, num_solid = _shown(graph)
    sizes = [value_size(value) for value in values] + [operator_size(op) for op in graph.operations]
    centres, routes = layered(sizes, edges)
    left, right = _extent([x for x, _ in centres], [width for width, _ in sizes], routes)
    bottom, top = min(y for _, y in centres) - 0.25, max(y for _, y in centres) + 0.25
    legend = legend_rows(right - left)
    width, height = right - left + 2 * _MARGIN, top - bottom + 2 * _MARGIN + 0.26 * len(legend) + 0.1
    picture = Figure(figsize=(width, height), facecolor="white")
    axes = picture.add_axes((0, 0, 1, 1))
    axes.set(xlim=(left - _MARGIN, left - _MARGIN + width), ylim=(top + _MARGIN - height, top + _MARGIN))
    axes.set_axis_off()

    offsets = ports(edges, routes, sizes)
    for k, ((start, stop), route) in enumerate(zip(edges, routes, strict=True)):
        draw_edge(axes, route, sizes[start], sizes[stop], offsets[k], dashed=k >= num_solid)
    for value, centre, size in zip(values, centres, sizes, strict=False):
        draw_value(axes, value, centre, size)
    for k, op in enumerate(graph.operations, len(values)):
        draw_operator(axes, op, centres[k], sizes[k])
    draw_legend(axes, legend, left, bottom - 0.2)
    return picture


def _shown(graph: Graph) -> tuple[list[Value], list[Edge], int]:
    """The values to draw; the edges between boxes, values first and then operators; how many edges are solid."""
    joined = {i for op in (*graph.operations, *graph.derivations) for i in (*op.inputs, *op.outputs)}
    shown = [i for i, value in enumerate(graph.values) if i in joined or value.role not in ("constant", "residual")]
    box = {i: k for k, i in enumerate(shown)}
    operators = list(enumerate(graph.operations, len(shown)))
    solid = [(box[i], k) for k, op in operators for i in op.inputs]
    solid += [(k, box[i]) for k, op in operators for i in op.outputs]
    dashed = [(box[i], box[op.outputs[0]]) for op in graph.derivations for i in op.inputs]
    return [graph.values[i] for i in shown], solid + dashed, len(solid)


def _extent(xs: list[float], widths: list[float], routes: list[list[Point]]) -> tuple[float, float]:
    """The left and the right end of boxes and edges, and as much more as the legend needs."""
    bends = [x for route in routes for x, _ in route]
    sides = [(x - w / 2, x + w / 2) for x, w in zip(xs, widths, strict=True)] + [(x, x) for x in bends]
    left, right = min(side[0] for side in sides), max(side[1] for side in sides)
    spare = max(0.0, 2.3 - (right - left)) / 2
    return left - spare, right + spare
