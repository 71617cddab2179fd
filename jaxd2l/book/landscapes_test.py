"""Pictures of paths show what they are given; whether they are good to look at, only people can say."""

import numpy as np
import pytest

from jaxd2l.book.landscapes import contours, on_curve


def bowl(x):
    return x[0] ** 2 + 2 * x[1] ** 2


def test_paths_over_contour_lines_are_told_apart_without_colour() -> None:
    paths = {name: np.array([[-5.0, -2.0], [end, 1.0]]) for name, end in (("a", 0.0), ("b", 1.0))}
    figure = contours(bowl, paths)
    drawn = [line for line in figure.axes[0].lines if line.get_label() in paths]
    for line, path in zip(drawn, paths.values(), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), path)
    assert len({(line.get_linestyle(), line.get_marker()) for line in drawn}) == 2
    xlim, ylim = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    assert xlim[0] < -5 < 1 < xlim[1]
    assert ylim[0] < -2 < 1 < ylim[1]


def test_a_path_lies_on_the_curve() -> None:
    figure = on_curve(lambda x: x**2, {"a": np.array([3.0, -1.0])})
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_xydata(), [[3, 9], [-1, 1]])
    curve = figure.axes[0].lines[0].get_xydata()
    np.testing.assert_allclose(curve[:, 1], curve[:, 0] ** 2, rtol=1e-5)


def test_a_path_that_blows_up_does_not_break_the_picture() -> None:
    figure = contours(bowl, {"a": np.array([[1.0, 1.0], [np.inf, np.nan], [2.0, 3.0]])})
    assert np.isfinite(figure.axes[0].get_xlim()).all()
    assert contours(bowl, {"a": np.zeros((1, 2))}).axes[0].get_xlim() == (-1, 1)


@pytest.mark.bad_input
def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"paths\['a'\] must have shape \(points>=1, 2\)"):
        contours(bowl, {"a": np.ones(3)})
    with pytest.raises(ValueError, match="the number of paths"):
        contours(bowl, {})
    with pytest.raises(ValueError, match="the number of paths"):
        on_curve(np.square, {str(i): np.ones(1) for i in range(7)})
