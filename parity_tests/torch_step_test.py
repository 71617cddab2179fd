"""`torch_step`: clipping, schedules and whatever else torch's training loop does beside `optimizer.step()`."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from jaxd2l import losses, models, parity
from jaxd2l.parity.rule import holds

LR, DECAY, MOMENTUM, MAX_NORM = 0.1, 0.8, 0.9, 0.3


def factory(params):
    optimizer = torch.optim.SGD(params, lr=LR, momentum=MOMENTUM)
    optimizer.schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, DECAY)
    return optimizer


def clipped(module, optimizer, step) -> None:
    torch.nn.utils.clip_grad_norm_(module.parameters(), MAX_NORM)
    optimizer.step()
    optimizer.schedule.step()


def scheduled(module, optimizer, step) -> None:
    for group in optimizer.param_groups:
        group["lr"] = LR * DECAY**step
    optimizer.step()


def rate(step):
    return LR * DECAY**step


def compare(tx, torch_step, steps: int = 3, **options) -> parity.Report:
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    return parity.check(
        torch.nn.Linear(6, 3),
        models.softmax_regression(6, 3),
        (random.normal(size=(16, 6)).astype(np.float32), random.integers(0, 3, 16)),
        loss=(torch.nn.functional.cross_entropy, losses.cross_entropy),
        optim=(factory, tx),
        torch_step=torch_step,
        steps=steps,
        **options,
    )


def transformation(schedule=rate, max_norm: float = MAX_NORM):
    return optax.chain(optax.clip_by_global_norm(max_norm), optax.sgd(schedule, MOMENTUM))


def cause(report: parity.Report) -> str:
    return next(row.hint for row in report.failures if row.quantity == "optimiser on given gradients")


def test_clipping_and_a_schedule_hold_and_what_torch_adds_to_the_norm_is_named() -> None:
    report = compare(transformation(), clipped)
    report.assert_ok()
    known = {row.quantity: row.hint for row in report.rows if row.verdict == "known-difference"}
    assert "1e-6" in known["optimiser on given gradients"]
    assert "1e-6" in known["float64 free run"]


def test_without_clipping_nothing_is_excused() -> None:
    report = compare(optax.sgd(rate, MOMENTUM), scheduled)
    report.assert_ok()
    assert {row.verdict for row in report.rows} <= {"bitwise", "within-oracle", "kink-flip"}


@pytest.mark.long
def test_another_bound_is_no_known_difference() -> None:
    report = compare(transformation(max_norm=MAX_NORM * (1 + 1e-5)), clipped)
    assert [row.quantity for row in report.rows if not holds(row) and row.level == "meaning"]
    assert not [row for row in report.rows if row.verdict == "known-difference"]


@pytest.mark.parametrize(
    ("tx", "torch_step", "hint"),
    [
        (optax.sgd(rate, MOMENTUM), clipped, "JAX does not clip"),
        pytest.param(transformation(lambda step: rate(step + 1)), clipped, "one step ahead of", marks=pytest.mark.long),
        (optax.sgd(lambda s: rate(jnp.maximum(s - 1, 0)), MOMENTUM), scheduled, "schedule off by one"),
        pytest.param(optax.sgd(LR, MOMENTUM), scheduled, "stays as it begins", marks=pytest.mark.long),
    ],
)
def test_what_jax_does_otherwise_is_named(tx, torch_step, hint) -> None:
    assert hint in cause(compare(tx, torch_step, steps=1))


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"torch_step": 3}, TypeError, "must be a function"),
        ({"torch_step": lambda optimizer: None}, TypeError, r"\(module, optimizer, step\)"),
    ],
)
def test_a_wrong_function_is_refused(options, error, message) -> None:
    with pytest.raises(error, match=message):
        compare(transformation(), **options)
