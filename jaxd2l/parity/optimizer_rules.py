"""Torch's optimisers written out, with the choices at which ports differ as options of their own.

The formulas are those of `torch.optim`, in NumPy and float64. An option that torch has not, such as the place of eps,
has torch's way as its default; what is written here is used only after it has given torch's own path.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from jaxd2l.parity.quantities import Values
from jaxd2l.parity.torch_side import OptimizerFactory

Options = Mapping[str, Any]
Memory = dict[str, np.ndarray]
Direction = Callable[[np.ndarray, int, Memory, Options], np.ndarray]
"""`direction(gradient, t, memory, options)`: what the learning rate is multiplied with; t counts from 1."""


def settings(factory: OptimizerFactory, start: Values) -> tuple[str, dict[str, dict[str, Any]]]:
    """The optimiser's class, and the options of each parameter by its name."""
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    optimizer = factory(list(tensors.values()))
    names = {id(tensor): name for name, tensor in tensors.items()}
    groups = [(p, group) for group in optimizer.param_groups for p in group["params"]]
    found = {names[id(p)]: {k: v for k, v in group.items() if k != "params"} for p, group in groups}
    return type(optimizer).__name__, found


def written_out(
    kind: str, of: Mapping[str, Options], start: Values, gradients: list[Values], changes: Options
) -> list[Values]:
    """The parameters after each of the given gradients, some options changed.

    Args:
      kind: the class of torch's optimiser.
      of: options by parameter; one that is missing stays as it is.
      start: the initial parameters.
      gradients: one set per step.
      changes: options for all parameters.

    Raises:
      KeyError: an optimiser that is not written out here.
    """
    direction = DIRECTIONS[changes.get("kind", kind)]
    now, memory = dict(start), {name: Memory() for name in start}
    path = []
    for t, step in enumerate(gradients, 1):
        for name in step.keys() & of.keys():
            now[name] = _stepped(now[name], step[name], t, memory[name], direction, _completed(kind, of[name], changes))
        path.append(dict(now))
    return path


def _completed(kind: str, options: Options, changes: Options) -> dict[str, Any]:
    decoupled = kind == "AdamW" or options.get("decoupled_weight_decay")
    completed = {"decay": "decoupled" if decoupled else "coupled", **options, **changes}
    return completed | {"lr": completed["lr"] * completed.get("rate", 1.0)}


def _stepped(
    p: np.ndarray, g: np.ndarray, t: int, memory: Memory, direction: Direction, options: Options
) -> np.ndarray:
    rate, shrink = options["lr"], options.get("weight_decay") or 0.0
    g = -g if options.get("maximize") else g
    way = options["decay"] if shrink else "none"
    if way == "coupled":
        g = g + shrink * p
    change = rate * direction(g, t, memory, options)
    change = change + {"decoupled": rate * shrink * p, "unscaled": shrink * p}.get(way, 0.0)
    return p - change


def _mean(memory: Memory, name: str, value: np.ndarray, keep: float) -> np.ndarray:
    memory[name] = keep * memory.get(name, np.zeros_like(value)) + (1 - keep) * value
    return memory[name]


def _root(squares: np.ndarray, options: Options) -> np.ndarray:
    eps, square = options["eps"], np.maximum(squares, 0.0)
    return np.sqrt(square + eps) if options.get("eps_place") == "under" else np.sqrt(square) + eps


def _corrections(t: int, options: Options) -> tuple[float, float]:
    beta1, beta2 = options["betas"]
    corrected = options.get("corrected", (True, True))
    return tuple(1 - b**t if is_corrected else 1.0 for b, is_corrected in zip((beta1, beta2), corrected, strict=True))  # type: ignore[return-value]


def _adam(g: np.ndarray, t: int, memory: Memory, options: Options) -> np.ndarray:
    beta1, beta2 = options["betas"]
    first, second = _corrections(t, options)
    mean, squares = _mean(memory, "m", g, beta1), _mean(memory, "v", g * g, beta2)
    if options.get("amsgrad") == "after":  # optax's: the largest corrected mean
        squares = memory["largest"] = np.maximum(memory.get("largest", 0.0), squares / second)
        second = 1.0
    elif options.get("amsgrad"):
        squares = memory["largest"] = np.maximum(memory.get("largest", 0.0), squares)
    if options.get("nesterov"):  # optax's nadam: a constant momentum
        mean = beta1 * mean / (1 - beta1 ** (t + 1)) + (1 - beta1) * g / first
        first = 1.0
    if options.get("eps_place") == "before":
        return mean / first / (_root(squares, {**options, "eps_place": ""}) / np.sqrt(second))
    return mean / first / _root(squares / second, options)


