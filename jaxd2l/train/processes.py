"""Training by several processes, on one machine or many: how they meet and part.

Every process runs the same program with its own `process_id`, and calls `start` before anything else of JAX. From
then on `jax.devices()` lists the devices of all, and `train.fit(mesh=sharding.make_mesh())` trains on them together.
"""

import ctypes
import os
import re
import signal
import socket
import sys
import time
from typing import Any, BinaryIO, NoReturn

import jax

from jaxd2l._checks.numbers import require_whole
from jaxd2l._process.exit_codes import ExitCode

__all__ = ["AUTO", "ProcessLostError", "is_main", "start", "stop"]

AUTO = "auto"
"""The coordinator on clusters that JAX knows."""

_HEARTBEAT_SECONDS, _SHUTDOWN_SECONDS = 20, 40
_reason: list[str] = []  # what to say if XLA aborts this process; the last entry counts
_asked_for: list[int | None] = []  # how many processes `start` was told of; the coordinator believes process 0
_handlers: list[object] = []  # C keeps no reference to them


def __dir__() -> list[str]:
    return __all__


class ProcessLostError(ConnectionError):
    """Another process of this run is gone, or was never found."""


def start(
    coordinator: str,
    num_processes: int | None = None,
    process_id: int | None = None,
    *,
    timeout: int = 60,
    native_log: BinaryIO | None = None,
) -> None:
    """Meets the other processes through `jax.distributed`. torch's `torch.distributed.init_process_group`.

    A process that dies, or does not answer for 20 seconds, ends the others: while they train together, `train.fit`
    raises ProcessLostError; elsewhere, or if the other process merely hangs, XLA ends them with exit code 4.

    Args:
      coordinator: HOST:PORT, where process 0 listens; the port must be free there. "auto" on clusters that JAX
        knows (Slurm, Open MPI, Kubernetes, Cloud TPU), with nothing else.
      num_processes: how many processes there are.
      process_id: which of them this is, counted from 0.
      timeout: how many seconds the processes wait for each other.
      native_log: the file behind file descriptor 2, if you redirected it: XLA writes there which process was lost.

    Raises:
      ValueError: arguments that contradict each other, or no cluster that JAX knows.
      TypeError: a coordinator that is not text, or numbers that are not whole.
      ProcessLostError: no coordinator can be reached within `timeout`.
      RuntimeError: JAX has already started to compute, or process 0 cannot listen on the port.
    """
    require_whole(1, timeout=timeout)
    arguments = _checked(coordinator, num_processes, process_id)
    _asked_for[:] = [num_processes]
    if coordinator != AUTO:
        if process_id:
            _wait_for(coordinator, timeout)
        else:
            _require_free(coordinator)
    _reason.append(
        f"the processes of this run did not find each other within {timeout} seconds; are all of them started, each "
        "with its own id, and with the same number of processes and the same coordinator?"
    )
    _exit_by_code_on_abort(native_log)
    try:
        jax.distributed.initialize(
            **arguments,
            initialization_timeout=timeout,
            heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=_SHUTDOWN_SECONDS,
        )
    except ValueError as error:
        if coordinator != AUTO:
            raise
        raise ValueError(
            f"JAX found no cluster that it knows ({error}); give the coordinator, the number of processes and the id "
            "of this one"
        ) from error
    _reason.append(
        f"another process of this run was lost: it ended, or did not answer for {_HEARTBEAT_SECONDS} seconds"
    )


def stop() -> None:
    """Parts from the other processes, once all of them have called it. After that each computes by itself."""
    _reason.append("another process of this run did not come to its end")
    jax.distributed.shutdown()


def asked_for() -> int | None:
    """How many processes `start` was told of in this one; None if it was not."""
    return _asked_for[0] if _asked_for else None


def is_main() -> bool:
    """Whether this is the process that prints and writes: process 0, or the only one."""
    return jax.process_index() == 0


def _checked(coordinator: str, num_processes: int | None, process_id: int | None) -> dict[str, Any]:
    """What `jax.distributed.initialize` takes to find the others."""
    if not isinstance(coordinator, str):
        raise TypeError(f'the coordinator must be a text, HOST:PORT or "auto"; got {coordinator!r}')
    if coordinator == AUTO:
        if num_processes is not None or process_id is not None:
            raise ValueError('with "auto" the cluster says how many processes there are and which this is: omit both')
        return {}
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError(f'the coordinator must be HOST:PORT, such as 10.0.0.1:8476, or "auto"; got {coordinator!r}')
    if num_processes is None or process_id is None:
        raise ValueError(
            f"a coordinator needs the number of processes and the id of this one; got {num_processes} and {process_id}"
        )
    require_whole(None, num_processes=num_processes, process_id=process_id)
    if not 0 <= process_id < num_processes:
        raise ValueError(
            f"the process id must be 0 to {num_processes - 1} with {num_processes} processes; got {process_id}"
        )
    return {
        "coordinator_address": coordinator,
        "num_processes": num_processes,
        "process_id": process_id,
        "cluster_detection_method": "deactivate",
    }


def _require_free(coordinator: str) -> None:
    """JAX would share the port with another run of the same user, and the processes of both would mix."""
    _, _, port = coordinator.rpartition(":")
    try:
        socket.create_server(("", int(port))).close()
    except OSError as error:
        raise RuntimeError(f"process 0 cannot listen on {coordinator}: {error.strerror}") from error


def _wait_for(coordinator: str, timeout: int) -> None:
    """Waits until a process listens there: XLA would abort without a word if none does."""
    host, _, port = coordinator.rpartition(":")
    end = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            return
        except OSError as error:
            if time.monotonic() >= end:
                raise ProcessLostError(
                    f"no coordinator at {coordinator} within {timeout} seconds ({error}); has process 0 started, and "
                    "can this machine reach it?"
                ) from error
        time.sleep(0.2)


def _exit_by_code_on_abort(native_log: BinaryIO | None) -> None:
    """Turns the abort of a process that lost another one into a sentence and an exit code.

    The handler must be one of C: Python runs its own handlers between two of its steps, and after an abort there are
    none.
    """

    def end(_: int) -> NoReturn:
        lost = ""
        if native_log is not None:
            words = os.pread(native_log.fileno(), 2**20, 0).decode(errors="replace")
            if tasks := re.search(r"stopped sending heartbeats\):\s+(\d[\d\s]*)", words):
                lost = f" (process {', '.join(tasks[1].split())})"
        print(f"\njaxd2l: error: {_reason[-1]}{lost}", file=sys.stderr, flush=True)
        os._exit(ExitCode.PROCESS_LOST)

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(end)
    _handlers[:] = [handler]
    ctypes.CDLL(None).signal(int(signal.SIGABRT), handler)
