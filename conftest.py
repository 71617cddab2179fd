"""What all tests share: the programs that JAX compiles, kept for the next file and the next session.

Most of the time of the tests is compiling. `pytest --cache-clear` forgets what is kept.
"""

import os

import jax
import pytest


def pytest_configure(config: pytest.Config) -> None:
    """One folder for each worker: JAX writes its files in place, and two processes could read each other's halves."""
    if cache := getattr(config, "cache", None):  # not under -p no:cacheprovider
        folder = cache.mkdir(f"compiled-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}")
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


@pytest.fixture(autouse=True, scope="module")
def _compiled_programs_leave_memory() -> None:
    """Otherwise they fill gigabytes; and JAX counts what a function was compiled to only while its cache has space."""
    jax.clear_caches()
