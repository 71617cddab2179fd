"""The computational graph of any function (D2L 5.3.2): read from its jaxpr, laid out, drawn."""

from jaxd2l.book.graphs.draw import figure, png, svg
from jaxd2l.book.graphs.read import Graph, Operation, Value, graph

__all__ = ["Graph", "Operation", "Value", "figure", "graph", "png", "svg"]
