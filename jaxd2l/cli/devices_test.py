"""Training on several devices and by several processes, as the shell sees it."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxd2l import models
from jaxd2l._process.exit_codes import ExitCode
from jaxd2l.cli import run
from jaxd2l.train.checkpoint import load_params
from jaxd2l.types import Model, Params

TRAIN = ["train", "mlp", "--hidden", "8", "--epochs", "2", "--batch-size", "375"]
MLP, SOFTMAX = models.mlp(64, 8, 10), models.softmax_regression(64, 10)


def start(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen:
    paths = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    return subprocess.Popen(
        [sys.executable, "-m", "jaxd2l", *arguments],
        cwd=folder,
        env={**os.environ, **paths, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def together(folder: Path, port: int, count: int, *arguments: str) -> list[subprocess.Popen]:
    common = ("--coordinator", f"127.0.0.1:{port}", "--num-processes", str(count), "--process-id")
    return [start(folder, *arguments, *common, str(i)) for i in range(count)]


def outcomes(everyone: list[subprocess.Popen], timeout: int = 240) -> list[tuple[int, str, str]]:
    try:
        said = [process.communicate(timeout=timeout) for process in everyone]
    finally:
        kill(everyone)
    return [(process.returncode, *words) for process, words in zip(everyone, said, strict=True)]


def kill(everyone: list[subprocess.Popen]) -> None:
    for process in everyone:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def read(folder: Path, model: Model = MLP) -> tuple[dict, Params]:
    params = load_params(folder / "params.safetensors", like=jax.eval_shape(model.init, jax.random.key(0)))
    return json.loads((folder / "run.json").read_text()), params


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Params]:
    """The run to compare with: one device, one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert run([*TRAIN, "--out", str(folder)]) == 0
    return read(folder)


def assert_same_training(one: tuple[dict, Params], other: tuple[dict, Params]) -> None:
    for name, values in one[0]["history"].items():
        np.testing.assert_allclose(other[0]["history"][name], values, rtol=2e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), one[1], other[1])


@pytest.mark.long
def test_four_devices_train_as_one_and_the_record_says_so(alone, tmp_path):
    [(code, out, err)] = outcomes([start(tmp_path, *TRAIN, "--devices", "4", "--json", "--out", "run")])
    assert code == 0, err
    record, params = read(tmp_path / "run")
    assert json.loads(out) == record
    assert record["mesh"] == {"devices": 4, "processes": 1}
    assert record["device"]["count"] == 4
    assert record["command"].endswith("--lr 0.5 --hidden 8 --devices 4")
    assert_same_training(alone, (record, params))


@pytest.mark.long
@pytest.mark.parametrize("count", [2, 4])
def test_processes_train_as_one_and_process_0_alone_prints_and_writes(count, port, alone, tmp_path):
    results = outcomes(together(tmp_path, port, count, *TRAIN, "--json"))
    for code, _, err in results:
        assert code == 0, err
    assert [out for _, out, _ in results[1:]] == [""] * (count - 1)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mlp-digits"]
    record, params = read(tmp_path / "out" / "mlp-digits")
    assert json.loads(results[0][1]) == record
    assert record["mesh"] == {"devices": count, "processes": count}
    assert_same_training(alone, (record, params))


@pytest.mark.long
def test_after_a_kill_the_other_ends_with_4_and_one_process_or_four_go_on(port, tmp_path):
    train = ["train", "softmax", "--batch-size", "375", "--checkpoint-dir", "kept", "--resume"]
    everyone = together(tmp_path, port, 2, *train, "--epochs", "1000000", "--out", "lost")
    end = time.monotonic() + 200
    try:
        while not (kept := list((tmp_path / "kept").glob("step-*"))) and time.monotonic() < end:
            time.sleep(0.05)
        everyone[1].kill()
        (code, _, err), (killed, *_) = outcomes(everyone, timeout=60)
    finally:
        kill(everyone)
    assert kept, err
    assert (code, killed) == (ExitCode.PROCESS_LOST, -signal.SIGKILL), err
    assert "another process of this run was lost" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert "*** Check failure" not in err
    if (tmp_path / "lost" / "run.json").exists():  # unless it was ended while it saved
        assert read(tmp_path / "lost", SOFTMAX)[0]["interrupted"] is True

    newest = max((tmp_path / "kept").glob("step-*"))
    done = int(newest.name.removeprefix("step-")) // 4
    shutil.copytree(tmp_path / "kept", tmp_path / "four" / "kept")
    train += ["--epochs", str(done + 1), "--out", "run"]
    for group in (lambda: [start(tmp_path, *train)], lambda: together(tmp_path / "four", port, 4, *train)):
        for code, _, err in outcomes(group()):
            assert code == 0, err
    one, four = read(tmp_path / "run", SOFTMAX), read(tmp_path / "four" / "run", SOFTMAX)
    assert [record["checkpoints"]["resumed_after_epoch"] for record, _ in (one, four)] == [done, done]
    assert one[0]["history"]["train_loss"][:done] == four[0]["history"]["train_loss"][:done]
    assert_same_training(one, four)
    whole = tmp_path / "whole"
    assert run(["train", "softmax", "--batch-size", "375", "--epochs", str(done + 1), "--out", str(whole)]) == 0
    assert_same_training(read(whole, SOFTMAX), one)


@pytest.mark.long
def test_processes_that_were_started_differently_all_say_what_differs(port, tmp_path):
    ours, theirs = together(tmp_path, port, 2, *TRAIN)
    kill([theirs])
    theirs.communicate()
    arguments = [*theirs.args[3:], "--lr", "0.25", "--seed", "5"]
    for code, out, err in outcomes([ours, start(tmp_path, *arguments)]):
        assert (code, out) == (1, "")
        assert "processes [1] differ from process 0 in: seed, model, loss, optimiser or batch size" in err
        assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("--devices 200", 1, "a mesh of 200 devices cannot be made: there are"),
        ("--num-processes 2", 1, "--num-processes: needs --coordinator HOST:PORT as well"),
        ("--num-processes 2 --process-id 0", 1, "--num-processes and --process-id: needs --coordinator"),
        ("--coordinator here:1", 1, "--coordinator HOST:PORT needs --num-processes N and --process-id I as well"),
        ("--coordinator here:1 --num-processes 2", 1, "needs --num-processes N and --process-id I as well"),
    ],
)
def test_a_request_that_cannot_be_met_says_why(arguments, code, message, tmp_path, monkeypatch, capsys):
    jax.devices()  # JAX has started: no more devices can be had
    monkeypatch.chdir(tmp_path)
    assert run(["train", "mlp", *arguments.split()]) == code
    captured = capsys.readouterr()
    assert captured.err.startswith("jaxd2l: error: ")
    assert message in captured.err
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", ["--devices 0", "--devices two", "--process-id -1", "--num-processes 0"])
def test_a_wrong_call_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        run(["train", "mlp", *arguments.split()])
    assert stop.value.code == 2
    assert "usage: jaxd2l" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--coordinator here --num-processes 2 --process-id 0", "the coordinator must be HOST:PORT"),
        ("--coordinator here:1 --num-processes 2 --process-id 2", "the process id must be 0 to 1"),
        ("--coordinator auto", "JAX found no cluster that it knows"),
    ],
)
def test_processes_that_cannot_meet_say_why(arguments, message, tmp_path):
    # In a process of its own: what C++ prints is led away for good.
    [(code, out, err)] = outcomes([start(tmp_path, "train", "mlp", *arguments.split())])
    assert (code, out) == (1, "")
    assert err.startswith(f"jaxd2l: error: {message}")
    assert list(tmp_path.iterdir()) == []
