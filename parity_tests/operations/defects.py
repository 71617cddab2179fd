"""Planted defects: small changes of a right counterpart, of kinds that people make, tried on every operation."""

import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from torch.utils._pytree import tree_unflatten

from jaxd2l.parity.torch_side import LOSS, Values
from parity_tests.operations.arguments import Options, Slot, jax_function

Function = Callable[..., Any]


class Defect(NamedTuple):
    """A change of a function of arrays: `plant(function)`."""

    name: str
    plant: Callable[[Function], Function]


CHANGED = 1e-8
"""A defect counts if it moves a quantity by this part of its largest number, in NumPy's float64."""

NOTHING = 1e-13
"""A quantity below this part of the largest of all is what rounding left of a zero: no defect shows in it."""

_RATHER = {
    "mean": "sum", "sum": "mean", "none": "mean", "batchmean": "mean", "amin": "amax", "amax": "amin", "prod": "sum",
    "linear": "nearest", "midpoint": "linear", "lower": "higher", "higher": "lower", "nearest": "linear",
    "reflect": "replicate", "replicate": "reflect", "circular": "reflect", "ij": "xy", "xy": "ij", "fro": "nuc",
    "nuc": "fro", "tanh": "none", "ortho": "forward", "forward": "ortho", "valid": "same", "same": "valid", "L": "U",
    "U": "L",
}  # fmt: skip
"""For options that are words: another word."""


def changes(before: Values, after: Values) -> bool:
    """Whether a defect changes an output or a gradient at all: what does not is no defect there."""
    largest = max(np.max(np.abs(x), where=np.isfinite(x), initial=0) for x in before.values())
    for name, x in before.items():
        y = after[name]
        if name == LOSS:
            continue
        if x.shape != y.shape or not np.array_equal(np.isfinite(x), np.isfinite(y)):
            return True
        finite = np.isfinite(x)
        size, moved = (np.max(np.abs(value), where=finite, initial=0) for value in (x, x - y))
        if moved > max(CHANGED * size, NOTHING * largest):
            return True
    return False


def defects(name: str, options: Options | None, neighbours: list[tuple[str, Function]]) -> list[Defect]:
    """All defects that a case may get, in an order of its own."""
    found = [*_GENERIC]
    if options is not None:
        found += _of_options(options)
        for other, function in neighbours:
            planted = jax_function(options._replace(function=function))
            found.append(Defect(f"{other} in its place", lambda _, planted=planted: planted))
    order = np.random.default_rng(zlib.crc32(name.encode())).permutation(len(found))
    return [found[i] for i in order]


def _of_outputs(change: Callable[[Any], Any]) -> Callable[[Function], Function]:
    def plant(function: Function) -> Function:
        def planted(*arrays: Any) -> Any:
            leaves, structure = jax.tree.flatten(function(*arrays))
            return jax.tree.unflatten(structure, [change(leaves[0]), *leaves[1:]])

        return planted

    return plant


def _of_inputs(kind: Any, change: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Changes the first array of a kind."""

    def plant(function: Function) -> Function:
        def planted(*arrays: Any) -> Any:
            first = next((i for i, x in enumerate(arrays) if jnp.issubdtype(x.dtype, kind)), None)
            return function(*(change(x) if i == first else x for i, x in enumerate(arrays)))

        return planted

    return plant


def _largest_off(x: Any) -> Any:
    flat = x.ravel()
    return flat.at[jnp.argmax(jnp.abs(flat))].multiply(1 + 1e-5).reshape(x.shape)


def _exchanged(x: Any) -> Any:
    return jnp.swapaxes(x, -1, -2) if x.ndim > 1 and x.shape[-1] == x.shape[-2] else jnp.flip(x, -1)


_GENERIC = (
    Defect("the value times 1 + 1e-6", _of_outputs(lambda x: x * (1 + 1e-6))),
    Defect("the largest element off by 1e-5", _of_outputs(_largest_off)),
    Defect("the gradient times 1 + 1e-6", _of_outputs(lambda x: x + 1e-6 * (x - jax.lax.stop_gradient(x)))),
    Defect("the gradient stopped", _of_inputs(jnp.floating, jax.lax.stop_gradient)),
    Defect("axes exchanged or reversed", _of_inputs(jnp.floating, _exchanged)),
    Defect("the last axis rolled by one", _of_outputs(lambda x: jnp.roll(x, 1, -1) if x.ndim else x)),
    Defect("an index off by one", _of_inputs(jnp.integer, lambda i: (i + 1) % (jnp.max(i) + 1))),
    Defect("a mask inverted", _of_inputs(jnp.bool_, jnp.logical_not)),
    Defect("an input times 1 + 1e-6", _of_inputs(jnp.floating, lambda x: x * (1 + 1e-6))),
)


def _of_options(options: Options) -> Iterator[Defect]:
    for i, leaf in enumerate(options.leaves):
        for what, other in _others(leaf):
            leaves = (*options.leaves[:i], other, *options.leaves[i + 1 :])
            planted = jax_function(options._replace(leaves=leaves))
            yield Defect(f"an option {leaf!r} {what}", lambda _, planted=planted: planted)
    for name in _keywords(options):
        planted = jax_function(options._replace(function=_without(options.function, name)))
        yield Defect(f"{name} dropped", lambda _, planted=planted: planted)


def _others(leaf: Any) -> list[tuple[str, Any]]:
    if isinstance(leaf, bool):
        return [("inverted", not leaf)]
    if isinstance(leaf, int):
        return [("one more", leaf + 1), ("one less", leaf - 1)]
    if isinstance(leaf, float):
        return [("times 1.001", leaf * 1.001 or 1e-3)]
    return [("exchanged", _RATHER[leaf])] if isinstance(leaf, str) and leaf in _RATHER else []


def _keywords(options: Options) -> list[str]:
    _, _, keywords = tree_unflatten(list(options.leaves), options.spec)
    return [name for name, value in keywords.items() if value is not None and not isinstance(value, Slot)]


def _without(function: Function, name: str) -> Function:
    return lambda *args, **keywords: function(*args, **{k: v for k, v in keywords.items() if k != name})
