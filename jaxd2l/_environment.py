"""What a result depends on besides its arguments: versions, the device and the machine."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import jax

_CPUINFO = Path("/proc/cpuinfo")


class Environment(NamedTuple):
    """Where a result was computed, and with what.

    versions: of Python and of packages, by name.
    platform: JAX's platform, such as "cpu" or "gpu".
    kind: JAX's name for the first device.
    devices: how many devices JAX has, those of other processes included.
    cpu: the processor's name and generation, as far as the system knows them.
    cores: of this machine; None if unknown.
    machine: the processor family, such as "x86_64".
    system: the operating system with its version.
    """

    versions: dict[str, str]
    platform: str
    kind: str
    devices: int
    cpu: str
    cores: int | None
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
        versions={name: platform.python_version() if name == "python" else version(name) for name in packages},
        platform=device.platform,
        kind=device.device_kind,
        devices=jax.device_count(),
        cpu=_cpu(),
        cores=os.cpu_count(),
        machine=platform.machine(),
        system=platform.platform(),
    )


def _cpu() -> str:
    """The processor with its generation: one name may stand for two processors, one of them twice as fast."""
    if not _CPUINFO.exists():
        return platform.processor() or platform.machine()
    lines = [line.partition(":") for line in _CPUINFO.read_text().splitlines()]
    facts = {name.strip(): value.strip() for name, _, value in lines}
    name = facts.get("model name") or platform.processor() or platform.machine()
    generation = (
        f" (family {facts['cpu family']}, model {facts['model']})" if {"cpu family", "model"} <= facts.keys() else ""
    )
    return name + generation
