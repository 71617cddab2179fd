"""Fully connected models with the names and the layout of the book's torch modules, and back, bit for bit."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxd2l._files import named_leaves
from jaxd2l.types import Params


class Layer(NamedTuple):
    """One fully connected layer in torch's layout. weight: (outputs, inputs); bias: (outputs,)."""

    weight: np.ndarray
    bias: np.ndarray


def to_state_dict(params: Params, *, is_regression: bool = False) -> dict[str, np.ndarray]:
    """The parameters as in the `state_dict()` of the book's module.

    `net.weight` for linear regression (3.5.1); `net.1.weight` for softmax regression, whose `net` begins with a
    Flatten (4.5.1); `net.1.weight`, `net.3.weight`, ... for an MLP, with a ReLU after each hidden layer (5.2.2).
    A weight is the transpose of our kernel.

    Args:
      params: of `linear_regression`, `softmax_regression`, `mlp`, or their Flax twins.
      is_regression: whether it is the book's `LinearRegression`, which has no Flatten.

    Raises:
      ValueError: parameters of anything but fully connected layers, each feeding the next.

    >>> list(to_state_dict(models.mlp(4, 3, 2).init(jax.random.key(0))))
    ['net.1.weight', 'net.1.bias', 'net.3.weight', 'net.3.bias']
    """
    leaves = {name: np.asarray(leaf) for name, leaf in named_leaves(params).items()}
    layers = [
        Layer(np.ascontiguousarray(kernel.T), bias) for kernel, bias in _pairs(leaves, "kernel", "jaxd2l's parameters")
    ]
    require_chain(layers)
    if is_regression and len(layers) != 1:
        raise ValueError(f"a linear regression is one layer; these are {len(layers)}")
    prefixes = ["net"] if is_regression else [f"net.{2 * i + 1}" for i in range(len(layers))]
    return {
        f"{prefix}.{name}": array
        for prefix, layer in zip(prefixes, layers, strict=True)
        for name, array in layer._asdict().items()
    }


def from_state_dict(tensors: Mapping[str, np.ndarray]) -> list[Layer]:
    """The fully connected layers of a torch module, in order, whatever it calls them.

    They are ordered by name, with numbers by value (`net.3` before `net.11`), which is torch's order for the book's
    modules and any `nn.Sequential`. Each must feed the next.

    Args:
      tensors: NAME.weight (outputs, inputs) and NAME.bias (outputs,) for each layer, float32.

    Raises:
      ValueError: another kind of layer, a weight without a bias, sizes that do not fit, another dtype.

    >>> layers = from_state_dict({"1.weight": np.zeros((3, 4), np.float32), "1.bias": np.zeros(3, np.float32)})
    >>> [layer.weight.shape for layer in layers]
    [(3, 4)]
    """
    layers = [Layer(weight, bias) for weight, bias in _pairs(tensors, "weight", "a torch state_dict")]
    require_chain(layers)
    return layers


def layers_to_params(layers: Sequence[Layer]) -> Params:
    """The parameters of `softmax_regression` or `linear_regression` for one layer, and of `mlp` for several."""
    params = tuple({"bias": bias, "kernel": np.ascontiguousarray(weight.T)} for weight, bias in layers)
    return params if len(params) > 1 else params[0]


def require_chain(layers: Sequence[Layer]) -> None:
    """Refuses layers that do not feed each other."""
    for first, second in itertools.pairwise(layers):
        if first.weight.shape[0] != second.weight.shape[1]:
            raise ValueError(
                f"a layer has {first.weight.shape[0]} outputs and the next one {second.weight.shape[1]} inputs; layers "
                "must feed each other in the order of their names"
            )


def _pairs(arrays: Mapping[str, np.ndarray], matrix: str, what: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """(matrix, bias) of each layer, in the order of the layers' names."""
    if not isinstance(arrays, Mapping) or not all(hasattr(array, "shape") for array in arrays.values()):
        raise TypeError(f"{what} must be a dictionary of arrays by name")
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        layer, _, kind = name.rpartition(".")
        found.setdefault(layer, {})[kind] = array
    for layer, parts in found.items():
        shapes = {kind: array.shape for kind, array in parts.items()}
        if set(parts) != {matrix, "bias"} or len(shapes[matrix]) != 2:
            raise ValueError(
                f"only {what} of fully connected layers can be converted, each with a {matrix} of two axes and a bias; "
                f"{layer or 'the outermost'!r} has {shapes}"
            )
        outputs = shapes[matrix][0 if matrix == "weight" else 1]
        if shapes["bias"] != (outputs,) or not all(shapes[matrix]):
            raise ValueError(f"{layer!r} has shapes that do not fit together: {shapes}")
        wrong = {kind: str(array.dtype) for kind, array in parts.items() if array.dtype != np.float32}
        if wrong:
            raise ValueError(f"{layer!r} must be float32, as models here are; it is {wrong}")
    if not found:
        raise ValueError(f"{what} must have at least one layer, and there is none")
    return [(found[layer][matrix], found[layer]["bias"]) for layer in sorted(found, key=_by_number)]


def _by_number(name: str) -> list[str | int]:
    """Text and numbers alternate, so that text is compared with text, and 3 comes before 11."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", name))]
