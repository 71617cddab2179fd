"""Training sets that come in batches, because they do not fit into memory (D2L 3.3.3, 12.5)."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Array, PRNGKeyArray

from jaxd2l._checks import runs
from jaxd2l._checks.numbers import require_whole
from jaxd2l._checks.values import random_key
from jaxd2l.data._batching import epoch_indices
from jaxd2l.types import Batch, Streamed


def stream(
    source: Iterable[tuple[Any, Any]] | Callable[[int], Iterable[tuple[Any, Any]]],
    test: Batch,
    *,
    num_examples: int,
    class_names: tuple[str, ...] = (),
) -> Streamed:
    """A dataset for `train.fit` whose training set is a source of batches: Grain's, torch's, or a function of yours.

    D2L 3.3.3; `torch.utils.data.DataLoader`.

    Args:
      source: what gives pairs (inputs, labels) each time that it is iterated over, such as a list, a DataLoader or
        Grain's `MapDataset.batch(...)`; or a function of the epoch, counted from 0, that returns such a thing. Only if
        the batches depend on nothing but the epoch does a run that was stopped and continued end with the same bits.
      test: the test set, as arrays.
      num_examples: how many examples an epoch has, the last, short batch included.
      class_names: of the labels.

    Raises:
      TypeError: a source that can be read only once, such as a generator, or that is none.
      ValueError: no examples.

    >>> batches = [(np.zeros((2, 4)), np.array([0, 1])), (np.ones((1, 4)), np.array([2]))]
    >>> dataset = stream(batches, Batch(*batches[0]), num_examples=3)
    >>> [len(labels) for _, labels in dataset.batches(0)]
    [2, 1]
    """
    require_whole(1, num_examples=num_examples)
    return Streamed(_batches_of(source), num_examples, runs.batch("test", test), class_names)


def _batches_of(source: Any) -> Callable[[int], Iterable[tuple[Any, Any]]]:
    """A source as a function of the epoch."""
    if callable(source):
        batches: Callable[[int], Iterable[tuple[Any, Any]]] = source
        return batches
    if not isinstance(source, Iterable) or isinstance(source, str | bytes):
        raise TypeError(f"source must give batches, or be a function of the epoch; got {type(source).__name__}")
    if isinstance(source, Iterator):
        raise TypeError(
            f"source can be read only once, as a {type(source).__name__}; give a function of the epoch that begins it"
        )
    return lambda epoch: source


def shuffled(
    key: PRNGKeyArray,
    train: Batch,
    test: Batch,
    *,
    batch_size: int,
    class_names: tuple[str, ...] = (),
) -> Streamed:
    """A dataset whose training set stays where it is, such as in files mapped by `np.load(path, mmap_mode="r")`.

    Each batch is read when it is needed, in the order in which `train.fit` visits arrays with the same key: the batches
    of `epoch_indices(key, epoch, n, batch_size)`.

    >>> train = Batch(np.arange(6.0).reshape(3, 2), np.array([0, 1, 2]))
    >>> dataset = shuffled(jax.random.key(0), train, train, batch_size=2)
    >>> [len(labels) for _, labels in dataset.batches(0)]
    [2, 1]
    """
    key = random_key("key", key)
    require_whole(1, batch_size=batch_size)
    inputs, labels = runs.batch("training", train)

    def batches(epoch: int) -> Iterator[tuple[np.ndarray | Array, np.ndarray | Array]]:
        for indices in epoch_indices(key, epoch, len(labels), batch_size):
            yield inputs[indices], labels[indices]

    return stream(batches, test, num_examples=len(labels), class_names=class_names)
