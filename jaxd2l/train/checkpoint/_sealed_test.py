"""A folder appears whole or not at all; every kind of damage is found before anything is parsed, and named."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jaxd2l.train.checkpoint import _sealed
from jaxd2l.train.checkpoint._sealed import SUMS, forget, locked, require_untouched, seal, sealed


def fill(folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "numbers").write_bytes(bytes(range(200)))
    (folder / "text").write_text("hello")


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name != ".lock")


def test_a_folder_is_whole_and_checked_by_sha256sum_too(tmp_path):
    folder = seal(tmp_path, 7, fill)
    assert folder == tmp_path / "step-00000007"
    require_untouched(folder)
    assert names(tmp_path) == ["step-00000007"]
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=folder, check=True, timeout=60)


def test_every_single_byte_counts(tmp_path):
    folder = seal(tmp_path, 1, fill)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        whole = path.read_bytes()
        for i in range(len(whole)):
            for damaged in (whole[:i], whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :]):
                path.write_bytes(damaged)
                with pytest.raises(ValueError, match=r"SHA-256 differs|is missing|is not in|is damaged"):
                    require_untouched(folder)
        path.write_bytes(whole + b"\n")
        with pytest.raises(ValueError, match=r"SHA-256 differs|is damaged"):
            require_untouched(folder)
        path.write_bytes(whole)
    require_untouched(folder)


def replaced_by_link(folder: Path) -> None:
    (folder / "text").rename(folder.parent / "elsewhere")
    (folder / "text").symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: (folder / "text").unlink(), "'text' is missing"),
        (lambda folder: shutil.rmtree(folder / "inner"), "'inner/numbers' is missing"),
        (lambda folder: (folder / SUMS).unlink(), "SHA256SUMS is missing"),
        (lambda folder: (folder / "more").touch(), "'more' is not in SHA256SUMS"),
        (lambda folder: (folder / "text").write_text("hellp"), "'text' is not what was written"),
        (lambda folder: os.truncate(folder / "inner" / "numbers", 100), "'inner/numbers' is not what was written"),
        (lambda folder: (folder / SUMS).write_bytes(b""), "is not in SHA256SUMS"),
        (lambda folder: (folder / SUMS).write_bytes(b"\xff\0" * 9), "SHA256SUMS is damaged"),
        (lambda folder: os.mkfifo(folder / "pipe"), "'pipe' is neither a file nor a folder"),
        (replaced_by_link, "'text' is neither a file nor a folder"),
        (lambda folder: [shutil.rmtree(folder), folder.touch()], "SHA256SUMS is missing"),
        (lambda folder: [shutil.rmtree(folder), folder.mkdir()], "SHA256SUMS is missing"),
    ],
)
def test_damage_is_named_and_passed_over(tmp_path, caplog, damage, told):
    good, bad = seal(tmp_path, 1, fill), seal(tmp_path, 2, fill)
    damage(bad)
    with pytest.raises(ValueError, match=told):
        require_untouched(bad)
    with caplog.at_level(logging.WARNING):
        assert list(_sealed.sealed(tmp_path)) == [good]
    [message] = caplog.messages
    assert message.startswith(f"{bad} is damaged and passed over: ")


def test_a_link_in_the_place_of_a_folder_is_not_followed(tmp_path):
    seal(tmp_path, 1, fill).rename(tmp_path / "elsewhere")
    (tmp_path / "step-00000001").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="neither a file nor a folder"):
        require_untouched(tmp_path / "step-00000001")


def test_the_newest_comes_first_by_number_not_by_spelling(tmp_path):
    for step in (99999999, 3, 100000000, 20):
        seal(tmp_path, step, fill)
    (tmp_path / "step-4").mkdir()  # not ours
    steps = [int(folder.name.removeprefix("step-")) for folder in _sealed.sealed(tmp_path)]
    assert steps == [100000000, 99999999, 20, 3]


def test_a_damaged_folder_gives_way_to_a_new_one_of_its_step(tmp_path):
    (seal(tmp_path, 1, fill) / "text").write_text("damaged")
    require_untouched(seal(tmp_path, 1, fill))
    assert names(tmp_path) == ["step-00000001"]


KILLED_AT_A_RENAMING = """
import os, sys
from pathlib import Path
from jaxd2l.train.checkpoint._sealed import seal

