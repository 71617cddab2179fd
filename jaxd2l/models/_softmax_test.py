"""Softmax regression."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l.activations import softmax
from jaxd2l.losses import cross_entropy
from jaxd2l.models import softmax_regression

MODEL = softmax_regression(784, 10)


def test_a_batch_of_256_images_gets_logits_and_256_predictions() -> None:
    params = MODEL.init(jax.random.key(0))
    images = jax.random.uniform(jax.random.key(1), (256, 28, 28, 1))
    logits = MODEL.apply(params, images)
    assert logits.shape == (256, 10)
    assert logits.argmax(-1).shape == (256,)
    expected = np.asarray(images).reshape(256, 784) @ np.asarray(params["kernel"]) + np.asarray(params["bias"])
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_first_guess_is_no_guess() -> None:
    logits = MODEL.apply(MODEL.init(jax.random.key(0)), jnp.full((4, 784), 0.3))
    np.testing.assert_allclose(softmax(logits), 0.1, atol=0.03)
    np.testing.assert_allclose(cross_entropy(logits, jnp.arange(4)), np.log(10), atol=0.2)


def test_gradient_is_inputs_times_probabilities_minus_labels() -> None:
    model = softmax_regression(3, 4)
    params = model.init(jax.random.key(0))
    x, y = jax.random.normal(jax.random.key(1), (5, 3)), np.array([0, 3, 1, 1, 2])
    gradient = jax.grad(lambda params: cross_entropy(model.apply(params, x), y))(params)
    error = np.asarray(softmax(model.apply(params, x))) - np.eye(4)[y]
    np.testing.assert_allclose(gradient["kernel"], np.asarray(x).T @ error / 5, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient["bias"], error.mean(0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("sizes", "name"), [((0, 10), "num_inputs"), ((784, 0), "num_outputs")])
def test_empty_layers_are_refused(sizes, name) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        softmax_regression(*sizes)
