"""Where an epoch's time goes: the operations of the compiled program, by the time they took.

    python -m bench.profile [--markdown PATH]

Each epoch runs twice to warm up, and once under JAX's profiler. What an operation computes is read from the compiled
program (HLO): its result, and which of JAX's operations it comes from. Operations may overlap, so shares are of the sum
of all and not of the epoch.
"""

import argparse
import collections
import gzip
import json
import re
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import optax

from jaxd2l.models.products import Precision
from jaxd2l.timing import cases
from jaxd2l.timing.suite import environment
from jaxd2l.train import create_state, train_epoch
from jaxd2l.types import Batch

PROFILED: tuple[tuple[str, Precision], ...] = (("softmax", "float32"), ("mlp", "float32"), ("mlp", "bfloat16"))
SHOWN = 8


class Operation(NamedTuple):
    """An operation of the compiled program: how often it ran, seconds in all, its result, where it comes from."""

    name: str
    calls: int
    seconds: float
    result: str
    source: str


def profile(case: cases.Case, precision: Precision) -> list[Operation]:
    """The operations of an epoch, the longest first."""
    model, tx = cases.model(case, precision), optax.sgd(case.lr)
    static = {"model": model, "loss": cases.loss(case), "tx": tx, "batch_size": case.batch_size}
    epoch = jax.jit(partial(train_epoch, **static))
    state, key = create_state(model, tx, jax.random.key(cases.WEIGHTS_SEED)), jax.random.key(cases.ORDER_SEED)
    train = jax.device_put(Batch(*case.dataset.train))
    compiled = epoch.lower(state, train, key).compile()
    state, _ = compiled(state, train, key)
    with tempfile.TemporaryDirectory() as folder:
        jax.block_until_ready(compiled(state, train, key))
        with jax.profiler.trace(folder):
            jax.block_until_ready(compiled(state, train, key))
        [trace] = Path(folder).rglob("*.trace.json.gz")
        events = json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
    return _summed(events, _lines(compiled.as_text()))


def _lines(hlo: str) -> dict[str, str]:
    """The line of each operation, by its name."""
    return {match[1]: line for line in hlo.splitlines() if (match := re.match(r"\s*(?:ROOT )?%([\w.-]+) = ", line))}


def _summed(events: list[dict[str, Any]], lines: dict[str, str]) -> list[Operation]:
    seconds, calls = collections.Counter[str](), collections.Counter[str]()
    for event in events:
        name = event.get("name", "")
        if event.get("ph") == "X" and name in lines and not re.match(r"(while|call|conditional)\b", name):
            seconds[name] += event["dur"] / 1e6
            calls[name] += 1
    operations = []
    for name, took in seconds.most_common():
        [result] = re.findall(r" = (\(?[\w\[\],]+)", lines[name])[:1]
        source = re.findall(r'op_name="([^"]*)"', lines[name])[:1]
        operations.append(
            Operation(name, calls[name], took, result, "/".join(source[0].split("/")[-3:]) if source else "")
        )
    return operations


def page() -> str:
    """All profiles, as Markdown."""
    env = environment()
    text = [
        "# Where an epoch's time goes",
        "",
        "Made by `python -m bench.profile --markdown bench/profile.md` on "
        f"{env['cpu']}, {env['cores']} cores, jax {jax.__version__}. One epoch each, Fashion-MNIST, batch 256.",
    ]
    for name, precision in PROFILED:
        [case] = cases.books_models([name])
        operations = profile(case, precision)
        total = sum(operation.seconds for operation in operations)
        text += [
            "",
            f"## {case.name}, {precision}: {1e3 * total:.1f} ms of operations",
            "",
            "| operation | calls | ms | share | result | comes from |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for operation in operations[:SHOWN]:
            share = f"{1e3 * operation.seconds:.1f} | {operation.seconds / total:.0%}"
            end = f"`{operation.result}` | {operation.source}"
            text.append(f"| `{operation.name}` | {operation.calls} | {share} | {end} |")
        rest = sum(operation.seconds for operation in operations[SHOWN:])
        text.append(f"| {len(operations) - SHOWN} others | | {1e3 * rest:.1f} | {rest / total:.0%} | | |")
    return "\n".join(text) + "\n"


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", type=Path, metavar="PATH")
    options = parser.parse_args()
    text = page()
    print(text, end="")
    if options.markdown:
        options.markdown.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
