"""Which JAX parameter is which torch parameter. Where several answers are possible, it asks instead of guessing."""

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np

from jaxd2l.parity.advice import guesses, ways_out

Orientation = Literal["same", "transpose"]
Weights = Literal["auto"] | Mapping[str, str | tuple[str, Orientation]]
Shape = tuple[int, ...]


class Pair(NamedTuple):
    """One parameter under both its names, and how torch's array is turned into JAX's."""

    torch: str
    jax: str
    orientation: Orientation


def pair(
    torch_shapes: Mapping[str, Shape], jax_shapes: Mapping[str, Shape], *, weights: Weights = "auto"
) -> tuple[Pair, ...]:
    """Finds the JAX parameter of each torch parameter.

    A mapping decides for the names in it; the others are paired where only one partner is possible. Among partners
    with the same shape and role (bias or not), one is chosen if its layer is paired already, if the names agree, or
    if the names on each side differ only in their numbers.

    Args:
      torch_shapes: shape of each torch parameter, by its name in the state_dict.
      jax_shapes: shape of each leaf of the params, by its path joined by dots (a mapping may omit a leading
        "params.").
      weights: "auto", or `{"torch name": "jax.name"}`, or `{"torch name": ("jax.name", "same" or "transpose")}`.

    Raises:
      TypeError: weights that are neither "auto" nor a mapping.
      ValueError: a name that does not exist, shapes that do not fit, several possible partners (all are listed),
        a square kernel without an explicit orientation, or parameters without a partner.

    >>> pair({"weight": (3, 2), "bias": (3,)}, {"kernel": (2, 3), "bias": (3,)})
    (Pair(torch='weight', jax='kernel', orientation='transpose'), Pair(torch='bias', jax='bias', orientation='same'))
    """
    if weights != "auto" and not isinstance(weights, Mapping):
        raise TypeError(f"weights must be 'auto' or a mapping of names, got {weights!r}")
    given = {} if weights == "auto" else dict(weights)
    found = {name: _explicit(name, target, torch_shapes, jax_shapes) for name, target in given.items()}
    if len({p.jax for p in found.values()}) < len(found):
        raise ValueError(f"the mapping gives one JAX parameter to several torch parameters: {given}")
    clashing = _clashing(torch_shapes, jax_shapes, found)
    while new := _unambiguous(_options(torch_shapes, jax_shapes, found, clashing), found):
        found |= {t: Pair(t, j, _orientation(t, j, torch_shapes, jax_shapes)) for t, j in new.items()}
    _require_all_paired(torch_shapes, jax_shapes, found, clashing)
    return tuple(found[name] for name in torch_shapes)


def _clashing(torch_shapes: Mapping[str, Shape], jax_shapes: Mapping[str, Shape], found: "Found") -> dict[str, str]:
    """Parameters of one name and of shapes that do not fit: neither may be paired with another by its shape.

    Names with numbers are left out, since people count differently.
    """
    by_name = {_plain(name): name for name in jax_shapes if not re.search(r"\d", name)}
    taken = {p.jax for p in found.values()}
    namesakes = {t: by_name[_plain(t)] for t in torch_shapes if _plain(t) in by_name and t not in found}
    return {t: j for t, j in namesakes.items() if j not in taken and not _fits(t, j, torch_shapes, jax_shapes)}


def orient(array: np.ndarray, orientation: Orientation, *, to: Literal["jax", "torch"]) -> np.ndarray:
    """Turns a kernel: torch's `(out, in, *window)` into JAX's `(*window, in, out)`, or back."""
    if orientation == "same":
        return array
    axes = (*range(2, array.ndim), 1, 0)
    return np.transpose(array, axes if to == "jax" else tuple(np.argsort(axes)))


def _explicit(
    name: str, target: str | tuple[str, Orientation], torch_shapes: Mapping[str, Shape], jax_shapes: Mapping[str, Shape]
) -> Pair:
    wanted, orientation = (target, None) if isinstance(target, str) else target
    jax_name = wanted if wanted in jax_shapes else f"params.{wanted}"
    for side, known, what in (("torch", torch_shapes, name), ("JAX", jax_shapes, jax_name)):
        if what not in known:
            raise ValueError(
                f"the mapping names {what if side == 'torch' else wanted!r}, but {side} has: {list(known)}"
            )
    if orientation is None:
        orientation = _orientation(name, jax_name, torch_shapes, jax_shapes)
    if orientation not in ("same", "transpose"):
        raise ValueError(f"the orientation of {name} must be 'same' or 'transpose', got {orientation!r}")
    if _turned(torch_shapes[name], orientation) != jax_shapes[jax_name]:
        raise ValueError(
            f"{name} {torch_shapes[name]} does not fit {jax_name} {jax_shapes[jax_name]}, orientation {orientation!r}"
        )
    return Pair(name, jax_name, orientation)


def _orientation(t: str, j: str, torch_shapes: Mapping[str, Shape], jax_shapes: Mapping[str, Shape]) -> Orientation:
    fitting = _orientations(torch_shapes[t], jax_shapes[j])
    if not fitting:
        raise ValueError(f"{t} {torch_shapes[t]} does not fit {j} {jax_shapes[j]}, transposed or not")
    if len(fitting) > 1:
        raise ValueError(
            f"{t} {torch_shapes[t]} is square, so its shape does not show whether {j} is its transpose; say so: "
            f"weights={{{t!r}: ({j!r}, 'transpose')}} as for a Flax kernel, or 'same'"
        )
    return fitting[0]


