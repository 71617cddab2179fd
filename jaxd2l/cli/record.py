"""What run.json may hold: one schema, for whoever reads a file that somebody may have edited. Imports nothing heavy."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jaxd2l.cli.grammar import ACTIVATIONS, DATASETS, INITS, MODELS, OPTIMIZERS, PRECISIONS, SCHEDULES

_MOST = 2**31 - 1


class _Kind(NamedTuple):
    """What a value must be, in words and as a function that says whether it is."""

    words: str
    fits: Callable[[Any], bool]


def checked(content: Any) -> dict[str, Any]:
    """The content of a run.json, once everything that is read of it is known to be what it should be.

    Arguments that are not listed are those of another version; nothing here reads them.

    Raises:
      ValueError: something else; the message names it.

    >>> checked({"arguments": {"model": "mlp", "dataset": "digits", "hidden": [-1]}})
    Traceback (most recent call last):
        ...
    ValueError: 'hidden' must be none or a list of whole numbers from 1 to 2147483647, and is [-1]
    """
    if not isinstance(content, dict) or not isinstance(content.get("arguments"), dict):
        raise ValueError("it has no 'arguments'")
    arguments = content["arguments"]
    for name in ("model", "dataset", "hidden"):
        if name not in arguments:
            raise ValueError(f"{name!r} is missing")
    for name, kind in _ARGUMENTS.items():
        if name in arguments and not kind.fits(arguments[name]):
            raise ValueError(f"{name!r} must be {kind.words}, and is {_short(arguments[name])}")
    if arguments["dataset"] == "table" and not (arguments.get("data") and arguments.get("target")):
        raise ValueError("a run on a table needs 'data' and 'target'")
    return content


def _one_of(names: Sequence[str]) -> _Kind:
    return _Kind(f"one of {', '.join(names)}", lambda value: isinstance(value, str) and value in names)


def _whole(least: int) -> _Kind:
    def fits(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MOST

    return _Kind(f"a whole number from {least} to {_MOST}", fits)


def _number(least: float, below: float) -> _Kind:
    def fits(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and least <= value < below

    return _Kind(f"a number from {least:g} to below {below:g}", fits)


def _list_of(kind: _Kind) -> _Kind:
    words = kind.words.replace("a whole number", "whole numbers")
    return _Kind(f"a list of {words}", lambda v: isinstance(v, list) and len(v) > 0 and all(map(kind.fits, v)))


def _or_none(kind: _Kind) -> _Kind:
    return _Kind(f"none or {kind.words}", lambda value: value is None or kind.fits(value))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "..."


_BOOL = _Kind("true or false", lambda value: isinstance(value, bool))
_TEXT = _Kind("text without the character 0", lambda value: isinstance(value, str) and "\0" not in value)
_ARGUMENTS = {
    "model": _one_of(MODELS),
    "dataset": _one_of((*DATASETS, "table")),
    "hidden": _or_none(_list_of(_whole(1))),
    "activation": _one_of(ACTIVATIONS),
    "init": _one_of(INITS),
    "optimizer": _one_of(OPTIMIZERS),
    "schedule": _one_of(SCHEDULES),
    "precision": _one_of(PRECISIONS),
    "epochs": _whole(1),
    "batch_size": _whole(1),
    "warmup": _whole(0),
    "seed": _Kind("a whole number from 0 to 4294967295", lambda v: type(v) is int and 0 <= v < 2**32),
    "early_stopping": _or_none(_whole(1)),
    "lr": _number(0.0, math.inf),
    "momentum": _number(0.0, 1.0),
    "weight_decay": _number(0.0, math.inf),
    "dropout": _number(0.0, 1.0),
    "validation": _number(0.0, 1.0),
    "nesterov": _BOOL,
    "data_dir": _or_none(_TEXT),
    "data": _or_none(_TEXT),
    "target": _or_none(_TEXT),
    "kind": _or_none(_one_of(("classes", "numbers"))),
}
