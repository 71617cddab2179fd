"""Kills training with SIGKILL at random moments, resumes it, and compares the end with that of a run left alone.

    python -m bench.kills [--kills 100] [--seed 0] [--endings 100] [--together 20] [--markdown PATH] [--json PATH]

Each run is `python -m jaxd2l train mlp` on digits, in a process of its own, with a checkpoint after every epoch. It is
killed up to five times and each time resumed by the same command; then it may finish. A kill is survived if
the parameters of the run that it hit are, byte for byte, those of the run left alone, and its history is too. The exit
code is 0 if all kills are survived. Then `bench.endings` stops commands that write results.
"""

import argparse
import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.endings import Ending, endings, together
from bench.page import publish
from jaxd2l._tables import markdown_table

EPOCHS, STEPS = 30, 47
KILLS_PER_RUN = 5
PATIENCE = 600
"""Seconds after which a process counts as hanging."""


class Kill(NamedTuple):
    """aim: at what it was aimed. hit: what the process was doing. epochs: how many had a checkpoint by then."""

    aim: str
    hit: str
    epochs: int


class Run(NamedTuple):
    """One run from its first start to its end. fault: what went wrong; nothing if it ended bit for bit as it should."""

    kills: list[Kill]
    fault: str


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument(
        "--seed", type=int, default=0, help="decides the moments, as far as the machine's speed lets it"
    )
    parser.add_argument("--endings", type=int, default=100, help="kills, and Ctrl-Cs, of results being written")
    parser.add_argument("--together", type=int, default=20, help="how often two runs want one folder")
    parser.add_argument("--markdown", type=Path, metavar="PATH")
    parser.add_argument("--json", type=Path, metavar="PATH")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        expected, seconds = left_alone(Path(name, "alone"))
        runs = list(killed_runs(Path(name), options.kills, rng, expected, seconds))
        with contextlib.chdir(name):
            ends = [
                *(endings(options.endings, options.endings) if options.endings else ()),
                *together(options.together),
            ]
    if options.json:
        options.json.write_text(json.dumps([{"kills": [k._asdict() for k in r.kills], "fault": r.fault} for r in runs]))
    asked = f"--kills {options.kills} --seed {options.seed} --endings {options.endings} --together {options.together}"
    page = f"{report(runs, f'python -m bench.kills {asked}')}\n{report_endings(ends)}"
    publish(page, options.markdown)
    return 0 if not any(each.fault for each in (*runs, *ends)) else 1


def command(folder: Path) -> list[str]:
    """Trains in `folder`, or goes on there."""
    out = ["--out", str(folder / "run"), "--checkpoint-dir", str(folder / "checkpoints"), "--resume"]
    model = ["train", "mlp", "--hidden", "64", "--epochs", str(EPOCHS), "--seed", "11", "--json"]
    return [sys.executable, "-m", "jaxd2l", *model, *out]


def result(folder: Path) -> tuple[bytes, str]:
    """What must not depend on kills: the bytes of the parameters, and the history."""
    history = json.loads((folder / "run" / "run.json").read_bytes())["history"]
    return (folder / "run" / "params.safetensors").read_bytes(), json.dumps(history)


def left_alone(folder: Path) -> tuple[tuple[bytes, str], float]:
    """The result of a run that nobody disturbs, and its seconds."""
    folder.mkdir()
    clock = time.perf_counter()
    subprocess.run(command(folder), check=True, capture_output=True, timeout=PATIENCE)
    return result(folder), time.perf_counter() - clock


def killed_runs(
    folder: Path, kills: int, rng: random.Random, expected: tuple[bytes, str], seconds: float
) -> Iterator[Run]:
    """Runs until there are so many kills; `seconds` is how long a run left alone takes."""
    total = number = 0
    while total < kills:
        number += 1
        run = killed_run(folder / f"run-{number}", min(KILLS_PER_RUN, kills - total), rng, expected, seconds)
        total += len(run.kills)
        print(f"{total} of {kills} kills, run {number}: {run.fault or 'same bits'}", file=sys.stderr)
        yield run


def killed_run(folder: Path, most: int, rng: random.Random, expected: tuple[bytes, str], seconds: float) -> Run:
    """Starts a run, kills and restarts it up to so many times, lets it finish and looks at the result."""
    folder.mkdir()
    kills: list[Kill] = []
    while True:
        aim = rng.choice(["any moment", "any moment", "a saving", "a saving", "the results"])
        kill, code, err = attempt(folder, aim if len(kills) < most else "nothing", rng, seconds)
        if kill is not None:
            kills.append(kill)
        elif code != 0 or "Traceback" in err:
            return Run(kills, f"exit code {code}: {err[-500:]}")
        else:
            break
    return Run(kills, "" if result(folder) == expected else "other bits")


