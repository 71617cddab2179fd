"""Breaks checkpoints in every way we could think of, resumes, and reports what came of it.

    python -m bench.faults [--markdown PATH]

Each fault is injected into the checkpoints of three epochs on digits; then the command asks for four. The exit code is
0 if every outcome is the one wanted: the run ends with the same bits as one left alone, or it is refused.
"""

import argparse
import contextlib
import errno
import io
import json
import logging
import os
import pickle
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from bench import surroundings
from jaxd2l._tables import markdown_table
from jaxd2l.cli import run
from jaxd2l.train.checkpoint import _arrays, _resume, _sealed, locked

Folders = list[Path]
"""The checkpoints, the oldest first."""


class Fault(NamedTuple):
    """What is done to the checkpoints, and what should come of it.

    bits: whether the run must end with the same bits as one left alone; otherwise it must be refused.
    code: the exit code that the run must have.
    message: a part of what standard error must say.
    arguments: further arguments of the command.
    meanwhile: what happens to the folder while the command runs.
    """

    kind: str
    do: Callable[[Folders], Any]
    bits: bool
    code: int
    message: str
    arguments: tuple[str, ...] = ()
    meanwhile: Callable[[Path], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext


class Outcome(NamedTuple):
    """What came of a fault. right: whether it is what should; said: the line of standard error that says so."""

    kind: str
    right: bool
    code: int
    result: str
    said: str


def newest(change: Callable[[Path], Any]) -> Callable[[Folders], Any]:
    """Acts on the newest checkpoint alone."""
    return lambda folders: change(folders[-1])


def largest(folder: Path) -> Path:
    """The file of the largest array."""
    return max(
        (path for path in (folder / "arrays").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )


def flip(path: Path) -> None:
    """Changes one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def halve(path: Path) -> None:
    """Cuts a file."""
    os.truncate(path, path.stat().st_size // 2)


def link(path: Path) -> None:
    """Moves a file away and leaves a link to it."""
    path.rename("elsewhere")
    path.symlink_to(Path("elsewhere").absolute())


def forge(folder: Path, content: bytes, pattern: str) -> None:
    """Replaces files by hostile ones, and makes the sums right again."""
    for path in [p for p in folder.glob(pattern) if p.is_file() and p.name != _sealed.SUMS]:
        path.write_bytes(content)
    seal(folder)


def compress(folder: Path) -> None:
    """Has the largest array say that it is compressed, which few bytes can be to any length."""
    header = largest(folder).with_name(".zarray")
    header.write_text(json.dumps(json.loads(header.read_text()) | {"compressor": {"id": "zstd", "level": 1}}))
    seal(folder)


def seal(folder: Path) -> None:
    """Makes the sums right again."""
    (folder / _sealed.SUMS).write_text(_sealed._format(_sealed._digests(folder)))


class Trap:
    """Makes a folder called "sprung" when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("sprung",)


def nothing(folders: Folders) -> None:
    """Leaves the checkpoints whole."""


@contextlib.contextmanager
def full_disk_at_the_end(directory: Path) -> Iterator[None]:
    """What is written cannot be made to last."""
    with mock.patch.object(_sealed, "sync", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))):
        yield


@contextlib.contextmanager
def full_disk(directory: Path) -> Iterator[None]:
    """No file of a checkpoint can be longer than 1000 bytes: what Orbax writes fails, in its threads too."""

    def write(*arguments: Any) -> None:
        usual = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, usual[1]))
        try:
            _arrays.write_arrays(*arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)

    with mock.patch.object(_resume, "write_arrays", write):
        yield


