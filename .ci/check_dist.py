"""Checks what `make dist` built: the wheel holds what it should and no more, and works in an empty environment."""

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def is_shipped(path: Path) -> bool:
    """Whether a file of the source belongs in the wheel: code, stubs, a schema, the marker of types, but no tests."""
    is_test = path.name.endswith("_test.py") or path.name == "conftest.py" or "fuzz_tests" in path.parts
    return path.suffix in (".py", ".pyi", ".typed", ".json") and not is_test


def check_contents(wheel: Path) -> None:
    """The wheel has exactly the files of the package that are no tests."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {str(path.relative_to(ROOT)) for path in (ROOT / "jaxd2l").rglob("*") if is_shipped(path)}
    if names != expected:
        sys.exit(f"{wheel.name} lacks {sorted(expected - names)} and should not hold {sorted(names - expected)}")
    assert {"jaxd2l/py.typed", "jaxd2l/__init__.pyi"} <= names
    print(f"{wheel.name}: {len(names)} files, {sum(name.endswith('.pyi') for name in names)} stubs, no tests")


def check_installation(wheel: Path) -> None:
    """In a new environment with nothing but the wheel and what it requires, the package and its command work."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(f"{folder}/venv", with_pip=True)
        python, command = (f"{folder}/venv/bin/{name}" for name in ("python", "jaxd2l"))
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        env["JAXD2L_CACHE_DIR"] = f"{folder}/cache"
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        for arguments in (
            [*pip, "--constraint", ROOT / "constraints.txt", wheel],
            [python, "-c", "import jaxd2l; assert 'site-packages' in jaxd2l.__file__, jaxd2l.__file__"],
            [command, "--help"],
            [command, "train", "softmax", "--epochs", "1", "--json"],
        ):
            # In a folder of its own: in the checkout `import jaxd2l` would find the source, not the wheel.
            done = subprocess.run(arguments, cwd=folder, env=env, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{' '.join(map(str, arguments))} failed:\n{done.stdout}{done.stderr}")
    print(f"{wheel.name}: imported, `jaxd2l --help` and `jaxd2l train softmax` answer in an empty environment")


if __name__ == "__main__":
    [built] = (ROOT / "dist").glob("*.whl")
    check_contents(built)
    check_installation(built)
