"""`check` of a `StatefulModel`: running averages travel like weights, and those after a training step are compared."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Array
from torch import nn

from jaxd2l import activations, parity
from jaxd2l.models import layers
from jaxd2l.models.layers import Layer
from jaxd2l.parity.rule import holds
from jaxd2l.types import StatefulModel

RNG = np.random.default_rng(0)
BATCH = RNG.normal(size=(12, 1, 8, 8)).astype(np.float32), np.arange(12) % 3
HOW = {"to_jax": "NCHW->NHWC"}


def module() -> nn.Module:
    """The layers of the book's BN-LeNet in small, with running averages that are not 0 and 1."""
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(4 * 3 * 3, 5), nn.BatchNorm1d(5), nn.Sigmoid(), nn.Linear(5, 3)),
    )
    with torch.no_grad():
        for _ in range(3):
            net(2 * torch.randn(16, 1, 8, 8) + 1)
    return net


def port(norm: Callable[[], Layer] = layers.batch_norm) -> StatefulModel:
    net = layers.sequential(
        *(layers.conv(4, 3), norm(), layers.function(activations.relu), layers.mean_pool(2)),
        layers.function(lambda x: x.transpose(0, 3, 1, 2), name="channels first"),
        *(layers.flatten(), layers.dense(5), norm(), layers.function(activations.sigmoid), layers.dense(3)),
    )
    return layers.stateful_model(net, (8, 8, 1))


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_a_port_with_batch_normalisation_passes(mode: Any) -> None:
    report = parity.check(module(), port(), BATCH, mode=mode, **HOW)
    assert report.ok, report
    assert ("1.running_var updated" in {row.quantity for row in report.rows}) == (mode == "train")


def test_a_biased_running_variance_is_named() -> None:
    def biased() -> Layer:
        right = layers.batch_norm()

        def apply(params: Any, state: Any, x: Array, /, *, train: bool = False, key: Any = None) -> Any:
            outputs, after = right.apply(params, state, x, train=train)
            n = x.size // x.shape[-1]
            var = state["var"] + (after["var"] - state["var"]) * (n - 1) / n - 0.1 * state["var"] / n
            return outputs, {**after, "var": var} if train else after

        return Layer(right.init, apply, "biased batch_norm")

    report = parity.check(module(), port(biased), BATCH, mode="train", **HOW)
    assert not report.ok
    hints = {row.quantity: row.hint for row in report.rows if not holds(row)}
    assert set(hints) == {"1.running_var updated", "6.running_var updated"}
    assert all("biased variance" in (hint or "") for hint in hints.values()), hints


@pytest.mark.long
def test_averages_that_do_not_move_are_noticed() -> None:
    def still() -> Layer:
        right = layers.batch_norm()

        def apply(params: Any, state: Any, x: Array, /, *, train: bool = False, key: Any = None) -> Any:
            return right.apply(params, state, x, train=train)[0], state

        return Layer(right.init, apply, "batch_norm without averages")

    report = parity.check(module(), port(still), BATCH, mode="train", **HOW)
    wrong = {row.quantity for row in report.rows if not holds(row)}
    assert wrong == {f"{i}.{name} updated" for i in (1, 6) for name in ("running_mean", "running_var")}
