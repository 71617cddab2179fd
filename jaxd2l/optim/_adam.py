"""Adam and its kin, with running means of gradients and of their squares (D2L 12.10)."""

from typing import Any

import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxd2l.optim._descent import Number, Slots, bias_correction, descent, require_options, scale_by


def adam(
    learning_rate: Number | optax.Schedule,
    *,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
    weight_decay_mask: Any = None,
) -> optax.GradientTransformation:
    """What `torch.optim.Adam` does, step for step. D2L 12.10.

        g = grad (or -grad to maximise) + weight_decay * p
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g^2
        s = v, or with amsgrad the largest v so far
        p = p - learning_rate * m / (1 - beta1^t) / (sqrt(s / (1 - beta2^t)) + eps)

    `optax.adam` computes 1 - beta^t in float32, which is 1.3e-5 off at the first step; here it is exact to rounding.

    Args:
      learning_rate: a number, or a schedule `step -> number`, with steps from 0.
      betas: (beta1, beta2), how much of the old mean of gradients and of squares is kept; each in [0, 1).
      eps: added to the root, not under it.
      weight_decay: factor of the L2 penalty, which enters the gradient; `adamw` shrinks the parameters instead.
      amsgrad: divide by the largest mean of squares so far.
      maximize: climb instead of descend.
      weight_decay_mask: which parameters decay: a pytree of booleans, or a function that returns one, see `kernels`.

    Raises:
      TypeError: an option that is not a real number, or not a bool.
      ValueError: NaN, a negative number, or a beta outside [0, 1).

    >>> tx = adam(0.1)
    >>> updates, _ = tx.update(jnp.array([3.0, -0.01]), tx.init(jnp.zeros(2)))
    >>> [f"{u:.4f}" for u in updates]  # the first step has the size of the learning rate
    ['-0.1000', '0.1000']
    """
    direction = _scale_by_adam(learning_rate, betas, eps, amsgrad, maximize, weight_decay)
    return descent(direction, learning_rate, weight_decay, weight_decay_mask, maximize)


def adamw(
    learning_rate: Number | optax.Schedule,
    *,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 1e-2,
    amsgrad: bool = False,
    maximize: bool = False,
    weight_decay_mask: Any = None,
) -> optax.GradientTransformation:
    """What `torch.optim.AdamW` does: `adam`, whose decay shrinks the parameters and not the gradient. D2L 12.10.

        p = p - learning_rate * weight_decay * p - learning_rate * (Adam's direction without decay)

    Decay is scaled by the learning rate, as in `optax.adamw`, whose default is 1e-4 where torch's is 1e-2.

    Args, errors: as `adam`.

    >>> tx = adamw(0.1, weight_decay=0.5)
    >>> updates, _ = tx.update(jnp.array(3.0), tx.init(jnp.array(2.0)), jnp.array(2.0))
    >>> print(f"{updates:.4f}")  # -0.1 of Adam's, -0.1 * 0.5 * 2 of the decay
    -0.2000
    """
    direction = _scale_by_adam(learning_rate, betas, eps, amsgrad, maximize, weight_decay)
    return descent(direction, learning_rate, weight_decay, weight_decay_mask, maximize, decoupled=True)


