"""How the arguments of an operation are put together from arrays, the same way for torch and for JAX."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import torch
from torch.utils._pytree import tree_leaves, tree_unflatten


class Options(NamedTuple):
    """How the arguments of an operation are put together.

    function: the JAX counterpart, with torch's arguments.
    spec: the structure of (input, args, kwargs).
    leaves: the arguments; `Slot`s where tensors belong.
    """

    function: Callable[..., Any]
    spec: Any
    leaves: tuple[Any, ...]


class Slot(NamedTuple):
    """A tensor among the arguments.

    `check` takes arrays with at least one axis, of real numbers. A constant is a tensor for which
    torch has no gradient.
    """

    is_scalar: bool
    is_complex: bool
    is_constant: bool = False


def jax_function(options: Options) -> Callable[..., Any]:
    """The counterpart as a function of the arrays alone."""

    def ours(*arrays: Any) -> list[Any]:
        leaves = filled(options.leaves, arrays, lambda x: jax.lax.complex(x[..., 0], x[..., 1]))
        first, args, kwargs = tree_unflatten(leaves, options.spec)
        return _jax_results(options.function(first, *args, **kwargs))

    return ours


def filled(leaves: Sequence[Any], arrays: Sequence[Any], as_complex: Callable[[Any], Any]) -> list[Any]:
    """The arguments with arrays, of torch or JAX, in their slots."""
    given: Iterator[Any] = iter(arrays)

    def fill(slot: Slot) -> Any:
        x = next(given)
        if slot.is_constant:
            x = x.detach() if isinstance(x, torch.Tensor) else jax.lax.stop_gradient(x)
        if slot.is_complex:
            return as_complex(x)
        return x.reshape(()) if slot.is_scalar else x

    return [fill(leaf) if isinstance(leaf, Slot) else leaf for leaf in leaves]


def torch_results(outputs: Any) -> list[torch.Tensor]:
    """All tensors, as real floating-point numbers."""
    flat = list(outputs) if isinstance(outputs, tuple) else outputs
    found = [x for x in tree_leaves(flat) if isinstance(x, torch.Tensor)]
    found = [torch.view_as_real(x.resolve_conj()) if x.is_complex() else x for x in found]
    return [x if x.is_floating_point() else x.to(torch.get_default_dtype()) for x in found]


def _jax_results(outputs: Any) -> list[Any]:
    found = [jnp.asarray(x) for x in jax.tree.leaves(outputs)]
    found = [jnp.stack([x.real, x.imag], -1) if jnp.iscomplexobj(x) else x for x in found]
    return [x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.result_type(float)) for x in found]


def with_ever_more_constants(leaves: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """No constants among the tensors, all but the first, all."""
    yield tuple(leaves)
    for free in (1, 0):
        tensors = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Slot)][free:]
        yield tuple(leaf._replace(is_constant=True) if i in tensors else leaf for i, leaf in enumerate(leaves))
