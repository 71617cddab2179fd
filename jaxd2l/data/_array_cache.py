"""Arrays kept in a folder: written whole or not at all, checked at every load, and memory-mapped."""

import contextlib
import json
import logging
import os
import tempfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxd2l._files import make_folder, remove, sync_names
from jaxd2l._process.cache_folder import CACHE_VARIABLE

_MANIFEST = "manifest.json"
_log = logging.getLogger(__name__)


class _Entry(NamedTuple):
    """What the manifest says about one array and the file that holds it."""

    dtype: str
    shape: list[int]
    bytes: int
    crc32: int


def cannot_write(folder: Path, error: Exception) -> OSError:
    """The error to raise when writing to the cache failed: where, why, and what helps."""
    return OSError(
        f"Cannot write to the cache folder {folder}: {error}. Free some space or grant access there, or "
        f"name another folder in the environment variable {CACHE_VARIABLE}."
    )


def cached_arrays(folder: Path, build: Callable[[Path], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays from `folder`, built first if they are not there or not whole.

    Any number of processes may ask for the same folder: one builds, the others wait and map what it wrote. A process
    killed at any moment leaves nothing behind that a later one could mistake for a cache.

    Args:
      folder: where the arrays live; its files are replaced, never changed.
      build: takes an empty scratch folder, on the same disk and deleted afterwards, and returns the arrays by name.
        Its errors pass through.

    Returns:
      The arrays by name, read-only and memory-mapped.

    Raises:
      OSError: the folder cannot be written to, or its disk is full.
    """
    with contextlib.suppress(OSError, ValueError):  # a fault is reported once, under the lock
        return load_arrays(folder)

    from filelock import FileLock

    lock = folder.parent / f".{folder.name}.lock"
    with contextlib.ExitStack() as stack:
        try:
            make_folder(folder.parent)
            if lock.is_symlink():
                lock.unlink()  # rather than lock, or empty, what it leads to
            stack.enter_context(FileLock(lock))
            for stale in folder.parent.glob(f".{folder.name}-*"):  # left by a killed process
                remove(stale)
            # What `build` started may still be writing after it failed; the next one removes the rest.
            scratch = tempfile.TemporaryDirectory(
                prefix=f".{folder.name}-", dir=folder.parent, ignore_cleanup_errors=True
            )
            temporary = Path(stack.enter_context(scratch))
            (temporary / "scratch").mkdir()
        except OSError as error:
            raise cannot_write(folder.parent, error) from error

        try:
            return load_arrays(folder)  # another process built it while this one waited
        except FileNotFoundError:
            _log.info("Preparing %s; this happens once and takes a few seconds", folder)
        except (OSError, ValueError) as error:
            _log.warning("%s is damaged and will be rebuilt: %s", folder, error)

        arrays = build(temporary / "scratch")
        try:
            save_arrays(temporary / "arrays", arrays)
            if folder.exists():
                folder.rename(temporary / "damaged")
            (temporary / "arrays").rename(folder)
            sync_names(folder.parent)
        except OSError as error:
            raise cannot_write(folder.parent, error) from error
        return load_arrays(folder)


def save_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes each array as `name.npy` into the new `folder`, then a manifest, all synced to disk."""
    folder.mkdir()
    manifest = {}
    for name, array in arrays.items():
        path = folder / f"{name}.npy"
        array = np.asarray(array, order="C")
        with path.open("wb") as file:  # not np.save, which can lose the end without an error on a full disk
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
            file.write(array.data)
            file.flush()
            os.fsync(file.fileno())
        entry = _Entry(array.dtype.str, list(array.shape), path.stat().st_size, _crc32(path))
        manifest[name] = entry._asdict()
    with (folder / _MANIFEST).open("w") as text:
        json.dump(manifest, text, indent=2)
        text.flush()
        os.fsync(text.fileno())
    sync_names(folder)


def load_arrays(folder: Path) -> dict[str, np.ndarray]:
    """Maps the arrays of `folder` read-only, after checking every byte against the manifest.

    Raises:
      FileNotFoundError: there is no manifest.
      ValueError: an array is missing, altered or cut short, or the manifest is damaged.
    """
    manifest = _read_manifest(folder / _MANIFEST)
    paths = {path.stem: path for path in sorted(folder.glob("*.npy"))}
    if paths.keys() != manifest.keys():
        raise ValueError(f"it holds {sorted(paths)}, but its manifest lists {sorted(manifest)}")
    return {name: _load_array(path, manifest[name]) for name, path in paths.items()}


def _read_manifest(path: Path) -> dict[str, _Entry]:
    try:
        contents = json.loads(path.read_text())
        return {name: _Entry(**entry) for name, entry in contents.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path.name} is not a manifest of arrays: {error}") from error


def _load_array(path: Path, entry: _Entry) -> np.ndarray:
    size = path.stat().st_size
    if size != entry.bytes:
        raise ValueError(f"{path.name} has {size} bytes, but {entry.bytes} were written")
    if _crc32(path) != entry.crc32:
        raise ValueError(f"{path.name} is not what was written: its CRC-32 differs")
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    if (array.dtype.str, list(array.shape)) != (entry.dtype, entry.shape):
        raise ValueError(f"{path.name} does not have the dtype and shape in the manifest")
    return array


def _crc32(path: Path) -> int:
    return zlib.crc32(np.memmap(path, mode="r").data)
