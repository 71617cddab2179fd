"""Products explode, sigmoids lose the gradient, good initialisers keep the signal, equal units stay equal. D2L 5.4."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l import activations, initializers, losses, models
from jaxd2l.book.stability import constant_init, distinct_units, random_product, variances_through_depth
from jaxd2l.optim import sgd
from jaxd2l.train import create_state, make_train_step
from jaxd2l.types import Batch

DEEP = (100,) * 21


def test_a_product_of_100_random_matrices_explodes():
    growth = random_product(jax.random.key(0))
    assert growth.shape == (100,)
    # log ||M v|| of a 4 x 4 Gaussian grows by E[log chi_4] = (log 2 + digamma(2)) / 2 = 0.558 per factor.
    np.testing.assert_allclose(growth[-1], 100 * 0.558 / np.log(10), atol=6)
    assert np.isfinite(random_product(jax.random.key(1), num_matrices=2000)[-1])  # e^1100: no float32 holds it


def test_growth_matches_the_product():
    matrices = [jax.random.normal(k, (3, 3)) for k in jax.random.split(jax.random.key(3), 5)]
    product = np.linalg.multi_dot([np.asarray(m, np.float64) for m in matrices])
    np.testing.assert_allclose(
        random_product(jax.random.key(3), num_matrices=5, size=3)[-1], np.log10(np.abs(product).max()), atol=1e-4
    )


def test_kaiming_keeps_the_signal_of_relu_and_of_its_gradient():
    found = variances_through_depth(jax.random.key(0), DEEP, init=initializers.kaiming_normal())
    assert found.activations.shape == found.gradients.shape == (20,)
    for signal in found:
        np.testing.assert_array_less(np.abs(np.log10(signal)), 1)


def test_xavier_keeps_the_gradient_of_tanh():
    found = variances_through_depth(
        jax.random.key(0), DEEP, init=initializers.xavier_normal(), activation=activations.tanh
    )
    assert found.activations[-1] > 0.01
    assert found.gradients[0] > 0.01


def test_the_normal_init_of_the_book_loses_everything_in_20_layers():
    found = variances_through_depth(jax.random.key(0), DEEP, init=initializers.normal(0.01))
    assert found.activations[-1] < 1e-20
    assert found.gradients[0] < 1e-20


def test_a_sigmoid_loses_the_gradient():
    found = variances_through_depth(
        jax.random.key(0), DEEP, init=initializers.xavier_normal(), activation=activations.sigmoid
    )
    assert (found.gradients[:-1] / found.gradients[1:] < 1.3 / 16).all()
    assert found.gradients[-1] == pytest.approx(1, rel=0.05)


def trained(dropout_rate):
    """A layer of equal units after some steps of gradient descent."""
    model = models.mlp(3, 6, 1, init=constant_init(0.5), dropout_rate=dropout_rate)
    tx = sgd(0.1)
    step, state = make_train_step(model, losses.squared_loss, tx), create_state(jax.random.key(0), model, tx)
    x = jax.random.normal(jax.random.key(1), (8, 3))
    for key in jax.random.split(jax.random.key(2), 5):
        state, _ = step(state, Batch(x, jnp.sum(x, 1, keepdims=True)), key=key)
    return state.params[0]


def test_equal_units_stay_equal_and_dropout_separates_them():
    assert distinct_units(trained(0.0)) == 1
    assert distinct_units(trained(0.5)) > 3


def test_too_few_matrices_or_sizes_are_refused():
    with pytest.raises(ValueError, match="num_matrices must be at least 1, got 0"):
        random_product(jax.random.key(0), num_matrices=0)
    with pytest.raises(ValueError, match="the number of sizes must be at least 2, got 1"):
        variances_through_depth(jax.random.key(0), (5,), init=initializers.normal())


@pytest.mark.bad_input
def test_no_units_and_no_examples_are_refused():
    init = initializers.normal()
    with pytest.raises(ValueError, match=r"sizes\[1\] must be at least 1, got 0"):
        variances_through_depth(jax.random.key(0), (5, 0), init=init)
    with pytest.raises(ValueError, match="num_examples must be at least 1"):
        variances_through_depth(jax.random.key(0), (5, 2), init=init, num_examples=0)
    with pytest.raises(ValueError, match=r"kernel \(inputs, outputs\)"):
        distinct_units({"kernel": jnp.ones((2, 3)), "bias": jnp.ones(2)})
