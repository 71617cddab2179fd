"""Training by several processes, on one machine or many: how they meet, agree, and notice that one of them is lost.

Every process runs the same program, with a `process_id` of its own, and calls `start` before anything else of JAX.
From then on `jax.devices()` are those of all, and `train.fit(mesh=sharding.make_mesh())` trains on them together.
"""

import ctypes
import os
import re
import signal
import socket
import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import PyTree

from jaxd2l._checks.numbers import require_whole

AUTO = "auto"
LOST = 4
"""Exit code of a process that lost another one, or did not find the coordinator."""

HEARTBEAT_SECONDS, SHUTDOWN_SECONDS = 20, 40
_told: dict[str, str] = {}
_kept: list[object] = []


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
    """Meets the other processes, by `jax.distributed`. torch's `torch.distributed.init_process_group`.

    A process that dies, or does not answer for 20 seconds, ends the others: while they train together `train.fit`
    raises ProcessLostError; elsewhere, and if the other one merely hangs, XLA ends them, and the exit code is 4.

    Args:
      coordinator: HOST:PORT, where process 0 listens; the port must be free there. "auto" on clusters that JAX
        knows (Slurm, Open MPI, Kubernetes, Cloud TPU): then nothing else needs to be said.
      num_processes: how many there are.
      process_id: which of them this is, from 0.
      timeout: seconds that the processes wait for each other.
      native_log: what file descriptor 2 writes to, if it is a file of yours: where XLA says which process was lost.

    Raises:
      ValueError: arguments that contradict each other, or no cluster that JAX knows.
      TypeError: a coordinator that is no text, or numbers that are not whole.
      ProcessLostError: no coordinator can be reached within `timeout`.
      RuntimeError: JAX has begun to compute already, or process 0 cannot listen on the port.
    """
    if not isinstance(coordinator, str):
        raise TypeError(f'the coordinator must be a text, HOST:PORT or "auto"; got {coordinator!r}')
    require_whole(1, timeout=timeout)
    if coordinator == AUTO:
        chosen: dict[str, object] = {}
        if num_processes is not None or process_id is not None:
            raise ValueError(
                'the cluster says how many processes there are and which this is: with "auto", say neither'
            )
    else:
        _require_valid(coordinator, num_processes, process_id)
        chosen = {"coordinator_address": coordinator, "num_processes": num_processes, "process_id": process_id}
        chosen["cluster_detection_method"] = "deactivate"
        if process_id:
            _wait_for(coordinator, timeout)
        else:
            _require_free(coordinator)
    _told["why"] = (
        f"the processes of this run did not find each other within {timeout} seconds; are all of them started, each "
        "with an id of its own, the same number of processes and the same coordinator?"
    )
    _exit_by_code_on_abort(native_log)
    try:
        jax.distributed.initialize(
            **chosen,  # type: ignore[arg-type]
            initialization_timeout=timeout,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=SHUTDOWN_SECONDS,
        )
    except ValueError as error:
        if coordinator != AUTO:
            raise
        raise ValueError(
            f"JAX found no cluster that it knows ({error}); name the coordinator, the number of processes and the "
            "id of this one"
        ) from error
    _told["why"] = f"another process of this run was lost: it ended, or did not answer for {HEARTBEAT_SECONDS} seconds"


def stop() -> None:
    """Parts from the other processes: waits until all have come here. Each can go on computing by itself."""
    _told["why"] = "another process of this run did not come to its end"
    jax.distributed.shutdown()


def is_main() -> bool:
    """Whether this process is the one that prints and writes: process 0, and any that is alone."""
    return jax.process_index() == 0


def require_agreement(facts: Mapping[str, PyTree | str]) -> None:
    """Checks that all processes were started alike; otherwise they would wait for each other or drift apart.

    Args:
      facts: pytrees of arrays, or strings, by what they are; the same names everywhere. Checksums are exchanged.

    Raises:
      ValueError: in every process, naming what differs.
      ProcessLostError: another process is gone.
    """
    checksums = np.array([_checksum(fact) for fact in facts.values()], np.uint32)
    with loss_is_an_error():
        everyone = np.asarray(multihost_utils.process_allgather(checksums))
    differs = (everyone != everyone[0]).reshape(-1, len(facts))
    if differs.any():
        names = [name for name, column in zip(facts, differs.T, strict=True) if column.any()]
        others = np.flatnonzero(differs.any(1)).tolist()
        raise ValueError(f"processes {others} differ from process 0 in: {', '.join(names)}; start all of them alike")


