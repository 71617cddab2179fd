"""CONTRIBUTING keeps its word: what its map names exists, and nothing at the top of the package is missing from it."""

import re
from pathlib import Path

import jaxd2l

ROOT = Path(jaxd2l.__file__).parents[1]
TEXT = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")


def paths_on_the_map() -> list[str]:
    """What stands in the first column of its table."""
    table = TEXT[TEXT.index("| Path |") : TEXT.index("## After changing a function")]
    columns = [line.split("|")[1] for line in table.splitlines() if line]
    return [path for column in columns for path in re.findall(r"`([^`]+)`", column)]


def test_every_path_on_the_map_exists() -> None:
    paths = paths_on_the_map()
    assert len(paths) > 40
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [path for path in paths if (ROOT / path).is_dir() and not path.endswith("/")] == []


def test_every_module_of_the_package_is_on_the_map() -> None:
    tests = re.compile(r"_test\.py$|^conftest\.py$|^__init__")
    files = [path for path in (ROOT / "jaxd2l").iterdir() if path.suffix == ".py" and not tests.search(path.name)]
    folders = [path for path in (ROOT / "jaxd2l").iterdir() if path.is_dir() and list(path.glob("*.py"))]
    named = " ".join(paths_on_the_map())
    assert [path.name for path in files + folders if f"jaxd2l/{path.name}" not in named] == []


def test_every_file_that_its_text_names_exists() -> None:
    names = re.findall(r"`([\w./-]+\.(?:py|md|json|txt|toml))`", TEXT) + re.findall(r"--markdown (\S+)", TEXT)
    elsewhere = [name for name in names if not (ROOT / name).exists() and not list(ROOT.glob(f"*/**/{name}"))]
    assert [name for name in elsewhere if not re.search("XX|^utils.py$|^name_test.py$", name)] == []


def test_its_commands_are_modules_and_make_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for targets in re.findall(r"^make ([\w -]+)", TEXT, re.MULTILINE):
        assert [target for target in targets.split() if f"\n{target}:" not in makefile] == []
    for module in set(re.findall(r"python -m ([\w.]+)", TEXT)):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
