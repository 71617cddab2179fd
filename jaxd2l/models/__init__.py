"""Models as pairs of pure functions, from scratch and as Flax modules."""

from typing import TYPE_CHECKING, Any

from jaxd2l.models.linear import linear_regression
from jaxd2l.models.mlp import dropout, mlp
from jaxd2l.models.softmax import softmax_regression

if TYPE_CHECKING:
    from jaxd2l.models.flax import flax_linear_regression, flax_mlp, flax_softmax_regression, from_flax

__all__ = [
    "dropout",
    "flax_linear_regression",
    "flax_mlp",
    "flax_softmax_regression",
    "from_flax",
    "linear_regression",
    "mlp",
    "softmax_regression",
]


def __getattr__(name: str) -> Any:
    """Imports Flax when one of its models is first asked for: it takes a while."""
    if name in __all__:
        from jaxd2l.models import flax

        return getattr(flax, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
