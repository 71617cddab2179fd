"""Steps from the signs of gradients alone."""

import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxd2l._checks.numbers import is_traced, require_between, require_flags, require_inside, require_positive
from jaxd2l.optim._descent import Number, Slots, scale_by


def rprop(
    learning_rate: Number,
    *,
    etas: tuple[Number, Number] = (0.5, 1.2),
    step_sizes: tuple[Number, Number] = (1e-6, 50.0),
    maximize: bool = False,
) -> optax.GradientTransformation:
    """What `torch.optim.Rprop` does: a step per coordinate that grows while the gradient keeps its sign.

        s = s * (etas[1] if g * g_old > 0, etas[0] if g * g_old < 0, else 1), within step_sizes
        g = 0 if g * g_old < 0
        p = p - s * sign(g)

    For whole batches: signs of noisy gradients say little. `optax.rprop` does the same.

    Args:
      learning_rate: the size of the first step; a number, no schedule.
      etas: by how much a step shrinks and grows.
      step_sizes: the smallest and the largest step.
      maximize: climb instead of descend.

    Raises:
      TypeError: an option that is not a real number, or not a bool.
      ValueError: a negative rate, or etas and step sizes that are not in order.

    >>> tx = rprop(0.1)
    >>> updates, _ = tx.update(jnp.array([3.0, -0.5, 0.0]), tx.init(jnp.zeros(3)))
    >>> [f"{u:.4f}" for u in updates]
    ['-0.1000', '0.1000', '-0.0000']
    """
    require_flags(maximize=maximize)
    require_between(0, float("inf"), learning_rate=learning_rate)
    (shrink, grow), (smallest, largest) = etas, step_sizes
    require_inside(0, 1, **{"etas[0]": shrink})
    require_inside(1, float("inf"), **{"etas[1]": grow})
    require_positive(**{"step_sizes[0]": smallest})
    if not is_traced(largest) and not smallest <= largest:
        raise ValueError(f"step_sizes must be (smallest, largest), got {step_sizes}")

    def rule(t: Array, g: Array, slots: Slots) -> tuple[Array, Slots]:
        del t
        turned = jnp.sign(g * slots["prev"])
        factor = jnp.where(turned > 0, grow, jnp.where(turned < 0, shrink, 1.0))
        size = jnp.clip(slots["step_size"] * factor, smallest, largest)
        g = jnp.where(turned < 0, 0.0, g)
        return jnp.sign(g) * size, {"prev": g, "step_size": size}

    start = {"prev": jnp.zeros_like, "step_size": lambda p: jnp.full_like(p, learning_rate)}
    sign = [] if maximize else [optax.scale(-1.0)]
    return optax.chain(scale_by(rule, start), *sign)
