"""Batch and layer normalisation: the book's numbers, where the averages go, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l import models
from jaxd2l.models import layers

X = jnp.array([[1.0, 10.0], [2.0, 20.0], [3.0, 60.0]])
KEY = jax.random.key(0)


def identity(n: int) -> dict[str, jax.Array]:
    return {"scale": jnp.ones(n), "bias": jnp.zeros(n)}


def beginning(n: int) -> dict[str, jax.Array]:
    return {"mean": jnp.zeros(n), "var": jnp.ones(n)}


def test_the_running_averages_are_torch_s_of_the_unbiased_variance() -> None:
    outputs, state = models.batch_norm(identity(2), beginning(2), X, train=True)
    expected = [[-1.2247356, -0.9258201], [0, -0.4629101], [1.2247356, 1.3887302]]
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)
    np.testing.assert_allclose(state["mean"], [0.2, 3], rtol=1e-6)
    np.testing.assert_allclose(state["var"], [1, 70.9], rtol=1e-6)
    predicted, same = models.batch_norm(identity(2), state, X)
    expected = [[0.799996, 0.831333], [1.799991, 2.018951], [2.799986, 6.769424]]
    np.testing.assert_allclose(predicted, expected, rtol=1e-5)
    assert same is state
    _, state = models.batch_norm(identity(2), state, X, train=True)
    np.testing.assert_allclose(state["mean"], [0.38, 5.7], rtol=1e-6)
    np.testing.assert_allclose(state["var"], [1, 133.81], rtol=1e-6)


def test_images_are_normalised_over_all_axes_but_their_channels() -> None:
    images = jnp.arange(16.0).reshape(2, 2, 2, 2).transpose(0, 2, 3, 1)  # torch has the channels second
    outputs, state = models.batch_norm(identity(2), beginning(2), images, train=True)
    np.testing.assert_allclose(outputs, (images - jnp.array([5.5, 9.5])) / np.sqrt(17.25 + 1e-5), rtol=1e-5)
    np.testing.assert_allclose(state["mean"], [0.55, 0.95], rtol=1e-6)
    np.testing.assert_allclose(state["var"], [2.871429, 2.871429], rtol=1e-6)


def test_a_large_mean_takes_no_digits_from_the_variance() -> None:
    outputs, _ = models.batch_norm(identity(1), beginning(1), jnp.array([[1e4], [1e4 + 1], [1e4 + 2]]), train=True)
    np.testing.assert_allclose(outputs[:, 0], [-1.2247356, 0, 1.2247356], rtol=1e-6)


def test_options_decide_how_much_is_kept_and_what_is_learned_comes_last() -> None:
    layer = {"scale": jnp.array([2.0, -1.0]), "bias": jnp.array([1.0, 5.0])}
    outputs, state = models.batch_norm(layer, beginning(2), X, train=True, momentum=1.0, eps=2.0)
    np.testing.assert_allclose(state["mean"], X.mean(0), rtol=1e-6)
    np.testing.assert_allclose(state["var"], np.var(X, 0, ddof=1), rtol=1e-6)
    expected = layer["scale"] * (X - X.mean(0)) / np.sqrt(np.var(X, 0) + 2) + layer["bias"]
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)


def test_layer_norm_is_over_the_features_and_forgets_their_scale() -> None:
    x = jnp.array([[1.0, 2.0, 3.0, 4.0]])
    expected = [[-1.341635, -0.447212, 0.447212, 1.341635]]
    np.testing.assert_allclose(models.layer_norm(identity(4), x), expected, rtol=1e-5)
    np.testing.assert_allclose(models.layer_norm(identity(4), 1000 * x), expected, rtol=1e-5)
    flat = models.layer_norm(identity(6), jnp.arange(6.0).reshape(1, 6))
    both = models.layer_norm({"scale": jnp.ones((2, 3)), "bias": jnp.zeros((2, 3))}, jnp.arange(6.0).reshape(1, 2, 3))
    np.testing.assert_array_equal(both.reshape(1, 6), flat)


def test_gradients_flow_through_the_statistics_of_the_batch_but_not_into_the_averages() -> None:
    def outputs(x):
        return jnp.sum(models.batch_norm(identity(2), beginning(2), x, train=True).outputs * jnp.arange(2.0))

    def averages(x):
        return sum(map(jnp.sum, models.batch_norm(identity(2), beginning(2), x, train=True).state.values()))

    np.testing.assert_allclose(jax.grad(outputs)(X), 0, atol=1e-6)  # a sum of centred numbers is constant
    np.testing.assert_array_equal(jax.grad(averages)(X), 0)


def test_under_jit_and_vmap_the_numbers_are_the_same() -> None:
    batches = jnp.stack([X, 2 * X, X - 3])
    one = [models.batch_norm(identity(2), beginning(2), x, train=True) for x in batches]
    many = jax.jit(jax.vmap(lambda x: models.batch_norm(identity(2), beginning(2), x, train=True)))(batches)
    jax.tree.map(lambda a, *b: np.testing.assert_allclose(a, jnp.stack(b), rtol=1e-5, atol=1e-6), many, *one)


def test_a_layer_keeps_its_averages_in_the_state_of_a_model() -> None:
    model = layers.stateful_model(layers.sequential(layers.dense(3), layers.batch_norm(momentum=1.0)), (2,))
    params, state = model.init(KEY)
    hidden = models.linear(params[0], X)
    trained, moved = model.apply(params, state, X, train=True)
    np.testing.assert_allclose(moved[1]["mean"], hidden.mean(0), rtol=1e-6)
    np.testing.assert_allclose(trained, (hidden - hidden.mean(0)) / jnp.std(hidden, 0), rtol=1e-3, atol=1e-5)
    predicted, same = model.apply(params, moved, X)
    np.testing.assert_allclose(predicted, trained * np.sqrt(2 / 3), rtol=1e-3, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, same, moved)


def test_layer_norm_makes_a_model_without_state() -> None:
    model = layers.model(layers.sequential(layers.dense(3), layers.layer_norm()), (2,))
    np.testing.assert_allclose(model.apply(model.init(KEY), X).sum(1), 0, atol=1e-5)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.batch_norm(identity(2), beginning(2), X[:1], train=True), r"\(1, 2\) has 1 values per channel"),
        (lambda: models.batch_norm(identity(2), beginning(2), X[:0], train=True), "0 values per channel"),
        (lambda: models.batch_norm(identity(3), beginning(3), X), r"scale and bias in layer .* x \(3, 2\); got \(3,\)"),
        (lambda: models.batch_norm(identity(2), beginning(3), X), "mean and var in state must have the shape"),
        (lambda: models.batch_norm(identity(2), beginning(2), X, momentum=1.5), "momentum must"),
        (lambda: models.batch_norm(identity(2), beginning(2), X, eps=-1.0), "eps must not be negative"),
        (lambda: models.layer_norm(identity(3), X), "scale and bias in layer must have the shape"),
        (lambda: layers.batch_norm(momentum=-0.1), "momentum must"),
        (lambda: layers.layer_norm(eps=-0.1), "eps must not be negative"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.bad_input
def test_what_is_no_norm_is_refused() -> None:
    with pytest.raises(TypeError, match="layer is a dictionary with scale and bias"):
        models.batch_norm({"scale": jnp.ones(2)}, beginning(2), X)
    with pytest.raises(TypeError, match="x must be floating point"):
        models.layer_norm(identity(2), jnp.ones((3, 2), int))
    with pytest.raises(TypeError, match="train must be True or False"):
        models.batch_norm(identity(2), beginning(2), X, train="yes")
