"""Which line of the user's code computed something: a torch operation, or an equation of a JAX program."""

import linecache
import os
import sysconfig
from collections.abc import Iterable
from itertools import dropwhile
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import jaxd2l

_OURS, _PARITY = (f"{Path(file).parent}{os.sep}" for file in (jaxd2l.__file__, __file__))
_CALLER = f"{_PARITY}torch_side.py"
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")
_LIBRARIES = frozenset(("beartype", "chex", "equinox", "flax", "haiku", "jax", "jaxlib", "jaxtyping", "optax", "torch"))


class Line(NamedTuple):
    """A line of source: its file, its number, the function in which it stands, and what it says."""

    file: str
    number: int
    function: str
    text: str

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.number}"


def torch_line(frame: FrameType | None) -> Line | None:
    """The nearest line of the user's on the stack of Python's calls that ends in `frame`, which is one of ours."""
    places = []
    while frame is not None:
        places.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname))
        frame = frame.f_back
    return _nearest(dropwhile(_is_below_the_module, places))


def _is_below_the_module(place: tuple[str, int, str]) -> bool:
    """Whether a call is one of ours that watch torch's operations, not the one in which we call the module."""
    return place[0] != _CALLER and (place[0].startswith(_PARITY) or _is_of_a_library(place[0]))


def jax_line(path: Iterable[Any]) -> Line | None:
    """The line of an equation, given with the calls around it, outermost first.

    An equation within a function of JAX's own, such as a norm, gets the line of the call.
    """
    for equation in reversed(list(path)):
        trace = equation.source_info.traceback
        places = [(f.file_name, f.line_num, f.function_name) for f in trace.frames] if trace else []
        if line := _nearest(places):
            return line
    return None


def _nearest(places: Iterable[tuple[str, int, str]]) -> Line | None:
    """The innermost place that belongs to no library, else to one of our models; what called `check` does not count."""
    ours = None
    for file, number, function in places:
        if file.startswith(_PARITY):
            break
        if file.startswith(_OURS):
            ours = ours or (file, number, function)
        elif not _is_of_a_library(file):
            return _line(file, number, function)
    return _line(*ours) if ours else None


def _line(file: str, number: int, function: str) -> Line:
    return Line(file, number, function.replace("<locals>.", ""), linecache.getline(file, number).strip())


def _is_of_a_library(file: str) -> bool:
    _, found, inside = file.replace("\\", "/").partition("-packages/")
    if found:
        return inside.split("/")[0] in _LIBRARIES
    return file.startswith((_STANDARD_LIBRARY, "<@", "<frozen", "<string"))
