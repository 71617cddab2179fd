"""What a run reports, epoch by epoch. The axis of epochs comes last, or second to last where there is one of steps."""

import numpy as np
from jaxtyping import Array, Float

from jaxd2l.train._evaluation import Evaluation
from jaxd2l.types import History


def no_epochs(steps: int, runs: tuple[int, ...] = ()) -> History:
    """The history of a run, or of many side by side, before its first epoch.

    >>> no_epochs(steps=5, runs=(3, 2)).step_loss.shape
    (3, 2, 0, 5)
    """
    return History(np.empty((*runs, 0, steps), np.float32), *(np.empty((*runs, 0), np.float32) for _ in range(3)))


def one_epoch(
    step_loss: Float[Array | np.ndarray, "*runs steps"], test: Evaluation, n: int, batch_size: int
) -> History:
    """The history of a single epoch over n examples; the last batch may be short.

    >>> history = one_epoch(np.array([1.0, 3.0, 7.0]), Evaluation(0.5, 0.9), n=5, batch_size=2)
    >>> history.step_loss.shape, history.train_loss.tolist()
    ((1, 3), [3.0])
    """
    losses = np.asarray(step_loss)
    sizes = np.minimum(batch_size, n - batch_size * np.arange(losses.shape[-1]))
    row = (losses, np.average(losses, axis=-1, weights=sizes), *test)
    return History(*(np.expand_dims(np.asarray(values, np.float32), losses.ndim - 1) for values in row))


def join_histories(earlier: History | None, later: History) -> History:
    """One history of a run and of its continuation.

    Args:
      earlier: of the epochs before; None if there are none.
      later: of the epochs that followed.

    Raises:
      ValueError: if their epochs have different numbers of steps.
    """
    if earlier is None:
        return later
    axis = earlier.train_loss.ndim - 1
    return History(*(np.concatenate(pair, axis) for pair in zip(earlier, later, strict=True)))
