"""Which JAX leaf is which of torch's weights, for the layers that people port: linear layers, convolutions, norms,
embeddings, recurrences and attention of Linen, NNX, Equinox and Haiku.

Layers are recognised on both sides, torch's by their classes and JAX's by the names and shapes of their leaves, and
paired by kind, shapes, names and the order of their numbers. Where more than one pairing is possible there is none.
"""

from collections.abc import Mapping

import torch

from jaxd2l.parity.automatic.finding import Found, find
from jaxd2l.parity.weights import Weight

__all__ = ["Found", "find", "structured"]


def __dir__() -> list[str]:
    return __all__


def structured(
    module: torch.nn.Module,
    leaves: Mapping[str, tuple[int, ...]],
    framework: str = "",
) -> dict[str, Weight]:
    """The weights of each leaf that leaves no doubt.

    Args:
      module: torch's.
      leaves: the shapes of the JAX variables' leaves, named as `named_leaves` does.
      framework: `Port.framework`. Only of a framework's own modules it is known how a square kernel stands.

    >>> structured(torch.nn.Linear(2, 2), {"params.kernel": (2, 2), "params.bias": (2,)}, "Linen")
    {'params.kernel': take('weight').T, 'params.bias': take('bias')}
    """
    return find(module, leaves, framework).weights
