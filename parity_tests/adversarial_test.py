"""Inputs that PyTorch's own samples leave out: huge offsets, inf, NaN, subnormals, ties, nothing, one, many.

Values throughout; gradients where the input is finite (what they are beyond that is in the contract table).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxd2l.parity.rule import compare_accuracy, require
from jaxd2l.parity.suite import FunctionPair, compare
from jaxd2l.parity.suite import activations as suite
from jaxd2l.parity.suite import losses as loss_suite

INF, NAN = np.inf, np.nan
RNG = np.random.default_rng(0)

FINITE = {
    **{f"offset {offset:g}": RNG.standard_normal((4, 10)) + offset for offset in (1e2, 1e4, 1e6, -1e6)},
    "ties": np.zeros((3, 4)),
    "ties and a winner": np.array([[1.0, 1.0, 2.0, 2.0]]),
    "wide": np.array([[-1e4, 0.0, 1e4], [-100.0, 0.0, 100.0]]),
    "signed zeros": np.array([[0.0, -0.0, 1.0]]),
    "smallest normal": np.array([[2.0**-126, -(2.0**-126), 1.0]]),
    "batch of one": RNG.standard_normal((1, 10)),
    "one class": RNG.standard_normal((3, 1)),
    "1000 classes": RNG.standard_normal((2, 1000)),
    "no examples": np.zeros((0, 5)),
    "single row": RNG.standard_normal(7),
}
SPECIAL = {
    "inf": np.array([[INF, 0.0, 1.0], [0.0, 1.0, 2.0]]),
    "-inf": np.array([[-INF, 0.0, 1.0]]),
    "only -inf": np.full((1, 3), -INF),
    "two infs": np.array([[INF, INF, 0.0], [INF, -INF, 0.0]]),
    "NaN": np.array([[NAN, 0.0, 1.0], [0.0, 1.0, 2.0]]),
    "subnormal": np.array([[1e-40, -1e-40, 0.0]]),
    "largest": np.array([[3.4e38, 1.0, -3.4e38]]),
}
SOFTMAX = {"softmax": suite.softmax(), "log_softmax": suite.log_softmax()}


@pytest.mark.parametrize("inputs", FINITE)
@pytest.mark.parametrize("name", SOFTMAX)
def test_softmax_of_finite_scores(name, inputs):
    require(compare(f"{name} of {inputs}", SOFTMAX[name], [FINITE[inputs]], seed=0, jit=True))


@pytest.mark.parametrize("name", SOFTMAX)
def test_softmax_of_special_scores(name):
    require(value_row(f"{name} of {inputs}", SOFTMAX[name], x) for inputs, x in SPECIAL.items())


@pytest.mark.parametrize("name", suite.ELEMENTWISE)
def test_elementwise_functions(name):
    finite, special = (np.concatenate([x.ravel() for x in inputs.values()]) for inputs in (FINITE, SPECIAL))
    pair = suite.ELEMENTWISE[name]
    require(compare(f"{name} of finite inputs", pair, [finite], seed=0, jit=True))
    if name == "gelu":  # torch overflows to inf from 1.7e38 on, and makes inf NaN; ours is x
        special = special[~(special > 1e38)]
    require([value_row(f"{name} of special values", pair, special)])


@pytest.mark.parametrize("inputs", [key for key, x in FINITE.items() if x.ndim == 2 and len(x)])
@pytest.mark.parametrize("reduction", loss_suite.REDUCTIONS)
def test_cross_entropy_of_finite_logits(inputs, reduction):
    x = FINITE[inputs]
    labels = np.arange(len(x)) % x.shape[1]
    pair = loss_suite.cross_entropy(labels, loss_suite.Options(reduction=reduction))
    require(compare(f"cross_entropy of {inputs}", pair, [x], seed=0, jit=True))


@pytest.mark.parametrize("inputs", [key for key in SPECIAL if key != "largest"])
def test_cross_entropy_of_special_logits(inputs):
    x = SPECIAL[inputs]
    pair = loss_suite.cross_entropy(np.arange(len(x)) + 1, loss_suite.Options(reduction="none"))
    require([value_row(f"cross_entropy of {inputs}", pair, x)])


@pytest.mark.parametrize("name", suite.ELEMENTWISE)
def test_scalars(name):
    require(compare(name, suite.ELEMENTWISE[name], [np.array(0.7)], seed=0, jit=True))


def value_row(name: str, pair: FunctionPair, x: np.ndarray) -> Any:
    """The value alone, in float32."""
    x = np.float32(x)
    theirs, oracle = (pair.torch(torch.tensor(x, dtype=dtype)).numpy() for dtype in (torch.float32, torch.float64))
    ours: Callable[..., jax.Array] = pair.jax
    with np.errstate(all="ignore"):
        scale = pair.scale(np.ones_like(oracle), np.float64(x))[0]
    return compare_accuracy(name, theirs, np.array(ours(jnp.array(x))), oracle, scale)
