"""A cache is whole or it is rebuilt: every fault that a disk, a kill or a second process can cause."""

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jaxd2l.data._array_cache import cached_arrays, load_arrays, save_arrays

ARRAYS = {
    "images": np.arange(240, dtype=np.uint8).reshape(10, 4, 6, 1),
    "labels": np.arange(10, dtype=np.int32),
}

# The same arrays in a process of their own. Tests insert before `run()` what should go differently.
SCRIPT = """
import os, sys, time
from pathlib import Path
import numpy as np
from jaxd2l.data import _array_cache as array_cache

folder = Path(sys.argv[1])

def build(scratch):
    (scratch / "half-done").write_text("x")
    with (folder.parent / "builds").open("a") as file:
        file.write("one\\n")
    time.sleep(float(os.environ.get("BUILD_SECONDS", 0)))
    return {
        "images": np.arange(240, dtype=np.uint8).reshape(10, 4, 6, 1),
        "labels": np.arange(10, dtype=np.int32),
    }

def stop(*args, **kwargs):
    print("stopped", flush=True)
    time.sleep(300)

def run():
    try:
        print(array_cache.cached_arrays(folder, build)["labels"].sum())
    except OSError as error:
        print(f"OSError: {error}")

"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "arrays"


def build(scratch: Path) -> dict[str, np.ndarray]:
    (scratch / "by-product").write_text("x")
    return ARRAYS


def never(scratch: Path) -> dict[str, np.ndarray]:
    raise AssertionError("rebuilt, although the cache is whole")


def assert_whole(arrays: dict[str, np.ndarray]) -> None:
    assert arrays.keys() == ARRAYS.keys()
    for name, expected in ARRAYS.items():
        assert arrays[name].dtype == expected.dtype
        np.testing.assert_array_equal(arrays[name], expected)


def start(folder: Path, script: str, **environment: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT + script, folder],
        env={**os.environ, "PYTHONPATH": str(root), **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def output(process: subprocess.Popen[str]) -> str:
    text, _ = process.communicate(timeout=200)
    assert process.returncode == 0
    return text.strip()


def test_built_once_then_mapped_read_only(folder: Path) -> None:
    assert_whole(cached_arrays(folder, build))
    again = cached_arrays(folder, never)
    assert_whole(again)
    assert all(isinstance(array, np.memmap) for array in again.values())
    with pytest.raises(ValueError, match="read-only"):
        again["labels"][0] = 1


def test_manifest_says_what_each_file_holds(folder: Path) -> None:
    cached_arrays(folder, build)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["images"]["shape"] == [10, 4, 6, 1]
    assert np.dtype(manifest["labels"]["dtype"]) == np.int32
    assert manifest["images"]["bytes"] == (folder / "images.npy").stat().st_size
    assert sorted(path.name for path in folder.iterdir()) == ["images.npy", "labels.npy", "manifest.json"]


def alter_byte(path: Path, position: int) -> None:
    contents = bytearray(path.read_bytes())
    contents[position] ^= 1
    path.write_bytes(contents)


def alter_manifest(folder: Path, field: str, value: object) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["images"][field] = value
    path.write_text(json.dumps(manifest))


def forget_entry(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({"labels": json.loads(path.read_text())["labels"]}))


def replace_by_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("not a folder")


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "torn": (lambda f: os.truncate(f / "images.npy", 200), "has 200 bytes, but 368"),
    "empty": (lambda f: os.truncate(f / "images.npy", 0), "has 0 bytes"),
    "grown": (lambda f: os.truncate(f / "images.npy", 400), "has 400 bytes"),
    "altered pixel": (lambda f: alter_byte(f / "images.npy", -1), "CRC-32"),
    "altered header": (lambda f: alter_byte(f / "images.npy", 40), "CRC-32"),
    "array gone": (lambda f: (f / "images.npy").unlink(), "manifest lists"),
    "array added": (lambda f: np.save(f / "more.npy", np.zeros(3)), "manifest lists"),
    "manifest gone": (lambda f: (f / "manifest.json").unlink(), ""),
    "manifest torn": (lambda f: os.truncate(f / "manifest.json", 50), "not a manifest"),
    "manifest not text": (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe\x00"), "not a manifest"),
    "manifest a list": (lambda f: (f / "manifest.json").write_text("[1]"), "not a manifest"),
    "manifest of numbers": (lambda f: (f / "manifest.json").write_text('{"images": 1}'), "not a manifest"),
    "entry gone": (forget_entry, "manifest lists"),
    "other crc": (lambda f: alter_manifest(f, "crc32", 1), "CRC-32"),
    "other size": (lambda f: alter_manifest(f, "bytes", 1), "but 1 were written"),
    "other shape": (lambda f: alter_manifest(f, "shape", [5, 8, 6, 1]), "dtype and shape"),
    "other dtype": (lambda f: alter_manifest(f, "dtype", "|i1"), "dtype and shape"),
    "unknown field": (lambda f: alter_manifest(f, "colour", "red"), "not a manifest"),
    "a file": (replace_by_file, "Not a directory"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_cache_is_rebuilt(folder: Path, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    cached_arrays(folder, build)
    damage, message = FAULTS[fault]
    damage(folder)
    with caplog.at_level(logging.INFO):
        assert_whole(cached_arrays(folder, build))
    assert message in caplog.text
    assert str(folder) in caplog.text
    assert_whole(cached_arrays(folder, never))
    assert sorted(path.name for path in folder.parent.iterdir()) == [".arrays.lock", "arrays"]


def test_any_altered_byte_is_found(folder: Path) -> None:
    save_arrays(folder, ARRAYS)
    path = folder / "images.npy"
    for position in range(path.stat().st_size):
        alter_byte(path, position)
        with pytest.raises(ValueError, match="CRC-32"):
            load_arrays(folder)
        alter_byte(path, position)
    assert_whole(load_arrays(folder))


def test_an_error_while_building_passes_through_and_leaves_nothing(folder: Path) -> None:
    def fail(scratch: Path) -> dict[str, np.ndarray]:
        (scratch / "half-done").write_text("x")
        raise KeyError("from build")

    with pytest.raises(KeyError, match="from build"):
        cached_arrays(folder, fail)
    assert [path.name for path in folder.parent.iterdir()] == [".arrays.lock"]


def test_scratch_is_empty_and_leftovers_of_killed_processes_are_removed(folder: Path) -> None:
    stale = folder.parent / ".arrays-killed" / "scratch"
    stale.mkdir(parents=True)
    (stale / "half-done").write_text("x")
    neighbour = folder.parent / ".other-killed"
    neighbour.mkdir()

    def check_then_build(scratch: Path) -> dict[str, np.ndarray]:
        assert list(scratch.iterdir()) == []
        assert not stale.exists()
        return build(scratch)

    cached_arrays(folder, check_then_build)
    assert sorted(path.name for path in folder.parent.iterdir()) == [".arrays.lock", ".other-killed", "arrays"]


@pytest.mark.parametrize(
    "moment",
    {
        "building": "build = stop",
        "saving": "array_cache.os.fsync = stop",
        "moving": "Path.rename = stop",
    }.items(),
    ids=lambda moment: moment[0],
)
def test_killed_process_leaves_no_cache(folder: Path, moment: tuple[str, str]) -> None:
    process = start(folder, f"{moment[1]}\nrun()")
    assert process.stdout is not None
    assert process.stdout.readline() == "stopped\n"
    process.kill()
    process.communicate()
    assert not folder.exists()
    assert len(list(folder.parent.glob(".arrays-*"))) == 1  # the kill came in the middle
    assert_whole(cached_arrays(folder, build))
    assert list(folder.parent.glob(".arrays-*")) == []


def test_of_two_processes_one_builds(folder: Path) -> None:
    both = [start(folder, "run()", BUILD_SECONDS="1") for _ in range(2)]
    assert [output(process) for process in both] == ["45", "45"]
    assert (folder.parent / "builds").read_text() == "one\n"


def test_full_disk(folder: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300)); run()"
    text = output(start(folder, limit))
    assert text.startswith(f"OSError: Cannot write to the cache folder {folder.parent}: ")
    assert "JAXD2L_CACHE_DIR" in text
    assert not folder.exists()
    assert list(folder.parent.glob(".arrays-*")) == []

    save_arrays(folder, ARRAYS)  # what is there already needs no space
    assert output(start(folder, limit)) == "45"


def test_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"Cannot write to the cache folder .*file/cache: .*JAXD2L_CACHE_DIR"):
        cached_arrays(tmp_path / "file" / "cache" / "arrays", never)


def test_links_named_like_our_temporary_folders_are_in_nobodys_way(tmp_path):
    (tmp_path / "precious").write_text("precious")
    for name in (".arrays-x", ".arrays.lock"):
        (tmp_path / name).symlink_to(tmp_path / "precious")
    assert_whole(cached_arrays(tmp_path / "arrays", build))
    assert (tmp_path / "precious").read_text() == "precious"


def test_what_is_still_being_written_does_not_hide_the_real_error(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(39, "Directory not empty")

    monkeypatch.setattr("os.rmdir", full)
    with pytest.raises(ZeroDivisionError):
        cached_arrays(tmp_path / "arrays", lambda scratch: 1 / 0)


def test_a_manifest_nested_without_end_is_rebuilt(tmp_path):
    cached_arrays(tmp_path / "arrays", build)
    (tmp_path / "arrays" / "manifest.json").write_text("[" * 10**5)
    assert_whole(cached_arrays(tmp_path / "arrays", build))
