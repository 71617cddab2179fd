"""What `print` says about the values in `types`: a few lines, where a NamedTuple alone would print every number."""

import functools
import math
import textwrap
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

_MAX_ARRAYS = 12


def _or_by_field(summary: Callable[[Any], str]) -> Callable[[Any], str]:
    """JAX may put anything into a pytree's fields; what the summary cannot describe is printed field by field."""

    @functools.wraps(summary)
    def safe(value: Any) -> str:
        try:
            return summary(value)
        except Exception:  # printing a value must never fail
            fields = ", ".join(f"{name}={part!r}" for name, part in value._asdict().items())
            return f"{type(value).__name__}({fields})"

    return safe


@_or_by_field
def model(model: Any) -> str:
    """The number of parameters, and the name, shape and dtype of each array. Only traced: nothing is drawn."""
    params = jax.eval_shape(lambda: model.init(jax.random.key(0)))
    return "\n".join([f"Model with {_count(params)} parameters", *_arrays(params)])


@_or_by_field
def stateful_model(model: Any) -> str:
    """As `model`, and how many numbers of state there are."""
    params, state = jax.eval_shape(lambda: model.init(jax.random.key(0)))
    first = f"StatefulModel with {_count(params)} parameters and {_count(state)} numbers of state"
    return "\n".join([first, *_arrays(params)])


@_or_by_field
def batch(batch: Any) -> str:
    return f"Batch(inputs={_kind(batch.inputs)}, labels={_kind(batch.labels)})"


@_or_by_field
def dataset(dataset: Any) -> str:
    lines = ["Dataset", f"  train: {dataset.train!r}", f"  test:  {dataset.test!r}"]
    if dataset.validation is not None:
        lines.append(f"  validation: {dataset.validation!r}")
    if dataset.class_names:
        names = textwrap.shorten(", ".join(dataset.class_names), 100, placeholder=" ...")
        lines.append(f"  {len(dataset.class_names)} classes: {names}")
    return "\n".join(lines)


@_or_by_field
def train_state(state: Any) -> str:
    first = f"TrainState after {int(state.step)} steps: {_count(state.params)} parameters"
    rest = f"  and {_count(state.opt_state)} numbers of the optimiser"
    averages = f", {_count(state.model_state)} of the model's state" if jax.tree.leaves(state.model_state) else ""
    return "\n".join([first, *_arrays(state.params), rest + averages])


@_or_by_field
def history(history: Any) -> str:
    """Losses and accuracy of the first and the last epoch; for many runs at once, their range in the last epoch."""
    *runs, epochs, steps = history.step_loss.shape
    lines = [f"History of {f'{tuple(runs)} runs of ' if runs else ''}{epochs} epochs of {steps} steps"]
    for name in ("train_loss", "test_loss", "test_accuracy") if epochs else ():
        values = np.asarray(getattr(history, name))
        first, last = values[..., 0], values[..., -1]
        if not np.isnan(values).all():  # as the accuracy of a regression is
            span = f"{np.min(last):.4f} to {np.max(last):.4f} at the end" if runs else f"{first:.4f} -> {last:.4f}"
            lines.append(f"  {name:13}  {span}")
    return "\n".join(lines)


def _count(tree: Any) -> str:
    return f"{sum(math.prod(np.shape(leaf)) for leaf in jax.tree.leaves(tree)):,}"


def _arrays(tree: Any) -> list[str]:
    """A line for each array: its name, shape and dtype."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    shown = leaves if len(leaves) <= _MAX_ARRAYS else leaves[: _MAX_ARRAYS - 1]
    names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in shown]
    width = max(map(len, names), default=0)
    lines = [f"  {name:{width}}  {_kind(leaf)}" for name, (_, leaf) in zip(names, shown, strict=True)]
    return lines if shown is leaves else [*lines, f"  and {len(leaves) - len(shown)} more arrays"]


def _kind(x: Any) -> str:
    return f"{tuple(x.shape)} {x.dtype}"
