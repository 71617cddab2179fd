"""Commands stopped by SIGKILL or by Ctrl-C at chosen moments: is what they leave whole or untouched?

`bench.kills` reports what comes of it. Each command runs in a fork of this process, which has imported everything but
not started JAX: a hundred of them take minutes. Kills come before every change of the disk, one after the other.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import safetensors.numpy

from jaxd2l.cli import run
from jaxd2l.cli.runs import load_record
from jaxd2l.data import _array_cache

CHANGES = ("replace", "rename", "mkdir", "rmdir", "unlink", "fsync")
"""The functions of `os` through which results change what is on the disk. A kill comes before a call of one."""

_TRAIN = ("train", "softmax", "--epochs", "2", "--out", "run")


class Command(NamedTuple):
    """arguments: of `jaxd2l`. leaves: what of its result can be seen; None if nothing. kills: how many to try."""

    arguments: tuple[str, ...]
    leaves: Callable[[], Any]
    kills: int


class Ending(NamedTuple):
    """name: of the command. signal: what stopped it. fault: what was wrong; nothing if all was as it should be."""

    name: str
    signal: str
    left: str
    fault: str


def a_run() -> Any:
    """The parameters and the number of epochs of a run; None if there is none."""
    try:
        history = load_record(Path("run")).get("history")
    except FileNotFoundError:
        return None
    return Path("run/params.safetensors").read_bytes(), history and len(history["train_loss"])


def a_file(name: str) -> Callable[[], Any]:
    """The content of a file; of a picture, whether it is one to its end."""

    def content() -> Any:
        if not Path(name).exists():
            return None
        found = Path(name).read_bytes()
        return (found[:4], found[-8:]) if name.endswith(".png") else found

    return content


def prepared() -> Any:
    """The names of the arrays in the cache, every byte of which was compared with its sum."""
    folder = Path("cache/fashion_mnist")
    return sorted(_array_cache.load_arrays(folder)) if folder.exists() else None


COMMANDS = {
    "train": Command(_TRAIN, a_run, 36),
    "import": Command(("import", "../made/weights", "--out", "run"), a_run, 32),
    "export": Command(("export", "../made/run", "--to", "weights"), a_file("weights"), 20),
    "sweep": Command(
        ("sweep", "softmax", "--lr", "0.1", "--seeds", "1", "--epochs", "1", "--plot", "x.png"), a_file("x.png"), 6
    ),
    "data prepare": Command(("data", "prepare", "fashion_mnist"), prepared, 6),
    "evaluate": Command(("evaluate", "../made/run", "--out", "x.png"), a_file("x.png"), 0),
    "predict": Command(("predict", "../made/run", "--out", "x.png"), a_file("x.png"), 0),
}


def endings(kills: int, interrupts: int) -> list[Ending]:
    """Stops every command at moments spread over its life. `kills` and `interrupts` are about how many in all."""
    import tensorflow_datasets  # noqa: F401  # so that the forks need not

    from jaxd2l.cli import data, evaluate, export, import_torch, outcome, predict, sweep, train  # noqa: F401

    os.environ["JAXD2L_CACHE_DIR"] = "cache"
    # What takes a fork most of its time is not what is looked at here: compiling, and drawing.
    jax.config.update("jax_compilation_cache_dir", os.path.abspath("compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    for module, name in ((outcome, "curves_picture"), (outcome, "mistakes_picture"), (predict, "examples_picture")):
        setattr(module, name, lambda *_: b"\x89PNG and no more")
    os.mkdir("made")
    os.chdir("made")
    assert in_a_fork(_TRAIN).code == 0
    assert in_a_fork(("export", "run", "--to", "weights")).code == 0
    os.chdir("..")
    found = []
    for name, command in COMMANDS.items():
        found += stopped(name, command, command.kills * kills // 100, -(-interrupts // len(COMMANDS)))
        print(f"{name}: {sum(e.name == name for e in found)} endings", file=sys.stderr)
    return found


def stopped(name: str, command: Command, kills: int, interrupts: int) -> list[Ending]:
    """One command stopped so many times, each time in an empty folder, at moments at equal distances."""
    with new_place():
        alone = in_a_fork(command.arguments)
        assert alone.code == 0, alone.said
        whole = [command.leaves()]
    if name == "train":
        with new_place():
            assert in_a_fork((*_TRAIN[:3], "1", *_TRAIN[4:])).code == 0
            whole.append(command.leaves())
    calls = [alone.changes * i // kills for i in range(kills)]
    delays = [alone.seconds * i / interrupts for i in range(interrupts)]
    return [
        *(stopped_once(name, command, whole, kill_before=call) for call in calls),
        *(stopped_once(name, command, whole, interrupt_after=delay) for delay in delays),
    ]


def stopped_once(
    name: str,
    command: Command,
    whole: Sequence[Any],
    *,
    kill_before: int | None = None,
    interrupt_after: float | None = None,
) -> Ending:
    """Stops it once, looks at what is left, and after a kill repeats it if nothing is left."""
    with new_place():
        fork = in_a_fork(command.arguments, kill_before, interrupt_after)
        killed = kill_before is not None
        is_right = fork.code == -signal.SIGKILL if killed else fork.code in (0, 130)
        fault = "" if is_right and "Traceback" not in fork.said else f"exit code {fork.code}: {fork.said[-300:]}"
        looks_whole = Path("run/run.json").exists()
        if killed and not looks_whole:  # repeat it where nobody has looked: whoever looks completes what is complete
            shutil.copytree(".", "../again")
        try:
            left = command.leaves()
            if left is not None and left not in whole:
                fault = "neither whole nor untouched"
            rest = [path for path in Path().rglob(".*") if path.suffix != ".lock"]
            if rest and not killed:
                fault = f"left behind: {sorted(map(str, rest))}"
            if killed and not looks_whole:
                os.chdir("../again")
                again = in_a_fork(command.arguments)
                if again.code or command.leaves() != whole[0]:
                    fault = f"its repetition ended with {again.code}: {again.said[-300:]}"
        except (OSError, ValueError) as error:
            left, fault = "", str(error)
        moment = f"before call {kill_before}" if killed else f"after {interrupt_after:.2f} s"
        by = "SIGKILL" if killed else "SIGINT"
        return Ending(name, by, "untouched" if left is None else "whole", fault and f"{moment}: {fault}")


class new_place:  # noqa: N801  # used as a function
    """An empty folder to be in meanwhile, beside the others."""

    def __enter__(self) -> None:
        self.folder = tempfile.mkdtemp(dir=".")
        os.chdir(self.folder)

    def __exit__(self, *_: object) -> None:
        os.chdir("..")
        shutil.rmtree(self.folder)
        shutil.rmtree("again", ignore_errors=True)


class Fork(NamedTuple):
    """code: its exit code. changes: how often it called one of CHANGES. seconds: it took. said: its errors."""

    code: int
    changes: int
    seconds: float
    said: str


def in_a_fork(arguments: Sequence[str], kill_before: int | None = None, interrupt_after: float | None = None) -> Fork:
    """Runs a command; kills it before its so-many-th call of CHANGES, or interrupts it after so many seconds."""
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as counted:
        begun = time.perf_counter()
        usual = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as `main` does before and after the command
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(said.fileno(), 2)
            calls = count_changes(kill_before)
            code = run(arguments)
            counted.write(str(len(calls)))
            counted.flush()
            sys.stderr.flush()
            os._exit(code)
        signal.signal(signal.SIGINT, usual)
        if interrupt_after is not None:
            time.sleep(interrupt_after)
            os.kill(child, signal.SIGINT)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        seconds = time.perf_counter() - begun
        for file in (said, counted):
            file.seek(0)
        return Fork(code, int(counted.read() or 0), seconds, said.read())


def count_changes(kill_before: int | None) -> list[str]:
    """Lets this process count its calls of CHANGES from now on, and die before one of them."""
    calls: list[str] = []

    def counted(name: str, usual: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if len(calls) == kill_before:
                os.kill(os.getpid(), signal.SIGKILL)
            calls.append(name)
            return usual(*arguments, **options)

        return call

    for name in CHANGES:
        setattr(os, name, counted(name, getattr(os, name)))
    return calls


def together(count: int) -> list[Ending]:
    """Two runs with other seeds and one --out, so many times: one is refused, and the folder is the other's."""
    found = []
    for _ in range(count):
        with new_place():
            children = []
            for seed in (1, 2):
                child = os.fork()
                if not child:
                    for descriptor in (1, 2):
                        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
                    os._exit(run([*_TRAIN, "--seed", str(seed)]))
                children.append(child)
            codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
            winner = load_record(Path("run"))["arguments"]["seed"]
            left = safetensors.numpy.load_file("run/params.safetensors")
            shutil.rmtree("run")
            alone = in_a_fork([*_TRAIN, "--seed", str(winner)]).code
            same = all((left[n] == x).all() for n, x in safetensors.numpy.load_file("run/params.safetensors").items())
            right = sorted(codes) == [0, 1] and codes[winner - 1] == 0 and alone == 0 and same
            found.append(Ending("two runs", "one --out", "whole", "" if right else f"{codes}, seed {winner}"))
    return found
