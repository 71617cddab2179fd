"""Rates per coordinate from squared gradients: Adagrad, RMSprop and Adadelta (D2L 12.7 to 12.9)."""

from typing import Any

import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxd2l._checks.numbers import require_between
from jaxd2l.optim._descent import Number, Slots, descent, is_zero, require_options, scale_by


def adagrad(
    learning_rate: Number | optax.Schedule,
    *,
    lr_decay: Number = 0.0,
    weight_decay: Number = 0.0,
    initial_accumulator_value: Number = 0.0,
    eps: Number = 1e-10,
    maximize: bool = False,
    weight_decay_mask: Any = None,
) -> optax.GradientTransformation:
    """What `torch.optim.Adagrad` does: the more a coordinate has moved, the slower it moves. D2L 12.7.

        g = grad (or -grad to maximise) + weight_decay * p
        s = s + g^2, from initial_accumulator_value on
        p = p - learning_rate / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps)

    `optax.adagrad` starts from 0.1 and has eps = 1e-7 under the root.

    Args:
      learning_rate: a number, or a schedule `step -> number`, with steps from 0.
      lr_decay: how fast the rate falls; 0 for not at all.
      weight_decay: factor of the L2 penalty, which enters the gradient.
      initial_accumulator_value: where the sum of squares starts.
      eps: added to the root, not under it.
      maximize: climb instead of descend.
      weight_decay_mask: which parameters decay: a pytree of booleans, or a function that returns one, see `kernels`.

    Raises:
      TypeError: an option that is not a real number, or not a bool.
      ValueError: NaN or a negative number.

    >>> tx = adagrad(0.1)
    >>> updates, _ = tx.update(jnp.array([3.0, -0.01]), tx.init(jnp.zeros(2)))
    >>> [f"{u:.4f}" for u in updates]  # the first step has the size of the learning rate
    ['-0.1000', '0.1000']
    """
    numbers = {"lr_decay": lr_decay, "initial_accumulator_value": initial_accumulator_value}
    require_options(learning_rate, flags={"maximize": maximize}, eps=eps, weight_decay=weight_decay, **numbers)

    def rule(t: Array, g: Array, slots: Slots) -> tuple[Array, Slots]:
        total = slots["sum"] + g * g
        return g / ((1 + (t - 1) * lr_decay) * (jnp.sqrt(total) + eps)), {"sum": total}

    direction = scale_by(rule, {"sum": lambda p: jnp.full_like(p, initial_accumulator_value)})
    return descent(direction, learning_rate, weight_decay, weight_decay_mask, maximize)


