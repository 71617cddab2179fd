"""How time and memory of a run grow while one thing grows: examples, width, depth, epochs, models and so on.

    python -m bench.growth [--markdown PATH] [--plot PATH]

Each point is one `train.fit` (or `sweep`) of an MLP on images, in a process of its own. The slope is
that of the last step in a picture with logarithmic axes: 1 is a cost in proportion, less is better.
"""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator
from rich.console import Console

from bench.one_run import CHECKPOINTED, EXAMPLES, Point
from bench.page import measured_on, publish
from jaxd2l import plots
from jaxd2l._tables import markdown_table
from jaxd2l.bench.suite import environment

AXES = {
    "examples": (1000, 4000, 16000, 60000, 240000, 960000),
    "width": (64, 256, 1024, 4096, 16384),
    "depth": (1, 4, 16, 64),
    "batch size": (32, 128, 512, 2048, 8192),
    "epochs": (1, 4, 16, 64, 256),
    "models": (1, 4, 16, 64, 256),
    "checkpoints": (1, 4, 16, 64, CHECKPOINTED),
}


def measured(axis: str, value: int) -> Point:
    """Runs in a process of its own."""
    command = [sys.executable, "-m", "bench.one_run", axis, str(value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Point(*json.loads(done.stdout))


def slope(line: dict[int, Point]) -> float:
    """Of the last step, with logarithmic axes."""
    (before, first), (after, last) = list(line.items())[-2:]
    return math.log(last.seconds / first.seconds) / math.log(after / before)


def page(found: dict[str, dict[int, Point]]) -> str:
    """The tables, and where they were measured."""
    rows = [
        [f"{axis} {value}", f"{p.seconds:.3g}", f"{p.peak / 1e6:.0f}", f"{p.allowed / 1e6:.0f}"]
        for axis, line in found.items()
        for value, p in line.items()
    ]
    slopes = [[axis, str(max(line)), f"{slope(line):.2f}"] for axis, line in found.items()]
    return (
        "# How time and memory grow\n\n<!-- Written by `python -m bench.growth --markdown ... --plot ...`. -->\n\n"
        f"An MLP 784-256-10 on {EXAMPLES} images in batches of 256. One thing grows at a time, and each row is a "
        "process\n"
        "of its own. Seconds are those of the shortest epoch; for epochs, models and checkpoints those of the whole\n"
        f"call on 1000 images, compilation included. Measured on {measured_on(environment())}.\n\n"
        "![growth](pictures/costs.png)\n\n## Slopes of the last step; 1 is in proportion\n\n"
        + markdown_table(["what grows", "to", "slope"], slopes, "lrr")
        + "\n\n## Each run\n\nAllowed: the dataset, six times the parameters, and 300 MB.\n\n"
        + markdown_table(["what grows", "seconds", "peak MB", "allowed MB"], rows, "lrrr")
        + "\n"
    )


def picture(found: dict[str, dict[int, Point]]) -> Figure:
    """A panel for each thing that grows, and a dashed line for a cost in proportion to it."""
    figure = Figure(figsize=(8, 7), layout="constrained")
    panels = figure.subplots(3, 3).ravel()
    for axes, (axis, line) in zip(panels, found.items(), strict=False):
        values, seconds = list(line), [p.seconds for p in line.values()]
        axes.plot(values, seconds, "o-", color="#0072B2")
        largest = max(values)
        axes.plot(values, [seconds[-1] * v / largest for v in values], "--", color="0.5", linewidth=1)
        axes.set(xscale="log", yscale="log", ylim=(min(seconds) / 2, max(seconds) * 2))
        axes.set_xlabel(axis)
        axes.xaxis.set_major_locator(FixedLocator(values))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.tick_params(axis="x", labelsize=7, rotation=30)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    for axes in panels[:: panels.size // 3]:
        axes.set_ylabel("seconds")
    for axes in panels[len(found) :]:
        axes.set_axis_off()
    figure.suptitle("What a run costs while one thing grows (dashed: in proportion)", fontsize=11)
    return figure


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", type=Path, metavar="PATH")
    parser.add_argument("--plot", type=Path, metavar="PATH")
    options = parser.parse_args(arguments)
    found: dict[str, dict[int, Point]] = {}
    with Console(stderr=True).status("") as status:
        for axis, values in AXES.items():
            for value in values:
                status.update(f"{axis} {value}")
                found.setdefault(axis, {})[value] = measured(axis, value)
    if options.plot:
        options.plot.write_bytes(plots.png(picture(found)))
    publish(page(found), options.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
