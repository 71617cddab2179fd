"""Folders that are whole or not there: written aside, hashed, synced to the disk, and only then given their name."""

import contextlib
import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

SUMS = "SHA256SUMS"
"""The file in each folder with the SHA-256 of every other: `sha256sum --check SHA256SUMS` reads it too."""

_ASIDE = ".aside-"
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(directory: str | os.PathLike[str]) -> Iterator[None]:
    """Holds a directory for one process, creates it if need be, and removes what a killed process left unfinished.

    Raises:
      RuntimeError: if another process holds it.
      OSError: if it cannot be created or written to.
    """
    from filelock import FileLock, Timeout

    directory = Path(directory)
    lock = FileLock(directory / ".lock", timeout=0)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        for leftover in directory.glob(f"{_ASIDE}*"):
            shutil.rmtree(leftover)
    except Timeout as error:
        raise RuntimeError(
            f"another run keeps its checkpoints in {directory}; wait for its end, or choose another folder"
        ) from error
    except OSError as error:
        lock.release()
        raise OSError(error.errno, f"cannot keep checkpoints in {directory}: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def seal(directory: Path, step: int, fill: Callable[[Path], None]) -> Path:
    """Makes the folder of a step: `fill` puts files into an empty one, and it appears whole or not at all.

    A folder of that step which is there already gives way to it. The caller holds the directory with `locked`.

    Raises:
      OSError: if it cannot be written, such as on a full disk; all earlier folders are unharmed.
    """
    folder = directory / f"step-{step:08d}"
    try:
        with _aside(directory) as aside:
            (aside / "new").mkdir()
            fill(aside / "new")
            (aside / "new" / SUMS).write_text(_format(_digests(aside / "new")))
            _sync(aside / "new")
            if os.path.lexists(folder):
                folder.rename(aside / "old")
            (aside / "new").rename(folder)
            _sync_names(directory)
    except OSError as error:
        raise OSError(error.errno, f"cannot save {folder}: {error.strerror}") from error
    return folder


def forget(directory: Path, step: int, keep: int) -> None:
    """Removes the folders of all steps up to this one but the last few. Later ones are damaged, or not our business."""
    earlier = [folder for number, folder in _by_step(directory) if number <= step]
    for folder in earlier[:-keep]:
        with _aside(directory) as aside:  # renamed first: killed halfway, it must not look like a damaged one
            folder.rename(aside / "old")


def sealed(directory: Path) -> Iterator[Path]:
    """The whole folders, the newest first. Each one that is damaged is named in a warning and passed over."""
    for _, folder in reversed(_by_step(directory)):
        try:
            require_whole(folder)
        except (OSError, ValueError) as error:
            passed_over(folder, str(error))
        else:
            yield folder


def passed_over(folder: Path, fault: str) -> None:
    """Names a folder that cannot be used, and why."""
    _log.warning("%s is damaged and passed over: %s", folder, fault)


def require_whole(folder: Path) -> None:
    """Compares every byte of a folder with its sums, before anything in it is parsed.

    Raises:
      ValueError: naming a file that is missing, altered or no part of it, or sums that are themselves damaged.
      OSError: if it cannot be read.
    """
    path = folder / SUMS
    if not path.is_file():
        raise ValueError(f"{SUMS} is missing")
    found, text = _digests(folder), path.read_bytes()
    if text == _format(found).encode():
        return
    lines = [re.fullmatch(r"([0-9a-f]{64})  (.+)", line) for line in text.decode(errors="replace").splitlines()]
    written = {match[2]: match[1] for match in lines if match}
    if not all(lines):
        raise ValueError(f"{SUMS} is damaged")
    for name in sorted(written | found):
        if name not in found:
            raise ValueError(f"{name!r} is missing")
        if name not in written:
            raise ValueError(f"{name!r} is not in {SUMS}")
        if found[name] != written[name]:
            raise ValueError(f"{name!r} is not what was written: its SHA-256 differs")
    raise ValueError(f"{SUMS} is damaged")


@contextlib.contextmanager
def _aside(directory: Path) -> Iterator[Path]:
    """A folder on the same disk for what is not yet, or no longer, to be seen; removed in any case."""
    folder = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=directory))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # what cannot be removed now, `locked` removes next time


def _by_step(directory: Path) -> list[tuple[int, Path]]:
    names = ((re.fullmatch(r"step-(\d{8,})", path.name, re.ASCII), path) for path in directory.iterdir())
    return sorted((int(match[1]), path) for match, path in names if match)


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file but the sums, by name."""
    digests = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(f"{name!r} is neither a file nor a folder")
        if path.is_file() and name != SUMS:
            with path.open("rb") as file:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _format(digests: dict[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())


def _sync(folder: Path) -> None:
    """Makes a folder with everything in it survive a power cut."""
    for path in folder.rglob("*"):
        if path.is_dir():
            _sync_names(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_names(folder)


def _sync_names(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