def from_main(tree: PyTree) -> PyTree:
    """Process 0's arrays, bit for bit, in every process. All must call it, with arrays of the same shapes.

    Raises:
      ProcessLostError: another process is gone.
    """
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    with loss_is_an_error():
        # As bytes: sent as floating-point numbers, -0 would arrive as 0.
        sent = multihost_utils.broadcast_one_to_all([np.frombuffer(leaf.tobytes(), np.uint8) for leaf in leaves])
    arrived = [np.asarray(x).tobytes() for x in sent]
    received = [np.frombuffer(x, leaf.dtype).reshape(leaf.shape) for x, leaf in zip(arrived, leaves, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(tree), received)


def any_process(here: bool) -> bool:
    """Whether it is so in any process. All must ask.

    Raises:
      ProcessLostError: another process is gone.
    """
    if jax.process_count() == 1:
        return here
    with loss_is_an_error():
        return bool(np.any(multihost_utils.process_allgather(np.array([here]))))


@contextmanager
def loss_is_an_error() -> Iterator[None]:
    """Inside, an exchange that fails because another process is gone raises ProcessLostError, and says so."""
    try:
        yield
    except (ValueError, RuntimeError) as error:  # XLA's errors come as either
        is_of_xla = re.match(r"(UNKNOWN|UNAVAILABLE|ABORTED|CANCELLED|DEADLINE_EXCEEDED|INTERNAL):", str(error))
        if jax.process_count() == 1 or not is_of_xla:
            raise
        reason = str(error).splitlines()[0]
        raise ProcessLostError(f"another process of this run was lost ({reason})") from error


def _checksum(fact: PyTree | str) -> int:
    if isinstance(fact, str):
        return zlib.crc32(fact.encode())
    checksum = 0
    for leaf in map(np.asarray, jax.tree.leaves(fact)):
        checksum = zlib.crc32(leaf.tobytes(), zlib.crc32(f"{leaf.dtype}{leaf.shape}".encode(), checksum))
    return checksum


def _require_valid(coordinator: str, num_processes: int | None, process_id: int | None) -> None:
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


def _require_free(coordinator: str) -> None:
    """JAX would share the port with another run of the same user, and each run would meet processes of the other."""
    _, _, port = coordinator.rpartition(":")
    try:
        socket.create_server(("", int(port))).close()
    except OSError as error:
        raise RuntimeError(f"process 0 cannot listen on {coordinator}: {error.strerror}") from error


def _wait_for(coordinator: str, timeout: int) -> None:
    """Until somebody listens there: XLA would not say that nobody does, but abort."""
    host, _, port = coordinator.rpartition(":")
    end = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            return
        except OSError as error:
            if time.monotonic() >= end:
                raise ProcessLostError(
                    f"no coordinator at {coordinator} within {timeout} seconds ({error}); is process 0 started, and "
                    "can this machine reach it?"
                ) from error
        time.sleep(0.2)


def _exit_by_code_on_abort(native_log: BinaryIO | None) -> None:
    """XLA aborts a process that lost another one: makes a sentence and an exit code of it.

    Python runs its signal handlers between two of its own steps, and after an abort there is none; the handler has
    to be one of C.
    """

    def end(_: int) -> NoReturn:
        lost = ""
        if native_log is not None:
            words = os.pread(native_log.fileno(), 2**20, 0).decode(errors="replace")
            if tasks := re.search(r"stopped sending heartbeats\):\s+(\d[\d\s]*)", words):
                lost = f" (process {', '.join(tasks[1].split())})"
        print(f"\njaxd2l: error: {_told['why']}{lost}", file=sys.stderr, flush=True)
        os._exit(LOST)

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(end)
    _kept[:] = [handler]  # C keeps no reference
    ctypes.CDLL(None).signal(int(signal.SIGABRT), handler)
