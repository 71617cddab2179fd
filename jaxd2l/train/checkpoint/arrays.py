"""Named arrays in a folder, written and read by Orbax. The only file that knows it."""

import functools
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


def write_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays of any dtype and shape into a new folder.

    Raises:
      OSError: if the folder cannot be written, such as on a full disk; what was begun may be left beside it.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as place:
    ...     write_arrays(pathlib.Path(place, "arrays"), {"w": np.arange(3)})
    ...     read_arrays(pathlib.Path(place, "arrays"), {"w": jax.ShapeDtypeStruct((3,), np.int64)})
    {'w': array([0, 1, 2])}
    """
    import orbax.checkpoint as ocp

    # Orbax takes no array without elements. There is nothing in one to keep: its shape says it all.
    tree = {name: array for name, array in arrays.items() if array.size}
    with _quiet(), _checkpointer() as checkpointer:
        try:
            _whole(checkpointer.save, folder.absolute(), args=ocp.args.PyTreeSave(tree))
        except ValueError as error:  # so TensorStore passes on what the system said
            code = re.search(r"\[os_error_code='(\d+)'", str(error))
            if code is None:
                raise
            raise OSError(int(code[1]), os.strerror(int(code[1])), str(folder)) from error


def read_arrays(folder: Path, expected: Mapping[str, jax.ShapeDtypeStruct]) -> dict[str, np.ndarray]:
    """Reads what `write_arrays` wrote, bit for bit.

    Only arrays come out, whatever the files hold: Orbax's own are JSON and plain numbers, and no code is in them.

    Raises:
      ValueError: names, shapes or dtypes other than those expected, looked at before any array is read.
      Exception: of many kinds, if the files are not what Orbax wrote.
    """
    import orbax.checkpoint as ocp

    wanted = {name: spec for name, spec in expected.items() if spec.size}
    with _quiet(), _checkpointer() as checkpointer:
        metadata = checkpointer.metadata(folder.absolute()).item_metadata
        if metadata is None:
            raise ValueError("Orbax finds no arrays in it")
        found = {name: (tuple(entry.shape), np.dtype(entry.dtype)) for name, entry in metadata.tree.items()}
        if found != {name: (spec.shape, np.dtype(spec.dtype)) for name, spec in wanted.items()}:
            raise ValueError(f"it holds {found}, and {dict(wanted)} was expected")
        as_numpy = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in wanted}
        args = ocp.args.PyTreeRestore(item=wanted, restore_args=as_numpy)
        arrays: dict[str, Any] = _whole(checkpointer.restore, folder.absolute(), args=args)
    return {n: arrays[n] if spec.size else np.empty(spec.shape, spec.dtype) for n, spec in expected.items()}


def _checkpointer() -> Any:
    """Orbax's, for this process alone: of several, one writes, and the others do not wait for it there."""
    import orbax.checkpoint as ocp

    if jax.process_count() == 1:
        return ocp.Checkpointer(ocp.PyTreeCheckpointHandler())
    this = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(
        primary_host=this, active_processes={this}, barrier_sync_key_prefix=f"process{this}"
    )
    handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


def _whole(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Does Orbax's work in another thread, so that Ctrl-C takes effect when it is done, not amid it."""
    with ThreadPoolExecutor(1) as pool:  # whose end waits for the work, whatever is raised here meanwhile
        return pool.submit(work, *args, **kwargs).result()


@contextmanager
def _quiet() -> Iterator[None]:
    """Lets a failure be told once, by its exception. Orbax prints it with its traceback before it raises it."""
    logger = logging.getLogger("absl")
    before = logger.disabled
    logger.disabled = True
    usual = sys.unraisablehook
    if getattr(usual, "func", None) is not _all_but_stragglers:
        sys.unraisablehook = functools.partial(_all_but_stragglers, usual)
    try:
        yield
        sys.unraisablehook = usual  # not after a failure: the stragglers are still to come
    finally:
        logger.disabled = before


def _all_but_stragglers(usual: Callable[["sys.UnraisableHookArgs"], Any], told: "sys.UnraisableHookArgs") -> None:
    """After a failure, TensorStore's other threads report to an event loop that Orbax has closed by then."""
    if not (isinstance(told.exc_value, RuntimeError) and str(told.exc_value) == "Event loop is closed"):
        usual(told)
