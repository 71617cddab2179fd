"""What all tests share: the programs that JAX compiles, kept for the next file and the next session.

Half of the time of the tests is compiling. `pytest --cache-clear` forgets what is kept.
"""

import sys
from collections.abc import Iterator

import jax
import pytest


def pytest_configure(config: pytest.Config) -> None:
    """One folder for all workers, so that each program is compiled once.

    JAX writes its files in place, and a worker may read another's half. Then JAX compiles anew and warns.
    """
    if cache := getattr(config, "cache", None):  # not under -p no:cacheprovider
        jax.config.update("jax_compilation_cache_dir", str(cache.mkdir("compiled")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update(
            "jax_persistent_cache_enable_xla_caches", "none"
        )  # they would give each folder keys of its own
        config.addinivalue_line("filterwarnings", "ignore:Error reading persistent compilation cache")


@pytest.fixture(autouse=True, scope="module")
def _compiled_programs_leave_memory() -> None:
    """Otherwise they fill gigabytes; and JAX counts what a function was compiled to only while its cache has space."""
    jax.clear_caches()


@pytest.fixture(autouse=True)
def _torch_is_left_as_it_was() -> Iterator[None]:
    """Nothing stays switched on or off: not gradients, and no watcher of torch's operations."""
    yield
    if torch := sys.modules.get("torch"):
        assert torch.is_grad_enabled()
        assert torch._C._len_torch_dispatch_stack() == torch._C._len_torch_function_stack() == 0
