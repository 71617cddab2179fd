"""README.md of this folder: section, notebook, the functions it uses, and the parity tests of those."""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import jaxd2l
from notebooks import running

PATH = running.FOLDER / "README.md"
_PARITY_TESTS = running.FOLDER.parent / "parity_tests"
_SUITE = Path(jaxd2l.__file__).parent / "parity" / "suite"

_HEAD = """# Notebooks

One per section of chapters 2 to 5 of [Dive into Deep Learning](https://d2l.ai). The `.ipynb` files are executed and can
be read where they are; the `.py` files beside them are the same notebooks as text
([jupytext](https://jupytext.readthedocs.io)'s percent format), which is what to edit. From a clone:

```sh
make notebooks                  # executes all and writes this file
.venv/bin/python -m notebooks ch05_03    # only some
```

Chapters 4 and 5 use Fashion-MNIST: its files are downloaded, or taken from the folder that `JAXD2L_DATA_DIR` names.
The tests execute every notebook and fail if a cell raises, warns, or prints something else than it did here, beyond
float32 rounding; times aside.

Functions: what the notebook calls. Parity tests: the files of [parity_tests](../parity_tests) and cases of
`jaxd2l.parity.suite` that compare one of them with PyTorch. Seconds: kernel start, imports and compilation included, as
the notebook took when it was last executed, on two cores.

| Section | Notebook | Functions | Parity tests | Seconds |
|---|---|---|---|---|
"""


def text() -> str:
    """The whole file. Everything in it is read from the notebooks and the tests."""
    return _HEAD + "".join(_row(path) for path in running.texts())


def title(path: Path) -> str:
    """What the notebook's first line says: "2.1 Data manipulation"."""
    first = running.load(path).cells[0].source.splitlines()[0]
    if not first.startswith("# "):
        raise ValueError(f"{path.name} must begin with its title, as '# 2.1 Data manipulation'; got {first!r}")
    return first.removeprefix("# ")


def functions(path: Path) -> list[str]:
    """Names of the package that a file uses, as `room.name`, in alphabetical order."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    rooms = {}  # the name in this file, and the room or member that it stands for
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "jaxd2l":
            prefix = (node.module or "").removeprefix("jaxd2l").removeprefix(".")
            for alias in node.names:
                rooms[alias.asname or alias.name] = f"{prefix}.{alias.name}" if prefix else alias.name
    used = set()
    for node in ast.walk(tree):
        name = _dotted(node)
        first, _, rest = name.partition(".")
        if first in rooms:
            used.add(f"{rooms[first]}.{rest}" if rest else rooms[first])
    longest = {name for name in used if not any(other.startswith(name + ".") for other in used)}
    return sorted({member for name in longest if (member := _member(name))})


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def _member(name: str) -> str | None:
    """`room.function` if the package has it; None for a module or anything else that cannot be called."""
    parts = name.split(".")
    value: object = jaxd2l
    for depth, part in enumerate(parts):
        value = _attribute(value, part)
        if callable(value) and depth:
            return ".".join(parts[: depth + 1])
    return None


def _attribute(value: object, name: str) -> object:
    """`value.name`, or None. A package has its modules as attributes only once somebody has imported them: who did
    before, here or in another test, must not decide what the table says."""
    if not hasattr(value, name) and any(module.name == name for module in iter_modules(getattr(value, "__path__", ()))):
        import_module(f"{value.__name__}.{name}")
    return getattr(value, name, None)


@cache
def _parity_files() -> dict[Path, frozenset[str]]:
    paths = [*sorted(_PARITY_TESTS.glob("*_test.py")), *sorted(_SUITE.glob("*.py"))]
    return {path: frozenset(functions(path)) for path in paths}


def _row(path: Path) -> str:
    used = functions(path)
    tests = []
    for test, theirs in _parity_files().items():
        if theirs & set(used) - _COMMON:
            tests.append(
                f"[{test.stem}](../parity_tests/{test.name})" if test.parent == _PARITY_TESTS else f"suite: {test.stem}"
            )
    section, _, name = title(path).partition(" ")
    seconds = running.load(path).metadata["jaxd2l"]["seconds"]
    link = f"[{name}]({path.with_suffix('.ipynb').name})"
    return f"| {section} | {link} | {', '.join(f'`{f}`' for f in used)} | {', '.join(tests)} | {seconds} |\n"


_COMMON = frozenset({"train.fit", "train.create_state", "data.fashion_mnist", "data.digits", "parity.check"})
"""What stands everywhere, and would name every test beside every notebook."""
