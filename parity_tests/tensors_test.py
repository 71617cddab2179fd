"""D2L 2.1 and 2.3 in torch and in JAX: what is the same anyway, and what `jaxd2l.book.tensors` makes the same."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxd2l.book import tensors
from jaxd2l.parity.rule import compare_accuracy, holds, require
from jaxd2l.parity.suite import compare, named
from jaxd2l.parity.suite.tensors import spread

RNG = np.random.default_rng(0)
VECTORS = [RNG.normal(size=1000) * 10.0**e for e in (-10, 0, 10)] + [np.array([3.0, -4.0]), np.zeros(3), np.ones(7)]
ORDERS = [1, 1.5, 2, 3, math.inf]


def same(ours, theirs) -> None:
    np.testing.assert_array_equal(np.asarray(ours), theirs.detach().numpy())


# Two libraries, one line each: the golden operations.
OPERATIONS = {
    "arange": lambda xp: xp.arange(0, 12, 2),
    "zeros": lambda xp: xp.zeros((2, 3, 4)),
    "reshape": lambda xp: xp.arange(12).reshape(-1, 4),
    "arithmetic": lambda xp: xp.stack([f(xp.asarray([1.0, 2, 4, 8]), xp.asarray([2.0, 2, 2, 2])) for f in ARITHMETIC]),
    "broadcast": lambda xp: xp.arange(3).reshape(3, 1) + xp.arange(2).reshape(1, 2),
    "broadcast 3-D": lambda xp: xp.arange(6).reshape(3, 1, 2) * xp.arange(3).reshape(3, 1),
    "concatenate": lambda xp: xp.concatenate((xp.arange(12).reshape(3, 4), xp.ones((3, 4), dtype=xp.int32)), 1),
    "compare": lambda xp: xp.arange(4) < xp.asarray([1, 1, 5, 0]),
    "sum": lambda xp: xp.arange(12).sum(),
    "mean of columns": lambda xp: matrix(xp).mean(0),
    "share of the row": lambda xp: matrix(xp) / matrix(xp).sum(1, keepdims=True),
    "cumulative sum": lambda xp: xp.cumsum(matrix(xp), 0),
    "dot": lambda xp: xp.asarray([0.0, 1, 2]) @ xp.ones(3),
    "matrix-vector": lambda xp: matrix(xp) @ xp.asarray([0.0, 1, 2]),
    "matrix-matrix": lambda xp: matrix(xp) @ xp.ones((3, 4)),
    "transpose": lambda xp: matrix(xp).T,
}
ARITHMETIC = (
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x / y,
    lambda x, y: x**y,
)


def matrix(xp):
    return xp.asarray([[0.0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_golden_operations_are_equal(operation) -> None:
    ours, theirs = operation(jnp), operation(torch)
    if theirs.dtype == torch.float32:  # XLA divides by multiplying with 1/12
        row = compare_accuracy(
            "result", theirs.numpy(), np.asarray(ours), theirs.double().numpy(), np.abs(theirs.numpy())
        )
        assert holds(row), row
    else:
        same(ours, theirs)
    # Integers are int32 in JAX, int64 in torch; all else is of one dtype.
    assert str(theirs.dtype).removeprefix("torch.").replace("int64", "int32") == ours.dtype.name


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("x", VECTORS, ids=lambda x: f"{len(x)} from {x[0]:.0e}")
def test_norms_are_as_right_as_torchs(p, x) -> None:
    x32 = x.astype(np.float32)
    oracle = torch.linalg.vector_norm(torch.from_numpy(x32.astype(np.float64)), p).numpy()
    theirs = torch.tensor(x32, requires_grad=True)
    value = torch.linalg.vector_norm(theirs, p)
    value.backward()
    ours, gradient = jax.value_and_grad(lambda x: tensors.norm(x, p))(jnp.asarray(x32))
    row = compare_accuracy("norm", value.detach().numpy(), np.asarray(ours), oracle, oracle)
    assert holds(row), row
    t64 = torch.tensor(x32.astype(np.float64), requires_grad=True)
    torch.linalg.vector_norm(t64, p).backward()
    # The slope is x/|x| to a power: it keeps the digits of the length.
    row = compare_accuracy(
        "slope", theirs.grad.numpy(), np.asarray(gradient), t64.grad.numpy(), np.abs(t64.grad.numpy())
    )
    assert holds(row), row


@pytest.mark.parametrize("case", named("tensors"), ids=lambda case: case.name)
@pytest.mark.parametrize("seed", range(2))
def test_suite(case, seed):
    require(case.run(seed))


@pytest.mark.parametrize("name", ["var", "std"])
@pytest.mark.parametrize("axis", [0, 1, (0, 1)])
def test_spread_of_equal_numbers(name, axis):
    require(compare(name, spread(name, axis), [np.full((3, 4), 2.0)], seed=0))


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_medians(dtype) -> None:
    x = RNG.integers(0, 9, (4, 6)).astype(dtype)
    same(tensors.median(jnp.asarray(x)), torch.from_numpy(x).median())
    same(tensors.median(jnp.asarray(x), 1), torch.from_numpy(x).median(1).values)
    same(tensors.median(jnp.array([1.0, np.nan])), torch.tensor([1.0, np.nan]).median())


INDICES = [2, -1, (1, 2), slice(1, 3), (slice(None, 2), slice(None)), (..., 0), (None, 1), [0, 2], ([0, 1], [3, 3])]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_indices_mean_the_same(index) -> None:
    x = torch.arange(12.0).reshape(3, 4)
    same(tensors.at(jnp.asarray(x.numpy()), index), x[index])
    ours = tensors.set_at(tensors.copy_from(x), index, 17)
    x[index] = 17
    same(ours, x)


@pytest.mark.parametrize("index", [3, -4, (0, 4), [0, 3]], ids=repr)
def test_both_refuse_an_index_out_of_bounds(index) -> None:
    for x in (jnp.zeros((3, 4)), torch.zeros(3, 4)):
        with pytest.raises(IndexError, match=r"out of (bounds|range)"):
            x[index] if isinstance(x, torch.Tensor) else tensors.at(x, index)


def test_handing_over_copies_both_ways() -> None:
    tensor = torch.ones(64, 64)
    x = tensors.copy_from(tensor)
    tensor += 1
    assert (x == 1).all()
    back = torch.from_dlpack(x).clone()
    back += 1
    assert (x == 1).all()
    same(tensors.copy_from(tensor.T[:, ::2]), tensor.T[:, ::2])
    assert tensors.copy_from(torch.ones(2, dtype=torch.float64)).dtype == jnp.float32
    assert tensors.copy_from(torch.ones(2, dtype=torch.bfloat16)).dtype == jnp.bfloat16
    assert tensors.copy_from(torch.tensor(3.5)).shape == ()
    assert tensors.copy_from(torch.tensor([True])).dtype == bool
    with pytest.raises(OverflowError, match="does not fit into int32"):
        tensors.copy_from(torch.tensor([2**40]))
    with pytest.raises(BufferError, match="detach"):
        tensors.copy_from(torch.ones(2, requires_grad=True))
