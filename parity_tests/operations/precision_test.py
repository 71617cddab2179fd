"""JAX's own results that are off: each measured against 40 digits of mpmath, beside torch's."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import torch
from jax.scipy import special

mpmath.mp.dps = 40


def _gradient(function):
    def gradient(x: torch.Tensor) -> torch.Tensor:
        x = x.clone().requires_grad_()
        function(x).backward()
        return x.grad

    return gradient


def _lgamma(x):
    return mpmath.log(abs(mpmath.gamma(x)))


OFF = {
    "erfc": (8.2634, special.erfc, torch.erfc, mpmath.erfc, np.float32),
    "lgamma": (2.0162, special.gammaln, torch.lgamma, _lgamma, np.float32),
    "log_ndtr": (4.9402, special.log_ndtr, torch.special.log_ndtr, lambda x: mpmath.log(mpmath.ncdf(x)), np.float32),
    "i0's gradient": (
        -0.0033377, jax.grad(special.i0), _gradient(torch.i0), lambda x: mpmath.besseli(1, x), np.float32,
    ),
    "elu's gradient": (
        -8.9464, jax.grad(jax.nn.elu), _gradient(torch.nn.functional.elu), mpmath.exp, np.float32,
    ),
    "log1p": (-0.41419, jnp.log1p, torch.log1p, lambda x: mpmath.log(1 + x), np.float64),
    "polygamma": (
        -8.7, lambda x: special.polygamma(2, x), lambda x: torch.special.polygamma(2, x),
        lambda x: mpmath.polygamma(2, x), np.float64,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OFF)
def test_jax_is_off_where_torch_is_not(name) -> None:
    at, ours, theirs, exact, dtype = OFF[name]
    x, roundoff = dtype(at), float(np.finfo(dtype).eps) / 2
    with jax.enable_x64(dtype is np.float64):
        found = float(ours(jnp.asarray(x))), float(theirs(torch.tensor(x)))
    right = exact(mpmath.mpf(float(x)))
    jax_error, torch_error = (float(abs((value - right) / right)) / roundoff for value in found)
    assert jax_error > 2 * torch_error + 4


def test_jaxs_gradient_of_least_squares_is_off_where_singular_values_are_nearly_equal() -> None:
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.normal(size=shape))[0] for shape in ((4, 3), (3, 3)))
    A = (left * [1.001, 1.0, 0.9995] @ right).astype(np.float32)
    b, cotangent = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=(3, 3)).astype(np.float32)

    def by_torch(dtype: torch.dtype) -> np.ndarray:
        given, target, weights = (torch.tensor(x, dtype=dtype) for x in (A, b, cotangent))
        given.requires_grad_()
        (torch.linalg.lstsq(given, target).solution * weights).sum().backward()
        return given.grad.numpy()

    exact = by_torch(torch.float64)
    ours = jax.grad(lambda given: jnp.sum(jnp.linalg.lstsq(given, b)[0] * cotangent))(jnp.asarray(A))
    jax_error, torch_error = (np.abs(value - exact).max() for value in (ours, by_torch(torch.float32)))
    assert jax_error > 20 * torch_error


def test_jaxs_matrix_exponential_is_off_on_some_matrices() -> None:
    def errors(seed: int) -> tuple[float, float]:
        matrix = np.random.default_rng(seed).uniform(-9, 9, (5, 5)).astype(np.float32)
        exact = torch.matrix_exp(torch.tensor(matrix, dtype=torch.float64)).numpy()
        roundoff = np.abs(exact).max() * 2.0**-24
        found = np.asarray(jax.scipy.linalg.expm(jnp.asarray(matrix))), torch.matrix_exp(torch.tensor(matrix)).numpy()
        ours, theirs = (np.abs(value - exact).max() / roundoff for value in found)
        return ours, theirs

    measured = [errors(seed) for seed in range(40)]
    assert any(ours > 2 * theirs + 4 for ours, theirs in measured)
    assert max(ours for ours, _ in measured) > 1.5 * max(theirs for _, theirs in measured)
