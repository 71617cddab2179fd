"""The rules of the public interface that a machine can check; the docstring of `jaxd2l` states them."""

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, get_args, get_origin

import pytest

import jaxd2l

POSITIONAL = {"axis", "p", "negative_slope", "beta", "stddev", "gain", "num_devices", "num_processes", "process_id"}
POSITIONAL |= {"weights", "input_shape"}  # an operand of the weight bridge; what the sizes of a network follow from
"""Optional and still positional: what NumPy has so, the one natural parameter of a function, an optional operand."""


def public_modules(module: ModuleType = jaxd2l) -> Iterator[ModuleType]:
    yield module
    for name in getattr(module, "__all__", ()):
        if inspect.ismodule(child := getattr(module, name)):
            yield from public_modules(child)


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    for module in MODULES:
        for name in getattr(module, "__all__", ()):
            if inspect.isroutine(function := getattr(module, name)):
                yield f"{module.__name__}.{name}", function


MODULES = list(public_modules())
FUNCTIONS = dict(public_functions())


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_dir_shows_the_public_names_and_nothing_else(module: ModuleType) -> None:
    assert set(dir(module)) == set(module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
    assert not [name for name in module.__all__ if name.startswith("_") and name != "__version__"]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_whatever_is_public_has_a_docstring(module: ModuleType) -> None:
    parts = {name: getattr(module, name) for name in module.__all__}
    described = {name: part for name, part in parts.items() if inspect.isroutine(part) or inspect.isclass(part)}
    assert module.__doc__
    generated = {name: f"{name}(" for name in described}  # what a NamedTuple has of itself
    assert [name for name, part in described.items() if (part.__doc__ or "(").startswith(("(", generated[name]))] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_key_comes_first_or_is_a_keyword(name: str) -> None:
    parameters = list(inspect.signature(FUNCTIONS[name]).parameters.values())
    assert [p.name for p in parameters[1:] if p.name == "key" and p.kind is not p.KEYWORD_ONLY] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_options_are_keywords(name: str) -> None:
    options = [p for p in inspect.signature(FUNCTIONS[name]).parameters.values() if p.default is not p.empty]
    assert [p.name for p in options if p.kind is not p.KEYWORD_ONLY and p.name not in POSITIONAL] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_more_than_a_pair_comes_back_with_names(name: str) -> None:
    returned = inspect.signature(FUNCTIONS[name]).return_annotation
    parts = get_args(returned) if get_origin(returned) is tuple else ()
    assert len(parts) <= 2, f"{parts}: a NamedTuple would name them"


def test_every_function_has_one_door() -> None:
    doors = defaultdict(set)
    for name, function in FUNCTIONS.items():
        doors[id(function)].add(name)
    assert [names for names in doors.values() if len(names) > 1] == []
