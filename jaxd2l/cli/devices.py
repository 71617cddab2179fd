"""`--devices`, `--coordinator`, `--num-processes`, `--process-id`: the devices and processes that train together."""

import argparse
import logging
import os
import sys
import tempfile
from typing import BinaryIO

import jax
from jax.sharding import Mesh

from jaxd2l._process.streams import surviving
from jaxd2l.train import processes, sharding


def begin(options: argparse.Namespace) -> Mesh | None:
    """Sets up devices, meets the other processes, and returns the mesh of all; None if no option asks for it.

    Call it before anything else of JAX. Of several processes only process 0 keeps printing to standard output.

    Raises:
      ValueError: more devices than there are, or options that contradict each other.
      ProcessLostError: the other processes were not found.
    """
    meets = options.coordinator is not None
    ids = {"--num-processes": options.num_processes, "--process-id": options.process_id}
    given = [name for name, value in ids.items() if value is not None]
    if not meets and given:
        raise ValueError(f"{' and '.join(given)}: needs --coordinator HOST:PORT as well")
    if meets and options.coordinator != processes.AUTO and len(given) < 2:
        raise ValueError(
            "--coordinator HOST:PORT needs --num-processes N and --process-id I as well; on clusters that JAX knows "
            "`--coordinator auto` is enough"
        )
    if options.devices is not None:
        _ask_for_cpu_devices(options.devices)
    if meets:
        processes.start(
            options.coordinator, options.num_processes, options.process_id, native_log=_native_output_apart()
        )
        if not processes.is_main():
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # until the process ends
    return sharding.make_mesh(options.devices) if meets or options.devices is not None else None


def _ask_for_cpu_devices(count: int) -> None:
    """A CPU counts as one device unless JAX is configured before it starts. Other platforms ignore this."""
    os.environ.setdefault(
        "PJRT_NPROC", str(max(16, count))
    )  # threads: with fewer than devices they would wait for each other
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        try:
            jax.config.update("jax_num_cpu_devices", count)
        except RuntimeError:  # JAX has started: `make_mesh` complains if there are not enough
            logging.getLogger(__name__).debug("JAX has started with %d devices", jax.local_device_count())


def _native_output_apart() -> BinaryIO:
    """Sends what C++ prints to a file from now on, and Python's output where it went before.

    Gloo prints greetings on standard output, where `--json` prints nothing but JSON, and XLA prints a stack trace
    after its last words.
    """
    log = tempfile.TemporaryFile()  # noqa: SIM115  # until the process ends
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        before = getattr(sys, name)
        before.flush()
        after = surviving(os.dup(descriptor), before.encoding)
        setattr(sys, name, after)
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is before:
                handler.setStream(after)
        os.dup2(log.fileno(), descriptor)
    return log
