"""The computational graph of any function (D2L 5.3.2): read from its jaxpr, laid out, drawn."""

from jaxd2l.book.graphs.parts import Operation, Value
from jaxd2l.book.graphs.picture import Graph, figure
from jaxd2l.book.graphs.read import graph

__all__ = ["Graph", "Operation", "Value", "figure", "graph"]


def __dir__() -> list[str]:
    return __all__
