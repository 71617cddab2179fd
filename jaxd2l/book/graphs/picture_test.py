"""A picture shows every name, shape and size; no text leaves its box or the page; equal graphs give equal files."""

import itertools
import xml.etree.ElementTree

import jax
import jax.numpy as jnp
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch, Rectangle

from jaxd2l import activations, plots
from jaxd2l.book import graphs


def small(W1, W2, x):
    return jnp.sum(W2 @ activations.relu(W1 @ x))


def softmax_and_more(x):
    return jax.nn.softmax(x) * jnp.sin(x) + jnp.cumsum(x, axis=0)


CASES = {
    "mlp": graphs.graph(small, jnp.ones((5, 3)), jnp.ones((2, 5)), jnp.ones(3)),
    "softmax": graphs.graph(softmax_and_more, jnp.ones((4, 3)), expand=True),
    "identity": graphs.graph(lambda x: x, jnp.ones(3)),
    "unused argument": graphs.graph(lambda a_rather_long_name, x: jnp.sin(x), jnp.ones(3), jnp.ones((1000, 1000))),
}


@pytest.mark.parametrize("name", CASES)
def test_a_picture_is_legible(name):
    graph = CASES[name]
    figure = graphs.figure(graph)
    [axes] = figure.axes
    renderer = FigureCanvasAgg(figure).get_renderer()
    page = figure.bbox
    texts = {id(text): text.get_window_extent(renderer) for text in axes.texts}
    boxes = [
        patch.get_window_extent(renderer) for patch in axes.patches if isinstance(patch, (Rectangle, FancyBboxPatch))
    ]
    for extent in (*texts.values(), *boxes):
        assert page.x0 <= extent.x0
        assert extent.x1 <= page.x1
        assert page.y0 <= extent.y0
        assert extent.y1 <= page.y1
    for a, b in itertools.combinations(boxes, 2):
        assert not a.overlaps(b)
    shown = [text.get_text() for text in axes.texts]
    for text, extent in zip(axes.texts, texts.values(), strict=True):
        if text.get_ha() == "center":  # not in the legend
            assert any(
                box.x0 <= extent.x0 and extent.x1 <= box.x1 and box.y0 <= extent.y0 and extent.y1 <= box.y1
                for box in boxes
            ), text.get_text()
    for value in graph.values:
        assert value.name in shown or value.role == "constant"
    for operation in graph.operations:
        assert operation.name in shown


def test_details_give_dtype_shape_and_bytes():
    shown = [text.get_text() for text in graphs.figure(CASES["unused argument"]).axes[0].texts]
    assert "f32[1000,1000] · 4 MB" in shown


def test_frames_show_kept_values_even_without_colour():
    graph = CASES["mlp"]
    squares = [
        patch
        for patch in graphs.figure(graph).axes[0].patches
        if isinstance(patch, Rectangle) and patch.get_height() > 0.3  # not in the legend
    ]
    frames = sorted(patch.get_linewidth() for patch in squares)
    residuals = sum(value.role == "residual" for value in graph.values)
    kept = sum(value.kept and value.role not in ("residual", "constant") for value in graph.values)
    assert (residuals, kept) == (1, 4)  # the mask; W1, W2, x and h
    assert frames == [0.0] * (len(squares) - 5) + [1.2, 2.0, 2.0, 2.0, 2.0]


def test_files_are_well_formed_and_reproducible():
    svg = plots.svg(graphs.figure(CASES["mlp"]))
    assert xml.etree.ElementTree.fromstring(svg).tag.endswith("svg")
    assert svg == plots.svg(graphs.figure(CASES["mlp"])) == CASES["mlp"]._repr_svg_()
    assert plots.png(graphs.figure(CASES["mlp"])).startswith(b"\x89PNG")
