"""Does the way of running a function change its bits? Measured, not assumed.

    python -m parity_tests.invariance             # measures and prints the table
    python -m parity_tests.invariance --record    # and keeps it for README.md

Each subject is a step `(carry, batch) -> (carry, output)`, run over a few batches op by op, compiled step by step, and
as one compiled scan; then with one example alone against the same example in its batch, under `vmap`, and in processes
with one thread and with two. A difference is given in ULP of the largest element of the array it is found in.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxd2l import activations, losses, models, optim, train
from jaxd2l.models.linear import linear
from jaxd2l.types import Batch, TrainState
from parity_tests import measured

COLUMNS = {
    "eager": "op by op = jit",
    "scan": "scan = jitted loop",
    "vmap": "vmap = batch",
    "alone": "alone = in a batch",
    "threads": "1 thread = 2",
    "torch alone": "torch: alone = in a batch",
    "torch threads": "torch: 1 thread = 2",
}


class Sizes(NamedTuple):
    """How large the subjects are; the defaults are the book's MLP."""

    batches: int = 4
    n: int = 256
    inputs: int = 784
    hiddens: int = 256
    classes: int = 10


class Subject(NamedTuple):
    """What is run.

    step: `(carry, batch) -> (carry, output)`.
    carry: its beginning.
    batches: each array with axes (batches, n, ...).
    by_example: whether row i of the output belongs to example i alone.
    torch: the output for a batch of tensors, if it is measured there too.
    """

    step: Callable[[Any, Any], tuple[Any, Any]]
    carry: Any
    batches: Any
    by_example: bool = False
    torch: Callable[..., Any] | None = None


