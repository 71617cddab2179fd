"""The layers of a torch module, recognised by their classes."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from jaxd2l.parity.automatic.layers import Entity, Own, Part, TorchLayer, array_shape, is_bias, magnitude_shape
from jaxd2l.parity.automatic.torch_attention import in_projection, thirds
from jaxd2l.parity.automatic.torch_norms import norm
from jaxd2l.parity.automatic.torch_own import own_parts
from jaxd2l.parity.automatic.torch_recurrent import recurrent


def entities(module: torch.nn.Module) -> list[Entity]:
    """Every module with arrays of its own, as the layers that it may be taken for.

    A module of a class that is not known gives its parameters one by one, as arrays. A tensor that several modules
    share has the first of its names, as in `named_parameters`.
    """
    tensors = (*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False))
    names = {id(tensor): name for name, tensor in reversed(tensors)}
    found = []
    for path, part in module.named_modules(remove_duplicate=False):
        if "parametrizations" in path.split("."):
            continue  # they belong to the module whose weight they compute
        own = own_parts(part, names)
        if own.arrays:
            found.append(_entity(path, part, own))
    return [entity for entity in found if entity]


def _entity(path: str, module: torch.nn.Module, own: Own) -> Entity:
    kinds = class_names(module)
    for classes, make in _MAKERS:
        if kinds & classes:
            return make(path, module, own)
    return norm(path, module, own) or tuple(_arrays(path, own))


def class_names(module: torch.nn.Module) -> set[str]:
    """The names of torch's classes that the module is an instance of; a scripted module says what it was."""
    kinds = {kind.__name__ for kind in type(module).__mro__ if kind.__module__.startswith("torch.nn.")}
    is_transposed = type(module).__name__ == "Conv1D" and hasattr(module, "nf")  # of transformers' GPT-2
    return kinds | {str(getattr(module, "original_name", ""))} | ({"Conv1D"} if is_transposed else set())


def _linear(path: str, module: Any, own: Own) -> Entity:
    return _layers(path, "linear", own)


def _transposed_linear(path: str, module: Any, own: Own) -> Entity:
    """The `Conv1D` of transformers' GPT-2: a linear layer whose weight is (in, out)."""
    kernel = own.arrays["weight"]
    weight = Part(kernel.weight.T, kernel.shape[::-1])
    turned = own._replace(arrays={**own.arrays, "weight": weight, "kernel": kernel})
    return (*_layers(path, "linear", turned), *thirds(path, turned))


def _conv(path: str, module: Any, own: Own) -> Entity:
    of_points = all(n == 1 for n in own.arrays["weight"].shape[2:]) and module.groups == 1
    return _layers(path, "linear" if of_points else "conv", own)


def _conv_transpose(path: str, module: Any, own: Own) -> Entity:
    (made,), *_ = _layers(path, "conv_transpose", own._replace(direction=None))
    return ((made._replace(shapes={**made.shapes, "groups": (module.groups,)}),),)


def _embedding(path: str, module: Any, own: Own) -> Entity:
    return _layers(path, "embedding", own)


def _prelu(path: str, module: Any, own: Own) -> Entity:
    return _layers(path, "prelu", own)


def _layers(path: str, kind: str, own: Own) -> Entity:
    """A layer with a weight and perhaps a bias, and the same with g and v in place of the weight g v / |v|."""
    shapes = {role: part.shape for role, part in own.arrays.items() if role in ("weight", "bias")}
    if kind == "linear" and "weight" in shapes:
        shapes["weight"] = shapes["weight"][:2]  # a convolution that looks at one point at a time is linear
    whole = TorchLayer(path, kind, shapes, own.arrays, own.trained, problem=own.problem)
    if own.direction is None:
        return ((whole,),)
    g, v = own.direction
    apart = {role: shape for role, shape in shapes.items() if role != "weight"}
    apart |= {"v": shapes["weight"], "g": magnitude_shape(g.shape)}
    layer = whole._replace(shapes=apart, parts={**own.arrays, "g": g, "v": v})
    return ((layer,), (whole,))


def _arrays(path: str, own: Own) -> Iterator[tuple[TorchLayer, ...]]:
    found = []
    for role, part in own.arrays.items():
        names = own.trained & set(part.weight.sources)
        shape = array_shape(part.shape)
        if names and shape is not None:
            shapes = {"bias" if is_bias(role) else "array": shape}
            found.append(TorchLayer(f"{path}.{role}".strip("."), "array", shapes, {"array": part}, names))
    yield tuple(found)


_MAKERS: tuple[tuple[set[str], Callable[[str, Any, Own], Entity]], ...] = (
    ({"Linear"}, _linear),
    ({"Conv1D"}, _transposed_linear),
    ({"Conv1d", "Conv2d", "Conv3d"}, _conv),
    ({"ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"}, _conv_transpose),
    ({"Embedding", "EmbeddingBag"}, _embedding),
    ({"PReLU"}, _prelu),
    ({"MultiheadAttention"}, in_projection),
    ({"LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"}, recurrent),
)
