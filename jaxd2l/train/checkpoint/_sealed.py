"""Folders that are whole or do not exist: written aside, hashed, synced to the disk, and only then named."""

import contextlib
import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from jaxd2l._files import make_folder, remove, sync, sync_names
from jaxd2l._process.interrupts import held_back

SUMS = "SHA256SUMS"
"""The file in each folder with the SHA-256 of every other file, which `sha256sum --check SHA256SUMS` reads too."""

_ASIDE = ".aside-"
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(directory: str | os.PathLike[str]) -> Iterator[None]:
    """Holds a directory for one process. Creates it if needed, and clears up after a process that was killed.

    A folder that it had finished, but not yet named, gets its name; what it left unfinished is removed.

    Raises:
      RuntimeError: another process holds it.
      OSError: it cannot be created or written to.
    """
    from filelock import FileLock, Timeout

    directory = Path(directory)
    lock = FileLock(directory / ".lock", timeout=0)
    try:
        make_folder(directory)
        if (directory / ".lock").is_symlink():
            (directory / ".lock").unlink()  # rather than lock, or empty, what it leads to
        lock.acquire()
        for leftover in directory.glob(f"{_ASIDE}*"):
            if not leftover.is_symlink():
                _name(leftover)
            remove(leftover)
    except Timeout as error:
        raise RuntimeError(
            f"another run keeps its checkpoints in {directory}; wait until it ends, or choose another folder"
        ) from error
    except OSError as error:
        lock.release()
        raise OSError(error.errno, f"cannot keep checkpoints in {directory}: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def folder_name(step: int) -> str:
    """What the folder of a step is called."""
    return f"step-{step:08d}"


def seal(directory: Path, step: int, fill: Callable[[Path], None]) -> Path:
    """Makes the folder of a step: `fill` puts files into an empty one, and it appears whole or not at all.

    It replaces an earlier folder of that step. Hold the directory with `locked` meanwhile.

    Raises:
      OSError: it cannot be written, for example on a full disk; all earlier folders are unharmed.
    """
    folder = directory / folder_name(step)
    try:
        with _aside(directory) as aside:
            (aside / "new").mkdir()
            fill(aside / "new")
            (aside / "new" / SUMS).write_text(_format(_digests(aside / "new")))
            sync(aside / "new")
            with held_back():
                (aside / "new").rename(aside / folder.name)  # from here on a kill loses nothing: see `locked`
                _name(aside)
            sync_names(directory)
    except OSError as error:
        raise OSError(error.errno, f"cannot save {folder}: {error.strerror}") from error
    return folder


def forget(directory: Path, step: int, keep: int) -> None:
    """Removes the folders of steps up to this one, except the last few. Later ones are damaged, or not ours."""
    earlier = [folder for number, folder in _by_step(directory) if number <= step]
    for folder in earlier[:-keep]:
        with _aside(directory) as aside:  # renamed first: after a kill halfway it must not look like a damaged one
            folder.rename(aside / "old")


def sealed(directory: Path) -> Iterator[Path]:
    """The whole folders, newest first. A warning names each damaged one, which is passed over."""
    for _, folder in reversed(_by_step(directory)):
        try:
            require_untouched(folder)
        except (OSError, ValueError) as error:
            passed_over(folder, str(error))
        else:
            yield folder


def passed_over(folder: Path, fault: str) -> None:
    """Warns that a folder cannot be used, and why."""
    _log.warning("%s is damaged and passed over: %s", folder, fault)


def require_untouched(folder: Path) -> None:
    """Compares every byte of a folder with its sums, before anything in it is parsed.

    Raises:
      ValueError: a file that is missing, altered or added, or damaged sums; the message names it.
      OSError: it cannot be read.
    """
    path = folder / SUMS
    if not path.is_file():
        raise ValueError(f"{SUMS} is missing")
    found = _digests(folder)
    text = path.read_bytes()
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


def _name(aside: Path) -> None:
    """Puts the finished folder of a step, if there is one, in the place of an earlier one."""
    for folder in aside.glob("step-*"):
        named = aside.parent / folder.name
        if os.path.lexists(named):
            named.rename(aside / "old")
        folder.rename(named)


@contextlib.contextmanager
def _aside(directory: Path) -> Iterator[Path]:
    """A folder on the same disk for what must not be seen yet, or no longer; it is removed in any case."""
    folder = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=directory))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # `locked` removes the rest next time


def _by_step(directory: Path) -> list[tuple[int, Path]]:
    names = ((re.fullmatch(r"step-(\d{8,})", path.name, re.ASCII), path) for path in directory.iterdir())
    return sorted((int(match[1]), path) for match, path in names if match)


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file except the sums, by name."""
    digests = {}
    paths = [(path, path.relative_to(folder).as_posix()) for path in (folder, *sorted(folder.rglob("*")))]
    for path, name in paths:
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(f"{name!r} is neither a file nor a folder")
        if path.is_file() and _is_hollow(path):  # it could claim to be larger than all disks
            raise ValueError(f"{name!r} is not what was written: it is mostly a hole")
    for path, name in paths:
        if path.is_file() and name != SUMS:
            with path.open("rb") as file:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _is_hollow(path: Path) -> bool:
    """Whether less than half of a large file is on the disk; what Orbax writes is packed, and has no holes."""
    found = path.stat()
    return found.st_size > 2**20 and 512 * getattr(found, "st_blocks", found.st_size) < found.st_size // 2


def _format(digests: dict[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())
