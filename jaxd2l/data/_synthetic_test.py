"""Data made from a known line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l.data import synthetic_regression

W, B = np.array([2.0, -3.4]), 4.2


def test_the_books_data_have_the_books_sizes() -> None:
    data = synthetic_regression(jax.random.key(0), W, B)
    for part in (data.train, data.test):
        assert (part.inputs.shape, part.labels.shape) == ((1000, 2), (1000, 1))
        assert part.inputs.dtype == part.labels.dtype == np.float32
        assert isinstance(part.inputs, np.ndarray)
    assert data.class_names == ()


def test_without_noise_the_targets_are_the_line() -> None:
    data = synthetic_regression(jax.random.key(0), jnp.array(W), B, noise=0.0, n=50, num_test=7)
    assert len(data.test.labels) == 7
    for part in (data.train, data.test):
        np.testing.assert_allclose(part.labels, part.inputs @ W[:, None] + B, rtol=1e-5, atol=1e-5)


def test_features_are_standard_normal_and_errors_have_their_spread() -> None:
    data = synthetic_regression(jax.random.key(0), W, B, noise=0.5, n=20_000)
    np.testing.assert_allclose(data.train.inputs.mean(0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(data.train.inputs.T), np.eye(2), atol=0.05)
    errors = (data.train.labels - data.train.inputs @ W[:, None] - B).ravel()
    np.testing.assert_allclose(errors.mean(), 0, atol=0.02)
    np.testing.assert_allclose(errors.std(), 0.5, rtol=0.03)
    assert np.abs(np.corrcoef(np.column_stack([errors, data.train.inputs]).T)[0, 1:]).max() < 0.03


def test_the_key_alone_decides_and_test_differs_from_train() -> None:
    def make(seed):
        return synthetic_regression(jax.random.key(seed), W, B, n=20)

    jax.tree.map(np.testing.assert_array_equal, make(0), make(0))
    assert (make(0).train.inputs != make(1).train.inputs).all()
    assert (make(0).train.inputs != make(0).test.inputs).all()


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w": W[:, None]}, r"w must have shape \(n,\); got \(2, 1\)"),
        ({"w": np.zeros(0)}, "w must not be empty"),
        ({"noise": -0.1}, "noise must not be negative, infinite or NaN, got -0.1"),
        ({"noise": float("nan")}, "noise must not be negative, infinite or NaN, got nan"),
        ({"n": 0}, "n must be at least 1, got 0"),
        ({"num_test": 0}, "num_test must be at least 1, got 0"),
    ],
)
def test_arguments_that_describe_no_data_are_refused(change, message) -> None:
    with pytest.raises(ValueError, match=message):
        synthetic_regression(jax.random.key(0), **{"w": W, "b": B, **change})


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"b": np.ones(3)}, TypeError, "b must be a real number"),  # targets would have three columns
        ({"w": ["2", "3"]}, TypeError, "not a valid JAX array type|no|numeric"),
        ({"w": W * np.nan}, ValueError, r"w\[0\] is nan"),
        ({"n": 2.5}, TypeError, "n must be a whole number"),
    ],
)
def test_arguments_that_would_silently_change_the_data_are_refused(change, error, message) -> None:
    with pytest.raises(error, match=message):
        synthetic_regression(**({"key": jax.random.key(0), "w": W, "b": 4.2} | change))