def _scale_by_adam(
    learning_rate: Any, betas: Any, eps: Any, amsgrad: Any, maximize: Any, weight_decay: Any
) -> optax.GradientTransformation:
    flags = {"amsgrad": amsgrad, "maximize": maximize}
    require_options(learning_rate, betas=betas, flags=flags, eps=eps, weight_decay=weight_decay)
    beta1, beta2 = betas

    def rule(t: Array, g: Array, slots: Slots) -> tuple[Array, Slots]:
        new = {"exp_avg": mean_of(slots["exp_avg"], g, beta1), "exp_avg_sq": mean_of_squares(slots, g, beta2)}
        squares = new["exp_avg_sq"]
        if amsgrad:
            squares = new["max_exp_avg_sq"] = jnp.maximum(slots["max_exp_avg_sq"], squares)
        root = jnp.sqrt(squares) / jnp.sqrt(bias_correction(beta2, t)) + eps
        return new["exp_avg"] / bias_correction(beta1, t) / root, new

    return scale_by(rule, dict.fromkeys(["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * amsgrad, jnp.zeros_like))


def mean_of(mean: Array, g: Array, beta: Number) -> Array:
    """The running mean of gradients, in torch's form."""
    return mean + (1 - beta) * (g - mean)


def mean_of_squares(slots: Slots, g: Array, beta: Number) -> Array:
    """The running mean of squared gradients."""
    return beta * slots["exp_avg_sq"] + (1 - beta) * g * g


def adamax(
    learning_rate: Number | optax.Schedule,
    *,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    weight_decay_mask: Any = None,
) -> optax.GradientTransformation:
    """What `torch.optim.Adamax` does: Adam with the largest gradient, slowly forgotten, in place of the root.

        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, |g| + eps)
        p = p - learning_rate * m / (1 - beta1^t) / u

    `optax.adamax` differs in the bias correction alone, see `adam`.

    Args, errors: as `adam`.

    >>> tx = adamax(0.1)
    >>> updates, _ = tx.update(jnp.array([3.0, -0.5]), tx.init(jnp.zeros(2)))
    >>> [f"{u:.4f}" for u in updates]
    ['-0.1000', '0.1000']
    """
    require_options(learning_rate, betas=betas, flags={"maximize": maximize}, eps=eps, weight_decay=weight_decay)
    beta1, beta2 = betas

    def rule(t: Array, g: Array, slots: Slots) -> tuple[Array, Slots]:
        mean = mean_of(slots["exp_avg"], g, beta1)
        largest = jnp.maximum(beta2 * slots["exp_inf"], jnp.abs(g) + eps)
        return mean / (bias_correction(beta1, t) * largest), {"exp_avg": mean, "exp_inf": largest}

    direction = scale_by(rule, dict.fromkeys(["exp_avg", "exp_inf"], jnp.zeros_like))
    return descent(direction, learning_rate, weight_decay, weight_decay_mask, maximize)


def yogi(
    learning_rate: Number | optax.Schedule,
    *,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-3,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    weight_decay_mask: Any = None,
) -> optax.GradientTransformation:
    """Yogi as the book writes it: Adam, whose mean of squares moves by the size of g^2 alone. D2L 12.10.3.

        m = beta1 * m + (1 - beta1) * g
        v = v + (1 - beta2) * sign(g^2 - v) * g^2
        p = p - learning_rate * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)

    torch has none. `optax.yogi` starts from v = 1e-6 where the book starts from 0.

    Args, errors: as `adam`.

    >>> tx = yogi(0.1, eps=0.0)
    >>> updates, _ = tx.update(jnp.array([3.0, -0.5]), tx.init(jnp.zeros(2)))
    >>> [f"{u:.4f}" for u in updates]
    ['-0.1000', '0.1000']
    """
    require_options(learning_rate, betas=betas, flags={"maximize": maximize}, eps=eps, weight_decay=weight_decay)
    beta1, beta2 = betas

    def rule(t: Array, g: Array, slots: Slots) -> tuple[Array, Slots]:
        mean, squares = mean_of(slots["exp_avg"], g, beta1), slots["exp_avg_sq"]
        squares = squares + (1 - beta2) * jnp.sign(g * g - squares) * g * g
        root = jnp.sqrt(squares / bias_correction(beta2, t)) + eps
        return mean / bias_correction(beta1, t) / root, {"exp_avg": mean, "exp_avg_sq": squares}

    direction = scale_by(rule, dict.fromkeys(["exp_avg", "exp_avg_sq"], jnp.zeros_like))
    return descent(direction, learning_rate, weight_decay, weight_decay_mask, maximize)
