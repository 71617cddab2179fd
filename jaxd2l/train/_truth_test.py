"""Accuracy of labels that are ignored, one-hot, soft or none: right, NaN or refused, never a plausible number."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxd2l import losses, metrics, models, train
from jaxd2l.train import sweep
from jaxd2l.types import Batch, Dataset, Model

X = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
MODEL = models.softmax_regression(6, 3)
PARAMS = MODEL.init(jax.random.key(0))
PREDICTED = np.asarray(train.predict(MODEL, PARAMS, X)).argmax(1).astype(np.int32)
FIRST_HALF = np.arange(8) < 4


def accuracy(labels, loss=losses.cross_entropy) -> float:
    return float(train.evaluate(MODEL, loss, PARAMS, Batch(X, labels)).accuracy)


def optax_loss(outputs, labels):
    return optax.softmax_cross_entropy_with_integer_labels(outputs, labels).mean()


@pytest.mark.parametrize("ignored", [-100, 255, -1, 0, 2])
def test_ignored_examples_do_not_count_whatever_marks_them(ignored) -> None:
    loss = partial(losses.cross_entropy, ignore_index=ignored)
    for function in (loss, lambda outputs, labels: loss(outputs, labels)):
        kept = np.where(ignored == PREDICTED, (ignored + 1) % 3, PREDICTED)  # what the model did not predict is wrong
        expected = np.mean(kept[4:] == PREDICTED[4:])
        assert accuracy(np.where(FIRST_HALF, ignored, kept), function) == expected


def test_where_nothing_is_ignored_every_example_counts() -> None:
    labels = np.where(FIRST_HALF, (PREDICTED + 1) % 3, PREDICTED)
    assert accuracy(labels) == 0.5
    assert accuracy(labels, optax_loss) == 0.5
    assert accuracy(labels, lambda outputs, y: metrics.error_rate(outputs, y)) == 0.5  # it has no gradient


def test_where_all_is_ignored_there_is_no_accuracy() -> None:
    assert np.isnan(accuracy(np.full(8, -100)))


def test_one_hot_labels_are_classes_and_soft_ones_are_not() -> None:
    assert accuracy(np.eye(3, dtype=np.float32)[PREDICTED]) == 1
    assert accuracy(np.eye(3, dtype=np.float32)[(PREDICTED + 1) % 3]) == 0
    assert np.isnan(accuracy(np.full((8, 3), 1 / 3, np.float32)))


def test_a_label_that_is_no_class_and_not_ignored_is_refused() -> None:
    with pytest.raises(ValueError, match=r"labels\[0\] is -1, no class from 0 to 2, and the loss does not ignore it"):
        accuracy(np.where(FIRST_HALF, -1, PREDICTED), optax_loss)  # which takes -1 for the last class


def test_a_single_output_is_no_class() -> None:
    def loss(outputs, labels):
        return optax.sigmoid_binary_cross_entropy(outputs[:, 0], labels.astype(outputs.dtype)).mean()

    model = models.mlp(6, 4, 1)
    labels = FIRST_HALF.astype(np.int32)
    assert np.isnan(train.evaluate(model, loss, model.init(jax.random.key(0)), Batch(X, labels)).accuracy)


def test_sequences_are_counted_position_by_position() -> None:
    outputs = jnp.asarray(np.eye(3, dtype=np.float32)[[[0, 1], [2, 2]]])
    model = Model(lambda key: jnp.zeros(()), lambda params, x, *, key=None: x + params)
    labels = np.array([[0, -100], [2, 1]])
    measured = train.evaluate(model, losses.cross_entropy, jnp.zeros(()), Batch(outputs, labels))
    assert measured.accuracy == np.float32(2 / 3)


def test_fit_and_sweep_report_the_same_accuracy_as_evaluate() -> None:
    half = np.where(FIRST_HALF, -100, PREDICTED)
    data = Dataset(Batch(X, half), Batch(X, half))
    run = {"epochs": 1, "batch_size": 4}
    state, history = train.fit(MODEL, losses.cross_entropy, optax.sgd(0.1), data, key=jax.random.key(0), **run)
    expected = train.evaluate(MODEL, losses.cross_entropy, state.params, data.test).accuracy
    assert history.test_accuracy[-1] == expected
    grid = {"learning_rate": [0.1]}
    swept = sweep.sweep(MODEL, losses.cross_entropy, optax.sgd, data, seeds=[0], grid=grid, **run)
    assert swept.history.test_accuracy.item() == expected


def test_under_jit_a_label_that_is_no_class_makes_the_accuracy_nan() -> None:
    logits = jnp.eye(3)
    assert np.isnan(jax.jit(metrics.accuracy)(logits, jnp.array([0, 1, -100])))
    assert jax.jit(metrics.accuracy)(logits, jnp.array([0, 1, 2])) == 1
