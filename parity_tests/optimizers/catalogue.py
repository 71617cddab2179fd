"""Torch's optimisers with every combination of their options, and its schedulers, beside ours."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import optax
import torch
from torch.optim import lr_scheduler

from jaxd2l import optim, schedules
from jaxd2l.parity.suite.optim import STEPS


class Optimizer(NamedTuple):
    """One optimiser in both libraries, and the values that each of its options takes."""

    name: str
    torch: type[torch.optim.Optimizer]
    ours: Callable[..., optax.GradientTransformation]
    rate: float
    options: dict[str, tuple[Any, ...]]

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Every combination."""
        for values in product(*self.options.values()):
            yield dict(zip(self.options, values, strict=True))


_FLAG, _DECAY = (False, True), (0.0, 0.1)
_ADAM = {"betas": ((0.9, 0.999), (0.5, 0.8)), "eps": (1e-8, 1e-3), "weight_decay": _DECAY, "maximize": _FLAG}

OPTIMIZERS = (
    Optimizer("SGD", torch.optim.SGD, optim.sgd, 0.1, {"momentum": (0.9,)}),  # the others: jaxd2l/parity/suite/optim.py
    Optimizer(
        "Adagrad",
        torch.optim.Adagrad,
        optim.adagrad,
        0.1,
        {
            "lr_decay": (0.0, 0.01),
            "weight_decay": _DECAY,
            "initial_accumulator_value": (0.0, 0.1),
            "eps": (1e-10, 1e-3),
            "maximize": _FLAG,
        },
    ),
    Optimizer(
        "RMSprop",
        torch.optim.RMSprop,
        optim.rmsprop,
        0.01,
        {
            "alpha": (0.99, 0.9),
            "eps": (1e-8, 1e-3),
            "weight_decay": _DECAY,
            "momentum": (0.0, 0.9),
            "centered": _FLAG,
            "maximize": _FLAG,
        },
    ),
    Optimizer(
        "Adadelta",
        torch.optim.Adadelta,
        optim.adadelta,
        1.0,
        {"rho": (0.9, 0.5), "eps": (1e-6, 1e-3), "weight_decay": _DECAY, "maximize": _FLAG},
    ),
    Optimizer("Adam", torch.optim.Adam, optim.adam, 0.01, _ADAM | {"amsgrad": _FLAG}),
    Optimizer("AdamW", torch.optim.AdamW, optim.adamw, 0.01, _ADAM | {"amsgrad": _FLAG}),
    Optimizer("Adamax", torch.optim.Adamax, optim.adamax, 0.01, _ADAM),
    Optimizer(
        "NAdam",
        torch.optim.NAdam,
        optim.nadam,
        0.01,
        _ADAM | {"momentum_decay": (4e-3, 0.1), "decoupled_weight_decay": _FLAG},
    ),
    Optimizer("RAdam", torch.optim.RAdam, optim.radam, 0.01, _ADAM | {"decoupled_weight_decay": _FLAG}),
    Optimizer(
        "Rprop",
        torch.optim.Rprop,
        optim.rprop,
        0.01,
        {"etas": ((0.5, 1.2), (0.3, 1.5)), "step_sizes": ((1e-6, 50.0), (1e-3, 0.1)), "maximize": _FLAG},
    ),
)

Schedule = tuple[str, Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler], Callable[[float], optax.Schedule]]

SCHEDULES: tuple[Schedule, ...] = (
    ("StepLR", lambda o: lr_scheduler.StepLR(o, 30, 0.5), lambda rate: schedules.step_lr(rate, 30, gamma=0.5)),
    (
        "MultiStepLR",
        lambda o: lr_scheduler.MultiStepLR(o, [15, 30, 70], 0.3),
        lambda rate: schedules.multi_step_lr(rate, [15, 30, 70], gamma=0.3),
    ),
    (
        "ExponentialLR",
        lambda o: lr_scheduler.ExponentialLR(o, 0.97),
        lambda rate: schedules.exponential_lr(rate, 0.97),
    ),
    (
        "LinearLR",
        lambda o: lr_scheduler.LinearLR(o, 0.2, 0.9, 37),
        lambda rate: schedules.linear_lr(rate, start_factor=0.2, end_factor=0.9, total_iters=37),
    ),
    (
        "PolynomialLR",
        lambda o: lr_scheduler.PolynomialLR(o, 90, 2.0),
        lambda rate: schedules.polynomial_lr(rate, total_iters=90, power=2.0),
    ),
    (
        "CosineAnnealingLR",
        lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, 0.001),
        lambda rate: schedules.cosine_annealing_lr(rate, STEPS, eta_min=0.001),
    ),
    (
        "CosineAnnealingWarmRestarts",
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 13, 1, 0.001),
        lambda rate: schedules.cosine_annealing_warm_restarts(rate, 13, eta_min=0.001),
    ),
    (
        "CosineAnnealingWarmRestarts, longer each time",
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5, 2),
        lambda rate: schedules.cosine_annealing_warm_restarts(rate, 5, t_mult=2),
    ),
    (
        "OneCycleLR",
        lambda o: lr_scheduler.OneCycleLR(o, _rate(o), STEPS + 1, cycle_momentum=False),
        lambda rate: schedules.one_cycle_lr(rate, STEPS + 1),
    ),
    (
        "OneCycleLR, linear, three phases",
        lambda o: lr_scheduler.OneCycleLR(
            o, _rate(o), STEPS + 1, pct_start=0.37, anneal_strategy="linear", cycle_momentum=False, three_phase=True
        ),
        lambda rate: schedules.one_cycle_lr(
            rate, STEPS + 1, pct_start=0.37, anneal_strategy="linear", three_phase=True
        ),
    ),
    (
        "LambdaLR",
        lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (t + 1)),
        lambda rate: schedules.lambda_lr(rate, lambda t: 1 / (t + 1)),
    ),
)


def _rate(optimizer: torch.optim.Optimizer) -> float:
    return optimizer.param_groups[0]["lr"]