def attempt(folder: Path, aim: str, rng: random.Random, seconds: float) -> tuple[Kill | None, int, str]:
    """Starts the command and kills it. Returns the kill, None if the process ended before, its exit code and errors."""
    before, since = Sight.of(folder), time.time()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command(folder), stdout=subprocess.DEVNULL, stderr=errors)
        try:
            if aim == "any moment":
                delay = rng.uniform(0, seconds)
            elif aim == "a saving":
                epochs = before.epochs + rng.randint(0, 6)
                wait_for(process, lambda now: now.epochs >= epochs and bool(now.aside - before.aside), folder)
                delay = rng.uniform(0, 0.1)
            elif aim == "the results":
                wait_for(process, lambda now: now.results_at > since, folder)
                delay = rng.uniform(0, 1)
            else:
                delay = PATIENCE
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                process.kill()
        finally:
            process.kill()  # whatever happened to us, it must not go on
            code = process.wait()
        errors.seek(0)
        err = errors.read()
    if code != -signal.SIGKILL:
        return None, code, err
    if aim == "nothing":
        return None, code, f"{err}\nno end within {PATIENCE} s"
    return Kill(aim, hit(folder, before, since), Sight.of(folder).epochs), code, err


class Sight(NamedTuple):
    """What can be seen of a run from outside. results_at: when a file of its results was last touched."""

    epochs: int
    aside: frozenset[str]
    results_at: float

    @staticmethod
    def of(folder: Path) -> "Sight":
        names = [path.name for path in folder.glob("checkpoints/*")] + [p.name for p in folder.glob("checkpoints/.*")]
        steps = [int(name.removeprefix("step-")) for name in names if name.startswith("step-")]
        aside = frozenset(name for name in names if name.startswith(".aside-"))
        times = [0.0]
        for path in folder.glob("run/*"):
            with contextlib.suppress(FileNotFoundError):
                times.append(path.stat().st_mtime)
        return Sight(max(steps, default=0) // STEPS, aside, max(times))


def wait_for(process: subprocess.Popen, sign: Callable[[Sight], bool], folder: Path) -> None:
    """Returns as soon as it is seen, or the process has ended."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and not sign(Sight.of(folder)) and time.monotonic() < deadline:
        time.sleep(0.0005)


def hit(folder: Path, before: Sight, since: float) -> str:
    """What a killed process was doing, from what it left."""
    now = Sight.of(folder)
    if now.results_at > since:
        whole = (folder / "run" / "run.json").exists()
        return "at its end, results whole" if whole else "writing its results"
    for name in now.aside - before.aside:
        left = folder / "checkpoints" / name
        if (left / "old").exists():
            return "saving: taking away an old checkpoint"
        return "saving: hashing, syncing" if (left / "new" / "SHA256SUMS").exists() else "saving: writing arrays"
    if now.epochs == before.epochs:
        return "imports, compiling, reading a checkpoint"
    return "between two savings"


def report_endings(ends: list[Ending]) -> str:
    """The table of commands stopped while they work and while they write."""
    kinds = Counter((end.name, end.signal) for end in ends)
    rows = []
    for name, by in kinds:
        these = [end for end in ends if (end.name, end.signal) == (name, by)]
        right = [end.left for end in these if not end.fault]
        rows.append([name, by, len(these), right.count("whole"), right.count("untouched"), len(these) - len(right)])
    parts = [
        "## Whole or untouched",
        "Each command stopped at moments at equal distances: by SIGKILL before a change of the disk, after which its "
        "repetition must succeed, and by Ctrl-C in its whole life. Two runs with one `--out`: one is refused, and the "
        "folder is the other's, bit for bit.",
        markdown_table(["Command", "stopped by", "tried", "whole", "untouched", "wrong"], rows, "llrrrr"),
    ]
    if faults := [f"- {end.name}, {end.signal}, {end.fault}" for end in ends if end.fault]:
        parts.append("\n".join(faults))
    return "\n\n".join(parts) + "\n"


def report(runs: list[Run], made_by: str) -> str:
    """The table in Markdown."""
    survived, tried = Counter[str](), Counter[str]()
    for run in runs:
        for kill in run.kills:
            tried[kill.hit] += 1
            survived[kill.hit] += not run.fault
    rows = [[name, tried[name], survived[name]] for name in sorted(tried)]
    parts = [
        "# Kills survived",
        f"Made by `{made_by}`: {len(runs)} runs of {EPOCHS} epochs, each killed up to {KILLS_PER_RUN} times.",
        markdown_table(["Killed while", "tried", "survived"], [*rows, ["all", tried.total(), survived.total()]]),
    ]
    if faults := [f"- {run.fault}" for run in runs if run.fault]:
        parts.append("\n".join(faults))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
