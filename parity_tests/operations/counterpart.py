"""What stands in the tables: JAX functions with torch's arguments, in torch's order and under torch's names."""

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn


class Adapted(NamedTuple):
    """An operation of which only a part is compared, such as eigenvalues without the eigenvectors' free signs.

    torch: `torch(outputs)`, what is compared of torch's outputs.
    jax: the counterpart of that.
    operation: torch's operation itself, where it is called in another way than torch's samples do.
    """

    torch: Callable[[Any], Any]
    jax: Callable[..., Any]
    operation: Callable[..., Any] | None = None


Counterpart = Callable[..., Any] | Adapted
"""A JAX function with the arguments of a torch operation."""


class InexpressibleError(Exception):
    """A sample has an option that the JAX function has no word for."""


def inexpressible(option: str) -> NoReturn:
    """Leaves the sample out and counts it under this reason."""
    raise InexpressibleError(option)


def axes(dim: Any) -> Any:
    """torch's axes as NumPy has them: none at all are all of them in torch."""
    if isinstance(dim, tuple | list):
        return tuple(dim) or None
    return dim


def with_axis(x: Any) -> Any:
    """The array, which must have an axis: torch takes a scalar for an axis of one element, and JAX does not."""
    if not x.ndim:
        inexpressible("a scalar along an axis")
    return x
