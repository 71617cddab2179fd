"""Writes parity_tests/README.md: the contract, and what was measured."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxd2l._tables import markdown_table
from parity_tests import measured
from parity_tests.contract import CLAUSES
from parity_tests.contract.table import table
from parity_tests.invariance.measuring import table as invariance_table
from parity_tests.measured import Planted

PATH = Path(__file__).with_name("README.md")

_HEAD = """\
# Parity with PyTorch

<!-- Written by `python -m parity_tests`; change contract/ or measure again, not this file. -->

Every function of jaxd2l is compared with PyTorch's in three ways. It must mean the same: float64 results agree to a
few roundings. It must be as accurate: torch's float64 result is the measure, and in float32 JAX may err at most twice
as much as torch plus a few roundings. And where the two libraries differ on purpose, a contract says how. The rule
and its reasons are in `jaxd2l/parity/rule.py`.

```sh
python -m pytest parity_tests              # all of it
python -m parity_tests                     # writes this file; --check only compares
python -m parity_tests.invariance          # which ways of running change bits; --record keeps it
python -m parity_tests.mutations           # plants every defect (--sample N, --only TEXT); --record keeps it
python -m parity_tests.mutations --seeds 20  # false alarms: runs the package without any defect
```"""

_CONTRACT = """\
## The contract: where they differ

{count} clauses. Each cell shows source text and the value it gives; `contract_test.py` runs them all. The JAX column is
what a plain port would write. The last column shows what this package does, or says what you should do. `torch_steps`
and `optax_steps` take three steps from p = 1 on p²/2; `torch_rates` are those that a scheduler's steps use."""

_INVARIANCE = """\
## Which ways of running change bits

Measured on {on}; other machines may differ. A number is the largest difference, in ULPs (gaps between neighbouring
float32 numbers) of the largest element of its array. Tests ask only for what holds everywhere: a scan equals the
jitted loop, a run equals the next, and every difference stays within the rule. The MLP is 784-256-10 with batches of
256; the epoch has four of them."""

_PLANTED = """\
## Planted defects

{count} defects, each planted by changing the source of one function. Both judges see the same outputs: our rule, and
`torch.testing.assert_close` with its default tolerances. Some cases only claim something (an error must be raised, a
mask must change) or compare the distribution of draws; there, `assert_close` has no outputs to compare.
{alarms}{missed} Measured on {on}."""


def text() -> str:
    """The whole file, from the contract and from the measurements on record."""
    differ = [clause for clause in CLAUSES if clause.is_difference]
    same = [clause for clause in CLAUSES if not clause.is_difference]
    parts = [
        _HEAD,
        _CONTRACT.format(count=len(differ)),
        table(differ),
        "## The contract: where they agree, though one may wonder",
        table(same),
    ]
    recorded = measured.read()
    renderers: dict[str, Callable[[dict[str, Any]], list[str]]] = {"invariance": _invariance, "mutations": _planted}
    for name, render in renderers.items():
        if name in recorded:
            parts += render(recorded)
    return "\n\n".join(parts) + "\n"


def is_current() -> bool:
    """Whether README.md is what `text` gives."""
    return PATH.exists() and PATH.read_text(encoding="utf-8") == text()


def _invariance(recorded: dict[str, Any]) -> list[str]:
    entry = recorded["invariance"]
    return [_INVARIANCE.format(on=entry["on"]), invariance_table(entry["result"])]


def _planted(recorded: dict[str, Any]) -> list[str]:
    defects, alarms = measured.planted_defects(), ""
    if "false_alarms" in recorded:
        result = recorded["false_alarms"]["result"]
        count, rows, seeds = len(result["alarms"]), result["rows"], result["seeds"]
        alarms = f"Our rule raises {count or 'no'} false alarms in {rows} rows over {seeds} seeds. "
    missed = "; ".join(f"`{d.function}`: {d.name}" for d in defects if not d.ours)
    misses = f"Our rule misses: {missed}." if missed else "Our rule misses none."
    unseen = [f"- `{d.function}`: {d.name}" for d in defects if d.has_outputs and not d.float32]
    return [
        _PLANTED.format(count=len(defects), alarms=alarms, missed=misses, on=recorded["mutations"]["on"]),
        _counts(defects),
        "What `assert_close` in float32 does not see in the outputs it is given:",
        "\n".join(unseen),
    ]


def _counts(defects: list[Planted]) -> str:
    """How many defects were planted and found in each part of the package."""
    headings = ["", "planted", "found by ours", "with outputs to compare", "assert_close, float32", "and float64"]
    parts: dict[str, list[Planted]] = {}
    for defect in defects:
        parts.setdefault(defect.function.split(".")[0], []).append(defect)
    return markdown_table(headings, [[part, *_sums(chosen)] for part, chosen in {**parts, "all": defects}.items()])


def _sums(defects: list[Planted]) -> list[int]:
    found = ((d.ours, d.has_outputs, d.float32, d.float64) for d in defects)
    return [len(defects), *map(sum, zip(*found, strict=True))]
