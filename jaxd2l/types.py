"""The few values that travel through the package. NamedTuples, so each is a pytree and unpacks."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxd2l import _summaries

__all__ = [
    "Apply",
    "Batch",
    "Dataset",
    "History",
    "Loss",
    "Model",
    "ModelState",
    "Params",
    "StatefulApply",
    "StatefulModel",
    "Streamed",
    "TrainState",
]

Params = Any
"""A pytree of arrays: the weights of a model."""

ModelState = Any
"""A pytree of arrays that a model changes while it trains, without gradients: running averages."""

Loss = Callable[[Array, Any], Array]
"""`loss(outputs, labels)`: the mean loss of a batch, a scalar."""


def __dir__() -> list[str]:
    return __all__


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

    def __repr__(self) -> str:
        return _summaries.model(self)


class StatefulApply(Protocol):
    """`apply(params, state, inputs, *, train=False, key=None)`: the outputs of a batch, and the next state."""

    def __call__(
        self,
        params: Params,
        state: ModelState,
        inputs: Array,
        /,
        *,
        train: bool = False,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Array, ModelState]: ...


class StatefulModel(NamedTuple):
    """A model that also keeps running averages, as batch normalisation does (D2L 8.5). The state is a value like any.

    init: `init(key) -> (params, state)`.
    apply: `apply(params, state, inputs, *, train=False, key=None) -> (outputs, state)`. With `train` a batch is
      normalised by its own statistics and the state moves; without, by the state, which stays as it is. Dropout
      happens if and only if a key is given.
    """

    init: Callable[[PRNGKeyArray], tuple[Params, ModelState]]
    apply: StatefulApply

    def __repr__(self) -> str:
        return _summaries.stateful_model(self)


class Batch(NamedTuple):
    """Examples and their labels. The first axis of both counts examples.

    inputs: features (n, d) float32, or images (n, height, width, channels) uint8.
    labels: classes (n,) int32, or targets (n, 1) float32.
    """

    inputs: np.ndarray | Array
    labels: np.ndarray | Array

    def __repr__(self) -> str:
        return _summaries.batch(self)


class Dataset(NamedTuple):
    """A training and a test set of NumPy arrays, and the names of the classes (empty for regression).

    There may be a validation set, too, to choose by: `Dataset(d.train, d.validation, d.class_names)`.
    """

    train: Batch
    test: Batch
    class_names: tuple[str, ...] = ()
    validation: Batch | None = None

    def __repr__(self) -> str:
        return _summaries.dataset(self)


class Streamed(NamedTuple):
    """As a `Dataset`, with a training set that comes in batches and need not fit into memory.

    batches: `batches(epoch)`: the pairs (inputs, labels) of an epoch, in their order. They must depend on the epoch
      alone if a run that was stopped shall end with the same bits.
    num_examples: how many examples an epoch has.
    """

    batches: Callable[[int], Iterable[tuple[Any, Any]]]
    num_examples: int
    test: Batch
    class_names: tuple[str, ...] = ()


class TrainState(NamedTuple):
    """All that a training run changes: parameters, the optimiser's state, the number of steps taken.

    model_state: the running averages of a `StatefulModel`; of a `Model` there are none.
    """

    params: Params
    opt_state: Any
    step: Int[Array, ""]
    model_state: ModelState = ()

    def __repr__(self) -> str:
        return _summaries.train_state(self)


class History(NamedTuple):
    """What a run reported. One row per epoch; NumPy float32.

    step_loss: loss of every step, before its update, (epochs, steps per epoch).
    train_loss: mean of the step losses over the epoch's examples, (epochs,).
    test_loss: loss over the whole test set after the epoch, (epochs,).
    test_accuracy: fraction of test examples classified correctly, (epochs,); NaN for regression.
    """

    step_loss: Float[np.ndarray, "epochs steps"]
    train_loss: Float[np.ndarray, " epochs"]
    test_loss: Float[np.ndarray, " epochs"]
    test_accuracy: Float[np.ndarray, " epochs"]

    def __repr__(self) -> str:
        return _summaries.history(self)
