"""Where the seconds of `jaxd2l train mlp --dataset fashion_mnist` go, from the shell to the saved result.

python -m bench.shell_seconds [--markdown PATH]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.page import measured_on, publish
from bench.watched import REST, STARTING, WORK
from jaxd2l._process.environment import environment
from jaxd2l._tables import markdown_table
from jaxd2l.bench.fresh_process import cache

TURNS = 3
ENDING = "leaving Python"
CASES = {
    "1 epoch, nothing compiled before": ("1", False),
    "10 epochs, compiled programs kept": ("10", True),
}


def run(epochs: str, compiled: Path) -> Counter[str]:
    """The seconds of one run in a new process."""
    with tempfile.TemporaryDirectory() as out:
        command = ["train", "mlp", "--dataset", "fashion_mnist", "--epochs", epochs, "--out", f"{out}/run"]
        done = subprocess.run(
            [sys.executable, "-m", "bench.watched", str(time.time()), *command],
            env=os.environ | cache(str(compiled)),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        left = time.time()
    found = json.loads(done.stdout.splitlines()[-1])
    return Counter(found["seconds"] | {ENDING: left - found["ended"]})


def measure() -> dict[str, Counter[str]]:
    """For each case the run of median length."""
    found = {}
    for case, (epochs, is_kept) in CASES.items():
        with tempfile.TemporaryDirectory() as scratch:
            places = [Path(scratch, "kept" if is_kept else str(turn)) for turn in range(TURNS)]
            if is_kept:
                run(epochs, places[0])
            runs = sorted((run(epochs, place) for place in places), key=Counter.total)
        found[case] = runs[TURNS // 2]
    return found


def page(found: dict[str, Counter[str]]) -> str:
    """The table, and where it was measured."""
    rows = [[kind, *(f"{seconds[kind]:.2f}" for seconds in found.values())] for kind in (STARTING, *WORK, REST, ENDING)]
    rows.append(["**all**", *(f"**{seconds.total():.2f}**" for seconds in found.values())])
    return (
        "# Where the seconds of a command go\n\n<!-- Written by `python -m bench.shell_seconds --markdown ...`. -->\n\n"
        "Seconds of `jaxd2l train mlp --dataset fashion_mnist`, from the shell to the saved result, by what the main\n"
        f"thread was doing; the run of median length of {TURNS}. The pictures' library is loaded beside it while JAX\n"
        f"compiles. On {measured_on(environment('jax', 'jaxlib'))}.\n\n"
        + markdown_table(["", *found], rows, "l" + "r" * len(found))
        + "\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", type=Path, metavar="PATH")
    options = parser.parse_args(arguments)
    publish(page(measure()), options.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
