"""What training on several devices or by several processes changes: differences from one device, and nothing else.

    python -m bench.devices [--fashion-mnist] [--json PATH] [--markdown PATH]

Every way starts from the same weights and sees the same batches. Each runs in processes of its own, with parts of this
CPU as devices. Differences are rounding, because sums over a batch are taken in another order. The first row shows how
large rounding is anyway: one device in float32 against the same in float64.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import data, losses, models, train
from jaxd2l._tables import markdown_table
from jaxd2l.keys import init_key
from jaxd2l.parity.rule import compare_accuracy, holds
from jaxd2l.train import processes, sharding

TIMEOUT = 1800
DEVICES, PROCESSES = (1, 2, 4, 8), (1, 2, 4)


class Case(NamedTuple):
    """What is trained: the MLP of the book, on one of the datasets."""

    dataset: str
    hidden: int
    lr: float
    batch_size: int
    epochs: int


class Difference(NamedTuple):
    """How far a way of running is from one device: the largest difference of any step's loss and of any parameter.

    within_rule: what `verdict` says; nothing for the first row, which measures rounding itself.
    """

    dataset: str
    way: str
    steps: int
    loss: float
    parameters: float
    within_rule: str


CASES = {"digits": Case("digits", 256, 0.1, 32, 3), "fashion_mnist": Case("fashion_mnist", 256, 0.1, 256, 1)}


def run_one(case: Case, out: Path, *, on_mesh: bool, double: bool) -> None:
    """Trains in this process, and writes every loss and parameter if it is the main one."""
    dataset = getattr(data, case.dataset)()
    model = models.mlp(int(np.prod(dataset.train.inputs.shape[1:])), case.hidden, 10)
    tx, key = optax.sgd(case.lr), jax.random.key(0)
    # Drawn in float32 whatever the run's precision.
    with jax.enable_x64(False):
        drawn = jax.device_get(model.init(init_key(key)))
    params = jax.tree.map(lambda p: jnp.asarray(p, np.float64 if double else np.float32), drawn)
    state, history = train.fit(
        model, losses.cross_entropy, tx, dataset, key=key, epochs=case.epochs, batch_size=case.batch_size,
        state=train.TrainState(params, tx.init(params), jnp.zeros((), jnp.int32)),
        mesh=sharding.make_mesh() if on_mesh else None,
    )  # fmt: skip
    if processes.is_main():
        leaves = jax.tree.leaves(jax.device_get(state.params))
        np.savez(out, history.step_loss.ravel(), *leaves)
    if jax.distributed.is_initialized():
        processes.stop()


def results(case: Case, *, devices: int = 1, count: int = 1, on_mesh: bool = True, double: bool = False) -> list[Any]:
    """The losses of all steps and the last parameters, from fresh processes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{listener.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.npz")
        command = [sys.executable, "-m", "bench.devices", "--worker", str(out), "--case", case.dataset]
        command += ["--on-mesh"] * on_mesh + ["--double"] * double
        flags = {
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
            "JAX_ENABLE_X64": str(int(double)),
            "JAX_PLATFORMS": "cpu",
            "PJRT_NPROC": "16",
        }
        workers = [
            subprocess.Popen(
                command + (["--coordinator", coordinator, "--of", str(count), "--id", str(i)] if count > 1 else []),
                env={**os.environ, **flags},
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
            for i in range(count)
        ]
        try:
            codes = [worker.wait(TIMEOUT) for worker in workers]
        finally:
            for worker in workers:
                if worker.poll() is None:
                    os.killpg(worker.pid, signal.SIGKILL)
        if any(codes):
            raise RuntimeError(f"{count} processes with {devices} devices each ended with the codes {codes}")
        with np.load(out) as saved:
            return [saved[f"arr_{i}"] for i in range(len(saved.files))]


def rows(case: Case) -> Iterator[Difference]:
    """One row for each way of running: its largest differences from one device without a mesh."""
    exact = results(case, on_mesh=False, double=True)
    single = results(case, on_mesh=False)

    def row(way: str, ours: list[Any], theirs: list[Any], within_rule: str) -> Difference:
        loss, *parameters = (float(np.max(np.abs(a - b))) for a, b in zip(ours, theirs, strict=True))
        return Difference(case.dataset, way, len(ours[0]), loss, max(parameters), within_rule)

    yield row("rounding itself: float32 against float64", single, exact, "")
    ways = [("1 process", d, 1) for d in DEVICES] + [(f"{p} processes", 1, p) for p in PROCESSES if p > 1]
    for name, devices, count in ways:
        ours = results(case, devices=devices, count=count)
        way = f"{name}, {devices} device{'s' if devices > 1 else ''}{' each' if count > 1 else ''}"
        yield row(way, ours, single, verdict(single, ours, exact))


def verdict(single: list[Any], ours: list[Any], exact: list[Any]) -> str:
    """Whether every loss and parameter is within the parity rule, and if not, in how many hidden units it is broken.

    Where an input of a ReLU is 0 but for rounding, the two ways may find it on either side: from then on that unit
    differs by one example's gradient in one step, and no other does.
    """
    scales = [np.abs(exact[0]), *(np.abs(leaf).max() for leaf in exact[1:])]
    judged = [compare_accuracy("", *leaf) for leaf in zip(single, ours, exact, scales, strict=True)]
    if all(map(holds, judged)):
        return "yes"
    beyond: set[int] = set()
    for row, leaf, oracle, scale in zip(judged[1:3], ours[1:3], exact[1:3], scales[1:3], strict=True):
        error = np.abs(leaf - oracle) / (2.0**-24 * scale)
        beyond |= set(np.unique(np.nonzero(error > row.bound)[-1]).tolist())  # the last axis counts hidden units
    elsewhere = all(holds(row) for row in (judged[0], *judged[3:]))
    return f"but for {len(beyond)} of {len(ours[1])} hidden units" if elsewhere else "no"


NOTES = (
    "MLP with 256 hidden units, SGD at 0.1; digits in batches of 32 for 3 epochs, Fashion-MNIST in batches of 256 for "
    "one. Each epoch ends with a short batch (28 and 96 examples). The devices are parts of one CPU; processes "
    "exchange data by gloo on loopback.",
    "Differences are over all steps from one device without a mesh, with the same weights and the same batches.",
    "The parity rule: measured against float64, many devices may err twice as much as one does, plus 4 roundings. It "
    "holds for the loss of every step, and for every parameter relative to the largest of its layer.",
    "Where the input of a ReLU is 0 but for rounding, two ways may find it on either side of the kink. Then that one "
    "hidden unit differs by one example's gradient, far more than all others. It counts as beyond the rule unless one "
    "device itself finds it on another side than float64 does.",
    f"jax {jax.__version__}, numpy {np.__version__}.",
)


def markdown(table: Sequence[Difference]) -> str:
    """The table as `bench/devices.md` shows it."""
    headings = [
        "dataset", "way", "steps", "largest difference of a loss", "of a parameter", "within the parity rule",
    ]  # fmt: skip
    cells = [
        [row.dataset, row.way, row.steps, f"{row.loss:.1e}", f"{row.parameters:.1e}", row.within_rule] for row in table
    ]
    made_by = "Made by `python -m bench.devices --fashion-mnist --markdown bench/devices.md`."
    return f"# One device and many\n\n{made_by}\n\n{markdown_table(headings, cells)}\n\n" + "".join(
        f"- {note}\n" for note in NOTES
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.devices", description=__doc__.splitlines()[0])
    parser.add_argument("--fashion-mnist", action="store_true", help="train on Fashion-MNIST as well")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    for name, options in (("--worker", {"type": Path}), ("--case", {}), ("--coordinator", {}), ("--of", {"type": int})):
        parser.add_argument(name, help=argparse.SUPPRESS, **options)
    parser.add_argument("--id", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--on-mesh", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--double", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        if args.coordinator:
            processes.start(args.coordinator, args.of, args.id)
        run_one(CASES[args.case], args.worker, on_mesh=args.on_mesh, double=args.double)
        return
    table = []
    for name in ("digits", "fashion_mnist") if args.fashion_mnist else ("digits",):
        for row in rows(CASES[name]):
            table.append(row)
            print(row, flush=True)
    if args.json:
        args.json.write_text(json.dumps([row._asdict() for row in table], indent=1) + "\n")
    if args.markdown:
        args.markdown.write_text(markdown(table))


if __name__ == "__main__":
    main()
