"""Boxes never overlap, arrows point down, and each edge passes beside the boxes between its ends."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxd2l.book.graphs.layout import _nondecreasing, layered


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 14))
    pairs = list(itertools.combinations(range(count), 2))
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=24)) if pairs else []
    sizes = draw(st.lists(st.tuples(st.floats(0.3, 3.0), st.floats(0.2, 0.5)), min_size=count, max_size=count))
    return sizes, edges


@given(graphs())
def test_a_layout_is_legible(graph):
    sizes, edges = graph
    centres, routes = layered(sizes, edges)
    for (i, (x, y)), (j, (u, v)) in itertools.combinations(enumerate(centres), 2):
        apart_x = abs(x - u) - (sizes[i][0] + sizes[j][0]) / 2
        apart_y = abs(y - v) - (sizes[i][1] + sizes[j][1]) / 2
        assert apart_x > 0.2 or apart_y > 0.1
    for (start, to), route in zip(edges, routes, strict=True):
        assert route[0] == centres[start]
        assert route[-1] == centres[to]
        heights = [y for _, y in route]
        assert all(a > b for a, b in itertools.pairwise(heights))
        for x, y in route[1:-1]:
            for (u, v), (width, height) in zip(centres, sizes, strict=True):
                assert abs(x - u) > width / 2 or abs(y - v) > height / 2


def test_crossings_are_undone():
    # 0 and 1 point crosswise to 2 and 3, and their order is free.
    centres, _ = layered([(1.0, 1.0)] * 4, [(0, 3), (1, 2)])
    assert (centres[0][0] - centres[1][0]) * (centres[3][0] - centres[2][0]) > 0


def test_a_source_stands_just_above_its_use():
    centres, _ = layered([(1.0, 0.4)] * 5, [(0, 1), (1, 2), (2, 3), (4, 3)])
    assert centres[4][1] == pytest.approx(centres[2][1])


def test_a_cycle_is_refused():
    with pytest.raises(ValueError, match="cycle"):
        layered([(1.0, 1.0)] * 2, [(0, 1), (1, 0)])


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12))
def test_nondecreasing_is_isotonic_regression(wanted):
    from sklearn.isotonic import IsotonicRegression

    ours = _nondecreasing(np.array(wanted), np.ones(len(wanted)))
    np.testing.assert_allclose(ours, IsotonicRegression().fit_transform(np.arange(len(wanted)), wanted), atol=1e-6)
