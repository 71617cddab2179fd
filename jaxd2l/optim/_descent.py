"""What the optimisers share: an update rule per array, and the options that all of them take."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from jaxd2l._checks.numbers import is_traced, require_between, require_flags, require_sequence

Number = float | Float[Array, ""]
Slots = dict[str, Array]
"""What an optimiser remembers of one array, by torch's names, such as "exp_avg"."""

Rule = Callable[[Array, Array, Slots], tuple[Array, Slots]]
"""`rule(t, gradient, slots) -> (direction, slots)`, of one array; t counts steps from 1."""


class RuleState(NamedTuple):
    """What an optimiser remembers.

    step: how many steps were taken.
    slots: by torch's name, a pytree like the parameters.
    """

    step: Int[Array, ""]
    slots: dict[str, Any]


def scale_by(rule: Rule, start: dict[str, Callable[[Array], Array]]) -> optax.GradientTransformation:
    """Gradients to directions, each array on its own.

    Args:
      rule: the optimiser's mathematics.
      start: by name, a function from an array of parameters to the slot at the beginning.
    """

    def init(params: optax.Params) -> RuleState:
        return RuleState(jnp.zeros((), jnp.int32), {name: jax.tree.map(first, params) for name, first in start.items()})

    def update(
        updates: optax.Updates, state: RuleState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, RuleState]:
        del params
        step = optax.safe_increment(state.step)
        gradients, structure = jax.tree.flatten(updates)
        slots = {name: jax.tree.leaves(slot) for name, slot in state.slots.items()}
        directions, kept = [], []
        for i, gradient in enumerate(gradients):
            old = {name: slot[i] for name, slot in slots.items()}
            # As in torch, numbers of 16 bits are stored as such and computed with in float32.
            wide = jnp.float32 if gradient.dtype.itemsize == 2 else gradient.dtype
            widened = {name: slot.astype(wide) for name, slot in old.items()}
            direction, new = rule(step.astype(wide), gradient.astype(wide), widened)
            directions.append(direction.astype(gradient.dtype))
            kept.append({name: new[name].astype(slot.dtype) for name, slot in old.items()})
        together = {name: jax.tree.unflatten(structure, [new[name] for new in kept]) for name in slots}
        return jax.tree.unflatten(structure, directions), RuleState(step, together)

    return optax.GradientTransformation(init, update)


def descent(
    direction: optax.GradientTransformation,
    learning_rate: Number | optax.Schedule,
    weight_decay: Number,
    weight_decay_mask: Any,
    maximize: bool,
    *,
    decoupled: bool = False,
) -> optax.GradientTransformation:
    """p - learning_rate * direction, with torch's weight decay and maximisation.

    Decay is added to the gradient, or, decoupled, to the direction: p - learning_rate * weight_decay * p.
    """
    sign = [optax.scale(-1.0)] if maximize else []
    decay = [] if is_zero(weight_decay) else [optax.add_decayed_weights(weight_decay, weight_decay_mask)]
    before, after = ([], decay) if decoupled else (decay, [])
    return optax.chain(*sign, *before, direction, *after, optax.scale_by_learning_rate(learning_rate))


def bias_correction(beta: Number, t: Array) -> Array:
    """1 - beta^t without cancellation: near beta = 1, float32 would keep only five digits of it.

    >>> print(f"{bias_correction(0.999, jnp.array(1.0)):.9f}, in float32 {1 - jnp.float32(0.999):.9f}")
    0.001000000, in float32 0.000999987
    """
    return -jnp.expm1(t * log(beta))


def log(x: Number) -> Any:
    """Natural logarithm, of Python's numbers in float64; log 0 is -inf."""
    if is_traced(x) or isinstance(x, jax.Array):
        return jnp.log(x)
    return math.log(x) if x > 0 else -math.inf


def is_zero(value: Number) -> bool:
    """Whether a part can be left out; never if its number is traced, and so unknown."""
    return not is_traced(value) and bool(value == 0)


def require_options(
    learning_rate: Number | optax.Schedule, *, betas: Any = (0.0, 0.0), flags: dict[str, Any], **not_negative: Any
) -> None:
    """The options that all optimisers have.

    >>> require_options(0.1, betas=(0.9, 1.5), flags={}, eps=1e-8)
    Traceback (most recent call last):
    ValueError: betas[1] must lie in [0, 1), got 1.5
    """
    rate = {} if callable(learning_rate) else {"learning_rate": learning_rate}
    require_flags(**flags)
    require_between(0, math.inf, **rate, **not_negative)
    require_sequence(betas=betas)
    if len(betas) != 2:
        raise ValueError(f"betas must be two numbers, as in torch; got {betas}")
    for i, beta in enumerate(betas):
        require_between(0, math.inf, **{f"betas[{i}]": beta})
        if not is_traced(beta) and not beta < 1:
            raise ValueError(f"betas[{i}] must lie in [0, 1), got {beta}")


def kernels(params: optax.Params) -> Any:
    """Marks the weights, which are the parameters called "kernel": a mask for `sgd`'s weight decay. D2L 3.7.

    Returns:
      A pytree like `params`, True for kernels and False for everything else.

    >>> kernels(({"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)},))
    ({'bias': False, 'kernel': True},)
    """
    return jax.tree_util.tree_map_with_path(
        lambda path, _: bool(path) and jax.tree_util.keystr(path[-1:], simple=True) == "kernel", params
    )