PICKLE = pickle.dumps(Trap())
OLDER, WHOLE = "is damaged and passed over", "resuming from c/step-00000141"
FULL = "the run continues without this checkpoint; the last good one is c/step-00000141"
FAULTS = [
    Fault("none", nothing, True, 0, WHOLE),
    Fault("array file cut in half", newest(lambda f: halve(largest(f))), True, 0, OLDER),
    Fault("one bit of an array file flipped", newest(lambda f: flip(largest(f))), True, 0, OLDER),
    Fault("array file missing", newest(lambda f: largest(f).unlink()), True, 0, OLDER),
    Fault("array file empty", newest(lambda f: os.truncate(largest(f), 0)), True, 0, OLDER),
    Fault("one bit of the manifest flipped", newest(lambda f: flip(f / "manifest.json")), True, 0, OLDER),
    Fault("manifest missing", newest(lambda f: (f / "manifest.json").unlink()), True, 0, OLDER),
    Fault("one bit of the sums flipped", newest(lambda f: flip(f / _sealed.SUMS)), True, 0, OLDER),
    Fault("sums missing", newest(lambda f: (f / _sealed.SUMS).unlink()), True, 0, OLDER),
    Fault("a file too many", newest(lambda f: (f / "more").touch()), True, 0, OLDER),
    Fault("a folder without content", newest(lambda f: [shutil.rmtree(f), f.mkdir()]), True, 0, OLDER),
    Fault("a file in the place of the folder", newest(lambda f: [shutil.rmtree(f), f.touch()]), True, 0, OLDER),
    Fault("array file replaced by a link to it", newest(lambda f: link(largest(f))), True, 0, OLDER),
    Fault("the two newest damaged", lambda fs: [halve(largest(f)) for f in fs[1:]], True, 0, "1 of 4 epochs are done"),
    Fault("all damaged", lambda fs: [halve(largest(f)) for f in fs], True, 0, "starting from the beginning"),
    Fault("all gone", lambda fs: [shutil.rmtree(f) for f in fs], True, 0, "starting from the beginning"),
    Fault("left unfinished by a kill", newest(lambda f: f.rename(f.parent / ".aside-x")), True, 0, "2 of 4 epochs"),
    Fault("a pickle for the manifest, sums right", newest(lambda f: forge(f, PICKLE, "*")), True, 0, OLDER),
    Fault(
        "a pickle for every array file, sums right", newest(lambda f: forge(f, PICKLE, "arrays/**/*")), True, 0, OLDER
    ),
    Fault(
        "arrays that grow while they are read, sums right", newest(compress), True, 0, "arrays are not as its manifest"
    ),
    Fault(
        "a manifest of a million brackets, sums right",
        newest(lambda f: forge(f, b"[" * 10**6, "manifest.json")),
        True,
        0,
        OLDER,
    ),
    Fault("another number of hidden units", nothing, False, 1, "hidden: 8 there, 9 here", ("--hidden", "9")),
    Fault("another learning rate", nothing, False, 1, "lr: 0.5 there, 0.1 here", ("--lr", "0.1")),
    Fault("another seed", nothing, False, 1, "seed: 0 there, 1 here", ("--seed", "1")),
    Fault("another batch size", nothing, False, 1, "batch_size: 32 there, 8 here", ("--batch-size", "8")),
    Fault("fewer epochs than it has", nothing, False, 1, "is 3 epochs long", ("--epochs", "2")),
    Fault("another run in the same folder", nothing, False, 1, "another run keeps its checkpoints", (), locked),
    Fault("disk full while Orbax writes", nothing, True, 3, FULL, (), full_disk),
    Fault("disk full when it is synced", nothing, True, 3, FULL, (), full_disk_at_the_end),
]


def train(*arguments: str) -> tuple[int, str]:
    """Runs the command in this process. Returns its exit code and its standard error."""
    err = io.StringIO()
    handler = logging.StreamHandler(err)
    logger = logging.getLogger("jaxd2l")
    logger.addHandler(handler)
    try:
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
            code = run(["train", "mlp", "--hidden", "8", "--epochs", "4", "--out", "run", *arguments])
    finally:
        logger.removeHandler(handler)
    return code, err.getvalue()


def result() -> tuple[bytes, str]:
    """Parameters and history of the run."""
    return Path("run/params.safetensors").read_bytes(), json.dumps(
        json.loads(Path("run/run.json").read_text())["history"]
    )


def outcome(fault: Fault, expected: tuple[bytes, str]) -> Outcome:
    """Breaks the checkpoints, resumes, and looks at what came of it."""
    shutil.rmtree("run", ignore_errors=True)
    shutil.rmtree("c", ignore_errors=True)
    shutil.copytree("template", "c")
    fault.do(sorted(Path("c").glob("step-*")))
    with fault.meanwhile(Path("c")):
        code, err = train("--checkpoint-dir", "c", "--resume", *fault.arguments)
    bits = Path("run/run.json").exists() and result() == expected
    lines = [" ".join(line.split()) for line in err.splitlines()]
    said = next((line for line in lines if fault.message in line), err[-300:])
    right = (bits, code) == (fault.bits, fault.code) and fault.message in " ".join(err.split())
    right &= not Path("sprung").exists() and "Traceback" not in err
    return Outcome(fault.kind, right, code, "same bits" if bits else "refused" if code == 1 else "OTHER BITS", said)


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", type=Path, metavar="PATH")
    options = parser.parse_args()
    page = options.markdown and options.markdown.absolute()
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        assert train()[0] == 0
        expected = result()
        shutil.rmtree("run")
        assert train("--epochs", "3", "--checkpoint-dir", "template")[0] == 0
        outcomes = [outcome(fault, expected) for fault in FAULTS]
        around = surroundings.outcomes()
    right = sum(each.right for each in outcomes) + sum(bool(row[1]) for row in around)
    headings = ["Fault", "as wanted", "exit code", "result", "message"]
    rows = [[kind, "yes" if is_right else "NO", *rest] for kind, is_right, *rest in outcomes]
    made_by = f"Made by `python -m bench.faults`: {len(outcomes) + len(around)} kinds, {right} with the outcome wanted."
    text = f"# Faults injected\n\n{made_by}\n\n{markdown_table(headings, rows)}\n"
    rows = [[kind, "yes" if is_right else "NO", *rest] for kind, is_right, *rest in around]
    text += f"\n## Surroundings\n\n{markdown_table(['Surroundings', 'as wanted', 'exit code', 'message'], rows)}\n"
    print(text, end="")
    if page:
        page.write_text(text)
    return 0 if right == len(outcomes) + len(around) else 1


if __name__ == "__main__":
    sys.exit(main())