renaming, rename, done = int(sys.argv[1]), Path.rename, []

def killed_before(path, target):
    if len(done) == renaming:
        os._exit(9)
    done.append(path)
    return rename(path, target)

Path.rename = killed_before
seal(Path(), 1, lambda folder: (folder / "text").write_text("new"))
"""


@pytest.mark.parametrize(("renaming", "text"), [(0, "hello"), (1, "new"), (2, "new")])
def test_a_kill_while_a_folder_is_replaced_loses_neither(tmp_path, renaming, text):
    seal(tmp_path, 1, fill)
    command = [sys.executable, "-c", KILLED_AT_A_RENAMING, str(renaming)]
    assert subprocess.run(command, cwd=tmp_path, check=False, timeout=120).returncode == 9
    with locked(tmp_path):
        assert names(tmp_path) == ["step-00000001"]
    require_untouched(tmp_path / "step-00000001")
    assert (tmp_path / "step-00000001" / "text").read_text() == text


def test_the_last_few_stay_and_later_ones_are_left_alone(tmp_path):
    for step in (1, 2, 3, 4, 9):
        seal(tmp_path, step, fill)
    forget(tmp_path, 4, 2)
    assert names(tmp_path) == ["step-00000003", "step-00000004", "step-00000009"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("what")])
@pytest.mark.parametrize("where", ["fill", "os.fsync", "pathlib.Path.rename"])
def test_a_failed_saving_leaves_nothing_and_harms_nothing(tmp_path, monkeypatch, error, where):
    good = seal(tmp_path, 1, fill)

    def fail(*args):
        raise error

    with monkeypatch.context() as patch:
        if where != "fill":
            patch.setattr(where, fail)
        with pytest.raises(type(error)) as raised:
            seal(tmp_path, 2, fail if where == "fill" else fill)
    if isinstance(error, OSError):
        assert f"cannot save {tmp_path}/step-00000002: No space left on device" in str(raised.value)
    assert names(tmp_path) == ["step-00000001"]
    require_untouched(good)


def test_a_directory_is_held_by_one_process_at_a_time(tmp_path):
    program = f"from jaxd2l.train.checkpoint import locked\nwith locked({str(tmp_path)!r}): pass"

    def other() -> subprocess.CompletedProcess:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        command = [sys.executable, "-c", program]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)

    with locked(tmp_path):
        refused = other()
        with pytest.raises(RuntimeError, match="another run keeps its checkpoints"), locked(tmp_path):
            pass
    assert refused.returncode == 1
    assert f"another run keeps its checkpoints in {tmp_path}" in refused.stderr
    assert other().returncode == 0


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    with locked(tmp_path / "new"):
        (tmp_path / "new" / ".aside-x" / "new").mkdir(parents=True)
    seal(tmp_path / "new", 1, fill)
    with locked(tmp_path / "new"):
        assert names(tmp_path / "new") == ["step-00000001"]


def test_a_directory_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot keep checkpoints in .*file: "), locked(tmp_path / "file"):
        pass


def test_a_hole_of_64_gib_is_not_hashed(tmp_path):
    folder = seal(tmp_path, 1, lambda new: (new / "arrays").write_bytes(bytes(range(256))))
    with (folder / "arrays").open("ab") as file:
        file.truncate(2**36)
    assert list(sealed(tmp_path)) == []


def test_links_named_like_our_temporary_folders_are_in_nobodys_way(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "c").mkdir()
    for name in (".aside-x", ".lock"):
        (tmp_path / "c" / name).symlink_to(precious)
    with locked(tmp_path / "c"):
        assert not (tmp_path / "c" / ".aside-x").is_symlink()
    assert precious.read_text() == "precious"
