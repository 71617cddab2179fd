"""Named arrays in a folder, written and read by Orbax. No other file uses it.

Each array is a file of plain numbers, uncompressed: so what reading takes is what the files are long, whoever wrote
them. Trained weights hardly get shorter by compression anyway.
"""

import functools
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np

_PLAIN = {"use_ocdbt": False, "use_compression": False}


def write_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays of any dtype and shape into a new folder.

    Raises:
      OSError: the folder cannot be written, for example on a full disk; unfinished files may be left beside it.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as place:
    ...     write_arrays(pathlib.Path(place, "arrays"), {"w": np.arange(3)})
    ...     read_arrays(pathlib.Path(place, "arrays"), {"w": jax.ShapeDtypeStruct((3,), np.int64)})
    {'w': array([0, 1, 2])}
    """
    import orbax.checkpoint as ocp

    tree = {number: arrays[name] for name, number in _numbers(arrays).items()}
    with _quiet(), _checkpointer() as checkpointer:
        try:
            _whole(checkpointer.save, folder.absolute(), args=ocp.args.PyTreeSave(tree))
        except ValueError as error:  # how TensorStore passes on the system's error
            code = re.search(r"\[os_error_code='(\d+)'", str(error))
            if code is None:
                raise
            raise OSError(int(code[1]), os.strerror(int(code[1])), str(folder)) from error


def read_arrays(folder: Path, expected: Mapping[str, jax.ShapeDtypeStruct]) -> dict[str, np.ndarray]:
    """Reads what `write_arrays` wrote, bit for bit.

    Only arrays come out, whatever the files hold: Orbax's own are JSON and plain numbers, without any code.

    Raises:
      ValueError: names, shapes or dtypes other than expected; they are compared before any array is read.
      Exception: of many kinds, if Orbax did not write the files.
    """
    import orbax.checkpoint as ocp

    numbers = _numbers(expected)
    wanted = {number: expected[name] for name, number in numbers.items()}
    _require_plain(folder, expected, numbers)
    with _quiet(), _checkpointer() as checkpointer:
        metadata = checkpointer.metadata(folder.absolute()).item_metadata
        if metadata is None:
            raise ValueError("Orbax finds no arrays in it")
        found = {number: (tuple(entry.shape), np.dtype(entry.dtype)) for number, entry in metadata.tree.items()}
        if found != {number: (spec.shape, np.dtype(spec.dtype)) for number, spec in wanted.items()}:
            raise ValueError(f"it holds {found}, and {wanted} was expected")
        as_numpy = {number: ocp.RestoreArgs(restore_type=np.ndarray) for number in wanted}
        args = ocp.args.PyTreeRestore(item=wanted, restore_args=as_numpy)
        arrays: dict[str, Any] = _whole(checkpointer.restore, folder.absolute(), args=args)
    return {n: arrays[numbers[n]] if n in numbers else np.empty(s.shape, s.dtype) for n, s in expected.items()}


def _numbers(arrays: Mapping[str, np.ndarray] | Mapping[str, jax.ShapeDtypeStruct]) -> dict[str, str]:
    """Where each array stands, by its name: names can be too long for a file, or differ in capitals alone.

    Orbax refuses arrays without elements. They hold nothing to keep: their shape says it all.
    """
    return {name: str(i) for i, name in enumerate(name for name in sorted(arrays) if arrays[name].size)}


def _require_plain(folder: Path, expected: Mapping[str, jax.ShapeDtypeStruct], numbers: Mapping[str, str]) -> None:
    """Every array has one file, exactly as long as the array is, and nothing else is there that Orbax would read."""
    files = {folder / name for name in ("_METADATA", "_CHECKPOINT_METADATA", "commit_success.txt")}
    for name, number in numbers.items():
        shape = expected[name].shape
        header, array = folder / number / ".zarray", folder / number / ".".join("0" * max(1, len(shape)))
        files |= {header, array}
        size, is_long = expected[name].size * np.dtype(expected[name].dtype).itemsize, array.stat().st_size
        if is_long != size:
            raise ValueError(f"{name} takes {size} bytes, and its file has {is_long}")
        stored = json.loads(header.read_bytes())
        if [stored[key] for key in ("shape", "chunks", "compressor", "filters")] != [[*shape], [*shape], None, None]:
            raise ValueError(f"{name} is not stored as plain numbers of shape {shape}")
    if others := {path for path in folder.rglob("*") if path.is_file()} - files:
        raise ValueError(f"Orbax may read more there than the arrays: {min(others)}")


def _checkpointer() -> Any:
    """Orbax's checkpointer for this process alone: only one of several writes, and the others must not wait for it."""
    import orbax.checkpoint as ocp

    if jax.process_count() == 1:
        return ocp.Checkpointer(ocp.PyTreeCheckpointHandler(**_PLAIN))
    this = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(
        primary_host=this, active_processes={this}, barrier_sync_key_prefix=f"process{this}"
    )
    handler = ocp.PyTreeCheckpointHandler(**_PLAIN, multiprocessing_options=alone)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


def _whole(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Does Orbax's work in another thread, so that Ctrl-C takes effect after it, not in the middle."""
    with ThreadPoolExecutor(1) as pool:  # waits for the work at its end, whatever is raised here meanwhile
        return pool.submit(work, *args, **kwargs).result()


@contextmanager
def _quiet() -> Iterator[None]:
    """Reports a failure once, by its exception. Orbax also prints it with its traceback before it raises it."""
    logger = logging.getLogger("absl")
    before = logger.disabled
    logger.disabled = True
    usual = sys.unraisablehook
    if getattr(usual, "func", None) is not _all_but_stragglers:
        sys.unraisablehook = functools.partial(_all_but_stragglers, usual)
    try:
        yield
        sys.unraisablehook = usual  # not after a failure: stragglers are still to come
    finally:
        logger.disabled = before


def _all_but_stragglers(usual: Callable[["sys.UnraisableHookArgs"], Any], error: "sys.UnraisableHookArgs") -> None:
    """After a failure, TensorStore's other threads report to an event loop that Orbax has already closed."""
    if not (isinstance(error.exc_value, RuntimeError) and str(error.exc_value) == "Event loop is closed"):
        usual(error)
