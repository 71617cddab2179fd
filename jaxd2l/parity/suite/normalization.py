"""Batch and layer normalisation (D2L 8.5) in training and in prediction: outputs, gradients, averages afterwards."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from jaxd2l.models import layers
from jaxd2l.parity.checking import check
from jaxd2l.parity.rule import Row
from jaxd2l.parity.sides import Mode
from jaxd2l.parity.suite.comparing import Case


def cases() -> Iterator[Case]:
    """Rows and images, and options that are not the default."""
    rows, images = (
        layers.stateful_model(layers.batch_norm(), (5,)),
        layers.stateful_model(layers.batch_norm(), (4, 3, 5)),
    )
    options = layers.stateful_model(layers.batch_norm(momentum=0.3, eps=0.1), (5,))
    modes: tuple[Mode, ...] = ("train", "eval")
    for mode in modes:
        changed = partial(nn.BatchNorm1d, 5, momentum=0.3, eps=0.1)
        yield _case(f"batch_norm rows {mode}", partial(nn.BatchNorm1d, 5), rows, (8, 5), mode)
        yield _case(f"batch_norm images {mode}", partial(nn.BatchNorm2d, 5), images, (2, 5, 4, 3), mode)
        yield _case(f"batch_norm options {mode}", changed, options, (8, 5), mode)
    layer = layers.model(layers.layer_norm(), (6,))
    yield _case("layer_norm", partial(nn.LayerNorm, 6), layer, (4, 6), "eval")


def _case(name: str, make: Callable[[], nn.Module], model: Any, shape: tuple[int, ...], mode: Mode) -> Case:
    return Case(name, partial(_rows, name, make, model, shape, mode))


def _rows(
    name: str, make: Callable[[], nn.Module], model: Any, shape: tuple[int, ...], mode: Mode, seed: int
) -> list[Row]:
    """What `check` finds, with parameters and averages that are not those of the beginning."""
    rng, norm = np.random.default_rng(seed), make()
    with torch.no_grad():
        for value in (*norm.parameters(), *norm.buffers()):
            if value.is_floating_point():
                value.copy_(torch.tensor(rng.uniform(0.5, 2.0, value.shape)))
    x = rng.normal(rng.uniform(-3, 3), 2.0, shape).astype(np.float32)
    layout = "NCHW->NHWC" if len(shape) == 4 else None
    batch = x, np.zeros(len(x), np.int32)
    report = check(norm, model, batch, mode=mode, to_jax=layout, seed=seed)
    return [row._replace(quantity=f"{name}: {row.quantity}") for row in report.rows]
