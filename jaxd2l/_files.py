"""Files that appear whole or not at all, and the names under which they hold the arrays of a pytree."""

import errno
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxd2l.types import Params


def named_leaves(params: Params) -> dict[str, Any]:
    """The leaves of a pytree (arrays, or their shapes) in its order, each named by its path with dots in between.

    Raises:
      ValueError: two leaves with the same name, as in `{"a.b": ..., "a": {"b": ...}}`.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    named = {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}
    if len(named) < len(leaves):
        raise ValueError(f"two of {len(leaves)} leaves have the same name; names without dots help: {list(named)}")
    return named


def write_file(path: str | os.PathLike[str], content: bytes, *, follow: bool = True) -> None:
    """Writes a file in one piece: readers, and a full disk, see the old one or the new one, never a torn one.

    A link stays a link, and the file behind it is written; with `follow=False` the file takes the place of the link.
    A device or a pipe, such as /dev/stdout, is written to directly.

    Raises:
      OSError: naming the file, if it cannot be written.
    """
    target = Path(os.path.realpath(path)) if follow else Path(os.path.realpath(Path(path).parent), Path(path).name)
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}")
    try:
        if follow and target.exists() and not target.is_file() and not target.is_dir():
            target.write_bytes(content)  # a file in its place would take the device away
            return
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:  # whatever happened, Ctrl-C included, leave nothing behind and pass it on
            temporary.unlink(missing_ok=True)
            raise
        sync_names(target.parent)
    except OSError as error:
        raise OSError(error.errno, f"cannot write {path}: {error.strerror}") from error


def make_folder(folder: Path) -> list[Path]:
    """Makes a folder that survives a power cut, and its parents as needed; returns those that were not there before."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_names(path.parent)
    return missing


def remove(path: Path) -> None:
    """Removes a file, a folder with all that is in it, or a link, never what the link leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Makes a folder and everything in it survive a power cut."""
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_names(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_names(folder)


def sync_names(folder: Path) -> None:
    """Makes the names in a folder survive a power cut, where the system can do that for folders."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # one that may be written to but not read, and every folder on Windows
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def read_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """All arrays in a safetensors file by name, whatever program wrote it.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: a damaged file, a folder or device, or a dtype that NumPy does not have.
    """
    import safetensors.numpy

    if Path(path).exists() and not Path(path).is_file():  # a folder; or a device, which may have no end
        raise ValueError(f"{path} is not a regular file")
    content = Path(path).read_bytes()
    try:
        tensors: dict[str, np.ndarray] = safetensors.numpy.load(content)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is damaged or not a safetensors file: {error}") from error
    except (AttributeError, KeyError, TypeError) as error:  # for bfloat16 and the like
        raise ValueError(f"{path} holds a dtype that NumPy does not have: {error}") from error
    return tensors
