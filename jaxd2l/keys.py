"""The randomness of a run: one key, and three streams folded from it that never meet."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from jaxd2l._checks.numbers import is_traced, require_whole
from jaxd2l._checks.values import random_key

__all__ = ["init_key", "noise_key", "order_key"]

_INIT, _ORDER, _NOISE = range(3)


def __dir__() -> list[str]:
    return __all__


def init_key(key: PRNGKeyArray) -> PRNGKeyArray:
    """The key that draws the initial parameters."""
    key = random_key("key", key)
    return jax.random.fold_in(key, _INIT)


def order_key(key: PRNGKeyArray, epoch: int | Int[Array, ""]) -> PRNGKeyArray:
    """The key that shuffles the examples of an epoch."""
    key = random_key("key", key)
    _require_number(epoch=epoch)
    return jax.random.fold_in(jax.random.fold_in(key, _ORDER), epoch)


def noise_key(key: PRNGKeyArray, step: int | Int[Array, ""]) -> PRNGKeyArray:
    """The key of the dropout in a step."""
    key = random_key("key", key)
    _require_number(step=step)
    return jax.random.fold_in(jax.random.fold_in(key, _NOISE), step)


def _require_number(**value: Any) -> None:
    """Refuses 1.5, which would give the key of 1. Of a traced number only the dtype can be checked."""
    for name, number in value.items():
        if not (is_traced(number) and jnp.issubdtype(number.dtype, jnp.integer)):
            require_whole(0, **{name: number})
