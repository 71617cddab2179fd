"""Learning rates that change with the step: PyTorch's and the book's, as functions of the step (D2L 12.11).

Each is an optax schedule, `rate(step)` with steps from 0, and gives the rate that torch's scheduler of the same name
has set when step number `step` is taken. Where torch's is asked once per epoch, multiply the lengths by the number of
batches.

>>> import optax
>>> tx = optax.sgd(step_lr(0.1, step_size=30))
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from jaxd2l._checks.numbers import (
    require_all_whole,
    require_between,
    require_choice,
    require_flags,
    require_not_negative,
    require_positive,
    require_whole,
)

__all__ = [
    "cosine_annealing_lr",
    "cosine_annealing_warm_restarts",
    "cosine_with_warmup",
    "exponential_lr",
    "factor",
    "inverse_square_root",
    "lambda_lr",
    "linear_lr",
    "multi_step_lr",
    "one_cycle_lr",
    "polynomial_lr",
    "step_lr",
]

Anneal = Literal["cos", "linear"]
_MAX_STEP = 2**31 - 1


def __dir__() -> list[str]:
    return __all__


def step_lr(base: float, step_size: int, *, gamma: float = 0.1) -> optax.Schedule:
    """`torch.optim.lr_scheduler.StepLR`: base * gamma^floor(t / step_size).

    >>> [f"{step_lr(1.0, 3)(t):.2f}" for t in (0, 2, 3, 6)]
    ['1.00', '1.00', '0.10', '0.01']
    """
    require_not_negative(base=base, gamma=gamma)
    require_whole(1, step_size=step_size)
    return lambda step: base * _power(gamma, jnp.asarray(step) // step_size)


def multi_step_lr(base: float, milestones: Sequence[int], *, gamma: float = 0.1) -> optax.Schedule:
    """`torch.optim.lr_scheduler.MultiStepLR`: base * gamma^(number of milestones reached). D2L 12.11.2.

    >>> [multi_step_lr(0.5, [15, 30], gamma=0.5)(t).item() for t in (14, 15, 30)]
    [0.5, 0.25, 0.125]
    """
    require_not_negative(base=base, gamma=gamma)
    require_all_whole(0, milestones=milestones)
    marks = np.asarray(milestones, np.int32)
    return lambda step: base * _power(gamma, jnp.sum(jnp.asarray(step)[..., None] >= marks, -1))


def exponential_lr(base: float, gamma: float) -> optax.Schedule:
    """`torch.optim.lr_scheduler.ExponentialLR`: base * gamma^t.

    >>> [f"{exponential_lr(1.0, 0.5)(t):.3f}" for t in range(4)]
    ['1.000', '0.500', '0.250', '0.125']
    """
    require_not_negative(base=base, gamma=gamma)
    return lambda step: base * _power(gamma, step)


def linear_lr(
    base: float, *, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
) -> optax.Schedule:
    """`torch.optim.lr_scheduler.LinearLR`: from base * start_factor to base * end_factor in total_iters steps.

    >>> [f"{linear_lr(1.0, start_factor=0.5, total_iters=2)(t):.2f}" for t in range(4)]
    ['0.50', '0.75', '1.00', '1.00']
    """
    require_not_negative(base=base)
    require_between(0, 1, start_factor=start_factor, end_factor=end_factor)
    require_whole(1, total_iters=total_iters)
    return lambda step: base * (start_factor + (end_factor - start_factor) * _share(step, total_iters))


def polynomial_lr(base: float, *, total_iters: int = 5, power: float = 1.0) -> optax.Schedule:
    """`torch.optim.lr_scheduler.PolynomialLR`: base * (1 - t / total_iters)^power, and 0 afterwards.

    >>> [f"{polynomial_lr(1.0, total_iters=4, power=2.0)(t):.4f}" for t in (0, 2, 4, 9)]
    ['1.0000', '0.2500', '0.0000', '0.0000']
    """
    require_not_negative(base=base, power=power)
    require_whole(1, total_iters=total_iters)
    return lambda step: base * (1 - _share(step, total_iters)) ** power


def cosine_annealing_lr(base: float, t_max: int, *, eta_min: float = 0.0) -> optax.Schedule:
    """`torch.optim.lr_scheduler.CosineAnnealingLR`: half a cosine from base to eta_min, and up again after t_max.

        eta_min + (base - eta_min) (1 + cos(pi t / t_max)) / 2

    `optax.cosine_decay_schedule` stays at its end where this rises.

    >>> [f"{cosine_annealing_lr(1.0, 2)(t):.2f}" for t in range(5)]
    ['1.00', '0.50', '0.00', '0.50', '1.00']
    """
    require_not_negative(base=base, eta_min=eta_min)
    require_whole(1, t_max=t_max)
    # cos has period 2 t_max: the remainder is exact, pi times a long step would not be.
    return lambda step: _cosine(base, eta_min, _real(jnp.asarray(step) % (2 * t_max)) / t_max)


def cosine_annealing_warm_restarts(base: float, t_0: int, *, t_mult: int = 1, eta_min: float = 0.0) -> optax.Schedule:
    """`torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`: half a cosine, again and again, t_mult times as long.

    >>> [f"{cosine_annealing_warm_restarts(1.0, 2, t_mult=2)(t):.2f}" for t in range(7)]
    ['1.00', '0.50', '1.00', '0.85', '0.50', '0.15', '1.00']
    """
    require_not_negative(base=base, eta_min=eta_min)
    require_whole(1, t_0=t_0, t_mult=t_mult)
    if t_mult == 1:
        return lambda step: _cosine(base, eta_min, _real(jnp.asarray(step) % t_0) / t_0)
    starts = [0]
    while starts[-1] + t_0 * t_mult ** (len(starts) - 1) <= _MAX_STEP:
        starts.append(starts[-1] + t_0 * t_mult ** (len(starts) - 1))
    restarts = np.asarray(starts, np.int32)
    lengths = t_0 * np.float64(t_mult) ** np.arange(len(starts))

    def rate(step: Any) -> Array:
        cycle = jnp.sum(jnp.asarray(step)[..., None] >= restarts, -1) - 1
        return _cosine(base, eta_min, _real(step - jnp.asarray(restarts)[cycle]) / _real(lengths)[cycle])

    return rate


def one_cycle_lr(
    max_lr: float,
    total_steps: int,
    *,
    pct_start: float = 0.3,
    anneal_strategy: Anneal = "cos",
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
) -> optax.Schedule:
    """`torch.optim.lr_scheduler.OneCycleLR`: up from max_lr / div_factor, then down to a final_div_factor-th of that.

    In three phases it goes down as long as up, and then on to the end. After total_steps, where torch raises, the rate
    stays at its end. Torch also moves Adam's beta1 (`cycle_momentum`); this is the rate alone.

    >>> [f"{one_cycle_lr(1.0, 10)(t):.2f}" for t in (0, 2, 9, 20)]
    ['0.04', '1.00', '0.00', '0.00']
    """
    require_positive(max_lr=max_lr, div_factor=div_factor, final_div_factor=final_div_factor)
    require_whole(1, total_steps=total_steps)
    require_between(0, 1, pct_start=pct_start)
    require_choice(get_args(Anneal), anneal_strategy=anneal_strategy)
    require_flags(three_phase=three_phase)
    first, last = max_lr / div_factor, max_lr / div_factor / final_div_factor
    rates = [first, max_lr, first, last] if three_phase else [first, max_lr, last]
    up = pct_start * total_steps
    ends = [up - 1, 2 * up - 2, total_steps - 1] if three_phase else [up - 1, total_steps - 1]
    between = _cosine if anneal_strategy == "cos" else _line

    def rate(step: Any) -> Array:
        t = jnp.minimum(_real(step), total_steps - 1)
        starts = [0.0, *ends[:-1]]
        found = jnp.asarray(last, t.dtype)
        for start, end, a, b in reversed(list(zip(starts, ends, rates, rates[1:], strict=False))):
            found = jnp.where(t <= end, between(a, b, (t - start) / (end - start or 1.0)), found)
        return found

    return rate


def lambda_lr(base: float, function: Callable[[Any], Any]) -> optax.Schedule:
    """`torch.optim.lr_scheduler.LambdaLR`: base * function(t), t given as a real number.

    >>> lambda_lr(0.5, lambda t: 1 / (t + 1))(3).item()
    0.125
    """
    require_not_negative(base=base)
    return lambda step: base * function(_real(step))


def inverse_square_root(base: float) -> optax.Schedule:
    """base / sqrt(t + 1). D2L 12.11.1.

    >>> [f"{inverse_square_root(0.1)(t):.4f}" for t in (0, 3, 8)]
    ['0.1000', '0.0500', '0.0333']
    """
    require_not_negative(base=base)
    return lambda step: base / jnp.sqrt(_real(step) + 1)


def factor(base: float, factor: float, *, floor: float = 0.0) -> optax.Schedule:
    """base * factor^t, but at least `floor`. D2L 12.11.2.1.

    >>> [f"{factor(2.0, 0.9, floor=0.01)(t):.4f}" for t in (0, 1, 50, 51)]
    ['2.0000', '1.8000', '0.0103', '0.0100']
    """
    require_not_negative(base=base, factor=factor, floor=floor)
    return lambda step: jnp.maximum(base * _power(factor, step), floor)


def cosine_with_warmup(
    base: float, steps: int, *, final: float = 0.0, warmup_steps: int = 0, warmup_begin: float = 0.0
) -> optax.Schedule:
    """A line from warmup_begin to base, then half a cosine to `final` at `steps`, and stays there. D2L 12.11.2.3.

    The same as `optax.warmup_cosine_decay_schedule(warmup_begin, base, warmup_steps, steps, final)`.

    >>> [f"{cosine_with_warmup(0.3, 20, final=0.01, warmup_steps=5)(t):.4f}" for t in (0, 5, 10, 20, 30)]
    ['0.0000', '0.3000', '0.2275', '0.0100', '0.0100']
    """
    require_not_negative(base=base, final=final, warmup_begin=warmup_begin)
    require_whole(0, warmup_steps=warmup_steps)
    require_whole(warmup_steps + 1, steps=steps)

    def rate(step: Any) -> Array:
        t = _real(step)
        falling = _cosine(base, final, jnp.clip((t - warmup_steps) / (steps - warmup_steps), 0, 1))
        return jnp.where(t < warmup_steps, _line(warmup_begin, base, t / max(warmup_steps, 1)), falling)

    return rate


def _real(step: Any) -> Array:
    return jnp.asarray(step, jax.dtypes.canonicalize_dtype(float))


def _share(step: Any, total: int) -> Array:
    return jnp.minimum(_real(step) / total, 1.0)


def _power(gamma: float, exponent: Any) -> Array:
    """gamma^exponent, with the logarithm in float64: float32's own would be raised to large powers."""
    if gamma == 0:
        return jnp.where(_real(exponent) == 0, 1.0, 0.0)
    return jnp.exp(_real(exponent) * math.log(gamma))


def _cosine(start: float, end: float, share: Array) -> Array:
    return end + (start - end) * (1 + jnp.cos(math.pi * share)) / 2


def _line(start: float, end: float, share: Array) -> Array:
    return start + (end - start) * share
