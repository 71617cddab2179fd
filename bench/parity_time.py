"""How long `parity.check` takes on the README's example, an MLP 784-256-10 with 20 steps of training.

    python -m bench.parity_time [--times 5] [--markdown PATH]

Each time is that of a process of its own, so that nothing is compiled before. Importing the libraries does not count.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.page import measured_on, publish
from jaxd2l._process.environment import environment
from jaxd2l._tables import markdown_table

BATCH_SIZES = (64, 256)
_CHECK = """\
import sys, time
import numpy as np, optax, torch
from jaxd2l import losses, models, parity
net = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
rng, n = np.random.default_rng(0), int(sys.argv[1])
batch = rng.normal(size=(n, 784)).astype(np.float32), rng.integers(0, 10, n)
begun, used = time.perf_counter(), time.process_time()
report = parity.check(
    net,
    models.mlp(784, 256, 10),
    batch,
    loss=(torch.nn.functional.cross_entropy, losses.cross_entropy),
    optim=(lambda params: torch.optim.SGD(params, lr=0.1), optax.sgd(0.1)),
    steps=20,
)
report.assert_ok()
print(time.perf_counter() - begun, time.process_time() - used)
"""


def seconds(batch_size: int) -> tuple[float, float]:
    """Of one check in a fresh process: by the clock, and of the processor."""
    ran = subprocess.run([sys.executable, "-c", _CHECK, str(batch_size)], stdout=subprocess.PIPE, text=True, check=True)
    clock, processor = map(float, ran.stdout.split())
    return clock, processor


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--markdown", type=Path, metavar="PATH")
    options = parser.parse_args(arguments)
    rows = []
    for batch_size in BATCH_SIZES:
        clock, processor = zip(*(seconds(batch_size) for _ in range(options.times)), strict=True)
        rows.append([batch_size, *(f"{statistics.median(t):.1f} ({min(t):.1f})" for t in (clock, processor))])
    page = (
        "# Time of a parity check\n\n"
        f"Made by `python -m bench.parity_time --times {options.times}`: the README's example, "
        "an MLP 784-256-10 with 20\n"
        f"steps of training, in a fresh process, imports not counted; seconds: median (minimum). On\n"
        f"{measured_on(environment('jax', 'torch'))}.\n\n"
        + markdown_table(["examples in the batch", "by the clock", "of the processor"], rows)
        + "\n"
    )
    publish(page, options.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
