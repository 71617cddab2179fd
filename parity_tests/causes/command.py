"""Plants every defect and writes the table.

python -m parity_tests.causes                  # everything: right ports, then planted defects
python -m parity_tests.causes --only norms     # those with this in their family or name
python -m parity_tests.causes --record         # and keeps what was found in measured.json and README.md
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import track

from jaxd2l._process.environment import environment
from jaxd2l._tables import markdown_table
from parity_tests.causes.families import DEFECTS
from parity_tests.causes.planting import Outcome, outcome, right_ports, with_right_ports
from parity_tests.causes.settings import Defect

RECORD, PAGE = (Path(__file__).with_name(name) for name in ("measured.json", "README.md"))
_HEADINGS = ("family", "right ports", "accepted", "planted", "found", "named", "named wrongly")

_TEXT = """\
# Causes by name

<!-- Written by `python -m parity_tests.causes --record`. -->

Each defect is a mistake in a small JAX port of a torch module, planted in a port that is right otherwise.
`parity.check` must accept the right ports, find every defect, and name its cause in words that were written down
before: a hint without them is named wrongly, no hint is unnamed. {count} defects, measured with {versions}.

{table}

{unnamed}

## What it says

{hints}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 if a right port is refused, a defect is missed, or a cause is named wrongly."""
    parser = argparse.ArgumentParser(prog="python -m parity_tests.causes", description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="TEXT", default="", help="only defects with this in their family or name")
    parser.add_argument("--record", action="store_true", help=f"keep the result in {RECORD.name} and {PAGE.name}")
    options = parser.parse_args(arguments)
    chosen = [d for d in DEFECTS if options.only in d.family or options.only in d.name]
    settings = {id(defect.setting) for defect in chosen}
    firsts = [defect for defect in with_right_ports(DEFECTS) if id(defect.setting) in settings]
    rights = list(track(right_ports(firsts), "Right ports"))
    outcomes = []
    for defect in track(chosen, "Planting"):
        outcomes.append(outcome(defect))
        print(f"{outcomes[-1].verdict}: {defect.family}: {defect.name}: {outcomes[-1].hint}")
    print(table(rights, outcomes))
    if options.record:
        record(rights, outcomes)
    bad = [o for o in outcomes if not o.found or o.verdict == "wrong"]
    return int(bool(bad) or not all(right["accepted"] for right in rights))


def record(rights: list[dict[str, Any]], outcomes: list[Outcome]) -> None:
    """Keeps what was found, in place of what was found before of the same; and the table of all."""
    kept = measured()
    new = {"rights": {f"{r['family']}: {r['name']}": r for r in rights}}
    new |= {"outcomes": {key(o): o._asdict() for o in outcomes}}
    merged = {part: kept.get(part, {}) | values for part, values in new.items()}
    wanted = {key(d) for d in DEFECTS}
    merged = {part: {k: v for k, v in sorted(values.items()) if k in wanted} for part, values in merged.items()}
    versions = environment("jax", "torch", "numpy").versions
    RECORD.write_text(json.dumps(merged | {"versions": versions}, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")


def measured() -> dict[str, Any]:
    """What was recorded."""
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}


def key(defect: Defect | Outcome) -> str:
    """The name under which a defect is recorded."""
    return f"{defect.family}: {defect.name}"


def page() -> str:
    """The table and the hints, from what was recorded."""
    kept = measured()
    rights, outcomes = list(kept["rights"].values()), [Outcome(**o) for o in kept["outcomes"].values()]
    versions = ", ".join(f"{name} {version}" for name, version in kept["versions"].items())
    unnamed = [f"- {key(o)}" for o in outcomes if o.verdict != "named"]
    text = "Not named:\n\n" + "\n".join(unnamed) if unnamed else "All of these are named."
    if missing := [d for d in DEFECTS if key(d) not in kept["outcomes"]]:
        families = ", ".join(dict.fromkeys(d.family for d in missing))
        text += f" {len(missing)} more ({families}) are planted by the command and not yet measured here."
    hints = "\n".join(f"- {key(o)}: *{o.hint}*" for o in outcomes if o.hint)
    return _TEXT.format(
        count=len(outcomes), versions=versions, table=table(rights, outcomes), unnamed=text, hints=hints
    )


def table(rights: list[dict[str, Any]], outcomes: list[Outcome]) -> str:
    """Counts by family, and of all."""
    families = list(dict.fromkeys(o.family for o in outcomes))
    rows = [_counts(name, rights, outcomes) for name in (*families, "all")]
    return markdown_table(_HEADINGS, rows, "lrrrrrr")


def _counts(name: str, rights: list[dict[str, Any]], outcomes: list[Outcome]) -> list[object]:
    of_rights = [right["accepted"] for right in rights if name in (right["family"], "all")]
    of_outcomes = [o for o in outcomes if name in (o.family, "all")]
    verdicts, found = [o.verdict for o in of_outcomes], sum(o.found for o in of_outcomes)
    counts = len(of_rights), sum(of_rights), len(of_outcomes), found
    return [name, *counts, verdicts.count("named"), verdicts.count("wrong")]
