"""The benchmark's pictures: every way is there, the fastest first, and nothing is cut off."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from jaxd2l.bench import pictures, ways
from jaxd2l.bench.conftest import MODELS, timed
from jaxd2l.bench.suite import Grown


def dots(axes) -> list:
    """The lines that are one point."""
    return [line for line in axes.lines if len(line.get_xdata()) == 1]


def words(figure: Figure) -> list:
    """All that stands in a picture, numbers on the axes not counted."""
    found = [figure._suptitle, *figure.legends[0].get_texts()]
    for axes in figure.axes:
        found += [*axes.texts, axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.get_yticklabels()]
    return [text for text in found if (text.get_text() and not text.get_text()[0].isdigit()) or "ms" in text.get_text()]


def growing(names=("batch size", "width", "depth"), **options) -> list[Grown]:
    compared = (ways.JAX_STEP, ways.JAX_EPOCH, ways.TORCH_EAGER)
    return [
        Grown(name, n, timed(name, way, 0.1 * n, **options)) for name in names for n in (1, 2, 4) for way in compared
    ]


def test_every_way_has_a_dot_the_fastest_first_and_no_bar(result):
    figure = pictures.ways(result.ways)
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(MODELS)
    for axes in figure.axes:
        assert not axes.patches
        ratios = [line.get_xdata()[0] for line in dots(axes)]
        assert ratios[0] == 1
        assert ratios == sorted(ratios)
        assert axes.get_yticklabels()[0].get_text() == "JAX, compiled epoch, bfloat16"
        texts = [text.get_text() for text in axes.texts]
        assert texts[0] == "70 ms, the fastest"
        assert texts[-1] == "2700 ms, 39 times slower"
        assert axes.yaxis_inverted()


def test_ways_that_are_about_as_fast_are_not_called_slower():
    [axes] = pictures.ways([timed("MLP", ways.JAX_EPOCH, 0.1), timed("MLP", ways.TORCH_EAGER, 0.104)]).axes
    assert [text.get_text() for text in axes.texts] == ["100 ms, the fastest", "104 ms, about as fast"]


@pytest.mark.parametrize("models", [1, 4])
def test_nothing_is_cut_off(result, models):
    epochs = [epoch for epoch in result.ways if epoch.model in MODELS[:models]]
    noisy = [epoch._replace(summary=epoch.summary._replace(quiet=False)) for epoch in epochs]
    machine = (
        "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz (family 6, model 143), 208 cores, JAX on NVIDIA H100 80GB HBM3"
    )
    for figure in (pictures.ways(noisy, machine=machine), pictures.growth(growing(quiet=False), machine=machine)):
        figure.draw_without_rendering()
        for text in words(figure):
            box = text.get_window_extent()
            assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, text.get_text()
            assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1, text.get_text()


@pytest.mark.parametrize("slowest", [1.01, 1.5, 3.0, 40.0, 5000.0])
def test_the_texts_beside_the_dots_stay_within_the_axes(slowest):
    ratios = np.geomspace(1, slowest, len(ways.WAYS)).tolist()
    figure = pictures.ways([timed("MLP", way, 12.345 * ratio) for way, ratio in zip(ways.WAYS, ratios, strict=True)])
    figure.draw_without_rendering()
    [axes] = figure.axes
    for text in axes.texts:
        assert axes.bbox.x0 <= text.get_window_extent().x0 < text.get_window_extent().x1 <= axes.bbox.x1


def test_a_busy_machine_is_told_in_the_picture(result):
    def title(figure: Figure) -> str:
        return figure._suptitle.get_text()

    noisy = [epoch._replace(summary=epoch.summary._replace(quiet=False)) for epoch in result.ways]
    assert "The machine was busy" in title(pictures.ways(noisy))
    assert "The machine was busy" in title(pictures.growth(growing(quiet=False)))
    assert title(pictures.ways(result.ways, machine="2 cores")).endswith("than the fastest\n2 cores")
    assert title(pictures.growth(growing())) == "How the time of an epoch of the MLP grows"


def test_families_differ_in_grey(result):
    found = {line.get_label(): line for line in dots(pictures.ways(result.ways).axes[0])}
    assert set(found) == {"JAX", "torch", "the book"}
    assert len({line.get_marker() for line in found.values()}) == 3
    assert len({to_rgb(line.get_color()) for line in found.values()}) == 3


def test_everything_that_grows_has_a_panel_and_every_way_a_line():
    panels = pictures.growth(growing()).axes
    assert [panel.get_xlabel() for panel in panels] == ["batch size", "width", "depth", ""]
    for panel in panels[:3]:
        assert [line.get_label() for line in panel.lines] == [
            "JAX, compiled step",
            "JAX, compiled epoch",
            "torch eager",
        ]
        np.testing.assert_allclose(panel.lines[0].get_ydata(), [100, 200, 400])
        assert len({(line.get_linestyle(), line.get_marker()) for line in panel.lines}) == 3
