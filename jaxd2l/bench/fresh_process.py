"""A process of its own: how soon it has a first result, how much memory it takes, how long a whole command runs.

`python -m jaxd2l.bench.fresh_process MODEL WAY` runs one way's first epoch and prints its memory as JSON;
`first_epoch` runs that.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class PeakBytes(NamedTuple):
    """The most memory held: by the process, and on the GPU if there is one."""

    process: int
    device: int | None = None


class FirstEpoch(NamedTuple):
    """Seconds from starting Python to the end of the first epoch, data from the cache included, and the peak memory."""

    to_first_epoch_s: float
    peak_bytes: PeakBytes


class ShellRun(NamedTuple):
    """Seconds of `jaxd2l train`, from starting Python to the saved result.

    cold_s: where JAX has kept no compiled program.
    warm_s: where it has kept all of them.
    """

    epochs: int
    cold_s: float
    warm_s: float


def first_epoch(model: str, way: str) -> FirstEpoch:
    """Runs the first epoch of a model (by its name in `cases.books_models`) and a way (by its name) in a new process.

    Raises:
      RuntimeError: the process failed. The message holds what it printed.
    """
    took, printed = _timed(way, ["-m", __name__, model, way])
    return FirstEpoch(took, PeakBytes(**json.loads(printed)))


def shell(
    arguments: Sequence[str] = ("mlp", "--dataset", "fashion_mnist"), lengths: Sequence[int] = (1, 10), warm: int = 3
) -> tuple[ShellRun, ...]:
    """Times `jaxd2l train` for runs of so many epochs: once cold, and `warm` times warm, which count by the median.

    Raises:
      RuntimeError: the command failed. The message holds what it printed.
    """
    runs = []
    with tempfile.TemporaryDirectory() as scratch:
        for epochs in lengths:
            kept = str(Path(scratch) / f"compiled-{epochs}")

            def run(epochs: int = epochs, kept: str = kept) -> float:
                with tempfile.TemporaryDirectory(dir=scratch) as out:
                    command = ["-m", "jaxd2l", "train", *arguments, "--epochs", str(epochs), "--out", f"{out}/run"]
                    took, _ = _timed("jaxd2l train", command, **cache(kept))
                return took

            cold_s = run()
            runs.append(ShellRun(epochs, cold_s, statistics.median(run() for _ in range(warm))))
    return tuple(runs)


def cache(folder: str) -> dict[str, str]:
    """Has `jaxd2l` keep compiled programs there, as it keeps them by default in its own folder."""
    return {"JAX_COMPILATION_CACHE_DIR": folder, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}


def _timed(what: str, arguments: Sequence[str], **environment: str) -> tuple[float, str]:
    """Seconds of a call of Python, and what it printed."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=os.environ | environment
    )
    if done.returncode:
        raise RuntimeError(f"{what} failed in a process of its own: {done.stderr[-1000:]}")
    return time.perf_counter() - begun, done.stdout


def main(model: str, way: str) -> None:
    """Runs one epoch and prints the peak memory."""
    from jaxd2l.bench import cases, ways

    [case] = cases.books_models([model])
    [chosen] = [each for each in ways.WAYS if each.name == way]
    chosen.prepare(case).epoch()
    print(json.dumps(_peak_bytes()._asdict()))


def _peak_bytes() -> PeakBytes:
    """The most memory held so far."""
    import jax

    on_device = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        on_device = torch.cuda.max_memory_allocated()
    return PeakBytes(peak_of_process(), int(on_device) if on_device else None)


def peak_of_process() -> int:
    """The most bytes that this process held at once so far."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux `getrusage` starts from what the parent held, and the parent is a benchmark
        [kilobytes] = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return 1024 * int(kilobytes)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