def _adamax(g: np.ndarray, t: int, memory: Memory, options: Options) -> np.ndarray:
    beta1, beta2 = options["betas"]
    mean, before = _mean(memory, "m", g, beta1), memory.get("u", np.zeros_like(g))
    if options.get("eps_place") == "after":
        memory["u"] = np.maximum(beta2 * before, np.abs(g))
        return mean / _corrections(t, options)[0] / (memory["u"] + options["eps"])
    memory["u"] = np.maximum(beta2 * before, np.abs(g) + options["eps"])
    return mean / _corrections(t, options)[0] / memory["u"]


def _nadam(g: np.ndarray, t: int, memory: Memory, options: Options) -> np.ndarray:
    beta1, beta2 = options["betas"]
    mean, squares = _mean(memory, "m", g, beta1), _mean(memory, "v", g * g, beta2)
    now, next_ = (beta1 * (1 - 0.5 * 0.96 ** (s * options["momentum_decay"])) for s in (t, t + 1))
    memory["product"] = memory.get("product", np.ones(())) * now
    ahead = (1 - now) / (1 - memory["product"]) * g + next_ / (1 - memory["product"] * next_) * mean
    return ahead / _root(squares / _corrections(t, options)[1], options)


def _radam(g: np.ndarray, t: int, memory: Memory, options: Options) -> np.ndarray:
    beta1, beta2 = options["betas"]
    mean, squares = _mean(memory, "m", g, beta1), _mean(memory, "v", g * g, beta2)
    first, second = _corrections(t, options)
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * t * beta2**t / (1 - beta2**t)
    if length <= options.get("threshold", 5.0):
        return mean / first
    rectified = ((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)) ** 0.5
    if options.get("eps_place") == "after":  # optax's
        return mean / first * rectified / _root(squares / second, {**options, "eps_place": ""})
    return mean / first * rectified * second**0.5 / _root(squares, options)


def _rmsprop(g: np.ndarray, t: int, memory: Memory, options: Options) -> np.ndarray:
    squares = _mean(memory, "v", g * g, options["alpha"])
    if any(options.get("corrected", (False,))):
        squares = squares / (1 - options["alpha"] ** t)
    if options.get("centered"):
        squares = squares - _mean(memory, "m", g, options["alpha"]) ** 2
    scaled = g / _root(squares, options)
    if options.get("momentum"):
        memory["b"] = options["momentum"] * memory.get("b", np.zeros_like(g)) + scaled
        return scaled + options["momentum"] * memory["b"] if options.get("nesterov") else memory["b"]
    return scaled


def _adagrad(g: np.ndarray, t: int, memory: Memory, options: Options) -> np.ndarray:
    memory["s"] = memory.get("s", np.full_like(g, options["initial_accumulator_value"])) + g * g
    return g / ((1 + (t - 1) * options["lr_decay"]) * _root(memory["s"], options))


def _adadelta(g: np.ndarray, t: int, memory: Memory, options: Options) -> np.ndarray:
    squares, eps = _mean(memory, "v", g * g, options["rho"]), options["eps"]
    steps = memory.get("u", np.zeros_like(g))
    outside = options.get("eps_place") == "outside"
    ratio = (np.sqrt(steps) + eps) / (np.sqrt(squares) + eps) if outside else np.sqrt((steps + eps) / (squares + eps))
    delta = ratio * g
    _mean(memory, "u", delta * delta, options["rho"])
    return delta


def _sgd(g: np.ndarray, t: int, memory: Memory, options: Options) -> np.ndarray:
    momentum = options["momentum"]
    if not momentum:
        return g
    undamped = "b" not in memory and options.get("first", "undamped") == "undamped"
    share = 1.0 if undamped else 1 - options["dampening"]
    memory["b"] = momentum * memory.get("b", np.zeros_like(g)) + share * g
    return g + momentum * memory["b"] if options.get("nesterov") else memory["b"]


DIRECTIONS: dict[str, Direction] = {
    "SGD": _sgd,
    "Adam": _adam,
    "AdamW": _adam,
    "Adamax": _adamax,
    "NAdam": _nadam,
    "RAdam": _radam,
    "RMSprop": _rmsprop,
    "Adagrad": _adagrad,
    "Adadelta": _adadelta,
}
