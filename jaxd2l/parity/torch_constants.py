"""Numbers that a torch module holds in float32 and that JAX does not get: tables of angles, of positions."""

import jax
import numpy as np

from jaxd2l.parity.quantities import Values
from jaxd2l.parity.rule import SINGLE
from jaxd2l.parity.sides import Sides
from jaxd2l.parity.torch_side import set_parameters, torch_values

_SAMPLES = 8


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


def buffer_errors(sides: Sides, names: list[str], exact: Values) -> Values:
    """How far every quantity of torch's moves if each number of these buffers is off by one float32 rounding."""
    random = np.random.default_rng([sides.seed, 2])
    found = []
    try:
        for _ in range(_SAMPLES):
            signs = {name: random.choice([-1.0, 1.0], sides.start[name].shape) for name in names}
            set_parameters(sides.double.module, {n: sides.start[n] * (1 + SINGLE * s) for n, s in signs.items()})
            found.append(torch_values(sides.double, sides.whole))
    finally:
        set_parameters(sides.double.module, {name: sides.start[name] for name in names})
    return {name: np.asarray(np.fmax.reduce([np.abs(x[name] - value) for x in found])) for name, value in exact.items()}


def _is_single(value: np.ndarray | None) -> bool:
    return value is not None and value.dtype == np.float32
