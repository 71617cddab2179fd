"""Planted defects: which of them does the suite find, and which would `torch.testing.assert_close` find?

python -m parity_tests.mutations                 # plants every defect, prints the table
python -m parity_tests.mutations --sample 12     # a sample that is the same every time
python -m parity_tests.mutations --seeds 20      # runs the package without any defect: every alarm is false
python -m parity_tests.mutations --record        # keeps what was measured for README.md
"""

import argparse
import time
from collections.abc import Sequence

from parity_tests import measured
from parity_tests.measured import Planted
from parity_tests.mutations.catalogue import MUTATIONS, sample
from parity_tests.mutations.judging import false_alarms, judge
from parity_tests.mutations.planting import Mutation


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 if a defect is missed or an alarm is false."""
    parser = argparse.ArgumentParser(prog="python -m parity_tests.mutations", description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, help="plant only so many, evenly spread")
    parser.add_argument("--only", default="", help="plant only those with this text in name or function")
    parser.add_argument("--seeds", type=int, default=0, help="run the package without defects on so many seeds instead")
    parser.add_argument("--record", action="store_true", help="keep the result for README.md")
    options = parser.parse_args(arguments)
    if options.seeds:
        return count_alarms(options.seeds, record=options.record)
    chosen = [m for m in MUTATIONS if options.only in f"{m.name} {m.function}"]
    if not chosen:
        parser.error(f"no defect has {options.only!r} in its name or function")
    return plant(sample(chosen, options.sample) if options.sample else chosen, record=options.record)


def plant(mutations: Sequence[Mutation], *, record: bool = False) -> int:
    """Plants defects one after the other and prints who finds them; 1 if the rule misses one."""
    results = []
    for mutation in mutations:
        start = time.perf_counter()
        found = judge(mutation)
        results.append(Planted(mutation.function, mutation.name, *found))
        marks = "  ".join("found " if each else "MISSED" for each in found[:3])
        print(f"{marks}  {time.perf_counter() - start:5.1f} s  {mutation.function}: {mutation.name}", flush=True)
    ours, float32, float64, outputs = (sum(column) for column in zip(*(r[2:] for r in results), strict=True))
    print(f"of {len(results)}: ours {ours}, assert_close {float32}, with float64 {float64}; outputs in {outputs}")
    if record:  # what was not planted now keeps its record
        known = {(r.function, r.name): r for r in (*measured.planted_defects(), *results)}
        measured.write("mutations", [known[m.function, m.name] for m in MUTATIONS if (m.function, m.name) in known])
    return int(ours < len(results))


def count_alarms(seeds: int, *, record: bool = False) -> int:
    """Runs the package without defects and prints the false alarms; 1 if there are any."""
    rows, alarms = false_alarms(range(seeds))
    print(f"{len(alarms)} false alarms in {rows} rows, {seeds} seeds", *alarms, sep="\n")
    if record:
        measured.write("false_alarms", {"seeds": seeds, "rows": rows, "alarms": alarms})
    return int(bool(alarms))
