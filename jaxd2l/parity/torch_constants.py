"""Numbers that a torch module holds in float32 and that JAX does not get: tables of angles, of positions."""

from collections.abc import Callable

import jax
import numpy as np

from jaxd2l.parity.noise import SAMPLES, largest_deviations
from jaxd2l.parity.quantities import Values
from jaxd2l.parity.rule import DOUBLE, MEANING_BOUND, SINGLE
from jaxd2l.parity.sides import Sides
from jaxd2l.parity.torch_side import set_parameters


def own_buffers(sides: Sides) -> list[str]:
    """Torch's float32 buffers that are no part of JAX's variables."""
    single = [name for name, _ in sides.double.module.named_buffers() if _is_single(sides.start.get(name))]
    variables = sides.ours.weights.variables
    with jax.enable_x64(True):
        before = jax.tree.leaves(variables(sides.start))

        def is_used(name: str) -> bool:
            after = jax.tree.leaves(variables({**sides.start, name: sides.start[name] + 1}))
            return any(not np.array_equal(x, y) for x, y in zip(before, after, strict=True))

        return [name for name in single if not is_used(name)]


def buffer_errors(sides: Sides, names: list[str], compute: Callable[[], Values]) -> Values:
    """How far every quantity that `compute()` takes from torch in float64 moves if these buffers are off.

    Each of their numbers is put off by one float32 rounding, up or down at random.
    """
    random = np.random.default_rng([sides.seed, 2])

    def put_off(_: int) -> tuple[bool, Values]:
        signs = {name: random.choice([-1.0, 1.0], sides.start[name].shape) for name in names}
        set_parameters(sides.double.module, {n: sides.start[n] * (1 + SINGLE * s) for n, s in signs.items()})
        return True, compute()

    exact = compute()
    try:
        return largest_deviations(map(put_off, range(SAMPLES)), exact)
    finally:
        set_parameters(sides.double.module, {name: sides.start[name] for name in names})


def with_errors(scales: Values, errors: Values) -> Values:
    """Condition scales that also allow these errors, twice over: unlike rounding's, they are not at random."""
    return {name: np.fmax(scale, 2 * errors[name] / (MEANING_BOUND * DOUBLE)) for name, scale in scales.items()}


def _is_single(value: np.ndarray | None) -> bool:
    return value is not None and value.dtype == np.float32
