"""The folder of a run: held by one command at a time, and filled whole or not at all.

What belongs together is written into a folder inside, synced, and given the name COMPLETE. From then on it counts:
its files are moved into place, run.json last, by this process or, after a kill, by the next one that comes by.
"""

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jaxd2l._files import make_folder, remove, sync, sync_names
from jaxd2l._process.interrupts import held_back

PARAMS, BEST, RECORD = "params.safetensors", "best.safetensors", "run.json"
CONFUSION, PREDICTIONS = "confusion.png", "predictions.png"
MADE_AFTERWARDS = (CONFUSION, PREDICTIONS)
FILES = {PARAMS, BEST, RECORD, "curves.png", "mistakes.png", *MADE_AFTERWARDS}
COMPLETE = ".complete"
_NEW = ".new-"


@contextmanager
def new_folder(
    chosen: Path | None, model: str, dataset: str, may_replace: Callable[[Path], bool] = lambda folder: False
) -> Iterator[Path]:
    """A folder for a run: the chosen one, or the first free one of out/MODEL-DATASET, -2, -3, ...

    Nobody else gets it meanwhile. If nothing is in it at the end, it is removed, unless it was there before.

    Args:
      chosen: a new or empty folder, or one that holds only files with the names of a run, if `may_replace` says that
        of it. What a killed process left half-written does not count.

    Raises:
      ValueError: the chosen folder is not empty; runs never overwrite each other.
      RuntimeError: another command is writing into it.
    """
    with held_back() as released:
        folder, made = _free(model, dataset) if chosen is None else (chosen, make_folder(chosen))
        try:
            with held(folder):
                was_whole = (folder / RECORD).exists()
                finish(folder)
                names = {path.name for path in folder.iterdir() if not _is_stray(path)}
                was_killed = RECORD in names and not was_whole  # as it finished: a repetition may replace the result
                if names and not (names <= FILES and (was_killed or may_replace(folder))):
                    raise ValueError(f"{folder} is not empty; choose a new one, so that no earlier run is overwritten")
                _remove_strays(folder)
                with released():
                    yield folder
        finally:
            with suppress(OSError):  # it is not empty
                for path in made:
                    path.rmdir()


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds a folder for this process; the lock leaves no file behind, and ends with the process however it ends.

    Raises:
      RuntimeError: another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # of a file system without locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RuntimeError(
                    f"another command is writing its results into {folder}; wait until it ends, or choose another one"
                ) from error
        yield
    finally:
        os.close(descriptor)


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A place for the files of a run. They appear in `folder` when the block ends; if it fails, nothing changes there.

    What was made of the run that was there before, such as pictures of its predictions, is removed. Hold `folder`.
    """
    with held_back() as released:
        new = Path(tempfile.mkdtemp(prefix=_NEW, dir=folder))
        try:
            with released():
                yield new
            sync(new)
            new.rename(folder / COMPLETE)
            sync_names(folder)
            finish(folder)
        except OSError as error:  # say it of the file that people know
            raise OSError(error.errno, str(error.strerror).replace(str(new), str(folder))) from error
        finally:
            remove(new)


def finish(folder: Path) -> None:
    """Moves the files of a complete set into place, if there is one. Hold `folder`.

    It may be called again after a kill at any point: the old run.json goes before anything of the old run, and the new
    one comes after everything of the new.
    """
    complete = folder / COMPLETE
    if complete.is_symlink() or not complete.is_dir():
        return
    names = sorted((path.name for path in complete.iterdir()), key=lambda name: (name == RECORD, name))
    if RECORD in names:
        for name in (RECORD, *MADE_AFTERWARDS):
            (folder / name).unlink(missing_ok=True)
    for name in names:
        os.replace(complete / name, folder / name)
    complete.rmdir()
    sync_names(folder)


def _free(model: str, dataset: str) -> tuple[Path, list[Path]]:
    made = make_folder(Path("out"))
    number = 1
    while True:
        folder = Path("out", f"{model}-{dataset}" + (f"-{number}" if number > 1 else ""))
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            sync_names(folder.parent)
            return folder, [folder, *made]


def _is_stray(path: Path) -> bool:
    """Whether it is what a killed process left, or is only called so."""
    begun = re.fullmatch(r"\.(.+)\.\w+", path.name)
    return path.name.startswith(_NEW) or path.name == COMPLETE or (begun is not None and begun[1] in FILES)


def _remove_strays(folder: Path) -> None:
    for path in folder.iterdir():
        if _is_stray(path):
            remove(path)
