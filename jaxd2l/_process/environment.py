"""What a result depends on besides its arguments: versions, the device and the machine."""

import functools
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import jax

_CPUINFO = Path("/proc/cpuinfo")
_VECTORS = (
    *("fma", "f16c", "avx", "avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_bf16", "amx_fp16", "asimd", "asimdhp", "bf16", "i8mm", "sve", "sve2"),
)
"""Instructions for which XLA compiles another program if the processor has them, as Linux calls them."""

_VARIABLES = ("XLA_FLAGS", "LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE")
_JAX_OPTIONS = (
    "jax_threefry_partitionable",
    "jax_default_prng_impl",
    "jax_random_seed_offset",
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_numpy_dtype_promotion",
    "jax_softmax_custom_jvp",
    "jax_high_dynamic_range_gumbel",
    "jax_use_direct_linearize",
    "jax_disable_jit",
    "jax_disable_most_optimizations",
    "jax_optimization_level",
    "jax_exec_time_optimization_effort",
    "jax_memory_fitting_effort",
    "jax_memory_fitting_level",
    "jax_compiler_enable_remat_pass",
    "jax_use_shardy_partitioner",
    "jax_enable_pgle",
    "jax_xla_backend",
)
"""Options of JAX that decide which numbers are drawn, or which program is compiled."""


class Environment(NamedTuple):
    """Where a result was computed, and with what.

    versions: of Python and of packages, by name.
    platform: JAX's platform, such as "cpu" or "gpu".
    kind: JAX's name for the first device.
    devices: how many devices JAX has, those of other processes included.
    cpu: the processor's name and generation, as far as the system knows them.
    vectors: the vector instructions that the processor has; XLA compiles to the best of them.
    cores: of this machine; None if unknown.
    threads: how many XLA computes with on the CPU, and so into how many parts it splits a sum.
    options: what decides bits and can be set from outside: variables, and options of JAX by the names of theirs.
    machine: the processor family, such as "x86_64".
    system: the operating system with its version.
    """

    versions: dict[str, str]
    platform: str
    kind: str
    devices: int
    cpu: str
    vectors: str
    cores: int | None
    threads: int
    options: dict[str, str]
    machine: str
    system: str


def environment(*packages: str) -> Environment:
    """Looks up the versions of the named packages ("python" is one of them), the device and the machine.

    Raises:
      PackageNotFoundError: a package that is not installed.

    >>> list(environment("python", "jax").versions)
    ['python', 'jax']
    """
    device = jax.devices()[0]
    return Environment(
        versions={name: platform.python_version() if name == "python" else _version(name) for name in packages},
        platform=device.platform,
        kind=device.device_kind,
        devices=jax.device_count(),
        cpu=_cpu(),
        vectors=_vectors(),
        cores=os.cpu_count(),
        threads=_threads(),
        options=_options(),
        machine=platform.machine(),
        system=platform.platform(),
    )


_version = functools.cache(version)


@functools.cache
def _cpu() -> str:
    """The processor with its generation: one name may stand for two processors, one of them twice as fast."""
    facts = _cpuinfo()
    name = facts.get("model name") or platform.processor() or platform.machine()
    generation = (
        f" (family {facts['cpu family']}, model {facts['model']})" if {"cpu family", "model"} <= facts.keys() else ""
    )
    return name + generation


@functools.cache
def _vectors() -> str:
    flags = (_cpuinfo().get("flags") or _cpuinfo().get("Features") or "").split()
    return " ".join(name for name in _VECTORS if name in flags)


def _cpuinfo() -> dict[str, str]:
    if not _CPUINFO.exists():
        return {}
    lines = [line.partition(":") for line in _CPUINFO.read_text().splitlines()]
    return {name.strip(): value.strip() for name, _, value in lines}


def _threads() -> int:
    """As XLA counts them."""
    for name in ("PJRT_NPROC", "NPROC"):
        asked = os.environ.get(name, "")
        if asked.isdecimal() and int(asked) > 0:
            return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _options() -> dict[str, str]:
    values = jax.config.values
    named = {name.upper(): str(values[name]) for name in _JAX_OPTIONS if name in values}
    return {name: os.environ.get(name, "") for name in _VARIABLES} | named
