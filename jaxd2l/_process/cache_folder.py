"""Where jaxd2l keeps prepared datasets, downloads and compiled programs. Imports nothing heavy."""

import json
import os
import stat
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path

from jaxd2l._process.streams import complain

CACHE_VARIABLE = "JAXD2L_CACHE_DIR"
_LIMIT = 2**28
_CHECKED = ".checked.json"


def cache_dir() -> Path:
    """The folder for all of this: JAXD2L_CACHE_DIR, or else `jaxd2l` in the user's cache.

    A user without a home, as in many containers, gets one among the temporary files.
    """
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser().absolute()
    if users := os.environ.get("XDG_CACHE_HOME"):
        return Path(users) / "jaxd2l"
    try:
        return Path.home() / ".cache" / "jaxd2l"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"jaxd2l-{os.getuid()}"


def keep_compiled_programs() -> None:
    """Lets JAX keep compiled programs in `cache_dir()/compiled` for the next process. Call it before importing JAX.

    The folder holds up to 256 MB; the programs unused for longest go first. JAX's own environment variables take
    precedence. Compiled programs are run as they are, so the folder must be the user's own, and closed to everybody
    else; another one is not used, and neither is one that cannot be written to: a missing cache must not stop a run.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    try:
        folder = cache_dir() / "compiled"
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if fault := _fault(folder):
            complain(f"warning: compiled programs are not kept: {folder} {fault}; remove it, and a new one is made")
            return
        folder.chmod(0o700)
        _remove_damaged(folder)
        _remove_oldest(folder)
    except (OSError, RuntimeError):  # a full disk, no rights; "~" without a home
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    # JAX's own limit would take a lock for each program, and wait ten seconds for one that is held.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


def _fault(folder: Path) -> str:
    """Why others may have put programs into a folder; empty if they cannot."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return "is a link"
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        return "belongs to another user"
    return "can be written to by others" if os.name == "posix" and found.st_mode & 0o022 else ""


def _remove_damaged(folder: Path) -> None:
    """JAX would warn of a program that is cut short, as by a kill, in every run, and never write it again.

    Each is looked at once: those that were whole, and have not changed since, are on record.
    """
    try:
        known = json.loads((folder / _CHECKED).read_bytes())
        known = known if isinstance(known, dict) else {}
    except (OSError, ValueError, RecursionError):
        known = {}
    checked = {}
    for entry in os.scandir(folder):
        if not entry.name.endswith("-cache") or not entry.is_file(follow_symlinks=False):
            continue
        with suppress(FileNotFoundError):  # another process was faster
            found = entry.stat()
            mark = [found.st_size, found.st_mtime_ns]
            if known.get(entry.name) == mark or _is_whole(Path(entry.path)):
                checked[entry.name] = mark
            else:
                os.unlink(entry.path)
    if checked != known:
        (folder / _CHECKED).write_text(json.dumps(checked))


def _is_whole(path: Path) -> bool:
    """Whether JAX can unpack a compiled program."""
    content, faults = path.read_bytes(), (zlib.error,)
    unpack = zlib.decompress
    if content.startswith(b"\x28\xb5\x2f\xfd"):
        try:
            import zstandard  # type: ignore[import-not-found,unused-ignore]  # JAX uses it if it is there
        except ImportError:
            return False
        unpack, faults = zstandard.ZstdDecompressor().decompress, (zstandard.ZstdError,)
    try:
        unpack(content)
    except faults:
        return False
    return True


def _remove_oldest(folder: Path) -> None:
    programs = [(found.st_atime, found.st_size, path) for path in folder.glob("*-cache") for found in [path.stat()]]
    total = sum(size for _, size, _ in programs)
    for _, size, path in sorted(programs):
        if total <= _LIMIT:
            break
        path.unlink(missing_ok=True)
        total -= size
