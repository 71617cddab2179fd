"""Whatever is said on the command line: a result, or a sentence that says what is wrong; never a traceback."""

import argparse
import contextlib
import io
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import jax
import pytest
from hypothesis import event, given

from jaxd2l.cli import run
from jaxd2l.cli.grammar import parser

# Words that suit no option, numbers at and over every edge, digits of other scripts, and texts that files dislike.
WORDS = ["", " ", "x", "None", "true", "--", "-1", "-0", "0", "1.5", "0x10", "1_000", "1,", ",", "8,,8", "0.1:1:log"]
NUMBERS = ["nan", "inf", "-inf", "1e999", "1e-320", "1e38", "9" * 30, "9" * 5000, "٣", "½", "1:2:lin:3", "2:1:log:2"]
TEXTS = ["\0", "\ud800", "ünï çødé", "💥", "a" * 300, "*", "$HOME", "-rf", "\n", "a\tb"]
HOSTILE = st.sampled_from(WORDS + NUMBERS + TEXTS) | st.text(max_size=8).filter(lambda text: "/" not in text)

# What paths can be: {here} is a folder of the example, with a run, a file and a folder that holds something in it.
PATHS = st.sampled_from(["{here}/run", "{here}/new", "{here}/torch.safetensors"]) | st.sampled_from(
    [
        *("{here}/new/deep", "{here}/file", "{here}/file/below", "{here}/full", "{here}", "{here}/run/curves.png"),
        *(
            "{here}/ünï çødé 💥",
            "{here}/run/params.safetensors",
            "{here}/loop",
            "{here}/dangling",
            "{here}/" + "a" * 300,
        ),
        *("{here}/locked", "{here}/locked/new", "{here}/locked/params.safetensors"),
        *("/dev/null", "/dev/null/below", "/proc/below", "/dev/full", "{here}/\0", "{here}/\ud800", "{here}/torn", ""),
    ]
)


