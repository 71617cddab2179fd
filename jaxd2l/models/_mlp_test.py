"""Multilayer perceptrons and dropout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxd2l import activations, initializers
from jaxd2l.losses import cross_entropy
from jaxd2l.models import dropout, mlp

X = jax.random.normal(jax.random.key(1), (6, 4))


def test_the_books_network_has_its_shapes() -> None:
    params = mlp(784, 256, 10).init(jax.random.key(0))
    assert jax.tree.map(jnp.shape, params) == (
        {"kernel": (784, 256), "bias": (256,)},
        {"kernel": (256, 10), "bias": (10,)},
    )
    np.testing.assert_allclose([jnp.std(layer["kernel"]) for layer in params], 0.01, rtol=0.05)
    np.testing.assert_array_equal(params[0]["bias"], 0)


@pytest.mark.parametrize("num_hiddens", [(), 5, (5,), (5, 3, 2)])
@pytest.mark.parametrize("activation", [activations.relu, jnp.tanh])
def test_outputs_are_the_formula_for_any_number_of_hidden_layers(num_hiddens, activation) -> None:
    model = mlp(4, num_hiddens, 3, activation=activation, init=initializers.torch_linear())
    params = model.init(jax.random.key(0))
    h = np.asarray(X)
    for layer in params[:-1]:
        h = np.asarray(activation(jnp.array(h @ layer["kernel"] + layer["bias"])))
    np.testing.assert_allclose(model.apply(params, X), h @ params[-1]["kernel"] + params[-1]["bias"], atol=1e-6)


def test_each_layer_is_drawn_from_a_key_of_its_own() -> None:
    first, second, third = mlp(4, (4, 4), 4).init(jax.random.key(0))
    for one, other in ((first, second), (second, third), (first, third)):
        assert not jnp.isclose(one["kernel"], other["kernel"]).any()


def test_gradients_are_finite_differences() -> None:
    model = mlp(4, 5, 3, activation=jnp.tanh, init=initializers.xavier_normal())
    loss = jax.jit(lambda params: cross_entropy(model.apply(params, X), jnp.array([0, 1, 2, 0, 1, 2])))
    check_grads(loss, (model.init(jax.random.key(0)),), order=1, modes=["rev"], eps=1e-2, rtol=5e-3)


def test_jit_and_vmap_over_parameters_change_nothing_and_compile_once() -> None:
    model = mlp(4, 5, 3)
    apply = jax.jit(model.apply)
    with jax.checking_leaks():
        ensemble = jax.vmap(model.init)(jax.random.split(jax.random.key(5), 3))
        together = jax.vmap(model.apply, (0, None))(ensemble, X)
    for i in range(3):
        one = jax.tree.map(lambda leaf, i=i: leaf[i], ensemble)
        np.testing.assert_allclose(apply(one, X), together[i], rtol=1e-5, atol=1e-8)
    assert apply._cache_size() == 1


def test_dropout_happens_if_and_only_if_a_key_is_given() -> None:
    model = mlp(4, 64, 3, dropout_rate=0.5, init=initializers.torch_linear())
    params = model.init(jax.random.key(0))
    plain = mlp(4, 64, 3)
    np.testing.assert_array_equal(model.apply(params, X), plain.apply(params, X))
    np.testing.assert_array_equal(plain.apply(params, X, key=jax.random.key(7)), plain.apply(params, X))
    dropped = model.apply(params, X, key=jax.random.key(7))
    np.testing.assert_array_equal(dropped, model.apply(params, X, key=jax.random.key(7)))
    assert (dropped != model.apply(params, X)).all()
    assert (dropped != model.apply(params, X, key=jax.random.key(8))).all()


def test_dropout_acts_on_every_hidden_layer_with_a_mask_of_its_own() -> None:
    rows = {"kernel": jnp.eye(64), "bias": jnp.zeros(64)}
    model = mlp(64, (64, 64), 64, dropout_rate=0.5)
    masks = model.apply((rows, rows, rows), jnp.ones((200, 64)), key=jax.random.key(7))
    # A unit survives both layers with probability 1/4 (1/2 if the masks were equal), and is then 4 times as large.
    assert set(np.unique(masks)) == {0, 4}
    np.testing.assert_allclose(jnp.mean(masks > 0), 0.25, atol=0.02)


def test_dropping_everything_leaves_the_last_bias() -> None:
    model = mlp(4, 5, 3, dropout_rate=1.0, init=initializers.torch_linear())
    params = model.init(jax.random.key(0))
    np.testing.assert_array_equal(model.apply(params, X, key=jax.random.key(7)), np.tile(params[-1]["bias"], (6, 1)))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate) -> None:
    y = np.asarray(dropout(jax.random.key(0), jnp.full((1000, 100), 3.0), rate))
    np.testing.assert_allclose(np.unique(y), [0, 3 / (1 - rate)], rtol=1e-6)
    spread = np.sqrt(rate * (1 - rate) / y.size)
    np.testing.assert_allclose((y == 0).mean(), rate, atol=5 * spread)
    np.testing.assert_allclose(y.mean(), 3, atol=5 * spread * 3 / (1 - rate))


def test_dropout_of_nothing_and_of_everything() -> None:
    np.testing.assert_array_equal(dropout(jax.random.key(2), X, 0.0), X)
    np.testing.assert_array_equal(dropout(jax.random.key(2), X, 1.0), 0)
    assert jnp.isfinite(jax.grad(lambda x: dropout(jax.random.key(2), x, 1.0).sum())(X)).all()


def test_gradients_pass_where_the_mask_lets_them() -> None:
    def masked(x):
        return dropout(jax.random.key(2), x, 0.5)

    np.testing.assert_array_equal(jax.grad(lambda x: masked(x).sum())(jnp.ones(50)), masked(jnp.ones(50)))


def test_a_key_can_be_used_only_once() -> None:
    key = jax.random.key(2)
    dropout(key, X, 0.5)
    with pytest.raises(jax.errors.KeyReuseError):
        dropout(key, X, 0.5)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_outside_0_to_1_is_refused(rate) -> None:
    with pytest.raises(ValueError, match=r"rate must lie in \[0, 1\]"):
        dropout(jax.random.key(0), X, rate)
    with pytest.raises(ValueError, match=r"dropout_rate must lie in \[0, 1\]"):
        mlp(4, 5, 3, dropout_rate=rate)


@pytest.mark.parametrize(
    ("sizes", "name"), [((0, 5, 3), "num_inputs"), ((4, (5, 0), 3), r"num_hiddens\[1\]"), ((4, 5, 0), "num_outputs")]
)
def test_empty_layers_are_refused(sizes, name) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        mlp(*sizes)


@pytest.mark.bad_input
def test_wrong_inputs_are_refused() -> None:
    model = mlp(4, 5, 3)
    with pytest.raises(ValueError, match=r"the model takes 4 features per example.*got \(6, 3\)"):
        model.apply(model.init(jax.random.key(3)), X[:, :3])
    with pytest.raises(TypeError, match="got uint8"):
        model.apply(model.init(jax.random.key(3)), np.zeros((6, 2, 2, 1), np.uint8))


@pytest.mark.bad_input
def test_widths_may_be_of_numpy_and_must_be_whole() -> None:
    assert mlp(2, np.int64(3), 1).init(jax.random.key(0))[0]["kernel"].shape == (2, 3)
    for widths in ("23", 2.5, (2, 2.5)):
        with pytest.raises(TypeError, match=r"num_hiddens(\[1\])? must be a whole number"):
            mlp(2, widths, 1)
