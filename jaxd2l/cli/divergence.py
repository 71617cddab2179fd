"""A diverged run: where it showed, which number was the first, and what is left of the run."""

from typing import Any

import numpy as np

from jaxd2l.cli.checkpoints import Checkpoints
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


def warning(history: History, lr: float) -> str | None:
    """What to say about a run that stayed finite but ended worse than it began; None for any other."""
    before, after = history.step_loss[0, 0], history.train_loss[-1]
    if not after > before:
        return None
    return f"the loss went up, from {before:.4g} in the first step to {after:.4g}: try a smaller --lr than {lr:g}"


def record(history: History, first: NonFinite | None) -> dict[str, Any]:
    """What run.json says about it. Steps count from 0: `step` in its epoch, that of `first_nonfinite` in the run."""
    epoch, step = _noticed(history)
    return {"epoch": epoch, "step": step, "first_nonfinite": first and first._asdict()}


def _noticed(history: History) -> tuple[int, int | None]:
    """The epoch, and the step in it whose loss was not finite; None if only the parameters are not."""
    [steps] = np.nonzero(~np.isfinite(history.step_loss[-1]))
    return len(history.step_loss) - 1, int(steps[0]) if len(steps) else None
