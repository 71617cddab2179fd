"""Projections that torch keeps in one weight: in_proj of its attention, c_attn of GPT-2. Fused, or in thirds."""

from typing import Any

from jaxd2l.parity.automatic.layers import Entity, Own, Part, TorchLayer, Variant

_QKV = ("query", "key", "value")


def in_projection(path: str, module: Any, own: Own) -> Entity:
    """What a `MultiheadAttention` has beside its out_proj: a fused in_proj, or three weights and a fused bias.

    With `add_bias_kv` they say that they have no counterpart.
    """
    problem = "torch's attention has bias_k and bias_v, which have no counterpart" if "bias_k" in own.arrays else ""
    biases = _split(own.arrays["in_proj_bias"]) if "in_proj_bias" in own.arrays else None
    if "in_proj_weight" not in own.arrays:
        weights = tuple(own.arrays[f"{letter}_proj_weight"] for letter in "qkv")
        return (_three(path, weights, biases, own, problem),)
    weight = own.arrays["in_proj_weight"]
    roles = {"weight": weight, "bias": own.arrays.get("in_proj_bias")}
    parts = {role: part for role, part in roles.items() if part is not None}
    fused = _linear(f"{path}.in_proj", parts, own.trained, problem)
    return ((fused,), _three(path, _split(weight), biases, own, problem))


def thirds(path: str, own: Own) -> tuple[Variant, ...]:
    """GPT-2's c_attn as three layers: query, key and value, in this order; nothing if it is another layer."""
    out, size = own.arrays["weight"].shape
    if path.rpartition(".")[2] != "c_attn" or out != 3 * size:
        return ()
    kernels = tuple(Part(kernel, (size, size)) for kernel in own.arrays["kernel"].weight.split(3, 1))
    weights = tuple(Part(kernel.weight.T, (size, size)) for kernel in kernels)
    biases = _split(own.arrays["bias"]) if "bias" in own.arrays else None
    layers = _three(path.rpartition(".")[0], weights, biases, own, "")
    return (tuple(x._replace(parts={**x.parts, "kernel": k}) for x, k in zip(layers, kernels, strict=True)),)


def _split(part: Part) -> tuple[Part, ...]:
    shape = (part.shape[0] // 3, *part.shape[1:])
    return tuple(Part(weight, shape) for weight in part.weight.split(3))


def _three(path: str, weights: tuple[Part, ...], biases: tuple[Part, ...] | None, own: Own, problem: str) -> Variant:
    found = []
    for i, name in enumerate(_QKV):
        parts = {"weight": weights[i]} | ({"bias": biases[i]} if biases else {})
        names = frozenset(source for part in parts.values() for source in part.weight.sources) & own.trained
        found.append(_linear(f"{path}.{name}".strip("."), parts, names, problem))
    return tuple(found)


def _linear(path: str, parts: dict[str, Part], names: frozenset[str], problem: str) -> TorchLayer:
    shapes = {role: part.shape for role, part in parts.items() if role != "kernel"}
    return TorchLayer(path.strip("."), "linear", shapes, parts, names, problem=problem)
