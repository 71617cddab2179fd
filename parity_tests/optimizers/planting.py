"""What `parity.check` says of a planted optimiser: its comparison of optimisers alone, on a small network."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
import torch
from torch import nn

from jaxd2l import losses
from jaxd2l.parity.optimizer_level import optimizer_level, training_of
from jaxd2l.parity.rule import Row, holds
from jaxd2l.parity.sides import Question, Sides, both_sides
from jaxd2l.types import Model
from parity_tests.optimizers.defects import Defect, Factory


class Judged(NamedTuple):
    """Whether the right port passes, the wrong one is found, and its cause is named."""

    accepted: bool
    found: bool
    named: bool
    hint: str


def judge(defect: Defect, sides: Sides) -> Judged:
    """Both ports of a defect."""
    right, wrong = (compared(sides, defect.torch, tx) for tx in (defect.right, defect.wrong))
    is_named = all(word in wrong.hint for word in defect.words)
    return Judged(holds(right), not holds(wrong), is_named, wrong.hint)


def compared(sides: Sides, factory: Factory, tx: optax.GradientTransformation) -> Row:
    """The row of the optimisers on given gradients."""
    return optimizer_level(sides, training_of((factory, tx), sides.ours))


def network(seed: int) -> Sides:
    """An MLP 3-4-2 in both libraries, with a batch of five."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    random = np.random.default_rng(seed)
    batch = random.normal(size=(5, 3)).astype(np.float32), random.integers(0, 2, 5)
    loss = nn.functional.cross_entropy, losses.cross_entropy
    return both_sides(module, Model(_init, _apply), Question(batch, loss=loss, seed=seed))


def _init(key):
    return {
        str(i): {"kernel": jnp.zeros(shape), "bias": jnp.zeros(shape[1])} for i, shape in ((0, (3, 4)), (2, (4, 2)))
    }


def _apply(params, x, *, key=None):
    hidden = jnp.tanh(x @ params["0"]["kernel"] + params["0"]["bias"])
    return hidden @ params["2"]["kernel"] + params["2"]["bias"]
