"""Compares every optimiser with torch's, and writes the table.

python -m parity_tests.optimizers            # everything: options, schedules, clipping
python -m parity_tests.optimizers --write    # and keeps the table as README.md
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from jaxd2l._process.environment import environment
from jaxd2l._tables import markdown_table
from jaxd2l.parity.rule import Row, holds
from jaxd2l.parity.suite.optim import STEPS
from parity_tests.optimizers.cases import cases
from parity_tests.optimizers.defects import defects
from parity_tests.optimizers.planting import compared, judge, network

SEEDS = 20
"""On how many networks and batches each right port must be accepted."""

PATH = Path(__file__).with_name("README.md")
_HEADINGS = ("optimiser", "cases", "agree", "worst float64 difference", "float32 error, JAX / torch: median", "worst")

_TEXT = """\
# Optimisers against `torch.optim`

<!-- Written by `python -m parity_tests.optimizers --write`. -->

Every optimiser of `jaxd2l.optim` with every combination of its options, with every schedule of `jaxd2l.schedules`, and
with every way of clipping takes {steps} steps on random gradients; torch's takes the same. In float64 both must agree
to 8 roundings of the numbers combined; in float32 JAX may err twice as much as torch plus 4 roundings. The float64
difference is in such roundings, and both are the worst over all steps. Measured with {versions}.

{table}

## Planted defects

{planted} wrong ports of these optimisers (another default, eps or decay in another place, no bias correction, groups
mixed up), as `parity.check` sees them: found {found}, named {named}, named wrongly {wrongly}. Their right ports on
{seeds} networks and batches: accepted {accepted} of {right}.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 if something disagrees."""
    parser = argparse.ArgumentParser(prog="python -m parity_tests.optimizers", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"keep the table as {PATH.name}")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # arrays of twelve numbers gain nothing from a second one
    found: dict[str, list[list[Row]]] = defaultdict(list)
    for case in track(list(cases()), "Comparing"):
        found[case.optimizer].append(case.run(0))
    table = markdown_table(_HEADINGS, [_cells(name, rows) for name, rows in found.items()], "lrrrrr")
    failures = [row for rows in found.values() for case in rows for row in case if not holds(row)]
    print(table, *(f"{row.quantity} ({row.level}): {row.verdict}" for row in failures), sep="\n")
    planted, sides = list(defects()), network(0)
    judged = [judge(defect, sides) for defect in track(planted, "Planting")]
    accepted, caught, named = (sum(column) for column in zip(*(j[:3] for j in judged), strict=True))
    wrongly = sum(bool(j.hint) and not j.named and not j.hint.startswith("first in") for j in judged)
    for seed in track(range(1, SEEDS), "Right ones"):
        sides = network(seed)
        accepted += sum(holds(compared(sides, defect.torch, defect.right)) for defect in planted)
    right = SEEDS * len(planted)
    print(f"planted {len(planted)}, found {caught}, named {named}, named wrongly {wrongly}")
    print(f"right ones accepted {accepted} of {right}")
    if options.write:
        versions = ", ".join(f"{name} {v}" for name, v in environment("jax", "optax", "torch").versions.items())
        counts = {"planted": len(planted), "found": caught, "named": named, "wrongly": wrongly}
        counts |= {"accepted": accepted, "right": right, "seeds": SEEDS}
        PATH.write_text(_TEXT.format(steps=STEPS, versions=versions, table=table, **counts), encoding="utf-8")
    return int(bool(failures) or caught < len(planted) or accepted < right or wrongly > 0)


def _cells(name: str, cases: list[list[Row]]) -> list[object]:
    rows = [row for case in cases for row in case]
    exact = max(row.jax_error for row in rows if row.level == "meaning")
    ratios = [row.ratio for row in rows if row.level == "accuracy" and row.torch_error]
    agree = sum(all(map(holds, case)) for case in cases)
    return [name, len(cases), agree, f"{exact:.1f}", f"{np.median(ratios):.2f}", f"{max(ratios):.2f}"]
