"""What importing the package costs."""

import ast
import subprocess
import sys
from pathlib import Path

import jaxd2l

HEAVY = ["torch", "tensorflow_datasets", "tensorflow", "pandas", "matplotlib", "orbax", "sklearn", "PIL"]


def newly_imported(statements: str, among: list[str]) -> list[str]:
    """Which of these packages a fresh process has loaded after the statements."""
    program = f"{statements}\nimport sys\nprint(*(name for name in {among} if name in sys.modules))"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return process.stdout.split()


def test_import_loads_no_heavy_package_and_not_even_jax() -> None:
    assert newly_imported("import jaxd2l", [*HEAVY, "flax", "optax", "jax"]) == []


def test_training_from_scratch_loads_no_heavy_package_and_no_flax() -> None:
    rooms = "import jaxd2l as j\nj.train, j.models.mlp, j.data.digits, j.optim, j.metrics, j.losses, j.initializers"
    assert newly_imported(rooms, [*HEAVY, "flax", "optax"]) == ["optax"]


def test_every_room_can_be_named() -> None:
    for name in jaxd2l.__all__:
        assert getattr(jaxd2l, name).__name__ == f"jaxd2l.{name}"
    assert set(jaxd2l.__all__) <= set(dir(jaxd2l))


def imported(path: Path) -> set[str]:
    """The packages that a file imports anywhere, functions included."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.split(".")[0] for name in names}


def test_torch_is_imported_by_parity_and_bench_alone() -> None:
    package = Path(jaxd2l.__file__).parent
    paths = {path.relative_to(package) for path in package.rglob("*.py") if "torch" in imported(path)}
    assert {path.parts[0] for path in paths if not path.name.endswith("_test.py")} == {"parity", "bench"}
