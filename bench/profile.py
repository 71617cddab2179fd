"""Where an epoch's time goes: the operations of the compiled program, by the time they took.

    python -m bench.profile [--markdown PATH]

Each epoch runs twice to warm up, and once under JAX's profiler. The compiled program (HLO) says what an operation
computes: its result, and which of JAX's operations it comes from. Operations may overlap, so shares are of the sum of
all, not of the epoch.

The linear regression's epoch is too short for that; instead its parts are timed, on all cores and on one.
"""

import argparse
import collections
import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import optax

from bench.page import publish
from jaxd2l._tables import markdown_table
from jaxd2l.bench import cases, ways
from jaxd2l.bench.measure import seconds
from jaxd2l.bench.suite import environment
from jaxd2l.data import shuffle
from jaxd2l.models import Precision
from jaxd2l.train import create_state, train_epoch
from jaxd2l.types import Batch

PROFILED: tuple[tuple[str, Precision], ...] = (
    ("softmax", "float32"),
    ("mlp", "float32"),
    ("mlp", "bfloat16"),
    ("lenet", "float32"),
)
SHOWN = 10
REPEATS, ROUNDS = 200, 5


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
    state, key = create_state(jax.random.key(cases.WEIGHTS_SEED), model, tx), jax.random.key(cases.ORDER_SEED)
    train = jax.device_put(Batch(*case.dataset.train))
    compiled = epoch.lower(key, state, train).compile()
    state, _ = compiled(key, state, train)
    with tempfile.TemporaryDirectory() as folder:
        jax.block_until_ready(compiled(key, state, train))
        with jax.profiler.trace(folder):
            jax.block_until_ready(compiled(key, state, train))
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


def parts() -> dict[str, float]:
    """Seconds of an epoch of linear regression and of its parts: medians of REPEATS calls, the min of ROUNDS."""
    [case] = cases.books_models(["linear"])
    n = len(case.dataset.train.labels)
    nothing, order = jax.jit(lambda x: x + 1), jax.jit(partial(shuffle, n=n))
    zero, key = jax.numpy.zeros(()), jax.random.key(cases.ORDER_SEED)
    calls = {
        "calling a compiled program that adds 1": lambda: jax.block_until_ready(nothing(zero)),
        f"drawing the order of {n} examples": lambda: jax.block_until_ready(order(key)),
        "the compiled epoch": ways.JAX_EPOCH.prepare(case).epoch,
        "torch's eager epoch": ways.TORCH_EAGER.prepare(case).epoch,
    }
    for call in calls.values():
        call()
    took: dict[str, float] = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            took[name] = min(took[name], statistics.median(seconds(call) for _ in range(REPEATS)))
    return took


def parts_of(cores: int) -> dict[str, float]:
    """`parts` in a process of its own that may use the first so many of this one's cores."""
    code = "import json, bench.profile; print(json.dumps(bench.profile.parts()))"
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    child = f"import os; os.sched_setaffinity(0, {allowed}); {code}"
    done = subprocess.run([sys.executable, "-c", child], stdout=subprocess.PIPE, text=True, check=True)
    seconds_of: dict[str, float] = json.loads(done.stdout)
    return seconds_of


def page_of_parts(cores: int) -> list[str]:
    """Why the smallest epoch takes what it takes, as Markdown."""
    every, one = parts_of(cores), parts_of(1)
    rows = [[name, f"{1e3 * took:.3f}", f"{1e3 * one[name]:.3f}"] for name, took in every.items()]
    return [
        "## linear regression, float32: the parts of an epoch",
        "1000 examples of two numbers, batch 32. Medians; the epoch includes the first two. One core is faster than\n"
        f"{cores} because XLA's operations are shorter than the time it takes to hand them from one thread to another.",
        markdown_table(["what", f"ms on {cores} cores", "ms on one core"], rows),
    ]


def page() -> str:
    """All profiles, as Markdown."""
    env = environment()
    parts = [
        "# Where an epoch's time goes",
        "Made by `python -m bench.profile --markdown bench/profile.md` on "
        f"{env.cpu}, {env.cores} cores, jax {jax.__version__}. One epoch each, Fashion-MNIST, batch 256.",
    ]
    for name, precision in PROFILED:
        [case] = cases.books_models([name])
        operations = profile(case, precision)
        total = sum(operation.seconds for operation in operations)
        parts.append(f"## {case.name}, {precision}: {1e3 * total:.1f} ms of operations")
        parts.append(table(operations, total))
    return "\n\n".join(parts + page_of_parts(os.cpu_count() or 1)) + "\n"


def table(operations: list[Operation], total: float) -> str:
    """The longest operations, and all the others together, as a Markdown table."""

    def ms_and_share(seconds: float) -> list[str]:
        return [f"{1e3 * seconds:.1f}", f"{seconds / total:.0%}"]

    rows = [
        [f"`{name}`", calls, *ms_and_share(took), f"`{result}`", source]
        for name, calls, took, result, source in operations[:SHOWN]
    ]
    rest = sum(operation.seconds for operation in operations[SHOWN:])
    rows.append([f"{len(operations) - SHOWN} others", "", *ms_and_share(rest), "", ""])
    return markdown_table(["operation", "calls", "ms", "share", "result", "comes from"], rows)


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", type=Path, metavar="PATH")
    options = parser.parse_args()
    text = page()
    publish(text, options.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
