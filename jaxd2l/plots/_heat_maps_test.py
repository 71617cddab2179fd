"""A table of numbers as colours: every number can be read."""

from itertools import pairwise

import numpy as np
import pytest

from jaxd2l import plots


def test_a_heat_map_prints_every_number_and_hatches_nan():
    figure = plots.heat_map(
        np.array([[0.1, np.nan], [0.3, 0.9]]), x=["a", "b"], y=["0", "1"], xlabel="lr", ylabel="seed", label="accuracy"
    )
    axes, colours = figure.axes
    assert [text.get_text() for text in axes.texts] == ["0.100", "nan", "0.300", "0.900"]
    assert [text.get_color() for text in axes.texts] == ["white", "black", "white", "black"]
    assert (axes.get_xlabel(), axes.get_ylabel(), colours.get_ylabel()) == ("lr", "seed", "accuracy")
    assert axes.images[0].get_array().mask.tolist() == [[False, True], [False, False]]
    plots.png(figure)
    assert plots.png(plots.heat_map(np.full((1, 1), np.nan), x=["a"], y=["b"], xlabel="", ylabel="", label=""))


@pytest.mark.parametrize("values", [np.zeros((2, 3)), np.zeros((0, 2)), np.zeros(2)])
@pytest.mark.bad_input
def test_a_heat_map_needs_a_number_for_each_pair_of_names(values):
    with pytest.raises(ValueError, match="values must"):
        plots.heat_map(values, x=["a", "b"], y=["0"] * (len(values) % 3), xlabel="", ylabel="", label="")


def test_the_best_cell_is_framed_and_bold():
    names = {"x": ["a", "b"], "y": ["0", "1"], "xlabel": "lr", "ylabel": "seed", "label": "accuracy"}
    figure = plots.heat_map(np.array([[0.1, 0.4], [0.3, 0.2]]), **names, best=(0, 1))
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts if text.get_weight() == "bold"] == ["0.400"]
    assert {frame.get_bbox().bounds for frame in axes.patches} == {(0.5, -0.5, 1, 1)}
    assert not plots.heat_map(np.eye(2), **names).axes[0].patches
    for best, message in (((2, 0), "the row of best must be a whole number from 0 to 1, got 2"), ((0, -1), "column")):
        with pytest.raises(ValueError, match=message):
            plots.heat_map(np.eye(2), **names, best=best)


def test_numbers_of_every_size_stay_in_their_cells_and_have_colours_of_their_own():
    values = np.array([[2.6e15, 1e-7], [1.0, 123.456]])
    figure = plots.heat_map(values, x=["a", "b"], y=["0", "1"], xlabel="lr", ylabel="seed", label="loss")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["2.6e+15", "1.0e-07", "1.000", "123.456"]
    image = axes.images[0]
    assert len({tuple(color) for color in image.cmap(image.norm(values)).reshape(4, 4)}) == 4
    figure.draw_without_rendering()
    width = axes.transData.transform([[0, 0], [1, 0]])
    assert max(text.get_window_extent().width for text in axes.texts) < width[1, 0] - width[0, 0]


def test_a_long_label_is_no_longer_than_the_bar_of_colours():
    label = "validation accuracy, mean of 16 seeds"
    title = "mlp on fashion_mnist, 10 epochs; the best: lr 0.1389, weight decay 0.001"
    figure = plots.heat_map(np.eye(2), x=["a", "b"], y=["0", "1"], xlabel="lr", ylabel="s", label=label, title=title)
    figure.draw_without_rendering()
    axes, colours = figure.axes
    written, bar = colours.yaxis.label.get_window_extent(), colours.bbox
    assert bar.y0 <= written.y0 < written.y1 <= bar.y1
    assert not written.overlaps(axes.title.get_window_extent())


def test_a_confusion_matrix_shows_counts_and_colours_shares_of_the_true_class():
    confusion = np.array([[90, 10, 0], [1, 1, 0], [0, 0, 0]])  # no example is a bird
    figure = plots.confusion_matrix(confusion, class_names=["cat", "dog", "bird"], title="11 of 102 wrong")
    axes = figure.axes[0]
    assert {text.get_position()[::-1]: text.get_text() for text in axes.texts} == {
        (0, 0): "90",
        (0, 1): "10",
        (1, 0): "1",
        (1, 1): "1",
    }
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.9, 0.1, 0], [0.5, 0.5, 0], [0, 0, 0]])
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("predicted", "true", "11 of 102 wrong")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog", "bird"]


@pytest.mark.parametrize("n", [1, 2, 10, 40, 100])
def test_a_confusion_matrix_of_any_size_has_room_for_its_names(n):
    names = [f"class {i}" for i in range(n)]
    figure = plots.confusion_matrix(np.eye(n, dtype=int), class_names=names)
    assert max(figure.get_size_inches()) < 20
    figure.draw_without_rendering()
    labels = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in pairwise(labels))
    assert min(label.x0 for label in labels) >= 0
    assert bool(figure.axes[0].texts) == (n < 40)


@pytest.mark.parametrize(
    ("confusion", "message"),
    [(np.zeros((2, 3)), "confusion must"), (np.zeros((3, 3)), "confusion must"), (-np.eye(2), "must be at least 0")],
)
@pytest.mark.bad_input
def test_what_is_no_confusion_matrix_is_refused(confusion, message):
    with pytest.raises(ValueError, match=message):
        plots.confusion_matrix(confusion, class_names=["cat", "dog"])
