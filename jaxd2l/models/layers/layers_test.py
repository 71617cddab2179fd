"""Layers and what puts them together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l import activations, models
from jaxd2l.models import layers
from jaxd2l.types import Model, StatefulModel

KEY = jax.random.key(0)


def count(params: object) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def small_mlp() -> layers.Layer:
    return layers.sequential(layers.dense(64), layers.function(activations.relu), layers.dense(32))


def test_a_sequence_of_sequences_has_the_parameters_of_the_book() -> None:
    nested = layers.sequential(small_mlp(), layers.dense(16), layers.function(activations.relu))
    assert count(layers.model(nested, (20,)).init(KEY)) == 3952


def test_a_sequence_computes_what_its_layers_compute_in_turn() -> None:
    model = layers.model(small_mlp(), (20,))
    params = model.init(KEY)
    x = jax.random.normal(KEY, (2, 20))
    hidden = activations.relu(models.linear(params[0], x))
    np.testing.assert_array_equal(model.apply(params, x), models.linear(params[2], hidden))
    assert params[1] == ()


def test_images_shrink_as_torch_shrinks_them() -> None:
    net = layers.sequential(
        layers.conv(6, 5, padding=2),
        layers.max_pool(3, stride=2, padding=1, ceil_mode=True),
        layers.conv(4, (3, 1), groups=2, bias=False),
        layers.mean_pool(2),
        layers.global_mean_pool(),
    )
    model = layers.model(net, (9, 9, 1))
    params, x = model.init(KEY), jax.random.normal(jax.random.key(1), (2, 9, 9, 1))
    assert jax.tree.map(jnp.shape, params) == (
        {"kernel": (5, 5, 1, 6), "bias": (6,)},
        (),
        {"kernel": (3, 1, 3, 4)},
        (),
        (),
    )
    y = models.conv2d(x, params[0]["kernel"], padding=2) + params[0]["bias"]
    y = models.max_pool(y, 3, stride=2, padding=1, ceil_mode=True)
    y = models.mean_pool(models.conv2d(y, params[2]["kernel"], groups=2), 2)
    np.testing.assert_array_equal(model.apply(params, x), models.global_mean_pool(y))


@pytest.mark.bad_input
def test_convolutions_that_do_not_fit_are_refused_by_name() -> None:
    for net, shape, message in (
        (layers.conv(2, 3), (9,), "takes images of"),
        (layers.conv(2, 3), (2, 2, 1), r"layer 0 \(conv 3x3, 2\).*\(2, 2, 1\): a window of 3 x 3 does not fit"),
        (layers.conv(4, 1, groups=2), (2, 2, 3), "3 channels cannot be shared out among 2 groups"),
        (layers.max_pool(3), (2, 2, 1), r"layer 0 \(max_pool 3x3\).*does not fit"),
    ):
        with pytest.raises(ValueError, match=message):
            layers.model(layers.sequential(net), shape)
    with pytest.raises(TypeError, match=r"init must be a function init\(key, num_inputs, num_outputs, \*window\)"):
        layers.conv(2, 3, init=lambda key, num_inputs, num_outputs: {})


def test_parallel_layers_get_the_same_inputs_and_parameters_of_their_own() -> None:
    model = layers.model(layers.parallel(layers.dense(3), layers.dense(3)), (2,))
    params = model.init(KEY)
    outputs = model.apply(params, jnp.ones((5, 2)))
    np.testing.assert_array_equal(outputs[:, 3:], models.linear(params[1], jnp.ones((5, 2))))
    assert not np.array_equal(outputs[:, 3:], outputs[:, :3])


def test_repeated_layers_have_parameters_of_their_own() -> None:
    params = layers.model(layers.repeat(2, layers.dense(4)), (4,)).init(KEY)
    assert not np.array_equal(params[0]["kernel"], params[1]["kernel"])


def test_dropout_happens_if_and_only_if_there_is_a_key_and_differs_between_layers() -> None:
    model = layers.model(layers.parallel(layers.dropout(0.5), layers.dropout(0.5)), (100,))
    params, ones = model.init(KEY), jnp.ones((1, 100))
    np.testing.assert_array_equal(model.apply(params, ones), jnp.ones((1, 200)))
    first, second = jnp.split(model.apply(params, ones, key=KEY), 2, axis=1)
    assert set(np.unique(first)) == {0, 2}
    assert not np.array_equal(first, second)


def test_a_model_of_layers_is_a_model_under_jit() -> None:
    model = layers.model(small_mlp(), (20,))
    assert isinstance(model, Model)
    assert isinstance(layers.stateful_model(small_mlp(), (20,)), StatefulModel)
    params, x = model.init(KEY), jnp.ones((2, 20))
    np.testing.assert_allclose(jax.jit(model.apply)(params, x), model.apply(params, x), rtol=1e-4)


def test_a_misfit_names_its_layer_and_the_shape_that_reached_it() -> None:
    net = layers.sequential(small_mlp(), layers.function(lambda x: x[:, None]), layers.dense(2))
    with pytest.raises(ValueError, match=r"layer 2 \(dense 2\), which gets inputs of shape \(1, 32\): .*flatten"):
        layers.model(net, (20,))
    with pytest.raises(ValueError, match=r"layer 0 \(dense 2\).*shape \(28, 28, 1\)"):
        layers.model(layers.parallel(layers.dense(2)), (28, 28, 1))


@pytest.mark.bad_input
def test_inputs_of_another_shape_than_promised_are_refused_by_name() -> None:
    model = layers.model(small_mlp(), (20,))
    with pytest.raises(ValueError, match=r"layer 0 \(dense 64\), which gets inputs of shape \(19,\)"):
        model.apply(model.init(KEY), jnp.ones((2, 19)))
    with pytest.raises(ValueError, match=r"the model takes inputs of shape \(n, 20\); got \(20,\)"):
        model.apply(model.init(KEY), jnp.ones(20))


@pytest.mark.bad_input
def test_what_is_no_layer_is_refused() -> None:
    with pytest.raises(TypeError, match=r"layer 1 must be a Layer.*function\(f\)"):
        layers.sequential(layers.dense(2), activations.relu)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected a Layer"):
        layers.model(activations.relu, (2,))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="number of layers"):
        layers.sequential()


def test_a_layer_that_keeps_state_makes_no_stateless_model() -> None:
    counter = layers.Layer(
        lambda key, input_shape: ((), jnp.zeros(())),
        lambda params, state, inputs, /, *, train=False, key=None: (inputs, state + float(train)),
        "counter",
    )
    with pytest.raises(TypeError, match=r"counter keeps running averages.*stateful_model"):
        layers.model(counter, (2,))
    model = layers.stateful_model(layers.sequential(counter, counter), (2,))
    params, state = model.init(KEY)
    _, state = model.apply(params, state, jnp.ones((1, 2)), train=True)
    assert state == (1, 1)
    assert str(model).startswith("StatefulModel with 0 parameters and 2 numbers of state")
