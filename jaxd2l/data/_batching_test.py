"""The order of an epoch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxd2l.data import epoch_indices, shuffle

sizes = st.sampled_from([1, 2, 32, 33])  # few, for each is compiled


@settings(max_examples=20)
@given(sizes, st.integers(1, 120), st.integers(0, 2**31 - 1), st.integers(0, 3))
def test_an_epoch_visits_each_example_once(n, batch_size, seed, epoch) -> None:
    batches = epoch_indices(jax.random.key(seed), epoch, n, batch_size)
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(n))
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * ((n - 1) // batch_size)
    assert len(batches[-1]) == (n - 1) % batch_size + 1
    assert all(isinstance(batch, np.ndarray) and batch.dtype == np.int32 for batch in batches)


def test_the_order_is_a_pure_function_of_key_and_epoch() -> None:
    def order(seed, epoch):
        return np.concatenate(epoch_indices(jax.random.key(seed), epoch, 100, 30))

    np.testing.assert_array_equal(order(0, 1), order(0, 1))
    for other in (order(0, 0), order(1, 1), np.arange(100)):
        assert (order(0, 1) == other).mean() < 0.1


def test_the_batch_size_only_cuts_the_order() -> None:
    small, large = (np.concatenate(epoch_indices(jax.random.key(0), 2, 33, size)) for size in (4, 100))
    np.testing.assert_array_equal(small, large)


@pytest.mark.parametrize("n", [1, 2, 33, 60_000])
def test_shuffle_is_a_permutation_compiled_or_not(n) -> None:
    order = jax.jit(shuffle, static_argnames="n")(jax.random.key(0), n)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    if n < 100:
        np.testing.assert_array_equal(order, shuffle(jax.random.key(0), n))


def test_shuffle_leaves_large_sets_to_jax() -> None:
    n = 2**20 + 1
    order = jax.eval_shape(lambda: shuffle(jax.random.key(0), n))
    assert (order.shape, order.dtype) == ((n,), jnp.int32)


def test_every_order_is_equally_likely() -> None:
    n, draws = 5, 20_000
    orders = jax.jit(jax.vmap(lambda seed: shuffle(jax.random.key(seed), n)))(jnp.arange(draws))
    counts = (np.asarray(orders)[:, :, None] == np.arange(n)).sum(0)
    np.testing.assert_allclose(counts / draws, 1 / n, atol=5 * np.sqrt(0.16 / draws))
    # Each of the 120 orders comes equally often, not only each example at each place.
    _, each = np.unique(orders, axis=0, return_counts=True)
    assert len(each) == 120
    chi_squared = ((each - draws / 120) ** 2 / (draws / 120)).sum()
    assert chi_squared < 119 + 5 * np.sqrt(2 * 119)


def test_a_large_set_rises_as_often_as_it_falls() -> None:
    # With only 16 random bits, thousands of pairs with equal bits would have kept their order.
    n = 60_000
    order = np.asarray(jax.jit(shuffle, static_argnames="n")(jax.random.key(1), n))
    assert abs((np.diff(order) > 0).sum() - n / 2) < 5 * np.sqrt(n / 12)


@pytest.mark.parametrize(("name", "arguments"), [("n", (0, 0, 4)), ("batch_size", (0, 10, 0)), ("epoch", (-1, 10, 4))])
def test_sizes_that_make_no_epoch_are_refused(name, arguments) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least"):
        epoch_indices(jax.random.key(0), *arguments)


@pytest.mark.bad_input
def test_sizes_may_be_of_numpy_and_must_be_whole() -> None:
    assert shuffle(jax.random.key(0), np.int64(5)).shape == (5,)
    with pytest.raises(TypeError, match=r"n must be a whole number, got 2\.5"):
        shuffle(jax.random.key(0), 2.5)
