"""Files that appear whole or not at all, and the names under which they hold the arrays of a pytree."""

import os
import tempfile
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


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file in one piece: readers, and a full disk, see the old one or the new one, never a torn one.

    A link stays a link, and the file behind it is written. A device or a pipe, such as /dev/stdout, is written to
    directly.

    Raises:
      OSError: naming the file, if it cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file() and not target.is_dir():
            target.write_bytes(content)  # a file in its place would take the device away
            return
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner can read
            os.replace(temporary, target)
        except BaseException:  # whatever happened, Ctrl-C included, leave nothing behind and pass it on
            os.unlink(temporary)
            raise
    except OSError as error:
        raise OSError(error.errno, f"cannot write {path}: {error.strerror}") from error


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
