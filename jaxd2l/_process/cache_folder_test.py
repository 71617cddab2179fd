"""Where the cache is, and what is kept there without being asked."""

import os
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import pytest
from filelock import FileLock

from jaxd2l._process.cache_folder import cache_dir, keep_compiled_programs


def test_cache_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("JAXD2L_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_dir() == Path("/home/ada/.cache/jaxd2l")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_dir() == Path("/caches/jaxd2l")
    monkeypatch.setenv("JAXD2L_CACHE_DIR", "~/mine")
    assert cache_dir() == Path("/home/ada/mine")
    monkeypatch.setenv("JAXD2L_CACHE_DIR", "here")
    assert cache_dir() == tmp_path / "here"


@pytest.mark.long
def test_the_second_process_finds_what_the_first_compiled(tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if "_CACHE_" not in name}
    environment = inherited | {"JAXD2L_CACHE_DIR": str(tmp_path / "cache"), "JAX_PLATFORMS": "cpu"}
    environment |= {"JAX_LOGGING_LEVEL": "DEBUG", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    said = []
    for n in "12":
        command = [sys.executable, "-m", "jaxd2l", "train", "softmax", "--epochs", "1", "--out", str(tmp_path / n)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250)
        assert done.returncode == 0, done.stderr
        said.append(done.stderr)
    assert "Persistent compilation cache hit for 'jit_train_epoch'" not in said[0]
    assert "Persistent compilation cache hit for 'jit_train_epoch'" in said[1]
    assert (tmp_path / "1" / "params.safetensors").read_bytes() == (tmp_path / "2" / "params.safetensors").read_bytes()


def test_what_the_user_has_said_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAXD2L_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/mine")
    keep_compiled_programs()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "/mine"


def test_a_folder_that_cannot_be_made_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("JAXD2L_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    keep_compiled_programs()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder for compiled programs, in a cache of its own."""
    monkeypatch.setenv("JAXD2L_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "to be forgotten")
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    return tmp_path / "compiled"


def is_used(folder: Path) -> bool:
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)
    keep_compiled_programs()
    return os.environ.pop("JAX_COMPILATION_CACHE_DIR", None) == str(folder)


def test_compiled_programs_are_for_their_user_alone(
    compiled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert is_used(compiled)
    assert compiled.stat().st_mode & 0o777 == 0o700
    compiled.chmod(0o755)  # as earlier versions made it
    assert is_used(compiled)
    assert compiled.stat().st_mode & 0o777 == 0o700
    assert capsys.readouterr().err == ""
    compiled.chmod(0o777)
    assert not is_used(compiled)
    assert "can be written to by others; remove it" in capsys.readouterr().err
    compiled.chmod(0o700)
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    assert not is_used(compiled)
    assert "belongs to another user" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setenv("JAXD2L_CACHE_DIR", str(compiled.parent))
    compiled.rename(compiled.parent / "elsewhere")
    compiled.symlink_to(compiled.parent / "elsewhere")
    assert not is_used(compiled)
    assert "is a link" in capsys.readouterr().err


def test_a_damaged_program_is_removed_and_a_whole_one_is_looked_at_once(
    compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_used(compiled)
    whole = zlib.compress(bytes(range(256)) * 99)
    for name, content in {"whole": whole, "cut": whole[:-9], "empty": b"", "zeros": bytes(99)}.items():
        (compiled / f"{name}-cache").write_bytes(content)
    assert is_used(compiled)
    assert [path.name for path in compiled.glob("*-cache")] == ["whole-cache"]
    monkeypatch.setattr("zlib.decompress", lambda content: pytest.fail("looked at again"))
    assert is_used(compiled)
    monkeypatch.undo()
    monkeypatch.setenv("JAXD2L_CACHE_DIR", str(compiled.parent))
    (compiled / "whole-cache").write_bytes(whole[:-1])
    assert is_used(compiled)
    assert list(compiled.glob("*-cache")) == []


def test_the_programs_unused_for_longest_make_room(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_used(compiled)
    content = zlib.compress(os.urandom(1000))
    monkeypatch.setattr("jaxd2l._process.cache_folder._LIMIT", 3 * len(content))
    for i in range(5):
        (compiled / f"{i}-cache").write_bytes(content)
        os.utime(compiled / f"{i}-cache", (i, i))
    assert is_used(compiled)
    assert sorted(path.name for path in compiled.glob("*-cache")) == ["2-cache", "3-cache", "4-cache"]


@pytest.mark.long
def test_a_program_cut_short_is_written_again_and_a_held_lock_costs_nothing(compiled: Path) -> None:
    command = [sys.executable, "-m", "jaxd2l", "evaluate", "--json"]
    train = [sys.executable, "-m", "jaxd2l", "train", "softmax", "--epochs", "1", "--out", str(compiled.parent / "run")]
    known = {name: value for name, value in os.environ.items() if "_CACHE_" not in name}
    known |= {"JAXD2L_CACHE_DIR": str(compiled.parent), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    subprocess.run(train, env=known, check=True, capture_output=True)
    for path in compiled.glob("*-cache"):
        os.truncate(path, path.stat().st_size // 2)
    with FileLock(compiled / ".lockfile"):
        done = subprocess.run([*command, train[-1]], env=known, check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert list(compiled.glob("*-cache"))


def test_a_user_without_a_home_has_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("JAXD2L_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert cache_dir() == Path(tempfile.gettempdir(), f"jaxd2l-{os.getuid()}")
    monkeypatch.setenv("JAXD2L_CACHE_DIR", "~/x")
    monkeypatch.setattr(Path, "expanduser", lambda path: nowhere())
    keep_compiled_programs()  # and does not stop anything
