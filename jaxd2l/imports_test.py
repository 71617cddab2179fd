"""What importing the package costs, and which module may import which."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import jaxd2l

PACKAGE = Path(jaxd2l.__file__).parent
HEAVY = ["torch", "tensorflow_datasets", "tensorflow", "pandas", "matplotlib", "orbax", "sklearn", "PIL"]

FLOORS = (
    {"_checks", "_files", "_process", "_summaries", "_tables", "keys", "types"},
    {"activations", "initializers", "losses", "metrics", "optim", "schedules"},
    {"data", "models"},
    {"train"},
    {"book", "plots"},
    {"parity"},
    {"bench"},
    {"cli"},
    {"runs"},
    {"__main__"},
)
"""From the ground up: a module may import its neighbours and what lies below, never what lies above."""


def newly_imported(statements: str, among: list[str]) -> list[str]:
    """Which of these packages a fresh process has loaded after the statements."""
    program = f"{statements}\nimport sys\nprint(*(name for name in {among} if name in sys.modules))"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return process.stdout.split()


def test_import_loads_no_heavy_package_and_not_even_jax() -> None:
    assert newly_imported("import jaxd2l", [*HEAVY, "flax", "optax", "jax"]) == []


def test_training_from_scratch_loads_no_heavy_package_and_no_flax() -> None:
    names = "import jaxd2l as j\nj.train, j.models.mlp, j.data.digits, j.optim, j.metrics, j.losses, j.initializers"
    assert newly_imported(names, [*HEAVY, "flax", "optax"]) == ["optax"]


def test_every_public_module_can_be_named() -> None:
    for name in jaxd2l.__all__:
        assert getattr(jaxd2l, name).__name__ == f"jaxd2l.{name}"
    assert set(jaxd2l.__all__) <= set(dir(jaxd2l))


def sources(folder: Path) -> dict[str, Path]:
    """The files of a package that are no tests, by the names under which they are imported."""
    files = [path for path in folder.rglob("*.py") if not path.name.endswith("_test.py")]
    files = [path for path in files if path.name != "conftest.py" and "fuzz_tests" not in path.parts]
    names = {path: path.relative_to(folder.parent).with_suffix("").parts for path in files}
    return {".".join(parts[:-1] if parts[-1] == "__init__" else parts): path for path, parts in names.items()}


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports anywhere, functions included; of `from a import b` both `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


def floor(module: str) -> int:
    """Where a module of the package stands. One that stands nowhere is an error: it has to be given a floor."""
    [found] = [i for i, names in enumerate(FLOORS) if module.split(".")[1] in names]
    return found


def test_no_import_points_upward() -> None:
    files = {name: path for name, path in sources(PACKAGE).items() if name != "jaxd2l"}
    imports = [(name, other) for name, path in files.items() for other in imported(path) if other in files]
    assert len(imports) > 100
    assert [(name, other) for name, other in imports if floor(other) > floor(name)] == []


@pytest.mark.parametrize("folder", [PACKAGE, PACKAGE.parent / "parity_tests", PACKAGE.parent / "notebooks"])
def test_no_imports_go_in_a_circle(folder: Path) -> None:
    files = sources(folder)
    # A package counts as imported only by those who name something of it, not by the modules that it consists of.
    graph = {name: {o for o in imported(path) if o in files and o != name} for name, path in files.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def test_a_circle_is_noticed(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.py").write_text(f"def f():\n    from {tmp_path.name} import {other}\n")
    with pytest.raises(pytest.fail.Exception, match="circle"):
        test_no_imports_go_in_a_circle(tmp_path)


def test_torch_is_imported_by_parity_and_bench_alone() -> None:
    users = {name for name, path in sources(PACKAGE).items() if any(m.split(".")[0] == "torch" for m in imported(path))}
    assert {name.split(".")[1] for name in users} == {"parity", "bench"}
