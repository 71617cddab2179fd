"""Parameters by name, new values for some of them, and tied layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l import activations
from jaxd2l.models import layers


def net(*middle: layers.Layer) -> layers.Layer:
    return layers.sequential(layers.dense(8), layers.function(activations.relu), *middle, layers.dense(1))


@pytest.fixture
def params():
    return layers.model(net(), (4,)).init(jax.random.key(0))


def test_the_book_s_network_has_four_named_arrays_and_49_parameters(params) -> None:
    named = layers.named(params)
    assert {name: array.shape for name, array in named.items()} == {
        "0.kernel": (4, 8),
        "0.bias": (8,),
        "2.kernel": (8, 1),
        "2.bias": (1,),
    }
    assert sum(array.size for array in named.values()) == 49
    np.testing.assert_array_equal(named["2.kernel"], params[2]["kernel"])


def test_a_new_value_makes_new_parameters_and_leaves_the_old_ones(params) -> None:
    new = layers.replaced(params, {"2.bias": 42.0, "0.kernel": np.ones((4, 8))})
    assert new[2]["bias"] == 42
    assert jnp.all(new[0]["kernel"] == 1)
    assert params[2]["bias"] != 42
    assert jax.tree.structure(new) == jax.tree.structure(params)
    np.testing.assert_array_equal(new[0]["bias"], params[0]["bias"])


def test_parameters_are_drawn_anew_by_rules_for_their_names(params) -> None:
    initializers = jax.nn.initializers
    drawn = layers.redrawn(
        jax.random.key(1),
        params,
        {"*.kernel": initializers.normal(0.01), "*.bias": initializers.zeros, "2.kernel": initializers.constant(42.0)},
    )
    assert jnp.all(drawn[2]["kernel"] == 42)
    assert not jnp.any(drawn[0]["bias"])
    assert 0 < jnp.abs(drawn[0]["kernel"]).max() < 0.05
    same = layers.redrawn(jax.random.key(1), params, {"0.*": initializers.normal(0.01)})
    np.testing.assert_array_equal(same[0]["kernel"], drawn[0]["kernel"])  # its key does not depend on other rules
    assert not np.array_equal(same[0]["kernel"].ravel()[:8], same[0]["bias"])


def test_the_book_s_own_initialiser_is_a_rule() -> None:
    def draw(key, shape):
        w = jax.random.uniform(key, shape, minval=-10, maxval=10)
        return jnp.where(jnp.abs(w) >= 5, w, 0.0)

    kernel = layers.redrawn(jax.random.key(0), {"kernel": jnp.zeros((200, 500))}, {"kernel": draw})["kernel"]
    assert abs(float(jnp.mean(kernel == 0)) - 0.5) < 0.01
    assert abs(float(jnp.std(kernel)) - 5.4006) < 0.03  # sqrt of half the mean square of U(5, 10)


def test_tied_layers_share_their_parameters_and_add_up_their_gradients() -> None:
    hidden = layers.sequential(layers.dense(8), layers.function(activations.relu))
    model = layers.model(net(layers.tied(2, hidden)), (4,))
    params, x = model.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (2, 4))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 121
    apart = layers.model(net(hidden, hidden), (4,))
    first, relu, middle, last = params
    np.testing.assert_array_equal(model.apply(params, x), apart.apply((first, relu, middle, middle, last), x))

    double = layers.Layer(
        lambda key, shape: ({"w": jnp.array(3.0)}, ()), lambda p, s, x, **_: (p["w"] * x, s), "times w"
    )
    twice = layers.model(layers.tied(2, double), (1,))
    assert jax.grad(lambda p: 2 * twice.apply(p, jnp.ones((1, 1))).sum())({"w": jnp.array(3.0)})["w"] == 12


@pytest.mark.bad_input
def test_what_no_parameter_has_is_refused_with_the_names_that_there_are(params) -> None:
    with pytest.raises(KeyError, match=r"no parameter is called '1.kernel'; there are 0.bias, 0.kernel"):
        layers.replaced(params, {"1.kernel": 0.0})
    with pytest.raises(ValueError, match=r"2.bias has the shape \(1,\); got a value of shape \(8,\)"):
        layers.replaced(params, {"2.bias": jnp.ones(8)})
    with pytest.raises(KeyError, match="no parameter matches 'dense"):
        layers.redrawn(jax.random.key(0), params, {"dense*": jax.nn.initializers.zeros})
    with pytest.raises(ValueError, match="cannot follow itself"):
        layers.model(layers.tied(2, layers.dense(3)), (4,))
