"""From a JAX model's variables back to torch's weights, where torch's become them by more than a transposition."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l._files import named_leaves
from jaxd2l.parity.assignment import Assignment

_TOLERANCE = 1e-6
"""Relative to the largest number of a leaf: what is given back must become the leaf again, up to float32 roundings."""


def undone(of: Assignment, variables: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Torch's arrays that become these variables, if splitting, joining, moving and adding is all that is done to them.

    Where JAX has the sum of two, each gets one half. Where two leaves are one array of torch's, it is their mean.

    Args:
      of: how torch's arrays become the variables.
      variables: the JAX model's.
      shapes: of torch's arrays, by name.

    Raises:
      ValueError: variables that are none of what torch's arrays can become, such as a transformed weight.
    """
    wanted = {name: leaf for name, leaf in named_leaves(variables).items() if jnp.issubdtype(leaf.dtype, jnp.floating)}

    def forward(arrays: Any) -> dict[str, Any]:
        leaves = named_leaves(of.variables(arrays))
        return {name: leaves[name] for name in wanted}

    with jax.enable_x64(True):
        target = {name: jnp.asarray(leaf, jnp.float64) for name, leaf in wanted.items()}
        zero, one = ({name: jnp.full(shape, x) for name, shape in shapes.items()} for x in (0.0, 1.0))
        constant, back = jax.vjp(forward, zero)
        of_ones = jax.tree.map(jnp.subtract, forward(one), constant)
        [moved] = back(jax.tree.map(jnp.subtract, target, constant))
        [times] = back(of_ones)
        found = {name: jnp.where(times[name] == 0, 0.0, moved[name] / times[name]) for name in shapes}
        again = forward(found)
    lost = [name for name, x in again.items() if not _close(np.asarray(x), np.asarray(target[name]))]
    if lost:
        raise ValueError(f"no weights of torch's become these JAX parameters: {', '.join(lost)}")
    return {name: np.asarray(x) for name, x in found.items()}


def _close(x: np.ndarray, y: np.ndarray) -> bool:
    return bool(np.all(np.abs(x - y) <= _TOLERANCE * np.max(np.abs(y), initial=0.0)))
