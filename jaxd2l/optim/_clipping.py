"""Gradients kept within bounds, as torch keeps them (D2L 9.5.3)."""

import math

import jax
import jax.numpy as jnp
import optax

from jaxd2l._checks.numbers import require_between, require_real
from jaxd2l.optim._descent import Number


def clip_grad_norm(max_norm: Number, *, norm_type: float = 2.0) -> optax.GradientTransformation:
    """What `torch.nn.utils.clip_grad_norm_` does before a step.

        g = g * min(1, max_norm / (||g|| + 1e-6)),  ||g|| over all arrays together

    `optax.clip_by_global_norm` has no 1e-6: a clipped gradient of norm 1 is a millionth longer there.

    Args:
      max_norm: the largest norm that is left as it is.
      norm_type: the norm's p; `math.inf` for the largest entry.

    Raises:
      TypeError: not a real number.
      ValueError: a negative norm, or p that is not positive.

    >>> tx = optax.chain(clip_grad_norm(1.0), optax.sgd(0.1))
    >>> gradients = {"kernel": jnp.array([3.0]), "bias": jnp.array([4.0])}
    >>> updates, _ = tx.update(gradients, tx.init(gradients))
    >>> print({name: f"{update.item():.6f}" for name, update in updates.items()})
    {'bias': '-0.080000', 'kernel': '-0.060000'}
    """
    require_between(0, math.inf, max_norm=max_norm)
    require_real(norm_type=norm_type)
    if not norm_type > 0:
        raise ValueError(f"norm_type must be positive, got {norm_type}")

    def clip(updates: optax.Updates, params: optax.Params | None) -> optax.Updates:
        del params
        norms = [jnp.linalg.norm(g.ravel(), ord=norm_type) for g in jax.tree.leaves(updates)]
        norm = jnp.linalg.norm(jnp.stack(norms), ord=norm_type)
        factor = jnp.minimum(max_norm / (norm + 1e-6), 1.0)
        return jax.tree.map(lambda g: g * factor.astype(g.dtype), updates)

    return optax.stateless(clip)


def clip_grad_value(clip_value: Number) -> optax.GradientTransformation:
    """What `torch.nn.utils.clip_grad_value_` does before a step: every entry to [-clip_value, clip_value].

    Raises:
      TypeError: not a real number.
      ValueError: a negative one.

    >>> tx = clip_grad_value(0.5)
    >>> updates, _ = tx.update(jnp.array([3.0, -0.1]), tx.init(jnp.zeros(2)))
    >>> [f"{u:.4f}" for u in updates]
    ['0.5000', '-0.1000']
    """
    require_between(0, math.inf, clip_value=clip_value)
    return optax.clip(clip_value)
