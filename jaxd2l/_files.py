"""Files that appear whole or not at all, and the names under which the arrays of a pytree are kept in them."""

import os
import tempfile
from pathlib import Path
from typing import Any

import jax

from jaxd2l.types import Params


def named_leaves(params: Params) -> dict[str, Any]:
    """The leaves of a pytree (arrays, or their shapes) in its order, each under its path joined by dots.

    Raises:
      ValueError: if two leaves get the same name, as those of `{"a.b": ..., "a": {"b": ...}}` do.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    named = {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}
    if len(named) < len(leaves):
        raise ValueError(f"two of {len(leaves)} leaves have the same name; names without dots help: {list(named)}")
    return named


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file in one piece: readers, and a full disk, see the old one or the new one, never a torn one.

    A link stays, and what it points to is written; a device or a pipe, such as /dev/stdout, is written into.

    Raises:
      OSError: naming the file, if it cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file() and not target.is_dir():
            target.write_bytes(content)  # to put a file in the place of a device would take the device away
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
