"""Pooling: the book's numbers, ties, padding, ceil_mode, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxd2l.models._pooling import global_mean_pool, max_pool, mean_pool


def image(size: int, sign: int = 1) -> jax.Array:
    return sign * jnp.arange(float(size * size)).reshape(1, size, size, 1)


def first(y: jax.Array) -> list[list[float]]:
    return np.round(np.asarray(y, np.float64)[0, :, :, 0], 4).tolist()


def test_the_book_s_windows() -> None:
    assert first(max_pool(image(3), 2, stride=1)) == [[4, 5], [7, 8]]
    assert first(mean_pool(image(3), 2, stride=1)) == [[2, 3], [5, 6]]
    assert first(max_pool(image(4), 3)) == [[10]]
    assert first(max_pool(image(4), 3, padding=1, stride=2)) == [[5, 7], [13, 15]]
    assert first(max_pool(image(4), (2, 3), stride=(2, 3), padding=(0, 1))) == [[5, 7], [13, 15]]
    both = jnp.concatenate([image(4), image(4) + 1], -1)
    assert max_pool(both, 3, padding=1, stride=2)[0, :, :, 1].tolist() == [[6, 8], [14, 16]]


def test_padding_never_wins_and_counts_in_the_mean_if_asked() -> None:
    assert first(max_pool(image(4, -1) - 1, 3, padding=1, stride=2)) == [[-1, -2], [-5, -6]]
    assert first(mean_pool(image(4), 3, padding=1, stride=2)) == [[1.1111, 2.6667], [5.6667, 10]]
    assert first(mean_pool(image(4), 3, padding=1, stride=2, count_include_pad=False)) == [[2.5, 4], [8.5, 10]]


def test_ceil_mode_keeps_the_last_row_and_column() -> None:
    assert first(max_pool(image(5), 2, ceil_mode=True)) == [[6, 8, 9], [16, 18, 19], [21, 23, 24]]
    assert first(mean_pool(image(5), 2, ceil_mode=True)) == [[3, 5, 6.5], [13, 15, 16.5], [20.5, 22.5, 24]]
    assert first(max_pool(image(5), 2)) == [[6, 8], [16, 18]]


def test_a_window_that_would_begin_beyond_the_image_is_left_out_in_ceil_mode() -> None:
    assert max_pool(image(3), 2, stride=2, padding=1, ceil_mode=True).shape == (1, 2, 2, 1)
    assert max_pool(image(3), (1, 1), stride=4, ceil_mode=True).shape == (1, 1, 1, 1)


def test_of_equal_values_the_first_gets_the_whole_gradient() -> None:
    def gradient(x, window, **options):
        return first(jax.grad(lambda x: jnp.sum(max_pool(x, window, **options)))(x))

    assert gradient(jnp.zeros((1, 2, 2, 1)), 2) == [[1, 0], [0, 0]]
    rows = jnp.array([[0.0, 3.0], [3.0, 0.0]]).reshape(1, 2, 2, 1)
    assert gradient(rows, 2) == [[0, 1], [0, 0]]
    assert gradient(jnp.zeros((1, 3, 3, 1)), 3, padding=1, stride=2) == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("window", "stride", "padding"), [(2, 2, 0), (3, 2, 1), ((2, 3), (1, 2), (1, 0)), (5, 5, 0), (1, 2, 0)]
)
def test_values_and_gradients_are_those_of_xla_s_windows(window, stride, padding) -> None:
    x = jax.random.normal(jax.random.key(0), (2, 11, 9, 3))

    def both(value):
        return value if isinstance(value, tuple) else (value, value)

    sizes, steps, around = (1, *both(window), 1), (1, *both(stride), 1), [(p, p) for p in (0, *both(padding), 0)]

    def by_xla(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, sizes, steps, around)

    def means(x):
        return lax.reduce_window(x, 0.0, lax.add, sizes, steps, around) / float(np.prod(sizes))

    options = {"stride": stride, "padding": padding}
    for ours, xla in (
        (lambda x: max_pool(x, window, **options), by_xla),
        (lambda x: mean_pool(x, window, **options), means),
    ):
        values, expected = (jax.value_and_grad(lambda x, f=f: jnp.sum(jnp.sin(f(x))))(x) for f in (ours, xla))
        np.testing.assert_allclose(values[0], expected[0], rtol=1e-5)
        np.testing.assert_allclose(values[1], expected[1], rtol=1e-5, atol=1e-6)


def test_nan_is_the_largest_of_its_window() -> None:
    x = image(4).at[0, 0, 0, 0].set(jnp.nan)
    assert np.isnan(max_pool(x, 2)[0, :, :, 0]).tolist() == [[True, False], [False, False]]


def test_mean_over_the_whole_image() -> None:
    np.testing.assert_allclose(global_mean_pool(image(3)), [[4.0]])


@pytest.mark.bad_input
@pytest.mark.parametrize("pool", [max_pool, mean_pool])
def test_what_does_not_fit_is_refused_in_words(pool) -> None:
    with pytest.raises(ValueError, match="a window of 4 x 4 does not fit on 3 x 3; make"):
        pool(image(3), 4)
    with pytest.raises(ValueError, match="padding must be at most half of the window of 2 x 3"):
        pool(image(3), (2, 3), padding=(1, 2))
    with pytest.raises(ValueError, match=r"x must have shape \(n, height, width, channels\)"):
        pool(image(3)[0], 2)
    with pytest.raises(TypeError, match="x must be floating point"):
        pool(jnp.ones((1, 3, 3, 1), jnp.uint8), 2)
    with pytest.raises(TypeError, match="ceil_mode must be True or False"):
        pool(image(3), 2, ceil_mode=1)
    with pytest.raises(ValueError, match="height>=1"):
        global_mean_pool(jnp.ones((1, 0, 3, 1)))
