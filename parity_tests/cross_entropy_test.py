"""Cross-entropy (D2L 4.1, 4.5) against torch, with every combination of its options."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.nn import functional

from jaxd2l import losses
from jaxd2l.parity.rule import compare_accuracy, require
from jaxd2l.parity.suite import compare, named
from jaxd2l.parity.suite import losses as suite

logits = hnp.arrays(np.float32, (6, 5), elements=st.floats(-1e4, 1e4, width=32))
labels = hnp.arrays(np.int64, 6, elements=st.integers(0, 4))


@pytest.mark.parametrize("case", named("cross_entropy"), ids=lambda case: case.name)
@pytest.mark.parametrize("seed", range(2))
def test_suite(case, seed):
    require(case.run(seed))


@given(logits, labels)
def test_any_logits_and_labels(logits, labels):
    require(compare("cross_entropy", suite.cross_entropy(labels), [logits], seed=0))


@pytest.mark.parametrize("offset", [0.0, 1e2, 1e4, 1e6])
def test_large_offsets_lose_no_digits(offset):
    rng = np.random.default_rng(0)
    pair = suite.cross_entropy(rng.integers(0, 10, 64))
    require(compare("cross_entropy", pair, [rng.standard_normal((64, 10)) + offset], seed=0))


def test_compiled():
    rng = np.random.default_rng(0)
    pair = suite.cross_entropy(rng.integers(0, 10, 64), suite.Options(label_smoothing=0.1))
    require(compare("cross_entropy", pair, [rng.standard_normal((64, 10))], seed=0, jit=True))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", suite.REDUCTIONS)
def test_every_example_ignored(weighted, reduction):
    options = suite.Options(np.ones(3, np.float32) if weighted else None, -1, 0.0, reduction)
    theirs = functional.cross_entropy(
        torch.zeros(2, 3), torch.tensor([-1, -1]), ignore_index=-1, weight=torch.ones(3) if weighted else None,
        reduction=reduction,
    )  # fmt: skip
    ours = losses.cross_entropy(jnp.zeros((2, 3)), np.int32([-1, -1]), **options._asdict())
    require([compare_accuracy("all ignored", theirs.numpy(), np.array(ours), np.float64(theirs), 1.0)])


def test_more_batch_axes():
    """torch has the classes on axis 1, we have them last."""
    rng = np.random.default_rng(0)
    x, y = np.float32(rng.standard_normal((2, 3, 4, 5))), rng.integers(0, 5, (2, 3, 4))
    theirs, oracle = (
        functional.cross_entropy(torch.tensor(x, dtype=dtype).movedim(-1, 1), torch.tensor(y), reduction="none").numpy()
        for dtype in (torch.float32, torch.float64)
    )
    ours = losses.cross_entropy(jnp.array(x), np.int32(y), reduction="none")
    require([compare_accuracy("images", theirs, np.array(ours), oracle, 1 + oracle)])
