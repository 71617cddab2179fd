"""The few values that travel through the package. NamedTuples, so each is a pytree and unpacks."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

Params = Any
"""A pytree of arrays: the weights of a model."""

Loss = Callable[[Array, Any], Array]
"""`loss(outputs, labels)`: the mean loss of a batch, a scalar."""


class Apply(Protocol):
    """`apply(params, inputs, *, key=None)`: the outputs of a batch. Random if and only if a key is given."""

    def __call__(self, params: Params, inputs: Array, /, *, key: PRNGKeyArray | None = None) -> Array: ...


class Model(NamedTuple):
    """A model is two pure functions, as an optimiser is in optax.

    init: `init(key) -> params`.
    apply: `apply(params, inputs, *, key=None) -> outputs`. Dropout happens if and only if a key is given.
    """

    init: Callable[[PRNGKeyArray], Params]
    apply: Apply


class Batch(NamedTuple):
    """Examples and what they should give. The first axis of both counts examples.

    inputs: features (n, d) float32, or images (n, height, width, channels) uint8.
    labels: classes (n,) int32, or targets (n, 1) float32.
    """

    inputs: np.ndarray | Array
    labels: np.ndarray | Array


class Dataset(NamedTuple):
    """A training and a test set of NumPy arrays, and the names of the classes (empty for regression)."""

    train: Batch
    test: Batch
    class_names: tuple[str, ...] = ()


class TrainState(NamedTuple):
    """All that a training run changes: parameters, the optimiser's state and the number of steps taken."""

    params: Params
    opt_state: Any
    step: Int[Array, ""]


class History(NamedTuple):
    """What a run reported. One row per epoch; NumPy float32.

    step_loss: loss of every step, before its update, (epochs, steps per epoch).
    train_loss: mean of the step losses over the epoch's examples, (epochs,).
    test_loss: loss over the whole test set after the epoch, (epochs,).
    test_accuracy: fraction of test examples classified rightly, (epochs,); NaN for regression.
    """

    step_loss: Float[np.ndarray, "epochs steps"]
    train_loss: Float[np.ndarray, " epochs"]
    test_loss: Float[np.ndarray, " epochs"]
    test_accuracy: Float[np.ndarray, " epochs"]