def subjects(sizes: Sizes = Sizes()) -> dict[str, Subject]:  # noqa: B008 (a constant)
    """All of them, on random numbers that are the same every time; in float64 where JAX has it on."""
    rng, dtype = np.random.default_rng(0), jnp.zeros(0).dtype
    shape = (sizes.batches, sizes.n)
    x = np.float32(rng.standard_normal((*shape, sizes.inputs)))
    logits = np.float32(3 * rng.standard_normal((*shape, sizes.classes)))
    y = rng.integers(0, sizes.classes, shape).astype(np.int32)
    widths = (sizes.inputs, sizes.hiddens, sizes.classes)
    weights = [np.float32(rng.standard_normal(pair) / np.sqrt(pair[0])) for pair in pairwise(widths)]
    x, logits, y = jnp.array(x, dtype), jnp.array(logits, dtype), jnp.array(y)
    weights = [np.asarray(w, dtype) for w in weights]
    params = tuple({"kernel": jnp.array(w), "bias": jnp.full(w.shape[1], 0.1, dtype)} for w in weights)
    theirs = [t for w in weights for t in (torch.tensor(w.T.copy()), torch.full((w.shape[1],), 0.1))]
    mlp, tx = models.mlp(*widths), optim.sgd(0.1, momentum=0.9, weight_decay=1e-3)
    state = TrainState(params, tx.init(params), jnp.zeros((), jnp.int32))
    train_step = train.make_train_step(mlp, losses.cross_entropy, tx)

    def mlp_loss(params: Any, x: Any, y: Any) -> Any:
        return losses.cross_entropy(mlp.apply(params, x), y)

    def torch_mlp(x: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
        return torch.relu(x @ w1.T + b1) @ w2.T + b2

    def torch_gradient(x: Any, y: Any) -> Any:
        return torch.func.grad(lambda w: torch.nn.functional.cross_entropy(torch_mlp(x, *w), y.long()))(theirs)

    def sgd(carry: Any, grads: Any) -> tuple[Any, Any]:
        params, opt_state = carry
        updates, opt_state = tx.update(grads, opt_state, params)
        return (jax.tree.map(jnp.add, params, updates), opt_state), ()

    grads = jax.tree.map(lambda p: jnp.array(rng.standard_normal((sizes.batches, *p.shape)), p.dtype), params)
    cross_entropy = torch.nn.functional.cross_entropy
    return {
        "softmax": _pure(activations.softmax, (logits,), lambda x: torch.softmax(x, -1)),
        "log_softmax": _pure(activations.log_softmax, (logits,), lambda x: torch.log_softmax(x, -1)),
        "cross_entropy": _pure(
            lambda x, y: losses.cross_entropy(x, y, reduction="none"),
            (logits, y),
            lambda x, y: cross_entropy(x, y.long(), reduction="none"),
        ),
        "its gradient": _pure(
            lambda x, y: jax.grad(lambda x: losses.cross_entropy(x, y, reduction="sum"))(x),
            (logits, y),
            lambda x, y: torch.func.grad(lambda x: cross_entropy(x, y.long(), reduction="sum"))(x),
        ),
        "linear": _pure(lambda x: linear(params[0], x), (x,), lambda x: x @ theirs[0].T + theirs[1]),
        "MLP": _pure(lambda x: mlp.apply(params, x), (x,), lambda x: torch_mlp(x, *theirs)),
        "MLP's gradient": _pure(
            lambda x, y: jax.grad(mlp_loss)(params, x, y), (x, y), torch_gradient, by_example=False
        ),
        "SGD": Subject(sgd, (params, tx.init(params)), grads),
        "an epoch": Subject(train_step, state, Batch(x, y)),
    }


def _pure(function: Callable[..., Any], batches: Any, theirs: Callable[..., Any], by_example: bool = True) -> Subject:
    return Subject(lambda carry, batch: (carry, function(*batch)), (), batches, by_example, theirs)


def loop(step: Callable[[Any, Any], tuple[Any, Any]], subject: Subject) -> Any:
    """Runs the subject's batches one after the other; the last carry and the stacked outputs."""
    carry, outputs = subject.carry, []
    for i in range(len(jax.tree.leaves(subject.batches)[0])):
        carry, output = step(carry, jax.tree.map(lambda a, i=i: a[i], subject.batches))
        outputs.append(output)
    return carry, jax.tree.map(lambda *a: jnp.stack(a), *outputs)


def ways(subject: Subject) -> dict[str, Any]:
    """The subject's results op by op, as a jitted loop and as a scan; by example also under vmap and alone."""
    step, first = jax.jit(subject.step), jax.tree.map(lambda a: a[0], subject.batches)
    results = {
        "eager": loop(subject.step, subject),
        "jit": loop(step, subject),
        "scan": jax.jit(lambda carry, batches: jax.lax.scan(subject.step, carry, batches))(
            subject.carry, subject.batches
        ),
    }
    if subject.by_example:

        def one(example: Any) -> Any:
            return jax.tree.map(lambda a: a[0], subject.step((), jax.tree.map(lambda a: a[None], example))[1])

        results["batch"] = step((), first)[1]
        results["vmap"] = jax.jit(jax.vmap(one))(first)
        results["alone"] = jnp.concatenate(
            [step((), jax.tree.map(lambda a, i=i: a[i : i + 1], first))[1] for i in range(4)]
        )
    return results


def torch_ways(subject: Subject) -> dict[str, Any]:
    """What torch gives for the first batch, and for its first four examples alone."""
    if subject.torch is None:
        return {}
    first = [torch.tensor(np.asarray(a[0])) for a in jax.tree.leaves(subject.batches)]
    results = {"torch": subject.torch(*first)}
    if subject.by_example:
        results["torch alone"] = torch.cat([subject.torch(*(a[i : i + 1] for a in first)) for i in range(4)])
    return results


def ulps(a: Any, b: Any) -> float:
    """Largest difference, in ULP of the largest element of the array that holds it; 0 is bitwise equality."""
    worst = 0.0
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        x, y = np.asarray(x), np.asarray(y)
        if np.issubdtype(x.dtype, np.floating) and x.size:
            difference = np.max(np.abs(x.astype(np.float64) - y))
            worst = max(worst, float(difference / np.spacing(np.max(np.abs(x)))))
    return worst


def measure() -> dict[str, dict[str, float]]:
    """Each subject's differences by column; a column that does not apply is left out."""
    table: dict[str, dict[str, float]] = {}
    one_thread, two_threads = _in_process(1), _in_process(2)
    for name, subject in subjects().items():
        results = {**ways(subject), **torch_ways(subject)}
        row = {way: ulps(results["jit"], results[way]) for way in ("eager", "scan")}
        if subject.by_example:
            row["vmap"] = ulps(results["batch"], results["vmap"])
            row["alone"] = ulps(results["batch"][:4], results["alone"])
            row["torch alone"] = ulps(results["torch"][:4], results["torch alone"])
        for column, library in (("threads", "jax"), ("torch threads", "torch")):
            keys = [key for key in one_thread if key.startswith(f"{name}/{library}/")]
            if keys:
                row[column] = ulps([one_thread[key] for key in keys], [two_threads[key] for key in keys])
        table[name] = row
    return table


def _in_process(threads: int) -> dict[str, np.ndarray]:
    """The compiled results of a process that has so many threads."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    env = {**os.environ, "PJRT_NPROC": str(threads), "OMP_NUM_THREADS": str(threads), "XLA_FLAGS": flags}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "values.npz")
        command = [sys.executable, "-m", "parity_tests.invariance", "--values", str(path)]
        subprocess.run(command, env=env, cwd=Path(__file__).parents[1], check=True, timeout=300)
        with np.load(path) as values:
            return dict(values)


def save_values(path: str, sizes: Sizes = Sizes()) -> None:  # noqa: B008 (a constant)
    """Writes what jit gives for every subject, and torch, to an npz file: the other process' part."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    arrays = {}
    for name, subject in subjects(sizes).items():
        for i, leaf in enumerate(jax.tree.leaves(loop(jax.jit(subject.step), subject))):
            arrays[f"{name}/jax/{i}"] = np.asarray(leaf)
        for i, leaf in enumerate(jax.tree.leaves(torch_ways(subject).get("torch"))):
            arrays[f"{name}/torch/{i}"] = leaf.numpy()
    np.savez(path, **arrays)


def markdown(table: dict[str, dict[str, float]]) -> str:
    """The table; a number is the largest difference in ULP."""

    def cell(ulp: float | None) -> str:
        if ulp is None:
            return ""
        return "bitwise" if ulp == 0 else f"{ulp:.2g}"

    lines = ["| | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(cell(row.get(key)) for key in COLUMNS) + " |" for name, row in table.items()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m parity_tests.invariance", description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="keep the result for README.md")
    parser.add_argument("--values", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.values:
        return save_values(options.values)
    table = measure()
    print(markdown(table))
    if options.record:
        measured.write("invariance", table)
    return None


if __name__ == "__main__":
    main()
