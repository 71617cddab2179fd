"""Where a run's randomness comes from: one key, and three streams folded from it that never meet."""

import jax
from jaxtyping import Array, Int, PRNGKeyArray

_INIT, _ORDER, _NOISE = range(3)


def init_key(key: PRNGKeyArray) -> PRNGKeyArray:
    """Decides the first parameters."""
    return jax.random.fold_in(key, _INIT)


def order_key(key: PRNGKeyArray, epoch: int | Int[Array, ""]) -> PRNGKeyArray:
    """Decides the order of the examples in an epoch."""
    return jax.random.fold_in(jax.random.fold_in(key, _ORDER), epoch)


def noise_key(key: PRNGKeyArray, step: int | Int[Array, ""]) -> PRNGKeyArray:
    """Decides what dropout drops in a step."""
    return jax.random.fold_in(jax.random.fold_in(key, _NOISE), step)
