"""Measures every subject in every way; one and two threads in processes of their own."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np
import torch

from jaxd2l._tables import markdown_table
from parity_tests.invariance.subjects import Sizes, subjects
from parity_tests.invariance.ways import loop, torch_ways, ulps, ways

COLUMNS = {
    "eager": "op by op = jit",
    "scan": "scan = jitted loop",
    "vmap": "vmap = batch",
    "alone": "alone = in a batch",
    "threads": "1 thread = 2",
    "torch alone": "torch: alone = in a batch",
    "torch threads": "torch: 1 thread = 2",
}


def measure() -> dict[str, dict[str, float]]:
    """Each subject's differences by column; a column that does not apply is left out."""
    found: dict[str, dict[str, float]] = {}
    one_thread, two_threads = _in_process(1), _in_process(2)
    for name, subject in subjects().items():
        results = {**ways(subject), **torch_ways(subject)}
        row = {way: ulps(results["jit"], results[way]) for way in ("eager", "scan")}
        if subject.by_example:
            row["vmap"] = ulps(results["batch"], results["vmap"])
            row["alone"] = ulps(results["batch"][:4], results["alone"])
            row["torch alone"] = ulps(results["torch"][:4], results["torch alone"])
        for column, library in (("threads", "jax"), ("torch threads", "torch")):
            if (name, library) in one_thread:
                row[column] = ulps(one_thread[name, library], two_threads[name, library])
        found[name] = row
    return found


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


def _in_process(threads: int) -> dict[tuple[str, str], list[np.ndarray]]:
    """The arrays of a process that has so many threads, by subject and library."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    env = {**os.environ, "PJRT_NPROC": str(threads), "OMP_NUM_THREADS": str(threads), "XLA_FLAGS": flags}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "values.npz")
        command = [sys.executable, "-m", "parity_tests.invariance", "--values", str(path)]
        subprocess.run(command, env=env, cwd=Path(__file__).parents[2], check=True, timeout=300)
        arrays: dict[tuple[str, str], list[np.ndarray]] = {}
        with np.load(path) as values:
            for key, value in values.items():
                name, library, _ = key.split("/")
                arrays.setdefault((name, library), []).append(value)
    return arrays


def table(found: dict[str, dict[str, float]]) -> str:
    """What `measure` found, as Markdown; a number is the largest difference in ULPs."""

    def cell(ulp: float | None) -> str:
        if ulp is None:
            return ""
        return "bitwise" if ulp == 0 else f"{ulp:.2g}"

    rows = [[name, *(cell(row.get(key)) for key in COLUMNS)] for name, row in found.items()]
    return markdown_table(["", *COLUMNS.values()], rows)
