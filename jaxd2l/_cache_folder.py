"""Where jaxd2l keeps prepared datasets, downloads and compiled programs. Imports nothing heavy."""

import os
from pathlib import Path

CACHE_VARIABLE = "JAXD2L_CACHE_DIR"


def cache_dir() -> Path:
    """The folder for all of this: JAXD2L_CACHE_DIR, or else `jaxd2l` in the user's cache."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser().absolute()
    if users := os.environ.get("XDG_CACHE_HOME"):
        return Path(users) / "jaxd2l"
    return Path.home() / ".cache" / "jaxd2l"


def keep_compiled_programs() -> None:
    """Lets JAX keep compiled programs in `cache_dir()/compiled` for the next process. Call it before importing JAX.

    The folder holds up to 256 MB; the programs unused for longest go first. JAX's own environment variables take
    precedence. A folder that cannot be written to is ignored: a missing cache must not stop a run.
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
