"""A diverged run: where it showed, which number was the first, and what is left of the run."""

import math
from typing import Any, NamedTuple

import numpy as np

from jaxd2l.cli.checkpoints import Checkpoints
from jaxd2l.cli.setups import Settings
from jaxd2l.train.divergence import NonFinite
from jaxd2l.types import History


def message(history: History, lr: float, first: NonFinite | None, looked: bool, kept: Checkpoints | None) -> str:
    """What to say about a run that diverged in the last epoch of its history.

    Args:
      history: of all epochs.
      lr: the learning rate.
      first: what --debug-nans found.
      looked: whether --debug-nans was given.
      kept: the checkpoints, if any.
    """
    epoch, step = _noticed(history)
    sentences = [
        f"training diverged: the loss was {history.step_loss[-1, step]} in epoch {epoch + 1}, step {step + 1}"
        if step is not None
        else f"training diverged: the last step of epoch {epoch + 1} left parameters that are not finite"
    ]
    if first is not None:
        at_epoch, at_step = divmod(first.step, history.step_loss.shape[1])
        sentences.append(
            f"the first number that was not finite: {first.quantity}, {first.value}, in epoch {at_epoch + 1}, step "
            f"{at_step + 1}"
        )
    elif looked:
        sentences.append("repeated step by step, the epoch stays finite: the run is at the very limit of float32")
    sentences.append(
        f"try a smaller --lr than {lr:g}" + ("" if looked else "; --debug-nans names what went wrong first")
    )
    if kept is not None:
        good = f"the last finite checkpoint is {kept.good[-1]}" if kept.good else "it was never finite at a checkpoint"
        sentences.append(good)
    return "; ".join(sentences)


class Trouble(NamedTuple):
    """What is wrong with a run that stayed finite.

    text: what happened, its likely cause, and where the best result is.
    is_lost: whether the run had learned something and lost it again.
    """

    text: str
    is_lost: bool


def trouble(history: History, settings: Settings, num_hidden: int, num_classes: int) -> Trouble | None:
    """A spike of the loss from which the run did not recover, or an accuracy that guessing has, too; else None."""
    begun, last, lowest = history.step_loss[0, 0], history.train_loss[-1], history.train_loss.min()
    peak = int(history.step_loss.max(axis=1).argmax())
    highest = history.step_loss[peak].max()
    spiked = highest > 10 * begun and last > 2 * lowest and lowest < begun
    guesses = bool(num_classes) and history.test_accuracy[-1] <= 1.2 / num_classes
    what, cause = [], f"--lr {settings.lr:g} is likely too large: try a smaller one"
    if spiked:
        what.append(f"the loss jumped to {highest:.2g} in epoch {peak + 1}, and the run did not recover")
    elif last > begun and not (guesses and last < 1.01 * begun):
        what.append(f"the loss went up, from {begun:.4g} in the first step to {last:.4g}")
    if guesses:
        what.append(f"the accuracy of {history.test_accuracy[-1]:.4f} is that of guessing one of {num_classes} classes")
    if not what:
        return None
    if not spiked and guesses and abs(lowest / math.log(num_classes) - 1) < 0.01:
        too_small = num_hidden > 1 and settings.init == "normal"
        cause = "the loss never left log C, that of equal probabilities: " + (
            f"N(0, 0.01^2) is too small for {num_hidden} hidden layers; try --init kaiming"
            if too_small
            else "try a larger --lr or more --epochs"
        )
    is_lost = best_epoch(history) < len(history.train_loss) and (spiked or guesses) and lowest < 0.7 * begun
    if is_lost:
        cause += f"; the best result, {_best_result(history)}, is kept in best.safetensors"
    return Trouble(f"{', and '.join(what)}: {cause}", is_lost)


def best_epoch(history: History) -> int:
    """The epoch, counted from 1, with the highest accuracy or, without one, the lowest loss; the first of equals."""
    accuracy = history.test_accuracy
    values = -history.test_loss if np.isnan(accuracy).all() else np.where(np.isnan(history.test_loss), np.nan, accuracy)
    return 1 + int(np.argmax(np.where(np.isnan(values), -np.inf, values)))


def _best_result(history: History) -> str:
    epoch = best_epoch(history)
    accuracy = history.test_accuracy[epoch - 1]
    value = f"a loss of {history.test_loss[epoch - 1]:.4g}" if np.isnan(accuracy) else f"an accuracy of {accuracy:.4f}"
    return f"{value} after epoch {epoch}"


def record(history: History, first: NonFinite | None) -> dict[str, Any]:
    """What run.json says about it. Steps count from 0: `step` in its epoch, that of `first_nonfinite` in the run."""
    epoch, step = _noticed(history)
    return {"epoch": epoch, "step": step, "first_nonfinite": first and first._asdict()}


def _noticed(history: History) -> tuple[int, int | None]:
    """The epoch, and the step in it whose loss was not finite; None if only the parameters are not."""
    [steps] = np.nonzero(~np.isfinite(history.step_loss[-1]))
    return len(history.step_loss) - 1, int(steps[0]) if len(steps) else None