def words(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(values)


# For each command its positional argument, and its options with values good or not quite; None: it takes no value.
MODELS, DATASETS = words("linear", "softmax", "mlp", "flax-mlp"), words("digits", "synthetic")
TRAINING = {
    "data": PATHS | words("{here}/table.csv"),
    "target": words("y", "x"),
    "kind": words("classes", "numbers"),
    "dataset": DATASETS,
    "epochs": words("1", "1000000000000"),
    "hidden": words("1", "8,4"),
    "precision": words("float32", "bfloat16"),
    "json": None,
    "batch-size": words("500", "1000000000000"),
    "data-dir": PATHS,
    "optimizer": words("sgd", "adam", "adamw", "rmsprop"),
    "momentum": words("0", "0.9"),
    "nesterov": None,
    "schedule": words("constant", "cosine", "step"),
    "warmup": words("0", "1"),
    "dropout": words("0", "0.5"),
    "activation": words("tanh", "gelu"),
    "init": words("kaiming", "xavier", "torch"),
    "validation": words("0", "0.1", "0.9999"),
}
EARLY = {"weight-decay": words("0", "0.1"), "early-stopping": words("1")}
CHECKPOINTS = {"checkpoint-dir": PATHS, "checkpoint-every": words("1", "2"), "resume": None, "debug-nans": None}
DEVICES = {"devices": words("1", "256"), "num-processes": words("2"), "process-id": words("0")}
COMMANDS: dict[str, tuple[st.SearchStrategy[str], dict[str, st.SearchStrategy[str] | None]]] = {
    "train --epochs 1": (
        MODELS,
        {"lr": words("0.1", "1e30"), "seed": words("0", "9"), "out": PATHS, **EARLY, **TRAINING},
    ),
    "train --epochs 2": (words("softmax", "linear"), {"lr": words("0.1", "1e30"), **CHECKPOINTS, **DEVICES}),
    "sweep --epochs 1 --lr 0.1": (
        MODELS,
        {"lr": words("0.1:1:log:2"), "weight-decay": words("0"), "seeds": words("1", "2"), "plot": PATHS, **TRAINING},
    ),
    "evaluate": (PATHS, {"json": None, "best": None, "out": PATHS, "data-dir": PATHS}),
    "predict": (PATHS, {"best": None, "image": PATHS, "count": words("1", "1000000"), "out": PATHS, "data-dir": PATHS}),
    "export --to new": (PATHS, {"to": PATHS}),
    "import": (PATHS, {"out": PATHS}),
    "data prepare": (words("fashion_mnist"), {"from": PATHS}),
    "data show --out new": (DATASETS, {"out": PATHS, "count": words("1", "16"), "data-dir": PATHS}),
    "parity": (PATHS, {"json": None, "strict": None, "markdown": PATHS, "html": PATHS, "only": words("nothing")}),
    "completion": (words("bash", "zsh", "a shell that nobody has"), {}),
    "bench --turns 0": (
        words("--json"),
        {"json": None, "verbose": None, "suite": words("quick", "full"), "markdown": PATHS, "plot": PATHS},
    ),
}
LEFT_OUT = {"coordinator": "meets other processes: devices_test.py, and processes.start in fuzz_runs_test.py"}
NEVER_RIGHT = ("data prepare", "parity", "bench --turns 0")  # without data, a SPEC, and minutes of time


def grammar(of: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Every command of the parser, with the names of its options."""
    [*deeper] = (action for action in of._actions if isinstance(action, argparse._SubParsersAction))
    for action in deeper:
        for name, command in action.choices.items():
            yield from grammar(command, (*words, name))
    if not deeper:
        yield words, {option.removeprefix("--") for action in of._actions for option in action.option_strings} - {"-h"}


def test_no_command_and_no_option_is_left_out() -> None:
    fuzzed: dict[tuple[str, ...], set[str]] = {}
    for command, (_, options) in COMMANDS.items():
        words, *fixed = command.split(" --")
        fuzzed.setdefault(tuple(words.split()), set(LEFT_OUT) | {"help"}).update(options, (f.split()[0] for f in fixed))
    assert {words: options - fuzzed[words] for words, options in grammar(parser()) if options - fuzzed[words]} == {}


def draw_call(draw: Callable[[st.SearchStrategy], Any], command: str) -> list[str]:
    """A call with some of the command's options, and in every second one a hostile value in one place."""
    positional, options = COMMANDS[command]
    chosen = {name: values for name, values in options.items() if draw(st.booleans())}
    places = [None, *(name for name, values in chosen.items() if values is not None)]
    hostile = draw(st.sampled_from(places)) if draw(st.booleans()) else None
    said = command.split()
    for name, values in chosen.items():
        said += [f"--{name}"] if values is None else [f"--{name}", draw(HOSTILE if name == hostile else values)]
    return [*said, draw(positional)]


@pytest.fixture(scope="module")
def template(only_blank_pictures: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a user may have it: a run, a file, a folder in use, links that lead nowhere, and a torn run."""
    folder = tmp_path_factory.mktemp("fuzz") / "here"
    folder.mkdir()
    assert run(["train", "softmax", "--epochs", "1", "--batch-size", "500", "--out", str(folder / "run")]) == 0
    assert run(["export", str(folder / "run"), "--to", str(folder / "torch.safetensors")]) == 0
    (folder / "file").write_text("1 / 0")
    (folder / "table.csv").write_text("x,y\n" + "".join(f"{i / 9},{i % 2}\n" for i in range(30)))
    (folder / "full").mkdir()
    (folder / "full" / "kept").write_text("mine")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "dangling").symlink_to("nowhere")
    shutil.copytree(folder / "run", folder / "torn")
    shutil.copytree(folder / "run", folder / "locked")
    (folder / "locked").chmod(0o555)  # where root writes all the same, but nobody else does
    params = (folder / "torn" / "params.safetensors").read_bytes()
    (folder / "torn" / "params.safetensors").write_bytes(params[: len(params) // 2])
    return folder


SHORT = ("evaluate", "export --to new", "import", "train --epochs 1")
"""Commands that `make test` fuzzes; `make test-long` fuzzes the others."""


@pytest.mark.parametrize("command", [c if c in SHORT else pytest.param(c, marks=pytest.mark.long) for c in COMMANDS])
def test_every_call_gives_a_result_or_a_sentence(command: str, template: Path, tmp_path: Path, monkeypatch) -> None:
    for variable in ("JAXD2L_DATA_DIR", "JAXD2L_CACHE_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))  # where no data are
    ended: Counter[int] = Counter()

    @given(st.data())
    def try_one(data: st.DataObject) -> None:
        call = draw_call(data.draw, command)
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            here = shutil.copytree(template, Path(folder, "here"), symlinks=True)
            arguments = [word.replace("{here}", str(here)) for word in call]
            out, err = io.StringIO(), io.StringIO()
            as_users_have_it = jax.numpy_dtype_promotion("standard")
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), as_users_have_it:
                try:
                    code = run(arguments)
                except SystemExit as end:  # argparse's way
                    code = int(end.code or 0)
            ended[code] += 1
            event(f"exit code {code}")
            assert code in (0, 1, 2, 3), err.getvalue()
            if code in (1, 2):
                *_, sentence = err.getvalue().split("error: ")
                assert len(sentence.split()) > 2, f"{err.getvalue()!r} explains nothing"
            elif "--json" in arguments:
                json.loads(out.getvalue())
            assert f"{here}/file" in arguments or (here / "file").read_text() == "1 / 0"
            assert (here / "full" / "kept").read_text() == "mine"

    try_one()
    assert ended[1] + ended[2], "no call was wrong"
    assert ended[0] or command in NEVER_RIGHT, "no call was right"
    assert Path("/dev/null").is_char_device()
