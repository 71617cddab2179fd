"""What processes that train together tell each other, and how they notice that one of them is lost."""

import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import PyTree

from jaxd2l.train.processes import ProcessLostError


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
