"""The optimisers on NASA's airfoil data, from which the losses of D2L 12.5 to 12.10 come. Skipped without the file."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l import losses, models, optim
from jaxd2l.book.descent import gradient_descent
from jaxd2l.train.sweep import sweep

DIVERGING = [0.493259, 0.275710, 0.250312, 0.246494, 0.245498, 0.245132, 0.245078, 0.245259]


@pytest.mark.parametrize(
    ("rate", "first", "tenth"), [(1.0, DIVERGING, 0.246988), (0.5, [0.493259], 0.243350), (0.9, [0.493259], 0.242088)]
)
def test_all_examples_at_once(measured_airfoil, rate, first, tenth):
    """At rate 1 the loss begins to grow again, for 2 / 2.0985, the limit of stability, lies below."""
    with jax.enable_x64(True):
        X = jnp.asarray(np.c_[np.float64(measured_airfoil.train.inputs), np.ones(1500)])
        y = jnp.asarray(np.float64(measured_airfoil.train.labels[:, 0]))

        def loss(w):
            return jnp.mean((X @ w - y) ** 2) / 2

        curve = np.asarray(jax.vmap(loss)(gradient_descent(loss, jnp.zeros(6), learning_rate=rate, steps=10)))
    np.testing.assert_allclose(curve[: len(first)], first, atol=1e-6)
    assert abs(curve[10] - tenth) < 1e-6


RUNS = {
    "SGD, batches of 100": (100, optim.sgd, 0.4, 0.2465, 0.003),
    "SGD": (10, optim.sgd, 0.05, 0.2469, 0.003),
    "momentum .5": (10, lambda learning_rate: optim.sgd(learning_rate, momentum=0.5), 0.02, 0.2451, 0.002),
    "momentum .9": (10, lambda learning_rate: optim.sgd(learning_rate, momentum=0.9), 0.01, 0.2502, 0.003),
    "momentum .9, slower": (10, lambda learning_rate: optim.sgd(learning_rate, momentum=0.9), 0.005, 0.2440, 0.001),
    "Adagrad": (10, optim.adagrad, 0.1, 0.2428, 0.0005),
    "RMSProp": (10, lambda learning_rate: optim.rmsprop(learning_rate, alpha=0.9), 0.01, 0.2444, 0.002),
    "Adadelta": (10, lambda learning_rate: optim.adadelta(learning_rate, eps=1e-5), 1.0, 0.2437, 0.001),
    "Adam": (10, lambda learning_rate: optim.adam(learning_rate, eps=1e-6), 0.01, 0.2433, 0.0008),
    "Yogi": (10, optim.yogi, 0.01, 0.2432, 0.0008),
}
"""Batch size, optimiser and rate; the book's loss after two epochs, as mean and standard deviation of five seeds."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n == "Adam" else [pytest.mark.long]) for n in RUNS])
def test_two_epochs_from_five_seeds_end_where_the_books_do(measured_airfoil, name):
    batch_size, make_tx, rate, mean, spread = RUNS[name]
    result = sweep(
        models.linear_regression(5),
        losses.squared_loss,
        make_tx,
        measured_airfoil,
        seeds=list(range(5)),
        grid={"learning_rate": [rate]},
        epochs=2,
        batch_size=batch_size,
    )
    loss = result.history.test_loss[:, 0, -1]
    # Two means of five runs each: three standard errors of their difference.
    assert abs(loss.mean() - mean) < 3 * np.sqrt((loss.var(ddof=1) + spread**2) / 5)
