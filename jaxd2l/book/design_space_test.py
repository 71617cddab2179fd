"""The size of a design space, and the distribution of its networks' errors."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l.book import design_space


def test_the_book_s_space_of_17_numbers() -> None:
    assert design_space.size([2] * 17) == 131_072
    assert design_space.size([]) == 1
    assert design_space.size([2] * 80) == 2**80  # more than an int64 holds


def test_the_distribution_is_the_share_of_errors_up_to_there() -> None:
    errors = jnp.array([0.1, 0.2, 0.2, 0.4])
    shares = design_space.empirical_distribution(errors, jnp.array([[0.0, 0.1], [0.2, 1.0]]))
    np.testing.assert_array_equal(shares, [[0, 0.25], [0.75, 1]])


@pytest.mark.bad_input
def test_what_is_no_sample_is_refused() -> None:
    with pytest.raises(ValueError, match=r"choices\[1\] must be at least 1"):
        design_space.size([2, 0])
    with pytest.raises(ValueError, match="errors must not be empty"):
        design_space.empirical_distribution(jnp.zeros(0), 0.2)
    with pytest.raises(TypeError, match="at must hold real numbers"):
        design_space.empirical_distribution(jnp.ones(1), "0.2")
