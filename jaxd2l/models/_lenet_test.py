"""LeNet: the book's shapes and sizes, the same in Flax, and that it trains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l import activations, data, initializers, losses, models, optim, train
from jaxd2l.types import Batch, Dataset


def test_its_parameters_stand_where_the_book_s_sequential_has_them() -> None:
    params = models.lenet().init(jax.random.key(0))
    kernels = {i: layer["kernel"].shape for i, layer in enumerate(params) if layer}
    assert kernels == {0: (5, 5, 1, 6), 3: (5, 5, 6, 16), 7: (400, 120), 9: (120, 84), 11: (84, 10)}
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 61_706


def test_xavier_and_torch_s_default_have_their_bounds() -> None:
    for init, bound in ((initializers.xavier_uniform(), 0.185164), (initializers.torch_linear(), 0.2)):
        kernel = models.lenet(init=init).init(jax.random.key(0))[0]["kernel"]
        assert 0.9 * bound < float(jnp.abs(kernel).max()) <= bound * 1.00001


def test_other_sizes_activations_and_pools() -> None:
    model = models.lenet((32, 32, 3), num_classes=7, activation=activations.relu, pool=models.max_pool)
    params, x = model.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (2, 32, 32, 3))
    first = activations.relu(models.conv2d(x, params[0]["kernel"], padding=2) + params[0]["bias"])
    second = models.conv2d(models.max_pool(first, 2), params[3]["kernel"]) + params[3]["bias"]
    h = models.max_pool(activations.relu(second), 2).reshape(2, 6 * 6 * 16)
    for i in (7, 9):
        h = activations.relu(models.linear(params[i], h))
    np.testing.assert_allclose(model.apply(params, x), models.linear(params[11], h), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"activation": activations.relu, "pool": models.max_pool}])
def test_flax_has_the_same_parameters_outputs_and_gradients(options) -> None:
    x, y = jax.random.uniform(jax.random.key(1), (4, 28, 28, 1)), jnp.arange(4)
    results = []
    for make in (models.lenet, models.flax_lenet):
        model = make(**options)
        params = model.init(jax.random.key(0))
        results.append(jax.value_and_grad(lambda p, m=model: losses.cross_entropy(m.apply(p, x), y))(params))
    (ours, our_grads), (theirs, their_grads) = results
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    for a, b in zip(filter(None, our_grads), their_grads["layers"].values(), strict=True):
        for name in ("kernel", "bias"):
            np.testing.assert_allclose(a[name], b[name], rtol=1e-4, atol=1e-7)


@pytest.mark.long
def test_it_learns_digits() -> None:
    digits = data.digits()
    images = [jnp.pad(jnp.asarray(b.inputs), ((0, 0), (10, 10), (10, 10), (0, 0))) for b in (digits.train, digits.test)]
    padded = Dataset(*(Batch(np.asarray(x), b.labels) for x, b in zip(images, digits[:2], strict=True)))
    model = models.lenet(activation=activations.relu, pool=models.max_pool, init=initializers.torch_linear())
    _, history = train.fit(
        model, losses.cross_entropy, optim.adam(3e-3), padded, key=jax.random.key(0), epochs=5, batch_size=64
    )
    assert history.test_accuracy[-1] > 0.8


@pytest.mark.bad_input
def test_wrong_arguments_are_refused_in_words() -> None:
    for make in (models.lenet, models.flax_lenet):
        with pytest.raises(ValueError, match=r"layer 5 \(mean_pool 2x2\).*a window of 2 x 2 does not fit on 1 x 2"):
            make((11, 12, 1))
        with pytest.raises(ValueError, match="num_classes must be at least 1"):
            make(num_classes=0)
        with pytest.raises(TypeError, match="activation must be a function"):
            make(activation="relu")
        with pytest.raises(TypeError, match=r"pool must be a function pool\(x, window\)"):
            make(pool=lambda x: x)
