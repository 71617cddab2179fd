"""Design spaces of networks: how many there are, and how to compare two spaces (D2L 8.8)."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxd2l._checks.arrays import real, vector
from jaxd2l._checks.numbers import require_all_whole

__all__ = ["empirical_distribution", "size"]


def __dir__() -> list[str]:
    return __all__


def size(choices: Sequence[int]) -> int:
    """How many networks a design space holds: the product of the numbers of choices. D2L 8.8.1.

    Args:
      choices: for each number that may be chosen, among how many.

    Raises:
      TypeError: what is no list of whole numbers.
      ValueError: fewer than one choice.

    >>> size([2] * 17)  # 17 numbers of an AnyNet, with two choices each
    131072
    """
    require_all_whole(1, choices=choices)
    return math.prod(map(int, choices))


def empirical_distribution(errors: Float[Array, " n"], at: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """The share of sampled networks whose error is at most so large. D2L 8.8.2.

        F(e) = 1/n sum over i of  1(e_i <= e)

    Of two spaces that one is better whose curve lies higher: more of its networks have a small error.

    Args:
      errors: of n networks from the space.
      at: where to look.

    Raises:
      TypeError: numbers that are not floating point.
      ValueError: no errors, or NaN or infinity among them.

    >>> empirical_distribution(jnp.array([0.1, 0.2, 0.2, 0.4]), jnp.array(0.2))
    Array(0.75, dtype=float32)
    """
    errors, at = vector("errors", errors), real("at", at)
    return jnp.mean(errors <= at[..., None], axis=-1)
