"""One way in a process of its own: how long until the first result, and how much memory at most.

`python -m jaxd2l.timing.alone MODEL WAY` prints both as JSON; `measure` runs that.
"""

import json
import subprocess
import sys
import time
from typing import Any


def measure(model: str, way: str) -> dict[str, Any]:
    """Seconds from starting Python to the end of the first epoch, data from the cache included, and the peak memory.

    Raises:
      RuntimeError: the process failed; what it said stands in the message.
    """
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", __name__, model, way], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{way} on its own failed: {done.stderr[-1000:]}")
    return {"to_first_epoch_s": time.perf_counter() - begun, **json.loads(done.stdout)}


def main(model: str, way: str) -> None:
    """Runs one epoch."""
    from jaxd2l.timing import cases
    from jaxd2l.timing.suite import all_ways

    [case] = cases.books_models([model])
    all_ways(way)[way](case).epoch()
    print(json.dumps({"peak_bytes": _peak_bytes()}))


def _peak_bytes() -> dict[str, int]:
    """Most memory held so far: of the process, and of the GPU if there is one."""
    import resource

    import jax

    unit = 1 if sys.platform == "darwin" else 1024
    peaks = {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}
    on_device = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        on_device = torch.cuda.max_memory_allocated()
    return peaks | ({"device": int(on_device)} if on_device else {})


if __name__ == "__main__":
    main(*sys.argv[1:])
