"""README.md of this folder: for each section its notebook, what that uses, the parity tests of it, and seconds."""

import ast
import os
import re
from functools import cache
from itertools import groupby
from pathlib import Path

import jaxd2l
from jaxd2l._tables import markdown_table
from notebooks import running

PATH = running.FOLDER / "README.md"
_PARITY_TESTS = running.FOLDER.parent / "parity_tests"
_SUITE = Path(jaxd2l.__file__).parent / "parity" / "suite"

_HEAD = """# Notebooks

There is one notebook for each section of chapters 2 to 8 and 12 of [Dive into Deep Learning](https://d2l.ai). The
`.ipynb` files are already executed, so you can read them here. The `.py` files beside them hold the same notebooks as
text, in [jupytext](https://jupytext.readthedocs.io)'s percent format. To change a notebook, edit its text. Then, from a
clone:

```sh
make notebooks                           # executes all of them and writes this page
.venv/bin/python -m notebooks ch05_03    # executes only some
make lab                                 # copies them to out/notebooks, and opens the copies in JupyterLab
```

Chapters 4, 5 and 7 and section 12.11 use Fashion-MNIST, sections 12.5 to 12.10 NASA's airfoil data. The files are
downloaded, or read from the folder that `JAXD2L_DATA_DIR` names, or from its subfolders `fashion_mnist` and `airfoil`.
Without the airfoil file the notebooks take made-up data of the same columns, and say so; they are then not compared.
`make test` executes one notebook of each chapter, and `make test-long` executes the others. A test fails if a cell
raises an error, warns, or prints something different from the notebook committed here. Float32 rounding and measured
times do not count as differences.

The table lists, for each notebook, what it is about, the functions that it uses, and the tests that compare one of
these functions with PyTorch. The seconds are those of the last execution on two cores, including imports and
compilation.

"""

_COMMON = frozenset({"train.fit", "train.create_state", "data.fashion_mnist", "data.digits", "parity.check"})
"""Functions that nearly every test uses. They would put every test beside every notebook."""


def text() -> str:
    """The whole page. Everything in the table is read from the notebooks and the tests."""
    headings = ["Section", "Notebook", "What it is about", "Uses", "Parity tests", "Seconds"]
    return _HEAD + markdown_table(headings, map(_row, running.texts()), align="lllllr") + "\n"


def title(path: Path) -> str:
    """The title of a notebook, for example "2.1 Data manipulation"."""
    first = running.load(path).cells[0].source.splitlines()[0]
    if not first.startswith("# "):
        raise ValueError(f"{path.name} must begin with its title, such as '# 2.1 Data manipulation'; got {first!r}")
    return first.removeprefix("# ")


def subject(path: Path) -> str:
    """The first two sentences of a notebook, which say what one will learn."""
    paragraph = running.load(path).cells[0].source.split("\n\n")[1].replace("\n", " ")
    return " ".join(re.split(r"(?<=[.?!:]) (?=[A-Z])", paragraph)[:2]).replace("|", "\\|")


def functions(path: Path) -> list[str]:
    """The functions of the package that a file uses, as `module.name`, in alphabetical order."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = _imported(tree)
    used = set()
    for node in ast.walk(tree):
        first, _, rest = _dotted(node).partition(".")
        if first in imported:
            used.add(f"{imported[first]}.{rest}" if rest else imported[first])
    longest = {name for name in used if not any(other.startswith(name + ".") for other in used)}
    return sorted({member for name in longest if (member := _member(name))})


def _imported(tree: ast.AST) -> dict[str, str]:
    """The names that a file imports from the package, with their full names inside the package."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "jaxd2l":
            prefix = (node.module or "").removeprefix("jaxd2l").removeprefix(".")
            for alias in node.names:
                found[alias.asname or alias.name] = f"{prefix}.{alias.name}" if prefix else alias.name
    return found


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def _member(name: str) -> str | None:
    """`module.function` if the package has it; None for a module, a class, a private name, or a value."""
    parts = name.split(".")
    value: object = jaxd2l
    for depth, part in enumerate(parts):
        value = getattr(value, part, None)  # the packages are lazy: this imports a module that was not yet imported
        if part.startswith("_") or isinstance(value, type):
            return None
        if callable(value) and depth:
            return ".".join(parts[: depth + 1])
    return None


@cache
def _parity_tests() -> dict[str, frozenset[str]]:
    """A link to each parity test, and the functions that this test uses."""
    tests = {path: path.stem for path in sorted(_PARITY_TESTS.rglob("*_test.py"))}
    tests |= {path: f"suite: {path.stem}" for path in sorted(_SUITE.rglob("*.py"))}
    return {_link(name, path): frozenset(functions(path)) - _COMMON for path, name in tests.items()}


def _link(name: str, path: Path) -> str:
    return f"[{name}]({Path(os.path.relpath(path, running.FOLDER)).as_posix()})"


def _row(path: Path) -> tuple[object, ...]:
    used = functions(path)
    tests = [link for link, theirs in _parity_tests().items() if theirs & set(used)]
    section, _, name = title(path).partition(" ")
    seconds = running.load(path).metadata["jaxd2l"]["seconds"]
    return section, _link(name, path.with_suffix(".ipynb")), subject(path), _by_module(used), ", ".join(tests), seconds


def _by_module(names: list[str]) -> str:
    """Functions behind the name of their module."""
    groups = groupby((name.rpartition(".") for name in names), lambda parts: parts[0])
    return "; ".join(f"`{module}`: " + ", ".join(f"`{name}`" for *_, name in found) for module, found in groups)
