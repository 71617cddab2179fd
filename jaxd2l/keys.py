"""Where a run's randomness comes from: one key, and three streams folded from it that never meet."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from jaxd2l._checks.numbers import is_traced, require_whole

__all__ = ["init_key", "noise_key", "order_key"]

_INIT, _ORDER, _NOISE = range(3)


def __dir__() -> list[str]:
    return __all__


def init_key(key: PRNGKeyArray) -> PRNGKeyArray:
    """Decides the first parameters."""
    return jax.random.fold_in(key, _INIT)


def order_key(key: PRNGKeyArray, epoch: int | Int[Array, ""]) -> PRNGKeyArray:
    """Decides the order of the examples in an epoch."""
    _require_number(epoch=epoch)
    return jax.random.fold_in(jax.random.fold_in(key, _ORDER), epoch)


def noise_key(key: PRNGKeyArray, step: int | Int[Array, ""]) -> PRNGKeyArray:
    """Decides what dropout drops in a step."""
    _require_number(step=step)
    return jax.random.fold_in(jax.random.fold_in(key, _NOISE), step)


def _require_number(**value: Any) -> None:
    """Refuses 1.5, from which the key of 1 would be made. A traced number is known by its dtype alone."""
    for name, number in value.items():
        if not (is_traced(number) and jnp.issubdtype(number.dtype, jnp.integer)):
            require_whole(0, **{name: number})
