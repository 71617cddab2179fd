"""The numbers of D2L 12.1 and 12.2: minima, saddles, convex functions and projections."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxd2l.book.convexity import chord_gap, curvatures, jensen_gap, project_l1, project_l2
from jaxd2l.book.descent import bisection

CONVEX = {
    "x^2 / 2": lambda x: x**2 / 2,
    "exp(x / 2)": lambda x: jnp.exp(x / 2),
    "log(e^x + e^-x)": lambda x: jnp.logaddexp(x, -x),
    "max(x^2, x + 1)": lambda x: jnp.maximum(x**2, x + 1),
}
NUMBERS = st.floats(-3, 3, width=32)
VECTORS = arrays(np.float32, 3, elements=st.floats(-9, 9, width=32))


def risk(x):
    return x * jnp.cos(jnp.pi * x)


def empirical(x):
    return risk(x) + 0.2 * jnp.cos(5 * jnp.pi * x)


@pytest.mark.parametrize(
    ("f", "low", "high", "where", "value"),
    [
        (risk, 0.5, 1.5, 1.090408, -1.046721),
        (risk, -0.5, 0.0, -0.273853, -0.178603),
        (empirical, 0.95, 1.08, 1.016983, -1.208461),
    ],
    ids=["the risk", "its local minimum", "the empirical risk"],
)
def test_minima_of_the_book(f, low, high, where, value) -> None:
    with jax.enable_x64(True):
        found = bisection(f, low, high)
        assert abs(found - where) < 1e-6
        assert abs(f(found) - value) < 1e-6


def test_saddles_of_the_book_have_curvatures_of_both_signs_or_none() -> None:
    np.testing.assert_array_equal(curvatures(lambda x: x[0] ** 2 - x[1] ** 2, jnp.zeros(2)), [-2, 2])
    assert curvatures(lambda x: x**3, jnp.array(0.0)).tolist() == [0.0]
    with jax.enable_x64(True):
        assert abs(jax.grad(jnp.tanh)(4.0) - 0.00134095) < 1e-8


@pytest.mark.parametrize("name", CONVEX)
@given(x=NUMBERS, y=NUMBERS)
def test_a_convex_function_lies_below_its_chords(name, x, y) -> None:
    assert abs(chord_gap(CONVEX[name], jnp.float32(x), jnp.float32(y))) < 1e-5


def test_cos_pi_x_is_not_convex() -> None:
    gap = chord_gap(lambda x: jnp.cos(jnp.pi * x), jnp.array(-0.5), jnp.array(0.5))
    assert abs(gap - 1) < 1e-6
    assert curvatures(lambda x: jnp.cos(jnp.pi * x), jnp.array(0.0))[0] < -9


def test_log_sum_exp_has_no_negative_curvature() -> None:
    for x in jax.random.normal(jax.random.key(0), (5, 4)):
        assert curvatures(jax.nn.logsumexp, x)[0] > -1e-6


@pytest.mark.parametrize("name", CONVEX)
def test_jensens_inequality(name) -> None:
    x, p = jax.random.normal(jax.random.key(1), (50,)), jax.nn.softmax(jax.random.normal(jax.random.key(2), (50,)))
    assert jensen_gap(CONVEX[name], x, p) > 0.01
    assert jensen_gap(lambda x: -CONVEX[name](x), x, p) < -0.01


def test_jensens_gap_of_a_square_is_the_variance_and_of_a_line_is_0() -> None:
    x, p = jnp.array([[1.0, 2.0], [3.0, -4.0], [0.0, 1.0]]), jnp.array([0.2, 0.3, 0.5])
    deviations = x - p @ x
    np.testing.assert_allclose(jensen_gap(lambda x: x @ x, x, p), jnp.sum(p @ deviations**2), rtol=1e-6)
    assert abs(jensen_gap(jnp.sum, x, p)) < 1e-6


@pytest.mark.parametrize(
    ("project", "point", "expected"),
    [
        (project_l2, [3.0, 4.0], [0.6, 0.8]),
        (project_l1, [3.0, 4.0], [0.0, 1.0]),
        (project_l1, [1.0, 0.5], [0.75, 0.25]),
        (project_l2, [0.3, 0.4], [0.3, 0.4]),
        (project_l1, [0.3, -0.4], [0.3, -0.4]),
        (project_l2, [0.0, 0.0], [0.0, 0.0]),
        (project_l1, [0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_projections_of_the_book(project, point, expected) -> None:
    for compiled in (project, jax.jit(project)):
        np.testing.assert_allclose(compiled(jnp.array(point)), expected, atol=1e-7)


@pytest.mark.parametrize("project", [project_l2, project_l1])
@given(x=VECTORS, y=VECTORS)
def test_a_projection_is_the_nearest_point_and_never_increases_distances(project, x, y) -> None:
    order = 1 if project is project_l1 else 2
    px, py = (np.asarray(project(jnp.asarray(point), radius=2.0)) for point in (x, y))
    assert np.linalg.norm(px, order) <= 2 * (1 + 1e-5)
    assert np.linalg.norm(px - py) <= np.linalg.norm(x - y) * (1 + 1e-5) + 1e-5
    assert (x - px) @ (py - px) <= 1e-3  # the angle towards any other point of the set is obtuse


@pytest.mark.bad_input
def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="x and y must have the same shape"):
        chord_gap(jnp.sum, jnp.ones(2), jnp.ones(3))
    with pytest.raises(ValueError, match="x and p must have shapes"):
        jensen_gap(jnp.sum, jnp.ones((2, 3)), jnp.ones(1))
    with pytest.raises(ValueError, match="must sum to 1"):
        jensen_gap(jnp.square, jnp.ones(2), jnp.ones(2))
    with pytest.raises(ValueError, match="radius must be positive"):
        project_l1(jnp.ones(2), radius=0.0)
