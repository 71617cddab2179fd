"""A figure as the content of a file."""

import io

import matplotlib
from matplotlib.figure import Figure


def png(figure: Figure) -> bytes:
    """The figure as the content of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def svg(figure: Figure) -> str:
    """The figure as the content of an SVG file; the same figure gives the same text.

    >>> from jaxd2l.plots import lines
    >>> svg(lines(np.arange(3), {"x": [0, 1, 2]}, xlabel="x", ylabel="f(x)")).startswith("<?xml")
    True
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "jaxd2l"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
