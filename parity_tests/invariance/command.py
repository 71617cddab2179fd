"""Does the way of running a function change its bits? Measured, not assumed.

    python -m parity_tests.invariance             # measures and prints the table
    python -m parity_tests.invariance --record    # and keeps it for README.md

Each subject is a step `(carry, batch) -> (carry, output)`, run over a few batches op by op, compiled step by step, and
as one compiled scan; then with one example alone against the same example in its batch, under `vmap`, and in processes
with one thread and with two. Differences are given in ULPs of the largest element of the array they are found in.
"""

import argparse
from collections.abc import Sequence

from parity_tests import measured
from parity_tests.invariance.measuring import measure, save_values, table


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m parity_tests.invariance", description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="keep the result for README.md")
    parser.add_argument("--values", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.values:
        return save_values(options.values)
    found = measure()
    print(table(found))
    if options.record:
        measured.write("invariance", found)
    return None
