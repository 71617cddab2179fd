"""A process of its own: how long until its first result, how much memory at most, how long a whole command takes.

`python -m jaxd2l.bench.fresh_process MODEL WAY` runs one way's first epoch and prints its memory as JSON; `measure`
runs that.
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
from typing import Any


def measure(model: str, way: str) -> dict[str, Any]:
    """Seconds from starting Python to the end of the first epoch, data from the cache included, and the peak memory.

    Raises:
      RuntimeError: the process failed; what it said stands in the message.
    """
    took, said = _timed(way, ["-m", __name__, model, way])
    return {"to_first_epoch_s": took, **json.loads(said)}


def shell(
    arguments: Sequence[str] = ("mlp", "--dataset", "fashion_mnist"), lengths: Sequence[int] = (1, 10), warm: int = 3
) -> list[dict[str, Any]]:
    """Seconds of `jaxd2l train`, from starting Python to the saved result, for runs of so many epochs.

    First in a folder where JAX has kept no compiled program, then where it has all of them; that the median of `warm`.

    Raises:
      RuntimeError: the command failed; what it said stands in the message.
    """
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for epochs in lengths:
            kept = str(Path(scratch) / f"compiled-{epochs}")

            def run(epochs: int = epochs, kept: str = kept) -> float:
                with tempfile.TemporaryDirectory(dir=scratch) as out:
                    command = ["-m", "jaxd2l", "train", *arguments, "--epochs", str(epochs), "--out", f"{out}/run"]
                    took, _ = _timed("jaxd2l train", command, JAX_COMPILATION_CACHE_DIR=kept)
                return took

            cold = run()
            rows.append({"epochs": epochs, "cold_s": cold, "warm_s": statistics.median(run() for _ in range(warm))})
    return rows


def _timed(what: str, arguments: Sequence[str], **environment: str) -> tuple[float, str]:
    """Seconds of a call of Python, and what it printed."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=os.environ | environment
    )
    if done.returncode:
        raise RuntimeError(f"{what} on its own failed: {done.stderr[-1000:]}")
    return time.perf_counter() - begun, done.stdout


def main(model: str, way: str) -> None:
    """Runs one epoch."""
    from jaxd2l.bench import cases
    from jaxd2l.bench.suite import all_ways

    [case] = cases.books_models([model])
    all_ways(way)[way](case).epoch()
    print(json.dumps({"peak_bytes": _peak_bytes()}))


def _peak_bytes() -> dict[str, int]:
    """Most memory held so far: of the process, and of the GPU if there is one."""
    import jax

    peaks = {"process": _peak_of_process()}
    on_device = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        on_device = torch.cuda.max_memory_allocated()
    return peaks | ({"device": int(on_device)} if on_device else {})


def _peak_of_process() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # on Linux `getrusage` begins with what the parent held, which here is a benchmark
        [kilobytes] = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return 1024 * int(kilobytes)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