def _orientations(torch_shape: Shape, jax_shape: Shape) -> list[Orientation]:
    names: tuple[Orientation, ...] = ("same", "transpose") if len(torch_shape) > 1 else ("same",)
    return [name for name in names if _turned(torch_shape, name) == jax_shape]


def _turned(shape: Shape, orientation: Orientation) -> Shape:
    return shape if orientation == "same" or len(shape) < 2 else (*shape[2:], shape[1], shape[0])


def _fits(t: str, j: str, torch_shapes: Mapping[str, Shape], jax_shapes: Mapping[str, Shape]) -> bool:
    return _is_bias(t) == _is_bias(j) and bool(_orientations(torch_shapes[t], jax_shapes[j]))


def _is_bias(name: str) -> bool:
    last = name.rpartition(".")[2].lower()
    return last.startswith("b") or last.endswith("bias")


Options = Mapping[str, list[str]]
Found = Mapping[str, Pair]


def _options(
    torch_shapes: Mapping[str, Shape], jax_shapes: Mapping[str, Shape], found: Found, clashing: Mapping[str, str]
) -> Options:
    """For each torch parameter that is not paired yet, the JAX parameters that fit and are free."""
    taken = {p.jax for p in found.values()} | set(clashing.values())
    free = [name for name in jax_shapes if name not in taken]
    unpaired = [name for name in torch_shapes if name not in found and name not in clashing]
    return {t: [j for j in free if _fits(t, j, torch_shapes, jax_shapes)] for t in unpaired}


def _unambiguous(options: Options, found: Found) -> dict[str, str]:
    """New pairs by the first rule that finds any."""
    chosen = (choose(options, found) for choose in (_only_one, _sibling, _same_name, _by_number))
    return next(filter(None, chosen), {})


def _require_all_paired(
    torch_shapes: Mapping[str, Shape], jax_shapes: Mapping[str, Shape], found: Found, clashing: Mapping[str, str]
) -> None:
    options = _options(torch_shapes, jax_shapes, found, clashing)
    lines = [f"  {t} {torch_shapes[t]}: {', '.join(candidates)}" for t, candidates in options.items() if candidates]
    left_torch = {name: shape for name, shape in torch_shapes.items() if name not in found}
    left_jax = {n: shape for n, shape in jax_shapes.items() if n not in {p.jax for p in found.values()}}
    if lines:
        problem = "several JAX parameters may be meant; name them in weights={'torch name': 'jax.name'}"
        text = "\n".join([f"{problem}:", *lines])
    elif left_torch or left_jax:
        theirs, ours = ([f"{name} {shape}" for name, shape in left.items()] for left in (left_torch, left_jax))
        text = f"parameters are left over: torch {theirs}, JAX {ours}"
    else:
        return
    same = [f"{t} {torch_shapes[t]} and {j} {jax_shapes[j]}" for t, j in clashing.items()]
    text += f"; these have the same name and other shapes: {', '.join(same)}" if same else ""
    raise ValueError(text + ways_out(guesses(left_torch, left_jax)))


def _mutual(choices: Mapping[str, str], options: Options) -> dict[str, str]:
    """Only choices that no other open parameter makes."""
    counts = list(choices.values())
    return {t: j for t, j in choices.items() if counts.count(j) == 1}


def _only_one(options: Options, found: Found) -> dict[str, str]:
    wanted_by: dict[str, int] = {}
    for candidates in options.values():
        for j in candidates:
            wanted_by[j] = wanted_by.get(j, 0) + 1
    return {t: c[0] for t, c in options.items() if len(c) == 1 and wanted_by[c[0]] == 1}


def _sibling(options: Options, found: Found) -> dict[str, str]:
    """The layer of "0.bias" is known once "0.weight" is paired."""
    layer = {_layer(p.torch): _layer(p.jax) for p in found.values()}
    return _unique(options, lambda t, j: _layer(t) in layer and _layer(j) == layer[_layer(t)])


def _same_name(options: Options, found: Found) -> dict[str, str]:
    return _unique(options, lambda t, j: _plain(t) == _plain(j))


def _by_number(options: Options, found: Found) -> dict[str, str]:
    """`0.weight, 2.weight` against `Dense_0.kernel, Dense_1.kernel`: in the order of their numbers."""
    new: dict[str, str] = {}
    for candidates in options.values():
        rivals = [t for t, c in options.items() if c == candidates]
        patterns = {re.sub(r"\d+", "#", name) for name in rivals}, {re.sub(r"\d+", "#", name) for name in candidates}
        if len(rivals) == len(candidates) > 1 and all(len(p) == 1 for p in patterns):
            new |= dict(zip(sorted(rivals, key=_numbers), sorted(candidates, key=_numbers), strict=True))
    return new


def _unique(options: Options, agree: Callable[[str, str], bool]) -> dict[str, str]:
    agreeing = {t: [j for j in candidates if agree(t, j)] for t, candidates in options.items()}
    return _mutual({t: js[0] for t, js in agreeing.items() if len(js) == 1}, options)


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _plain(name: str) -> str:
    name = name.lower().removeprefix("params.")
    return re.sub(r"(kernel|scale|embedding)$", "weight", name)


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", name))
