"""A planted defect: a change of source text in one function of the package, for as long as a context lasts."""

import importlib
import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import NamedTuple


class Mutation(NamedTuple):
    """A defect: in the source of `function`, `old` becomes `new`.

    name: what is wrong.
    function: where, as a path below `jaxd2l`, for example "losses.cross_entropy".
    old, new: source text; `old` occurs in the function exactly once.
    cases: beginnings of the names of the cases that judge it.
    """

    name: str
    function: str
    old: str
    new: str
    cases: tuple[str, ...]


def defects(function: str, *rows: tuple[str, str, str, str]) -> tuple[Mutation, ...]:
    """Mutations of one function from rows of (name, old text, new text, beginnings of cases separated by |)."""
    return tuple(Mutation(name, function, old, new, tuple(cases.split("|"))) for name, old, new, cases in rows)


@contextmanager
def planted(mutation: Mutation) -> Iterator[None]:
    """The package with the defect in it. Code is exchanged in place, so every reference to the function has the defect.

    Raises:
      ValueError: if `old` is not in the function's source, or more than once.
    """
    function = _find(mutation.function)
    source = textwrap.dedent(inspect.getsource(function))
    if source.count(mutation.old) != 1:
        raise ValueError(f"{mutation.name}: {mutation.old!r} occurs {source.count(mutation.old)} times in the source")
    names = dict(function.__globals__)
    exec(compile(source.replace(mutation.old, mutation.new), "<mutation>", "exec"), names)
    mutant = inspect.unwrap(names[function.__name__])
    parts = ("__code__", "__defaults__", "__kwdefaults__")
    originals = [getattr(function, part) for part in parts]
    try:
        for part in parts:
            setattr(function, part, getattr(mutant, part))
        _forget_traces()
        yield
    finally:
        for part, original in zip(parts, originals, strict=True):
            setattr(function, part, original)
        _forget_traces()


def _find(path: str) -> FunctionType:
    module, name = path.rsplit(".", 1)
    function = inspect.unwrap(getattr(importlib.import_module(f"jaxd2l.{module}"), name))
    assert isinstance(function, FunctionType)
    return function


def _forget_traces() -> None:
    """Discards what our jitted functions were compiled to before the defect, or with it."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "jaxd2l":
            for value in list(vars(module).values()):
                if callable(forget := getattr(value, "clear_cache", None)):
                    forget()
