"""The book's numbers of sections 7.1 to 7.4."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l import models
from jaxd2l.book import convolution
from jaxd2l.book.convolution import conv_cost, corr2d, corr2d_matrix, learn_kernel, receptive_field

X, K = jnp.arange(9.0).reshape(3, 3), jnp.arange(4.0).reshape(2, 2)
EDGES = jnp.ones((6, 8)).at[:, 2:6].set(0.0)
KERNEL = jnp.array([[1.0, -1.0]])


def test_slices_a_matrix_and_the_library_agree() -> None:
    x, k = (jax.random.normal(jax.random.key(i), shape) for i, shape in enumerate(((7, 9), (3, 2))))
    expected = models.conv2d(x[None, :, :, None], k[:, :, None, None])[0, :, :, 0]
    np.testing.assert_allclose(corr2d(x, k), expected, rtol=1e-5, atol=1e-6)
    matrix = corr2d_matrix(k, (7, 9))
    np.testing.assert_allclose((matrix @ x.ravel()).reshape(5, 8), expected, rtol=1e-5, atol=1e-6)
    assert (np.count_nonzero(matrix, axis=1) == 6).all()


def test_the_book_s_example_and_its_strict_convolution() -> None:
    assert corr2d(X, K).tolist() == [[19, 25], [37, 43]]
    assert corr2d(X, jnp.flip(K)).tolist() == [[5, 11], [23, 29]]


def test_convolution_commutes_and_cross_correlation_does_not() -> None:
    f, g = (jax.random.normal(jax.random.key(i), (3, 3)) for i in (0, 1))

    def convolved(f, g):
        return corr2d(jnp.pad(f, 2), jnp.flip(g))

    np.testing.assert_allclose(convolved(f, g), convolved(g, f), rtol=1e-4, atol=1e-5)
    assert not np.allclose(corr2d(jnp.pad(f, 2), g), corr2d(jnp.pad(g, 2), f))


def test_edges_are_where_the_image_changes_along_a_row() -> None:
    edges = corr2d(EDGES, KERNEL)
    assert edges.tolist() == [[0, 1, 0, 0, 0, -1, 0]] * 6
    assert not jnp.any(corr2d(EDGES.T, KERNEL))


def test_the_kernel_of_the_edges_is_learnt_from_them() -> None:
    learnt = learn_kernel(EDGES, corr2d(EDGES, KERNEL), jnp.zeros((1, 2)))
    np.testing.assert_allclose(learnt.kernel, [[0.988471, -0.988471]], rtol=1e-5)
    np.testing.assert_allclose(learnt.losses[1::2], [4.9152, 0.82463, 0.13835, 0.023211, 0.0038942], rtol=1e-4)


def test_what_a_unit_sees() -> None:
    assert receptive_field([(2, 1), (2, 1)]).size == 3
    assert receptive_field([(3, 1), (3, 1)]) == receptive_field([(5, 1)])
    assert receptive_field([(5, 1), (2, 2), (5, 1), (2, 2)]) == (16, 4)
    seen = jax.grad(lambda x: models.conv2d(models.mean_pool(x, 2), jnp.ones((5, 5, 1, 1)))[0, 0, 0, 0])(
        jnp.zeros((1, 20, 20, 1))
    )
    assert jnp.sum(jnp.any(seen != 0, (0, 2, 3))) == receptive_field([(2, 2), (5, 1)]).size


def test_what_a_convolution_costs() -> None:
    assert conv_cost(256, 5, 128, 128, padding=2) == 53_687_091_200
    assert conv_cost((3, 4), (2, 1), 1, 1) == 2 * 2 * 4 * 2


def test_a_hundred_and_fifty_thousand_pixels_need_a_matrix_of_size_10_to_the_12() -> None:
    pixels = units = 1000 * 1000
    assert pixels * units == 10**12  # a dense layer from a 1000 x 1000 image to one of the same size
    assert (2 * 1000) ** 2 == 4 * 10**6  # the same weights at each place: one for each relative position
    size = 240
    for _ in range(10):
        size = size - 5 + 1
    assert size == 200  # ten layers of 5 x 5 without padding


def test_learning_compiles_once_and_works_under_jit() -> None:
    np.testing.assert_allclose(jax.jit(corr2d)(X, K), corr2d(X, K))
    assert convolution.Field(1, 1) == receptive_field([])


@pytest.mark.bad_input
def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="a window of 4 x 1 does not fit on 3 x 3"):
        corr2d(X, jnp.ones((4, 1)))
    with pytest.raises(ValueError, match="X and K must have shapes"):
        corr2d(X[0], K)
    with pytest.raises(ValueError, match="Y and the outputs must have"):
        learn_kernel(X, X, K)
    with pytest.raises(ValueError, match=r"layer 1\[1\] must be at least 1"):
        receptive_field([(2, 1), (2, 0)])
    with pytest.raises(ValueError, match="does not fit"):
        conv_cost(3, 5, 1, 1)
