"""Where the cache is, and what is kept there without being asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxd2l._cache_folder import cache_dir, keep_compiled_programs


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
