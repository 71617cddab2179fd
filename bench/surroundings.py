"""Commands in surroundings that work against them: lost output, odd names, other machines, files of others.

`bench.faults` reports what comes of it. Each case is a line of shell in a folder with a finished run.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_TRAIN = "$J train softmax --epochs 1 --out run"
_KEPT = f"{_TRAIN} --epochs 2 --checkpoint-dir kept --resume"
_WHOLE = "test -f run/run.json && test -f run/params.safetensors"


class Case(NamedTuple):
    """shell: what is done; $J is jaxd2l. code: the exit code wanted. said: a part of what must be said.

    holds: a condition that must hold afterwards.
    """

    kind: str
    shell: str
    code: int = 0
    said: str = ""
    holds: str = "true"


CASES = (
    Case("standard error is full", f"{_TRAIN} 2>/dev/full >/dev/null", holds=_WHOLE),
    Case("both outputs are full", f"{_TRAIN} >/dev/full 2>&1", holds=_WHOLE),
    Case("both outputs are closed", f"{_TRAIN} >&- 2>&-", holds=_WHOLE),
    Case("the reader has gone", f"set -o pipefail; {_TRAIN} 2>&1 | true", holds=_WHOLE),
    Case("a result that cannot be printed", "$J evaluate made --json >/dev/full", 1, "output cannot be written"),
    Case("brackets in a path", "$J train softmax --epochs 1 --out 'a[/]b[red]'", said="a[/]b[red]"),
    Case("a path that is not UTF-8", "x=$(printf 'x\\377'); $J train softmax --epochs 1 --out $x --checkpoint-dir c$x",
         3, holds="test -f x*/run.json"),
    Case("an escape sequence in a path", "x=$(printf 'x\\033[2J'); mv made $x; $J predict $x", said=r"x\x1b[2J"),
    Case("a link in the place of a picture", "ln -s ../run.txt made/predictions.png; echo precious > run.txt; "
         "$J predict made", holds="grep -q precious run.txt && test ! -L made/predictions.png"),
    Case("one processor instead of two", f"PJRT_NPROC=1 {_KEPT}", said="threads: "),
    Case("other flags of XLA", f"XLA_FLAGS=--xla_cpu_enable_fast_math=true {_KEPT}", said="XLA_FLAGS: none there"),
    Case("another order of the examples", f"JAX_THREEFRY_PARTITIONABLE=0 {_KEPT}", 1, "JAX_THREEFRY_PARTITIONABLE"),
    Case("no home and no name", "env -u HOME PYTHONPATH=.:$PYTHONPATH $J --help"),
    Case("a platform that is not there", f"JAX_PLATFORMS=cuda {_TRAIN}", 1, "JAX finds no device"),
    Case("a run.json edited by hand", "sed -i 's/\"softmax\"/\"resnet\"/' made/run.json; $J evaluate made", 1, "model"),
    Case("a compiled program cut short", f"{_TRAIN} && truncate -s 99 cache/compiled/*-cache && $J evaluate run 2>&1 "
         "| tee said && ! grep -q Error said"),
    Case("compiled programs that others may write", f"rm -r cache; mkdir -pm 777 cache/compiled; {_TRAIN}",
         said="can be written to by others", holds="test -z \"$(ls cache/compiled)\""),
    Case("a checkpoint with a hole of 64 GiB", f"truncate -s 64G kept/step-*/manifest.json; {_KEPT}",
         said="it is mostly a hole"),
    Case("a checkpoint that calls itself later", f"cp -r kept/step-* kept/step-99999999; {_KEPT}",
         said="its manifest is one of step 47"),
    Case("links named like our temporary files", f"mkdir run; ln -s . run/.new-x; ln -s . kept/.aside-x; {_KEPT}",
         holds=_WHOLE),
    Case("numbers that are not finite, imported", "$J import nan --out run", 1, "not finite", "test ! -e run"),
    Case("a SPEC that leaves", "echo 'import sys; sys.exit(0)' > spec.py; $J parity spec.py", 1, "SystemExit"),
)  # fmt: skip


def outcomes() -> list[Sequence[object]]:
    """A row for each case: kind, whether all is as wanted, exit code, what was said of it."""
    with tempfile.TemporaryDirectory() as made:
        _run(made, "$J train softmax --epochs 1 --out made --checkpoint-dir kept")
        Path(made, "sitecustomize.py").write_text(
            "import pwd\ndef gone(uid): raise KeyError(uid)\npwd.getpwuid = gone\n"
        )
        program = (
            "import numpy, safetensors.numpy as s; s.save_file({'weight': numpy.full((10, 64), numpy.nan)}, 'nan')"
        )
        subprocess.run([sys.executable, "-c", program], cwd=made, check=True)
        return [_row(made, case) for case in CASES]


def _row(made: str, case: Case) -> Sequence[object]:
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["cp", "-r", f"{made}/.", place], check=True)
        done = _run(place, case.shell)
        holds = _run(place, case.holds).returncode == 0
    text = f"{done.stdout}\n{done.stderr}".replace(f"{place}/", "")  # a page names no folder of this machine
    right = done.returncode == case.code and case.said in text and holds
    right &= "Traceback" not in text and "\x1b" not in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    said = next((line for line in lines if case.said and case.said in line), "")
    return case.kind, right, done.returncode, said if right else text[-300:]


def _run(place: str, shell: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("JAX_COMPILATION")}
    known |= {"J": f"{sys.executable} -m jaxd2l", "JAXD2L_CACHE_DIR": "cache"}
    known["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in sys.path if path)
    return subprocess.run(
        ["bash", "-c", shell],
        cwd=place,
        env=known,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        check=False,
    )
