"""Replays PyTorch's own samples of its operations on JAX: how many right counterparts does `check` accept?

python -m parity_tests.operations                       # one seed, prints what is not accepted and not found
python -m parity_tests.operations --seeds 20 --write    # writes parity_tests/operations/README.md
python -m parity_tests.operations --only conv           # those with this text in their name
python -m parity_tests.operations --keep FILE           # goes on where it stopped: each operation is kept in FILE
"""

import argparse
import json
import multiprocessing
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import jax
import torch
from rich.console import Console
from rich.progress import Progress

from parity_tests.operations import table
from parity_tests.operations.families import FAMILIES, family_of
from parity_tests.operations.modules import MODULES
from parity_tests.operations.replaying import Replay, replay


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 if a right counterpart is not accepted."""
    parser = argparse.ArgumentParser(prog="python -m parity_tests.operations", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds draw the samples' numbers")
    parser.add_argument("--samples", type=int, default=2, help="samples of each operation")
    parser.add_argument("--planted", type=int, default=2, help="defects planted into each sample")
    parser.add_argument("--only", default="", help="replay only those with this text in their name")
    parser.add_argument("--processes", type=int, default=2, help="with 0, only what --keep has is written")
    parser.add_argument("--keep", type=Path, help="keep each operation's result in this file, and go on from there")
    parser.add_argument("--write", action="store_true", help="write parity_tests/operations/README.md")
    options = parser.parse_args(arguments)
    names = [name for name in every_name() if options.only in name]
    if not names:
        parser.error(f"no operation has {options.only!r} in its name")
    results = run(names, options.seeds, options.samples, options.planted, options.processes, options.keep)
    for result in results:
        for sentence in (*result.alarms, *(f"not found: {text}" for text in result.missed)):
            print(sentence)
    print(table.summary(results))
    if options.write:
        table.PATH.write_text(table.text(results, options.samples, options.planted, len(names)), encoding="utf-8")
    return int(any(result.alarms for result in results))


def every_name() -> list[str]:
    """All operations and modules that are replayed."""
    return [*(name for family in FAMILIES.values() for name in family), *MODULES]


def run(
    names: Sequence[str], seeds: int, limit: int, planted: int, processes: int = 2, keep: Path | None = None
) -> list[Replay]:
    """Replays operations side by side, with progress on the terminal; in the order of the names."""
    kept = _kept(keep)
    found = {name: kept[name] for name in names if name in kept}
    if not processes:
        return list(found.values())
    open_names = [name for name in names if name not in found]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _prepared) as pool, Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("operations", total=len(names), completed=len(found))
        jobs = {pool.submit(replay, name, range(seeds), limit, planted): name for name in open_names}
        for job in as_completed(jobs):
            result = found[jobs[job]] = job.result()
            if keep is not None:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(result) + "\n")
            progress.update(task, advance=1, description=result.name)
    return [found[name] for name in names]


def _kept(keep: Path | None) -> dict[str, Replay]:
    if keep is None or not keep.exists():
        return {}
    lines = keep.read_text(encoding="utf-8").splitlines()
    results = (Replay(*json.loads(line)) for line in lines)
    return {result.name: result._replace(family=family_of(result.name)) for result in results}


def _prepared() -> None:
    """In each process: one thread, and a folder of its own for compiled programs, which seeds have in common."""
    torch.set_num_threads(1)
    jax.config.update("jax_compilation_cache_dir", tempfile.mkdtemp(prefix="operations-"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
