"""One optimiser of several, where a number decides which (D2L 12.10)."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from jaxd2l._checks.numbers import is_traced, require_sequence, require_whole_between

__all__ = ["one_of"]


def one_of(
    which: int | Int[Array, ""] | Float[Array, ""], transformations: Sequence[optax.GradientTransformation]
) -> optax.GradientTransformation:
    """The optimiser with this number, which may be traced: many optimisers in one compiled program. D2L 12.10.

    All of them compute their updates, and those of one are taken; what the others remember has no effect. Next to a
    model's products that costs little. It lets `train.sweep` compare optimisers as it compares learning rates.

    Args:
      which: 0 for the first. A traced number may be a float, as a sweep's are; beyond the last it takes the last.
      transformations: the optimisers.

    Raises:
      TypeError: no sequence, or a number that is not whole.
      ValueError: no optimiser, or a number without one.

    >>> tx = one_of(1, [optax.sgd(0.1), optax.sgd(10.0)])
    >>> updates, _ = tx.update(jnp.ones(()), tx.init(jnp.zeros(())))
    >>> updates
    Array(-10., dtype=float32)
    """
    require_sequence(transformations=transformations)
    if not transformations:
        raise ValueError("transformations is empty; give at least one optimiser")
    if not is_traced(which):
        require_whole_between(0, len(transformations) - 1, which=which)

    def init(params: optax.Params) -> Any:
        return tuple(tx.init(params) for tx in transformations)

    def update(updates: optax.Updates, state: Any, params: optax.Params | None = None) -> tuple[optax.Updates, Any]:
        each = [tx.update(updates, own, params) for tx, own in zip(transformations, state, strict=True)]
        chosen = jnp.asarray(which, jnp.int32)
        return jax.tree.map(lambda *u: jax.lax.select_n(chosen, *u), *[u for u, _ in each]), tuple(s for _, s in each)

    return optax.GradientTransformation(init, update)
