"""Hostile arguments to optimisers and learning-rate schedules."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxd2l import optim, schedules
from jaxd2l.fuzz_tests.arguments import (
    Case,
    choice,
    count,
    flags,
    floats,
    hunt,
    junk,
    mixed,
    number,
)


def first_update(make):
    """The first step of an optimiser on these parameters and gradients."""

    def update(params, grads, learning_rate, **options):
        tx = make(learning_rate, **options)
        return tx.update(grads, tx.init(params), params)[0]

    return update


def clipped(make):
    """A gradient cut back."""

    def clip(grads, bound, **options):
        tx = make(bound, **options)
        return tx.update(grads, tx.init(grads))[0]

    return clip


def at(make):
    """The rate at a step."""
    return lambda step, **options: make(**options)(step)


def shape_stays(result, params, **rest) -> None:
    assert result.shape == np.shape(params)
    assert result.dtype == np.float32


def is_no_longer(result, grads, bound, **rest) -> None:
    assert np.all(np.abs(result) <= np.abs(grads) * 1.000001 + 1e-30)


def rate_is_a_number(result, **rest) -> None:
    assert jnp.shape(result) == ()
    if max(rest.get("gamma", 0.0), rest.get("factor", 0.0)) > 1:
        return  # a rate that grows may overflow
    assert np.isfinite(result)
    assert result >= -1e-6


GIVEN = {"params": floats((3,)), "grads": floats((3,), 0.25, 5.0), "learning_rate": number(0.0, 1.0)}
BETAS = {"betas": mixed(st.tuples(st.floats(0.0, 0.99), st.floats(0.5, 0.999)), junk), "eps": number(1e-8, 1e-3)}
COMMON = {"weight_decay": number(0.0, 1.0), "maximize": flags}
STEP, RATE = st.integers(0, 1000), number(0.0, 1.0)  # optax counts the steps

CASES = {
    "optim.adagrad": Case(
        first_update(optim.adagrad),
        GIVEN,
        {**COMMON, "lr_decay": RATE, "initial_accumulator_value": RATE, "eps": number(1e-8, 1e-3)},
        shape_stays,
    ),
    "optim.rmsprop": Case(
        first_update(optim.rmsprop),
        GIVEN,
        {**COMMON, "alpha": number(0.0, 0.99), "momentum": number(0.0, 0.9), "centered": flags},
        shape_stays,
    ),
    "optim.adadelta": Case(
        first_update(optim.adadelta), GIVEN, {**COMMON, "rho": number(0.0, 1.0), "eps": number(1e-8, 1e-3)}, shape_stays
    ),
    "optim.adam": Case(first_update(optim.adam), GIVEN, {**COMMON, **BETAS, "amsgrad": flags}, shape_stays),
    "optim.adamw": Case(first_update(optim.adamw), GIVEN, {**COMMON, **BETAS, "amsgrad": flags}, shape_stays),
    "optim.adamax": Case(first_update(optim.adamax), GIVEN, {**COMMON, **BETAS}, shape_stays),
    "optim.nadam": Case(
        first_update(optim.nadam),
        GIVEN,
        {**COMMON, **BETAS, "momentum_decay": number(0.0, 0.1), "decoupled_weight_decay": flags},
        shape_stays,
    ),
    "optim.radam": Case(
        first_update(optim.radam), GIVEN, {**COMMON, **BETAS, "decoupled_weight_decay": flags}, shape_stays
    ),
    "optim.yogi": Case(first_update(optim.yogi), GIVEN, {**COMMON, **BETAS}, shape_stays),
    "optim.rprop": Case(first_update(optim.rprop), GIVEN, {"maximize": flags}, shape_stays),
    "optim.one_of": Case(
        lambda which: optim.one_of(which, [optim.sgd(0.1), optim.adam(0.1)]).init(jnp.zeros(3)),
        {"which": mixed(st.integers(0, 1), junk, st.integers(-3, 3))},
    ),
    "optim.clip_grad_norm": Case(
        clipped(optim.clip_grad_norm),
        {"grads": floats((3,)), "bound": number(0.0, 2.0)},
        {"norm_type": number(1.0, 3.0)},
        is_no_longer,
    ),
    "optim.clip_grad_value": Case(
        clipped(optim.clip_grad_value), {"grads": floats((3,)), "bound": number(0.0, 2.0)}, {}, is_no_longer
    ),
    "schedules.step_lr": Case(
        at(schedules.step_lr),
        {"step": STEP, "base": RATE, "step_size": count(1, 30)},
        {"gamma": RATE},
        rate_is_a_number,
    ),
    "schedules.multi_step_lr": Case(
        at(schedules.multi_step_lr),
        {"step": STEP, "base": RATE, "milestones": mixed(st.lists(st.integers(0, 50), max_size=3), junk)},
        {"gamma": RATE},
        rate_is_a_number,
    ),
    "schedules.exponential_lr": Case(
        at(schedules.exponential_lr), {"step": STEP, "base": RATE, "gamma": RATE}, {}, rate_is_a_number
    ),
    "schedules.linear_lr": Case(
        at(schedules.linear_lr),
        {"step": STEP, "base": RATE},
        {"start_factor": RATE, "end_factor": RATE, "total_iters": count(1, 30)},
        rate_is_a_number,
    ),
    "schedules.polynomial_lr": Case(
        at(schedules.polynomial_lr),
        {"step": STEP, "base": RATE},
        {"total_iters": count(1, 30), "power": number(0.5, 3.0)},
        rate_is_a_number,
    ),
    "schedules.cosine_annealing_lr": Case(
        at(schedules.cosine_annealing_lr),
        {"step": STEP, "base": RATE, "t_max": count(1, 30)},
        {"eta_min": RATE},
        rate_is_a_number,
    ),
    "schedules.cosine_annealing_warm_restarts": Case(
        at(schedules.cosine_annealing_warm_restarts),
        {"step": STEP, "base": RATE, "t_0": count(1, 30)},
        {"t_mult": count(1, 3), "eta_min": RATE},
        rate_is_a_number,
    ),
    "schedules.one_cycle_lr": Case(
        at(schedules.one_cycle_lr),
        {"step": STEP, "max_lr": number(0.01, 1.0), "total_steps": count(2, 100)},
        {"pct_start": RATE, "anneal_strategy": choice("cos", "linear"), "three_phase": flags},
        rate_is_a_number,
    ),
    "schedules.lambda_lr": Case(
        at(schedules.lambda_lr),
        {"step": STEP, "base": RATE, "function": mixed(st.just(lambda t: 1 / (t + 1)), junk)},
        {},
        rate_is_a_number,
    ),
    "schedules.inverse_square_root": Case(
        at(schedules.inverse_square_root), {"step": STEP, "base": RATE}, {}, rate_is_a_number
    ),
    "schedules.factor": Case(
        at(schedules.factor), {"step": STEP, "base": RATE, "factor": RATE}, {"floor": RATE}, rate_is_a_number
    ),
    "schedules.cosine_with_warmup": Case(
        at(schedules.cosine_with_warmup),
        {"step": STEP, "base": RATE, "steps": count(20, 100)},
        {"final": RATE, "warmup_steps": count(0, 19), "warmup_begin": RATE},
        rate_is_a_number,
    ),
}


@pytest.mark.bad_input
@pytest.mark.parametrize("name", CASES)
def test_right_or_refused(name) -> None:
    hunt(CASES[name])
