"""Writes parity_tests/operations/README.md: the rates by family, and what is left out."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jaxd2l._tables import markdown_table
from parity_tests.measured import machine
from parity_tests.operations.families import FAMILIES, MODULES_OF_FLAX
from parity_tests.operations.left_out import LEFT_OUT
from parity_tests.operations.modules import MODULE_INFOS, MODULES
from parity_tests.operations.precision import INEXACT
from parity_tests.operations.replaying import Replay

PATH = Path(__file__).with_name("README.md")

_HEAD = """\
# PyTorch's own samples, replayed on JAX

<!-- Written by `python -m parity_tests.operations --seeds 20 --samples {limit} --planted {planted} --write`, with
--keep if it was stopped on the way; change the tables of counterparts or run it again, not this file. -->

PyTorch tests its operations and modules on samples of its own (OpInfo, ModuleInfo). Each operation that has a plain
counterpart in jax.numpy, jax.nn, jax.lax, jax.scipy or Flax is replayed here: value and gradient, judged by the rule
of `parity.check`, without a tolerance; where a library computes badly is listed below. At most {limit} samples of an
operation, with numbers drawn for {seeds}; at most {planted} defects planted into each sample (a factor of
1 + 1e-6, a stopped gradient, an option dropped or changed, an axis exchanged, an index off by one, a neighbouring
function, one element off). A defect counts if it moves a float64 result by more than 1e-8 of its largest number.

{summary} Measured on {machine}, in {minutes:.0f} minutes of one process.{missing}"""


def text(results: Sequence[Replay], limit: int, planted: int, wanted: int) -> str:
    """The whole page, of `wanted` operations if none is missing."""
    parts = [
        _HEAD.format(
            seeds=_seeds(results),
            limit=limit,
            planted=planted,
            summary=summary(results),
            machine=machine(),
            minutes=sum(result.seconds for result in results) / 60,
            missing=f" **Not measured yet: {wanted - len(results)} operations.**" if wanted > len(results) else "",
        ),
        _families(results),
        "## Where a library's own result is off\n\nThese counterparts are right, and `check` rightly refuses them.",
        _inexact(results),
        *_sentences("## Right, and not accepted", [s for result in results for s in result.alarms]),
        *_sentences("## Planted, and not found", [s for result in results for s in result.missed]),
        "## Samples left out\n\nOptions that the JAX function has no word for, and numbers that no check takes.",
        _reasons(results),
        "## Operations left out",
        _operations_left_out(),
    ]
    return "\n\n".join(parts) + "\n"


def _seeds(results: Sequence[Replay]) -> str:
    """How many operations were replayed with how many seeds."""
    counts = Counter(result.seeds for result in results)
    return ", ".join(f"{n} seeds ({count} operations)" for n, count in sorted(counts.items(), reverse=True))


def summary(results: Sequence[Replay]) -> str:
    """The rates over all, in a sentence."""
    total = _sums(results)
    return (
        f"{len(results)} operations and modules, {total['samples']} samples: {total['accepted']} of {total['right']} "
        f"right ones accepted, {total['inexact']} refused because a library's own result is off there; "
        f"{total['found']} of {total['planted']} planted defects found."
    )


def _sums(results: Sequence[Replay]) -> dict[str, int]:
    columns = ("samples", "right", "accepted", "inexact", "planted", "found")
    return {column: sum(getattr(result, column) for result in results) for column in columns}


def _families(results: Sequence[Replay]) -> str:
    rows = []
    for family in (*FAMILIES, MODULES_OF_FLAX, "all"):
        chosen = [result for result in results if family in (result.family, "all")]
        total = _sums(chosen)
        accepted = f"{total['accepted']} of {total['right'] - total['inexact']}"
        rows.append(
            [family, sum(bool(r.samples) for r in chosen), total["samples"], accepted, total["inexact"] or "",
             f"{total['found']} of {total['planted']}"]
        )  # fmt: skip
    headings = ["", "operations", "samples", "right ones accepted", "a library is off", "planted defects found"]
    return markdown_table(headings, rows, "lrrrrr")


def _inexact(results: Sequence[Replay]) -> str:
    rows = [[f"`{r.name}`", INEXACT[r.name], f"{r.inexact} of {r.right}"] for r in results if r.inexact]
    return markdown_table(["", "what is off", "samples and seeds"], rows, "llr")


def _sentences(heading: str, sentences: Sequence[str]) -> list[str]:
    return [heading, "\n".join(f"- {sentence}" for sentence in sentences)] if sentences else []


def _reasons(results: Sequence[Replay]) -> str:
    counts: Counter[str] = Counter()
    names: dict[str, list[str]] = {}
    for result in results:
        for reason, count in result.left_out.items():
            counts[reason] += count
            names.setdefault(reason, []).append(f"`{result.name}`")
    rows = [[reason, count, _few(names[reason])] for reason, count in counts.most_common()]
    return markdown_table(["reason", "samples", "operations"], rows, "lrl")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _operations_left_out() -> str:
    reasons: dict[str, list[str]] = {}
    for name, reason in LEFT_OUT.items():
        reasons.setdefault(reason, []).append(f"`{name}`")
    modules = [f"`{name}`" for name in MODULE_INFOS if name not in MODULES]
    reasons["modules whose operation is replayed above, or whose port is no single layer of Flax"] = modules
    return markdown_table(
        ["reason", "", "operations"], [[r, len(n), " ".join(sorted(n))] for r, n in reasons.items()], "lrl"
    )
