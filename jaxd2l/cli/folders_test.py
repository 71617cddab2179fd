"""The folder of a run, stopped at every line of its code: whole or untouched, and never refused by a repetition."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import jaxd2l._files
import jaxd2l._process.interrupts
from jaxd2l._process.interrupts import ctrl_c
from jaxd2l.cli import folders
from jaxd2l.cli.folders import BEST, PARAMS, PREDICTIONS, RECORD, finish, held, new_folder, whole

OLD, NEW = {PARAMS: "old", RECORD: "old", PREDICTIONS: "old"}, {PARAMS: "new", BEST: "new", RECORD: "new"}
NOTHING: dict[str, str] = {}


def at_line(number: int, act: Callable[[], Any]) -> Callable[..., Any]:
    """A tracer that acts before the line of that number, counted from 0, which runs in the code under test."""
    files, count = (folders.__file__, jaxd2l._files.__file__, jaxd2l._process.interrupts.__file__), 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            count += 1
            if count == number + 1:
                act()
        return trace

    return trace


def write(folder: Path) -> None:
    """What a run does that replaces another one there."""
    with new_folder(folder, "mlp", "digits", lambda there: True) as chosen, whole(chosen) as new:
        for name, content in NEW.items():
            (new / name).write_text(content)


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() if path.is_file() else "" for path in folder.glob("*")}


def prepared(folder: Path, before: dict[str, str]) -> Path:
    """A folder with these files; none for no files."""
    if before:
        folder.mkdir()
    for name, text in before.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("before", "step"),
    [(OLD, 7), pytest.param(NOTHING, 1, marks=pytest.mark.long), pytest.param(OLD, 1, marks=pytest.mark.long)],
)
def test_ctrl_c_at_any_line_leaves_the_whole_result_or_the_untouched_folder(tmp_path, before, step, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # hundreds of them take seconds
    seen = []
    for number in range(0, 1000, step):
        folder = prepared(tmp_path / str(number), before)
        usual = sys.gettrace()
        with ctrl_c() as presses:
            try:
                sys.settrace(at_line(number, lambda: signal.raise_signal(signal.SIGINT)))
                write(folder)
            except KeyboardInterrupt:
                pass
            finally:
                sys.settrace(usual)
        assert content(folder) in (before, NEW), number
        seen.append(content(folder))
        if not presses:
            break
    assert not presses
    assert before in seen
    assert 60 < step * len(seen) < 1000


KILLED = """
import os, signal, sys
from pathlib import Path
from jaxd2l.cli.folders_test import NOTHING, OLD, at_line, prepared, write
for name, before in (("new", NOTHING), ("old", OLD)):
    for number in range(1000):
        folder = prepared(Path(sys.argv[1], f"{name}-{number}"), before)
        child = os.fork()
        if not child:
            sys.settrace(at_line(number, lambda: os.kill(os.getpid(), signal.SIGKILL)))
            write(folder)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            break
"""


@pytest.mark.long
def test_a_kill_at_any_line_does_too_and_a_repetition_is_not_refused(tmp_path, own_process):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env=own_process, check=True, timeout=100)
    killed = sorted(tmp_path.iterdir())
    assert len(killed) > 120
    for folder in killed:
        before = NOTHING if folder.name.startswith("new") else OLD
        with held(folder):
            finish(folder)
        assert content_of_ours(folder) in (before, NEW), folder
        write(folder)
        assert content(folder) == NEW


def content_of_ours(folder: Path) -> dict[str, str]:
    """Without what a killed process left half-written."""
    return {path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith(".")}


def test_a_failure_leaves_what_was_there_and_names_the_file_that_people_know(tmp_path, monkeypatch):
    folder = prepared(tmp_path / "run", OLD)
    monkeypatch.setattr(folders, "sync", lambda new: full(new / RECORD))
    with pytest.raises(OSError, match=f"cannot write {folder}/run.json: No space left"):
        write(folder)
    assert content(folder) == OLD


def full(path: Path) -> None:
    raise OSError(28, f"cannot write {path}: No space left on device")


def test_two_cannot_write_into_one_folder(tmp_path):
    with new_folder(tmp_path / "run", "mlp", "digits") as folder:
        with pytest.raises(RuntimeError, match="another command is writing its results into"):
            write(folder)
        assert folder.exists()
    assert not folder.exists()


def test_an_empty_folder_of_the_user_is_still_there_after_a_failure(tmp_path):
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path, "mlp", "digits"):
        raise ZeroDivisionError
    assert tmp_path.exists()
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "a" / "b", "mlp", "digits"):
        raise ZeroDivisionError
    assert content(tmp_path) == NOTHING


def test_links_named_like_our_temporary_files_are_in_nobodys_way(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / RECORD).write_text("precious")
    folder = prepared(tmp_path / "run", {".params.safetensors.x": ""})
    for name in (".new-x", folders.COMPLETE, ".run.json.y"):
        (folder / name).symlink_to(tmp_path / "precious")
    write(folder)
    assert content(folder) == NEW
    assert content(tmp_path / "precious") == {RECORD: "precious"}


def test_files_have_the_rights_that_the_user_gives(tmp_path):
    usual = os.umask(0o077)
    try:
        jaxd2l._files.write_file(tmp_path / "mine", b"")
    finally:
        os.umask(usual)
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o600


def test_what_was_killed_as_it_finished_is_whole_for_readers_and_does_not_refuse_its_repetition(tmp_path):
    for moved in (0, 1):
        folder = tmp_path / str(moved)
        prepared(folder, {})
        folder.mkdir()
        prepared(folder / folders.COMPLETE, NEW)
        for name in sorted(NEW)[:moved]:
            (folder / folders.COMPLETE / name).rename(folder / name)
        with new_folder(folder, "mlp", "digits") as chosen:
            assert content(chosen) == NEW
    with pytest.raises(ValueError, match="is not empty"), new_folder(folder, "mlp", "digits"):
        pass
