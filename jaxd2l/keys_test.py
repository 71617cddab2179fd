"""One key, three streams that never meet."""

import jax
import pytest

from jaxd2l.keys import init_key, noise_key, order_key

KEY = jax.random.key(3)


def numbers(key: jax.Array) -> tuple[int, ...]:
    return tuple(jax.random.key_data(key).tolist())


def test_streams_epochs_and_steps_never_meet() -> None:
    keys = [KEY, init_key(KEY)]
    keys += [stream(KEY, count) for stream in (order_key, noise_key) for count in range(5)]
    assert len({numbers(key) for key in keys}) == len(keys)


@pytest.mark.parametrize("stream", [order_key, noise_key])
def test_a_traced_counter_gives_the_same_key(stream) -> None:
    traced = jax.jit(lambda count: jax.random.key_data(stream(KEY, count)))
    assert tuple(traced(4).tolist()) == numbers(stream(KEY, 4))


def test_deriving_a_stream_leaves_the_key_usable() -> None:
    assert numbers(init_key(KEY)) == numbers(init_key(KEY))
    assert numbers(order_key(KEY, 1)) == numbers(order_key(KEY, 1))


@pytest.mark.bad_input
@pytest.mark.parametrize("make", [order_key, noise_key])
def test_a_fraction_of_an_epoch_or_step_is_refused(make) -> None:
    with pytest.raises(TypeError, match=r"must be a whole number, got 1\.5"):
        make(jax.random.key(0), 1.5)  # would give the key of 1
