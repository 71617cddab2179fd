"""Public PyTorch models against their JAX ports: verdicts, time, memory, and planted bugs.

python -m parity_tests.ports                  # all of them, each in a process of its own, and writes README.md
python -m parity_tests.ports GPT-2 BERT       # only these; the others keep their lines
python -m parity_tests.ports --large          # the two large ones
"""

import argparse
import multiprocessing
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jaxd2l._process.environment import environment
from jaxd2l._tables import markdown_table
from parity_tests import measured
from parity_tests.ports.measuring import LARGE, PORTS, Measured, is_installed, measure

PATH = Path(__file__).with_name("README.md")
_HEADINGS = ("model", "port in", "parameters", 'mapped by "auto"', "verdict", "seconds", "memory, MB", "bugs", "named")

_TEXT = """\
# Public models against their ports

<!-- Written by `python -m parity_tests.ports`. -->

The torch side is `transformers`, with random weights; nothing is downloaded. The JAX side is a port in this folder, or
one that others published. Each runs in a process of its own: `parity.check` of the right port, then of the same port
with a mistake planted. A mistake is named if the report says its words. Seconds are of processor time, for the right
port; memory is the most that its process ever had, libraries included.

{table}

| planted bug | found |
|---|---|
{bugs}

Measured on {machine}.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 if a right port is refused or a bug is missed."""
    parser = argparse.ArgumentParser(prog="python -m parity_tests.ports", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PORTS)}; all of them if none is given")
    parser.add_argument("--large", action="store_true", help="measure the two large ones instead")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in {**PORTS, **LARGE}]:
        parser.error(f"no port is called {unknown[0]!r}; there are {', '.join({**PORTS, **LARGE})}")
    names = options.names or list(LARGE if options.large else PORTS)
    for name in [name for name in names if not is_installed(name)]:
        print(f"{name}: left out, since torchvision is not installed")
        names.remove(name)
    is_right = True
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for name, found in zip(names, pool.imap(measure, names, chunksize=1), strict=True):
            is_right &= not found.failures and "missed" not in found.bugs.values()
            print(f"{name}: {found}", flush=True)
            record(name, found)
    return int(not is_right)


def record(name: str, found: Measured) -> None:
    """Keeps what was measured, and writes the page."""
    here = environment()
    on = f"{here.cpu}, {here.cores} cores, transformers {version('transformers')}, {measured.machine()}"
    lines = {**read(), name: {"on": on, **found._asdict()}}
    measured.write("ports", {n: lines[n] for n in {**PORTS, **LARGE} if n in lines})
    PATH.write_text(page(read()), encoding="utf-8")


def read() -> dict[str, Any]:
    """What is on record, by the name of the port."""
    lines: dict[str, Any] = measured.read().get("ports", {"result": {}})["result"]
    return lines


def page(lines: Mapping[str, Any]) -> str:
    """README.md."""
    bugs = [f"| {name}: {bug} | {how} |" for name, line in lines.items() for bug, how in line["bugs"].items()]
    machines = "; ".join(dict.fromkeys(line["on"] for line in lines.values()))
    table = markdown_table(_HEADINGS, [_cells(name, line) for name, line in lines.items()], "llrrlrrrr")
    return _TEXT.format(table=table, bugs="\n".join(bugs), machine=machines)


def _cells(name: str, line: Mapping[str, Any]) -> list[object]:
    how = list(line["bugs"].values())
    verdict = f"refused: {line['failures'][0]}" if line["failures"] else "right"
    found, named = sum(h != "missed" for h in how), how.count("named")
    share = f"{100 * line['mapped'] / line['parameters']:.0f}%"
    numbers = [f"{line['parameters']:,}", share, verdict, f"{line['seconds']:.0f}", line["megabytes"]]
    return [name, line["framework"], *numbers, *([f"{found} of {len(how)}", named] if how else ["", ""])]
