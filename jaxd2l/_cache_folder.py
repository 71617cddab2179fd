"""Where jaxd2l writes by itself: prepared datasets, downloads, and compiled programs. Imports nothing heavy."""

import os
from pathlib import Path

CACHE_VARIABLE = "JAXD2L_CACHE_DIR"


def cache_dir() -> Path:
    """The folder for everything jaxd2l writes: JAXD2L_CACHE_DIR, else `jaxd2l` in the user's cache."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser().absolute()
    if users := os.environ.get("XDG_CACHE_HOME"):
        return Path(users) / "jaxd2l"
    return Path.home() / ".cache" / "jaxd2l"


def keep_compiled_programs() -> None:
    """Lets JAX keep what it compiles in `cache_dir()/compiled`, for the next process; before JAX is imported.

    Up to 256 MB, the least used go first. What the user has said by JAX's own variables counts; a folder that cannot be
    written to is passed over, for a cache must not be the reason that nothing runs.
    """
    folder = cache_dir() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    if os.access(folder, os.W_OK):
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
        os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(2**28))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
