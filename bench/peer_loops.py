"""The same training as others' documentation writes it: Flax NNX, Equinox, Keras on JAX, scikit-learn.

Each has the examples as float32 in memory, as its documentation does, and begins with the benchmark's weights.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import optax

from jaxd2l.bench.cases import ORDER_SEED, WEIGHTS_SEED, Case, Loop, model
from jaxd2l.data import epoch_indices
from jaxd2l.train import create_state

_Step = Callable[[np.ndarray, np.ndarray], Any]


def in_nnx(case: Case) -> Loop:
    """`nnx.jit` and `nnx.Optimizer`, as in Flax's MNIST tutorial."""
    from flax import nnx

    class MLP(nnx.Module):
        def __init__(self, *, rngs: nnx.Rngs) -> None:
            inputs, hidden, classes = case.sizes
            self.linear1 = nnx.Linear(inputs, hidden, rngs=rngs)
            self.linear2 = nnx.Linear(hidden, classes, rngs=rngs)

        def __call__(self, x: jax.Array) -> jax.Array:
            return self.linear2(nnx.relu(self.linear1(x)))

    def loss_fn(net: MLP, x: jax.Array, y: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(net(x), y).mean()

    @nnx.jit
    def train_step(net: MLP, optimizer: nnx.Optimizer, x: jax.Array, y: jax.Array) -> jax.Array:
        loss, grads = nnx.value_and_grad(loss_fn)(net, x, y)
        optimizer.update(net, grads)
        return loss

    def begin() -> _Step:
        net = MLP(rngs=nnx.Rngs(0))
        for layer, params in zip((net.linear1, net.linear2), _weights(case), strict=True):
            layer.kernel[...], layer.bias[...] = params["kernel"], params["bias"]
        optimizer = nnx.Optimizer(net, optax.sgd(case.lr), wrt=nnx.Param)
        return lambda x, y: train_step(net, optimizer, x, y)

    return _by_steps(case, begin)


def in_equinox(case: Case) -> Loop:
    """`eqx.filter_jit`, as in Equinox's MNIST example."""
    import equinox as eqx

    def loss_fn(net: eqx.nn.MLP, x: jax.Array, y: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(jax.vmap(net)(x), y).mean()

    optimizer = optax.sgd(case.lr)

    @eqx.filter_jit
    def make_step(net: eqx.nn.MLP, opt_state: Any, x: jax.Array, y: jax.Array) -> Any:
        loss, grads = eqx.filter_value_and_grad(loss_fn)(net, x, y)
        updates, opt_state = optimizer.update(grads, opt_state, net)
        return eqx.apply_updates(net, updates), opt_state, loss

    def begin() -> _Step:
        inputs, hidden, classes = case.sizes
        net = eqx.nn.MLP(inputs, classes, hidden, 1, key=jax.random.key(0))
        wanted = [array for layer in _weights(case) for array in (layer["kernel"].T, layer["bias"])]
        net = eqx.tree_at(lambda m: [a for layer in m.layers for a in (layer.weight, layer.bias)], net, wanted)
        state = [net, optimizer.init(eqx.filter(net, eqx.is_array))]

        def step(x: np.ndarray, y: np.ndarray) -> jax.Array:
            *state[:], loss = make_step(*state, x, y)
            return loss

        return step

    return _by_steps(case, begin)


def in_keras(case: Case) -> Loop:
    """`model.fit` of Keras 3 on JAX."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    def begin() -> Any:
        inputs, hidden, classes = case.sizes
        layers = [keras.layers.Dense(hidden, activation="relu"), keras.layers.Dense(classes)]
        net = keras.Sequential([keras.Input((inputs,)), *layers])
        net.set_weights([np.array(layer[name]) for layer in _weights(case) for name in ("kernel", "bias")])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        net.compile(keras.optimizers.SGD(case.lr), loss)
        return net

    X, y = _examples(case)

    def first_losses() -> np.ndarray:
        net, losses = begin(), []
        for indices in _first_order(case):
            net.reset_metrics()  # otherwise a mean since the first step
            losses.append(net.train_on_batch(X[indices], y[indices]))
        return np.array(losses, np.float32)

    net = begin()
    return Loop(first_losses, lambda: net.fit(X, y, batch_size=case.batch_size, verbose=0))


def in_scikit_learn(case: Case) -> Loop:
    """`MLPClassifier.partial_fit`, which is one pass over the examples."""
    from sklearn.neural_network import MLPClassifier

    X, y = _examples(case)

    def begin(shuffle: bool) -> Any:
        net = MLPClassifier(
            case.sizes[1], batch_size=case.batch_size, learning_rate_init=case.lr, solver="sgd", momentum=0.0,
            alpha=0.0, shuffle=shuffle, random_state=0,
        )  # fmt: skip
        net.partial_fit(X[: case.batch_size], y[: case.batch_size], classes=np.arange(case.sizes[-1]))
        for i, layer in enumerate(_weights(case)):
            net.coefs_[i][...], net.intercepts_[i][...] = layer["kernel"], layer["bias"]
        return net

    def first_losses() -> np.ndarray:
        net, losses = begin(shuffle=False), []
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Got `batch_size`")  # the last batch is smaller
            for indices in _first_order(case):
                losses.append(net.partial_fit(X[indices], y[indices]).loss_)
        return np.array(losses, np.float32)

    net = begin(shuffle=True)
    return Loop(first_losses, lambda: net.partial_fit(X, y))


def _by_steps(case: Case, begin: Callable[[], _Step]) -> Loop:
    """A Python loop over batches of NumPy arrays, as NNX's and Equinox's documentation have it."""
    X, y = _examples(case)
    generator = np.random.default_rng(0)

    def run(step: _Step, order: Iterator[np.ndarray] | list[np.ndarray]) -> list[jax.Array]:
        losses = [step(X[indices], y[indices]) for indices in order]
        return jax.block_until_ready(losses)

    step = begin()

    def epoch() -> None:
        order = generator.permutation(len(y))
        run(step, np.split(order, range(case.batch_size, len(y), case.batch_size)))

    return Loop(lambda: np.array(run(begin(), _first_order(case))), epoch)


def _first_order(case: Case) -> list[np.ndarray]:
    return epoch_indices(jax.random.key(ORDER_SEED), 0, len(case.dataset.train.labels), case.batch_size)


def _weights(case: Case) -> Any:
    return create_state(jax.random.key(WEIGHTS_SEED), model(case), optax.sgd(0.0)).params


def _examples(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Rows of numbers in [0, 1], and classes."""
    inputs, labels = case.dataset.train
    return np.asarray(inputs).reshape(len(labels), -1) / np.float32(255), np.asarray(labels)
