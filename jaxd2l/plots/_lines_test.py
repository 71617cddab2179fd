"""Lines can be told apart, and their axes say what they show."""

import numpy as np
import pytest

from jaxd2l import plots


def test_lines_can_be_distinguished_without_colour():
    figure = plots.lines(np.arange(40), {str(i): np.full(40, i) for i in range(6)}, xlabel="x", ylabel="y")
    styles = [line.get_linestyle() + str(line._dash_pattern) for line in figure.axes[0].lines]
    assert len(set(styles)) == 6
    assert len(figure.legends) == 1
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("x", "y")


def test_whole_numbers_get_whole_numbers_on_their_axis():
    def ticks(x, **scales):
        axes = plots.lines(x, {"y": np.ones(20)}, xlabel="x", ylabel="y", **scales).axes[0]
        return axes.get_xticks()

    assert all(tick == round(tick) for tick in ticks(np.arange(1, 21)))  # matplotlib's own are 2.5, 5, 7.5, ...
    assert any(tick != round(tick) for tick in ticks(np.arange(1.0, 21.0)))
    assert {10.0, 100.0} <= set(ticks(10 * np.arange(1, 21), xscale="log"))


def test_many_points_have_no_markers_because_they_would_overlap():
    for n, marker in ((30, "o"), (31, "None")):
        figure = plots.lines(np.arange(n), {str(i): np.full(n, i) for i in range(3)}, xlabel="x", ylabel="y")
        assert figure.axes[0].lines[-1].get_marker() == marker


@pytest.mark.parametrize("ys", [{}, {str(i): np.zeros(3) for i in range(7)}, {"short": np.zeros(2)}])
def test_lines_that_cannot_be_drawn_are_refused(ys):
    with pytest.raises(
        ValueError, match=r"number of lines must be a whole number from 1 to 6|x and ys\['short'\] must have"
    ):
        plots.lines(np.zeros(3), ys, xlabel="x", ylabel="y")
