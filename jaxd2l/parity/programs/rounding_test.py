"""Rounding put into a program moves its result by what rounding in float32 really does, and no further."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxd2l.parity.programs.jax_rounding import rounded
from jaxd2l.parity.programs.jax_wide import wide, wide_constant
from jaxd2l.parity.programs.jaxpr import evaluate, trace
from jaxd2l.parity.programs.torch_rounding import Rounding
from jaxd2l.parity.programs.torch_wide import wide as torch_wide

U = 2.0**-24
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(8, 64))


def jax_deviation(function, *args: np.ndarray, samples: int = 16) -> np.ndarray:
    """How far 16 perturbed runs get from the exact one, in float32 roundings."""
    closed, _ = trace(function, *args)
    with jax.enable_x64(True):
        exact = evaluate(closed, args, wide, wide_constant)[0]
        noisy = jax.jit(lambda seed: evaluate(closed, args, rounded(U, seed), wide_constant)[0])
        return np.max([np.abs(noisy(np.uint64(seed)) - exact) for seed in range(samples)], 0) / U


def torch_deviation(function, *args: np.ndarray, samples: int = 16) -> np.ndarray:
    tensors = [torch.tensor(x) for x in args]
    with torch_wide():
        exact = function(*tensors)
    found = []
    for seed in range(samples):
        with torch_wide(), Rounding(seed):
            found.append((function(*tensors) - exact).abs().numpy())
    return np.max(found, 0) / U


@pytest.mark.parametrize("deviation", [jax_deviation, torch_deviation])
def test_a_sum_is_off_by_the_magnitudes_it_adds(deviation) -> None:
    cancelling = np.array([[1e4, -1e4, 1.0]])
    for function, magnitudes in ((lambda x: x.sum(-1), 2e4 + 1), (lambda x: x @ x.T, 2e8 + 1)):
        assert 0.9 < deviation(function, cancelling).item() / magnitudes < 1.5


@pytest.mark.parametrize(
    ("deviation", "transforms"), [(jax_deviation, jnp.fft), (torch_deviation, torch.fft)], ids=["jax", "torch"]
)
def test_a_fourier_transform_is_off_by_the_magnitudes_it_adds(deviation, transforms) -> None:
    cancelling = np.array([[1e4, -1e4, 1.0]])
    for function, total in ((transforms.rfft, 2e4 + 1), (transforms.ifft, (2e4 + 1) / 3)):
        found = deviation(lambda x, function=function: function(x).real, cancelling)
        assert ((0.5 * total < found) & (found <= 1.5001 * total)).all()


@pytest.mark.parametrize(
    ("deviation", "inverse", "factor"),
    [
        (jax_deviation, jnp.linalg.inv, jnp.linalg.cholesky),
        (torch_deviation, torch.linalg.inv, torch.linalg.cholesky),
    ],
    ids=["jax", "torch"],
)
def test_a_decomposition_is_off_by_what_its_matrix_makes_of_a_rounding(deviation, inverse, factor) -> None:
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    badly_conditioned = turn * [1.0, 0.5, 0.1, 1e-3] @ turn.T  # the largest number of its inverse is some 1000
    assert 1e5 < deviation(inverse, badly_conditioned).max() < 1e8
    assert 10 < deviation(factor, badly_conditioned).max() < 1e4
    assert deviation(inverse, 2.0 * np.eye(4)).max() < 10


@pytest.mark.parametrize("deviation", [jax_deviation, torch_deviation])
def test_what_moves_or_chooses_numbers_rounds_nothing(deviation) -> None:
    for function in (lambda x: x.T, lambda x: -x, lambda x: x.reshape(-1)[3:9], lambda x: abs(x), lambda x: x[::2]):
        assert not deviation(function, X).any()


def test_rounding_to_decimals_rounds_once() -> None:
    """To whole numbers it is exact; to decimals it divides by a power of ten."""
    assert not torch_deviation(torch.round, X).any()
    deviation = torch_deviation(lambda x: torch.round(x, decimals=3), X)
    assert ((deviation > 0) == (np.round(X, 3) != 0)).all()
    assert (deviation <= 1.5001 * np.abs(X) + 1e-3).all()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda x: jax.nn.log_softmax(x, -1), lambda x: torch.log_softmax(x, -1)),
        (lambda x: jax.nn.gelu(x, approximate=False), torch.nn.functional.gelu),
        (lambda x: jnp.var(x, -1), lambda x: x.var(-1, correction=0)),
        (lambda x: jnp.linalg.norm(x, axis=-1), lambda x: torch.linalg.vector_norm(x, dim=-1)),
        (lambda x: jax.nn.logsumexp(x, -1), lambda x: x.logsumexp(-1)),
    ],
    ids=["log_softmax", "gelu", "var", "norm", "logsumexp"],
)
def test_both_libraries_tremble_alike_at_the_size_of_the_result(ours, theirs) -> None:
    for deviation in (jax_deviation(ours, X), torch_deviation(theirs, X)):
        assert 0.5 < deviation.max() < 100
    assert 0.1 < jax_deviation(ours, X).max() / torch_deviation(theirs, X).max() < 10


def test_two_roundings_do_not_cancel_in_every_sample() -> None:
    """Of errors of exactly 1, a hundredth of a large parameter would seem not to tremble at all."""
    deviations = torch_deviation(lambda x: (x * 1.1).mul_(1.1), np.ones(100_000), samples=8)
    assert deviations.min() > 0.02


def test_an_offset_on_the_logits_excuses_nothing() -> None:
    assert jax_deviation(lambda x: jax.nn.log_softmax(x, -1), X + 1e6).max() < 100
    assert torch_deviation(lambda x: torch.log_softmax(x, -1), X + 1e6).max() < 100


def test_loops_and_branches_round_inside() -> None:
    def loop(x: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, 10, lambda _, y: y * 1.1, x)

    def scan(x: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda total, row: (total * 0.5 + row, total), x[0], x)[0]

    for function in (loop, scan, lambda x: jax.lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x)):
        assert jax_deviation(function, X).max() > 0.5


def test_gradients_of_a_convolution_are_off_by_sums_of_magnitudes() -> None:
    """By the deviation of single products it would be 45 times too small, and right ports were called wrong."""
    images, kernel = torch.randn(8, 3, 16, 16, dtype=torch.float64), torch.randn(4, 3, 3, 3, dtype=torch.float64)

    def gradient(w: torch.Tensor) -> torch.Tensor:
        w = w.clone().requires_grad_()
        with torch.enable_grad():
            return torch.autograd.grad(torch.nn.functional.conv2d(images, w, padding=1).sum(), w)[0]

    summed = torch.nn.functional.conv2d(images.abs(), torch.ones_like(kernel), padding=1).sum() / kernel.numel()
    assert torch_deviation(gradient, kernel.numpy()).max() > 0.05 * float(summed)
