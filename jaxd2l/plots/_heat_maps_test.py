"""A table of numbers as colours: every number can be read."""

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
