"""The book's numbers of sections 6.1 and 6.5."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l.book.builders import halved, leading_fourier, tensor_reduction


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit])
def test_halving_stops_at_1_and_its_gradient_is_the_factor(wrap) -> None:
    x = jnp.array([1.0, 2.0, 4.0])
    assert wrap(halved)(x).tolist() == [0.125, 0.25, 0.5]
    total, gradient = wrap(jax.value_and_grad(lambda x: halved(x).sum()))(x)
    assert total == 0.875
    assert gradient.tolist() == [0.125] * 3
    assert wrap(halved)(x / 7).tolist() == (x / 7).tolist()


def test_jax_cannot_reverse_the_loop_itself() -> None:
    def loop(x):
        return jax.lax.while_loop(lambda x: jnp.sum(jnp.abs(x)) > 1, lambda x: x / 2, x).sum()

    with pytest.raises(ValueError, match="Reverse-mode differentiation does not work"):
        jax.grad(loop)(jnp.array([1.0, 2.0, 4.0]))


def test_a_quadratic_form_for_each_output() -> None:
    W, x = (jax.random.normal(jax.random.key(i), shape) for i, shape in enumerate(((3, 3, 2), (4, 3))))
    expected = jnp.stack([jnp.stack([row @ W[:, :, k] @ row for k in range(2)]) for row in x])
    np.testing.assert_allclose(tensor_reduction(W, x), expected, rtol=1e-4, atol=1e-5)


def test_half_of_the_spectrum() -> None:
    np.testing.assert_allclose(leading_fourier(jnp.array([1.0, 2.0, 3.0, 4.0])), [10, -2 + 2j], atol=1e-6)
    assert leading_fourier(jnp.ones((2, 5))).shape == (2, 3)


@pytest.mark.bad_input
def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="x"):
        halved(jnp.array([jnp.inf]))
    with pytest.raises(TypeError, match="x must be floating point"):
        leading_fourier(jnp.arange(4))
    with pytest.raises(ValueError, match="W and x must have shapes"):
        tensor_reduction(jnp.ones((2, 3, 1)), jnp.ones((1, 2)))
