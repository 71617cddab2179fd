"""Writes parity_tests/README.md: the contract, and what was measured."""

from collections import Counter
from pathlib import Path
from typing import Any

from parity_tests import contract, invariance, measured

PATH = Path(__file__).with_name("README.md")

_HEAD = """\
# Parity with PyTorch

<!-- Written by `python -m parity_tests`; change contract/ or measure again, not this file. -->

Every function of jaxd2l is held against PyTorch in three ways: the same meaning (float64 against float64), the same
accuracy (float32 against a float64 oracle, with torch's own error as the measure), and a contract of the places where
the two libraries differ on purpose. The rule is in `jaxd2l/parity/rule.py`, with its reasons.

```sh
python -m pytest parity_tests              # all of it
python -m parity_tests                     # writes this file; --check only compares
python -m parity_tests.invariance          # which ways of running change bits; --record keeps it
python -m parity_tests.mutations           # plants every defect (--sample N, --only TEXT); --record keeps it
python -m parity_tests.mutations --seeds 20  # false alarms of the unharmed package
```
"""


def text() -> str:
    """The whole file, from the contract and from the measurements on record."""
    rows, recorded = contract.ROWS, measured.read()
    differ = [row for row in rows if contract.is_difference(row)]
    same = [row for row in rows if not contract.is_difference(row)]
    parts = [
        _HEAD,
        "## The contract: where they differ\n",
        f"{len(differ)} rows. Each cell is source text and the value it gives; `contract_test.py` runs them all. The",
        "JAX column is what a plain port writes; the last one what this package does, or what you should. `torch_sgd`",
        "and `optax_steps` take three steps from p = 1 on p²/2.\n",
        contract.markdown(differ),
        "\n## The contract: where they agree, though one may wonder\n",
        contract.markdown(same),
    ]
    for name, render in (("invariance", _invariance), ("mutations", _mutations)):
        if name in recorded:
            parts.append(render(recorded))
    return "\n".join(parts) + "\n"


def is_current() -> bool:
    """Whether README.md is what `text` gives."""
    return PATH.exists() and PATH.read_text(encoding="utf-8") == text()


def _invariance(recorded: dict[str, Any]) -> str:
    entry = recorded["invariance"]
    return f"""
## Which ways of running change bits

Measured on {entry["on"]}; other machines may differ. A number is the largest difference, in ULP of the largest element
of its array. Tests ask only for what holds everywhere: a scan equals the jitted loop, a run equals the next, and every
difference stays within the rule. The MLP is 784-256-10 with batches of 256, the epoch has four of them.

{invariance.markdown(entry["result"])}"""


def _mutations(recorded: dict[str, Any]) -> str:
    entry = recorded["mutations"]
    results = entry["result"]
    columns = [Counter[str]() for _ in range(5)]
    for function, _, ours, float32, float64, has_outputs in results:
        for column, hit in zip(columns, (True, ours, has_outputs, float32, float64), strict=True):
            column[function.split(".")[0]] += hit
    lines = [f"| {room} | " + " | ".join(str(column[room]) for column in columns) + " |" for room in columns[0]]
    total = [column.total() for column in columns]
    lines.append("| all | " + " | ".join(map(str, total)) + " |")
    heads = [
        "| | planted | found by ours | with outputs to compare | assert_close, float32 | and float64 |",
        "|---" * 6 + "|",
    ]
    table = "\n".join([*heads, *lines])
    missed = [(function, name) for function, name, ours, *_ in results if not ours]
    missed_by_close = [f"- `{f}`: {name}" for f, name, _, close, _, outputs in results if outputs and not close]
    alarms = ""
    if "false_alarms" in recorded:
        result = recorded["false_alarms"]["result"]
        alarms = (
            f"False alarms of ours over {result['seeds']} seeds: {len(result['alarms'])} in {result['rows']} rows. "
        )
    nothing = "None is missed by ours."
    survivors = "Missed by ours: " + "; ".join(f"`{f}`: {n}" for f, n in missed) + "." if missed else nothing
    return f"""
## Planted defects

{total[0]} defects, each planted by changing the source of one function. Both judges see the same outputs;
`torch.testing.assert_close` has its default tolerances. Where a case only claims something (an error must be raised, a
mask must change) or compares the distribution of draws, there are no outputs for it to compare. {alarms}{survivors}
Measured on {entry["on"]}.

{table}

What `assert_close` in float32 does not see in the outputs it is given:

{chr(10).join(missed_by_close)}"""
