"""Adam with Nesterov's look ahead, and Adam that waits until it knows the variance."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from jaxd2l.optim._adam import mean_of, mean_of_squares
from jaxd2l.optim._descent import Number, Slots, bias_correction, descent, require_options, scale_by

_TABLE = 1000


def nadam(
    learning_rate: Number | optax.Schedule,
    *,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    momentum_decay: Number = 4e-3,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
    weight_decay_mask: Any = None,
) -> optax.GradientTransformation:
    """What `torch.optim.NAdam` does: Adam that looks ahead, with a momentum that grows.

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g^2
        mu_t = beta1 * (1 - 0.96^(t momentum_decay) / 2);  P_t = mu_1 mu_2 ... mu_t
        d = (1 - mu_t) / (1 - P_t) * g + mu_(t+1) / (1 - P_(t+1)) * m
        p = p - learning_rate * d / (sqrt(v / (1 - beta2^t)) + eps)

    `optax.nadam` has a constant momentum, and so takes other steps.

    Args:
      learning_rate: a number, or a schedule `step -> number`, with steps from 0.
      betas: (beta1, beta2), how much of the old mean of gradients and of squares is kept; each in [0, 1).
      eps: added to the root, not under it.
      weight_decay: enters the gradient; with `decoupled_weight_decay`, shrinks the parameters as in `adamw`.
      momentum_decay: how fast the momentum grows from beta1 / 2 to beta1.
      decoupled_weight_decay: which of the two decays.
      maximize: climb instead of descend.
      weight_decay_mask: which parameters decay: a pytree of booleans, or a function that returns one, see `kernels`.

    Raises:
      TypeError: an option that is not a real number, or not a bool.
      ValueError: NaN, a negative number, or a beta outside [0, 1).

    >>> tx = nadam(0.1)
    >>> updates, _ = tx.update(jnp.array([3.0, -0.5]), tx.init(jnp.zeros(2)))
    >>> [f"{u:.4f}" for u in updates]
    ['-0.1056', '0.1056']
    """
    flags = {"decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize}
    numbers = {"eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay}
    require_options(learning_rate, betas=betas, flags=flags, **numbers)
    beta1, beta2 = betas

    def momentum(t: Array) -> Array:
        return beta1 * (1 - 0.5 * jnp.exp(t * momentum_decay * np.log(0.96)))

    def rule(t: Array, g: Array, slots: Slots) -> tuple[Array, Slots]:
        mean, squares = mean_of(slots["exp_avg"], g, beta1), mean_of_squares(slots, g, beta2)
        now, next_ = momentum(t), momentum(t + 1)
        product = slots["mu_product"] * now
        ahead = (1 - now) / (1 - product) * g + next_ / (1 - product * next_) * mean
        root = jnp.sqrt(squares / bias_correction(beta2, t)) + eps
        return ahead / root, {"exp_avg": mean, "exp_avg_sq": squares, "mu_product": product}

    start = dict.fromkeys(["exp_avg", "exp_avg_sq"], jnp.zeros_like) | {"mu_product": lambda p: jnp.ones((), p.dtype)}
    direction = scale_by(rule, start)
    is_decoupled = decoupled_weight_decay
    return descent(direction, learning_rate, weight_decay, weight_decay_mask, maximize, decoupled=is_decoupled)


def radam(
    learning_rate: Number | optax.Schedule,
    *,
    betas: tuple[Number, float] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
    weight_decay_mask: Any = None,
) -> optax.GradientTransformation:
    """What `torch.optim.RAdam` does: momentum alone, until the mean of squares has seen enough to be trusted.

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g^2
        R = 2 / (1 - beta2) - 1;  r = R - 2 t beta2^t / (1 - beta2^t)
        d = m / (1 - beta1^t)
        d = d * sqrt((r-4)(r-2)R / ((R-4)(R-2)r)) * sqrt(1 - beta2^t) / (sqrt(v) + eps)    if r > 5
        p = p - learning_rate * d

    `optax.radam` adds eps after the bias correction, and computes r in float32, where it cancels.

    Args:
      learning_rate: a number, or a schedule `step -> number`, with steps from 0.
      betas: (beta1, beta2), how much of the old mean of gradients and of squares is kept; each in [0, 1). beta2 is a
        number of Python, since r is tabulated from it.
      eps: added to the root, not under it.
      weight_decay: enters the gradient; with `decoupled_weight_decay`, shrinks the parameters as in `adamw`.
      decoupled_weight_decay: which of the two decays.
      maximize: climb instead of descend.
      weight_decay_mask: which parameters decay: a pytree of booleans, or a function that returns one, see `kernels`.

    Raises:
      TypeError: an option that is not a real number, or not a bool.
      ValueError: NaN, a negative number, or a beta outside [0, 1).

    >>> tx = radam(0.1)
    >>> updates, _ = tx.update(jnp.array([3.0, -0.5]), tx.init(jnp.zeros(2)))
    >>> [f"{u:.4f}" for u in updates]  # the first steps are in proportion to the gradient
    ['-0.3000', '0.0500']
    """
    flags = {"decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize}
    require_options(learning_rate, betas=betas, flags=flags, eps=eps, weight_decay=weight_decay)
    beta1, beta2 = betas[0], float(betas[1])

    def rule(t: Array, g: Array, slots: Slots) -> tuple[Array, Slots]:
        mean, squares = mean_of(slots["exp_avg"], g, beta1), mean_of_squares(slots, g, beta2)
        factor = _rectification(t, beta2)
        adapted = factor * jnp.sqrt(bias_correction(beta2, t)) / (jnp.sqrt(squares) + eps)
        direction = mean / bias_correction(beta1, t) * jnp.where(factor > 0, adapted, 1.0)
        return direction, {"exp_avg": mean, "exp_avg_sq": squares}

    direction = scale_by(rule, dict.fromkeys(["exp_avg", "exp_avg_sq"], jnp.zeros_like))
    is_decoupled = decoupled_weight_decay
    return descent(direction, learning_rate, weight_decay, weight_decay_mask, maximize, decoupled=is_decoupled)


def _rectification(t: Array, beta2: float) -> Array:
    """The root above, 0 where r is at most 5.

    In its first steps r is the small difference of two large numbers; they are tabulated in float64.
    """
    longest = 2 / (1 - beta2) - 1
    first = [_length(step, beta2**step, longest) for step in range(1, _TABLE + 1)]
    known = jnp.asarray(np.array(first), t.dtype)
    length = jnp.where(
        t <= _TABLE,
        known[jnp.clip(t.astype(jnp.int32) - 1, 0, _TABLE - 1)],
        _length(t, 1 - bias_correction(beta2, t), longest),
    )
    safe = jnp.maximum(length, 5.0)
    root = jnp.sqrt((safe - 4) * (safe - 2) * longest / ((longest - 4) * (longest - 2) * safe))
    return jnp.where(length > 5, root, 0.0)


def _length(t: Any, power: Any, longest: float) -> Any:
    return longest - 2 * t * power / (1 - power)