def rmsprop(
    learning_rate: Number | optax.Schedule,
    *,
    alpha: Number = 0.99,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    momentum: Number = 0.0,
    centered: bool = False,
    maximize: bool = False,
    weight_decay_mask: Any = None,
) -> optax.GradientTransformation:
    """What `torch.optim.RMSprop` does: Adagrad, with a running mean of squares in place of their sum. D2L 12.8.

        g = grad (or -grad to maximise) + weight_decay * p
        v = alpha * v + (1 - alpha) * g^2
        m = alpha * m + (1 - alpha) * g                   if centered; else m = 0
        b = momentum * b + g / (sqrt(v - m^2) + eps)
        p = p - learning_rate * b

    `optax.rmsprop` keeps .9 where torch keeps .99, and by default has eps under the root.

    Args:
      learning_rate: a number, or a schedule `step -> number`, with steps from 0.
      alpha: how much of the old means is kept.
      eps: added to the root, not under it.
      weight_decay: factor of the L2 penalty, which enters the gradient.
      momentum: fraction of the old direction that is kept.
      centered: divide by the standard deviation of gradients, not by their root mean square.
      maximize: climb instead of descend.
      weight_decay_mask: which parameters decay: a pytree of booleans, or a function that returns one, see `kernels`.

    Raises:
      TypeError: an option that is not a real number, or not a bool.
      ValueError: NaN or a negative number.

    >>> tx = rmsprop(0.1, alpha=0.75, eps=0.0)
    >>> updates, _ = tx.update(jnp.array([3.0, -0.5]), tx.init(jnp.zeros(2)))
    >>> [f"{u:.4f}" for u in updates]  # 0.1 / sqrt(1 - 0.75)
    ['-0.2000', '0.2000']
    """
    numbers = {"eps": eps, "weight_decay": weight_decay, "momentum": momentum, "alpha": alpha}
    require_options(learning_rate, flags={"centered": centered, "maximize": maximize}, **numbers)
    has_momentum = not is_zero(momentum)

    def rule(t: Array, g: Array, slots: Slots) -> tuple[Array, Slots]:
        del t
        new = {"square_avg": alpha * slots["square_avg"] + (1 - alpha) * g * g}
        variance = new["square_avg"]
        if centered:
            new["grad_avg"] = slots["grad_avg"] + (1 - alpha) * (g - slots["grad_avg"])
            variance = variance - new["grad_avg"] * new["grad_avg"]
        direction = g / (jnp.sqrt(variance) + eps)
        if has_momentum:
            direction = new["momentum_buffer"] = momentum * slots["momentum_buffer"] + direction
        return direction, new

    names = ["square_avg"] + ["grad_avg"] * centered + ["momentum_buffer"] * has_momentum
    direction = scale_by(rule, dict.fromkeys(names, jnp.zeros_like))
    return descent(direction, learning_rate, weight_decay, weight_decay_mask, maximize)


def adadelta(
    learning_rate: Number | optax.Schedule,
    *,
    rho: Number = 0.9,
    eps: Number = 1e-6,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    weight_decay_mask: Any = None,
) -> optax.GradientTransformation:
    """What `torch.optim.Adadelta` does: the size of a step is learnt from the steps before. D2L 12.9.

        g = grad (or -grad to maximise) + weight_decay * p
        v = rho * v + (1 - rho) * g^2
        d = sqrt(u + eps) / sqrt(v + eps) * g
        u = rho * u + (1 - rho) * d^2
        p = p - learning_rate * d

    `optax.adadelta` with a rate is the same; without one it climbs, for its updates are then not negated.

    Args:
      learning_rate: a number, or a schedule `step -> number`, with steps from 0.
      rho: how much of the old means is kept; in [0, 1].
      eps: added under both roots.
      weight_decay: factor of the L2 penalty, which enters the gradient.
      maximize: climb instead of descend.
      weight_decay_mask: which parameters decay: a pytree of booleans, or a function that returns one, see `kernels`.

    Raises:
      TypeError: an option that is not a real number, or not a bool.
      ValueError: NaN, a negative number, or rho above 1.

    >>> tx = adadelta(1.0, eps=1e-4, rho=0.75)
    >>> updates, _ = tx.update(jnp.array(2.0), tx.init(jnp.array(0.0)))
    >>> print(f"{updates:.6f}")  # sqrt(eps) * g / sqrt(0.25 g^2 + eps)
    -0.019999
    """
    require_options(learning_rate, flags={"maximize": maximize}, eps=eps, weight_decay=weight_decay)
    require_between(0, 1, rho=rho)

    def rule(t: Array, g: Array, slots: Slots) -> tuple[Array, Slots]:
        del t
        squares = rho * slots["square_avg"] + (1 - rho) * g * g
        delta = jnp.sqrt(slots["acc_delta"] + eps) / jnp.sqrt(squares + eps) * g
        return delta, {"square_avg": squares, "acc_delta": rho * slots["acc_delta"] + (1 - rho) * delta * delta}

    direction = scale_by(rule, dict.fromkeys(["square_avg", "acc_delta"], jnp.zeros_like))
    return descent(direction, learning_rate, weight_decay, weight_decay_mask, maximize)
