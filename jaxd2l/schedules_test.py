"""Schedules: the book's golden values, optax's equals, long runs, and refusals."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxd2l import schedules


def test_inverse_square_root_is_the_books():
    rates = jax.vmap(schedules.inverse_square_root(0.1))(jnp.array([0, 1, 3, 8, 29]))
    np.testing.assert_allclose(rates, [0.1, 0.0707107, 0.05, 0.0333333, 0.0182574], rtol=2e-6)


def test_factor_falls_to_its_floor():
    rate = schedules.factor(2.0, 0.9, floor=0.01)
    np.testing.assert_allclose([rate(t) for t in (0, 1, 50, 51, 10**6)], [2, 1.8, 0.0103076, 0.01, 0.01], rtol=5e-6)


@pytest.mark.parametrize(("step", "rate"), [(0, 0.3), (1, 0.298215), (5, 0.257530), (10, 0.155), (15, 0.052470)])
def test_cosine_is_the_books(step, rate):
    assert schedules.cosine_with_warmup(0.3, 20, final=0.01)(step) == pytest.approx(rate, rel=2e-5)


def test_cosine_with_warmup_is_the_books_and_optaxs():
    ours = schedules.cosine_with_warmup(0.3, 20, final=0.01, warmup_steps=5)
    golden = [0.0, 0.06, 0.12, 0.18, 0.24, 0.3, 0.296831]
    np.testing.assert_allclose([ours(t) for t in range(7)], golden, rtol=2e-5, atol=1e-8)
    theirs = optax.warmup_cosine_decay_schedule(0.0, 0.3, 5, 20, 0.01)
    np.testing.assert_allclose([ours(t) for t in range(30)], [theirs(t) for t in range(30)], rtol=2e-6, atol=1e-8)


def test_multi_step_is_optaxs_piecewise_constant():
    ours = schedules.multi_step_lr(0.5, [15, 30], gamma=0.5)
    theirs = optax.piecewise_constant_schedule(0.5, {15: 0.5, 30: 0.5})
    np.testing.assert_allclose([ours(t) for t in range(40)], [theirs(t) for t in range(40)], rtol=1e-6)


ALL = {
    "step": schedules.step_lr(0.1, 7),
    "multi step": schedules.multi_step_lr(0.1, [3, 9]),
    "exponential": schedules.exponential_lr(0.1, 0.9),
    "linear": schedules.linear_lr(0.1),
    "polynomial": schedules.polynomial_lr(0.1, power=2.0),
    "cosine": schedules.cosine_annealing_lr(0.1, 10),
    "restarts": schedules.cosine_annealing_warm_restarts(0.1, 3, t_mult=2),
    "one cycle": schedules.one_cycle_lr(0.1, 20),
    "lambda": schedules.lambda_lr(0.1, lambda t: 0.5**t),
    "square root": schedules.inverse_square_root(0.1),
    "factor": schedules.factor(0.1, 0.9),
    "warm-up": schedules.cosine_with_warmup(0.1, 20, warmup_steps=4),
}


@pytest.mark.parametrize("name", ALL)
def test_a_schedule_is_the_same_compiled_mapped_and_for_any_integer(name):
    rate, steps = ALL[name], jnp.arange(25)
    one_by_one = [float(rate(int(t))) for t in steps]
    np.testing.assert_allclose(jax.jit(jax.vmap(rate))(steps), one_by_one, rtol=2e-6, atol=1e-7)
    assert rate(jnp.array(3, jnp.int32)).dtype == jnp.float32


@pytest.mark.parametrize("name", ALL)
def test_a_schedule_drives_an_optimiser_without_compiling_again(name):
    tx = optax.sgd(ALL[name])

    @jax.jit
    def step(params, state):
        updates, state = tx.update(jnp.ones(2), state, params)
        return optax.apply_updates(params, updates), state

    params, state = jnp.zeros(2), tx.init(jnp.zeros(2))
    for _ in range(3):
        params, state = step(params, state)
    np.testing.assert_allclose(params, -sum(float(ALL[name](t)) for t in range(3)), rtol=1e-5)
    assert step._cache_size() == 1


def test_a_million_steps_do_not_blur_the_cosine():
    assert schedules.cosine_annealing_lr(1.0, 100)(2_000_000_100) == pytest.approx(0.0, abs=1e-7)
    assert schedules.cosine_annealing_warm_restarts(1.0, 10, t_mult=2)(2_000_000_000) > 0


def test_a_schedule_is_float64_where_jax_is():
    with jax.enable_x64(True):
        rate = schedules.exponential_lr(0.1, 0.999)(1000)
    assert rate.item() == pytest.approx(0.1 * 0.999**1000, rel=1e-13)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: schedules.step_lr(-0.1, 3), "base must not be"),
        (lambda: schedules.step_lr(0.1, 0), "step_size must be at least 1"),
        (lambda: schedules.multi_step_lr(0.1, 30), "milestones must be a list"),
        (lambda: schedules.exponential_lr(math.nan, 0.9), "base must not be"),
        (lambda: schedules.linear_lr(0.1, start_factor=2.0), r"start_factor must lie in \[0, 1\]"),
        (lambda: schedules.one_cycle_lr(0.1, 10, anneal_strategy="cosine"), "anneal_strategy"),
        (lambda: schedules.one_cycle_lr(0.1, 10, pct_start=30), "pct_start must lie in"),
        (lambda: schedules.cosine_with_warmup(0.1, 5, warmup_steps=5), "steps must be at least 6"),
    ],
)
@pytest.mark.bad_input
def test_a_wrong_number_is_named(make, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        make()
