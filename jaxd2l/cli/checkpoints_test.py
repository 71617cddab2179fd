"""`jaxd2l train` with checkpoints: killed, damaged, out of space or refused, and what it says of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import jaxd2l.cli.train
import jaxd2l.train.checkpoint._sealed
from jaxd2l.cli import run
from jaxd2l.train.checkpoint import locked

ROOT = Path(__file__).parents[2]
STEPS = 47  # of an epoch on digits
pytestmark = pytest.mark.usefixtures("only_blank_pictures")


def train(out: Path, *arguments: str, epochs: int = 4, hidden: str = "8") -> int:
    return run(["train", "mlp", "--hidden", hidden, "--epochs", str(epochs), "--out", str(out), *arguments])


def saved(out: Path) -> tuple[bytes, dict]:
    record = json.loads((out / "run.json").read_text())
    assert len(record["seconds"]["epochs"]) == len(record["history"]["train_loss"])
    return (out / "params.safetensors").read_bytes(), record["history"]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("step-*"))


def steps(*epochs: int) -> list[str]:
    return [f"step-{epoch * STEPS:08d}" for epoch in epochs]


@pytest.fixture(scope="module")
def alone(only_blank_pictures: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four epochs, without checkpoints."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert train(folder) == 0
    return folder


@pytest.fixture(scope="module")
def template(only_blank_pictures: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoints of three epochs."""
    folder = tmp_path_factory.mktemp("template")
    assert train(folder / "run", "--checkpoint-dir", str(folder / "c"), epochs=3) == 0
    return folder / "c"


@pytest.fixture
def checkpoints(template: Path, tmp_path: Path) -> Path:
    """The same, to be broken."""
    return Path(shutil.copytree(template, tmp_path / "c"))


def test_checkpoints_change_nothing_and_the_last_three_are_kept(alone, tmp_path):
    assert train(tmp_path / "run", "--checkpoint-dir", str(tmp_path / "c")) == 0
    assert saved(tmp_path / "run") == saved(alone)
    assert names(tmp_path / "c") == steps(2, 3, 4)


def test_a_resumed_run_ends_with_the_same_bits_and_says_where_it_began(alone, checkpoints, tmp_path, capsys):
    assert train(tmp_path / "run", "--checkpoint-dir", str(checkpoints), "--resume") == 0
    assert f"resuming from {checkpoints}/step-00000141: 3 of 4 epochs are done" in capsys.readouterr().err
    assert saved(tmp_path / "run") == saved(alone)
    record = json.loads((tmp_path / "run" / "run.json").read_text())["checkpoints"]
    assert (record["every"], record["resumed_after_epoch"], record["failed_after_epoch"]) == (1, 3, [])
    assert len(record["seconds"]) == 1


def test_every_second_epoch_and_the_last_one(tmp_path):
    arguments = ["--checkpoint-dir", str(tmp_path / "c"), "--checkpoint-every", "2"]
    assert train(tmp_path / "run", *arguments, epochs=5) == 0
    assert names(tmp_path / "c") == steps(2, 4, 5)


def test_where_nothing_is_it_starts_from_the_beginning_and_says_so(alone, tmp_path, capsys):
    assert train(tmp_path / "run", "--checkpoint-dir", str(tmp_path / "c"), "--resume") == 0
    assert f"no checkpoint to resume from in {tmp_path}/c; starting from the beginning" in capsys.readouterr().err
    assert saved(tmp_path / "run") == saved(alone)


def test_a_damaged_one_is_named_and_passed_over(alone, checkpoints, tmp_path, caplog, capsys):
    (checkpoints / "step-00000141" / "manifest.json").write_text("{}")
    shutil.rmtree(checkpoints / "step-00000094" / "arrays")
    assert train(tmp_path / "run", "--checkpoint-dir", str(checkpoints), "--resume") == 0
    first, second = caplog.messages
    assert first.startswith(f"{checkpoints}/step-00000141 is damaged and passed over: 'manifest.json' is not what was")
    assert second.startswith(f"{checkpoints}/step-00000094 is damaged and passed over: 'arrays/")
    assert "1 of 4 epochs are done" in capsys.readouterr().err
    assert saved(tmp_path / "run") == saved(alone)
    assert names(checkpoints) == steps(2, 3, 4)


@pytest.mark.parametrize("left", [["params.safetensors"], [".curves.png.x8f_a2"], ["params.safetensors", "run.json"]])
def test_what_a_killed_process_left_of_the_results_does_not_stop_the_next(alone, checkpoints, tmp_path, left):
    (tmp_path / "run").mkdir()
    for name in left:
        (tmp_path / "run" / name).write_bytes((alone / name).read_bytes() if name == "run.json" else b"torn")
    assert train(tmp_path / "run", "--checkpoint-dir", str(checkpoints), "--resume") == 0
    assert saved(tmp_path / "run") == saved(alone)
    assert not list((tmp_path / "run").glob(".*"))


def test_more_epochs_of_the_same_run_take_its_place_and_fewer_do_not(alone, checkpoints, tmp_path, capsys):
    arguments = ["--checkpoint-dir", str(checkpoints), "--resume"]
    assert train(tmp_path / "run", *arguments, epochs=3) == 0
    for picture in ("confusion.png", "predictions.png"):  # of the parameters after three epochs
        (tmp_path / "run" / picture).write_bytes(b"PNG")
    assert train(tmp_path / "run", *arguments, epochs=4) == 0
    assert not {"confusion.png", "predictions.png"} & {path.name for path in (tmp_path / "run").iterdir()}
    assert saved(tmp_path / "run") == saved(alone)
    assert train(tmp_path / "run", *arguments, epochs=3) == 1
    assert "is 4 epochs long; ask for as many or more with --epochs, not 3" in capsys.readouterr().err
    shutil.rmtree(checkpoints)
    for epochs, seed in ((3, "0"), (4, "1")):
        assert train(tmp_path / "run", *arguments, "--seed", seed, epochs=epochs) == 1
        assert "is not empty" in capsys.readouterr().err
    assert saved(tmp_path / "run") == saved(alone)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--hidden", "9"], "hidden: 8 there, 9 here"),
        (["--lr", "0.25"], "lr: 0.5 there, 0.25 here"),
        (["--batch-size", "16"], "batch_size: 32 there, 16 here"),
        (["--seed", "3"], "seed: 0 there, 3 here; key: threefry2x32 0 0 there, threefry2x32 0 3 here"),
    ],
)
def test_another_run_is_refused_with_the_difference(checkpoints, tmp_path, capsys, arguments, told):
    assert train(tmp_path / "run", "--checkpoint-dir", str(checkpoints), "--resume", *arguments) == 1
    assert (
        f"jaxd2l: error: {checkpoints}/step-00000141 is a checkpoint of another run: {told}\n"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("model", ["softmax", "flax-mlp"])
def test_another_model_is_refused(checkpoints, tmp_path, capsys, model):
    command = ["train", model, "--checkpoint-dir", str(checkpoints), "--resume", "--out", str(tmp_path / "run")]
    assert run(command) == 1
    assert f"model: mlp there, {model} here" in capsys.readouterr().err


def test_another_dataset_is_refused(checkpoints, tmp_path, capsys):
    assert run(["train", "linear", "--checkpoint-dir", str(checkpoints), "--resume", "--out", str(tmp_path / "r")]) == 1
    assert "dataset: digits there, synthetic here" in capsys.readouterr().err


def test_an_earlier_runs_checkpoints_are_not_touched_without_resume(checkpoints, tmp_path, capsys):
    assert train(tmp_path / "run", "--checkpoint-dir", str(checkpoints)) == 1
    assert (
        f"{checkpoints} holds checkpoints of an earlier run; continue from the newest with --resume"
        in capsys.readouterr().err
    )
    assert names(checkpoints) == steps(1, 2, 3)


@pytest.mark.parametrize("arguments", [["--resume"], ["--checkpoint-every", "2"]])
def test_options_without_the_folder_are_refused(tmp_path, capsys, arguments):
    assert train(tmp_path / "run", *arguments) == 1
    assert f"{arguments[0]} needs --checkpoint-dir DIR" in capsys.readouterr().err


def test_two_runs_in_one_folder_are_refused(tmp_path, capsys):
    with locked(tmp_path / "c"):
        assert train(tmp_path / "run", "--checkpoint-dir", str(tmp_path / "c")) == 1
    assert f"error: another run keeps its checkpoints in {tmp_path}/c" in capsys.readouterr().err


def test_a_full_disk_does_not_stop_the_run(alone, checkpoints, tmp_path, monkeypatch, capsys):
    def no_space(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jaxd2l.train.checkpoint._sealed, "sync", no_space)
    assert train(tmp_path / "run", "--checkpoint-dir", str(checkpoints), "--resume") == 3
    err = capsys.readouterr().err
    assert f"warning: [Errno 28] cannot save {checkpoints}/step-00000188: No space left on device" in err.replace(
        "\n", " "
    )
    assert f"the run continues without this checkpoint; the last good one is {checkpoints}/step-00000141" in err
    assert saved(tmp_path / "run") == saved(alone)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["checkpoints"]["failed_after_epoch"] == [4]
    assert names(checkpoints) == steps(1, 2, 3)


@pytest.mark.long
def test_a_truly_full_file_system_is_told_without_a_traceback(tmp_path, own_process):
    # RLIMIT_FSIZE: every file that would be longer fails, those of Orbax's other threads too.
    limited = "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); from jaxd2l.__main__ import main; main()"
    command = ["train", "mlp", "--hidden", "2000", "--epochs", "3", "--out", "run", "--checkpoint-dir", "c"]
    done = subprocess.run(
        [sys.executable, "-c", f"import resource; {limited}", *command],
        cwd=tmp_path,
        env=own_process,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 1, done.stderr  # for the parameters do not find room either
    assert done.stderr.count("the run continues without this checkpoint; there is no earlier one") == 3
    assert "cannot write run/params.safetensors: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    # Orbax's other threads may still write while what was begun is removed; the rest goes when a run next begins.
    assert not list((tmp_path / "c").glob("step-*"))
    with locked(tmp_path / "c"):
        assert [path.name for path in (tmp_path / "c").iterdir()] in ([], [".lock"])


def test_ctrl_c_while_saving_keeps_the_finished_epochs_and_the_last_good_checkpoint(checkpoints, tmp_path, monkeypatch):
    def interrupt(folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(jaxd2l.train.checkpoint._sealed, "sync", interrupt)
        assert train(tmp_path / "run", "--checkpoint-dir", str(checkpoints), "--resume", epochs=9) == 130
    assert len(json.loads((tmp_path / "run" / "run.json").read_text())["history"]["train_loss"]) == 4
    assert names(checkpoints) == steps(1, 2, 3)


@pytest.mark.long
def test_a_real_sigint_amid_orbaxs_work_ends_with_130_and_without_a_traceback(tmp_path, jaxd2l_process):
    command = "train softmax --epochs 100000 --out run --checkpoint-dir c"
    process = jaxd2l_process(*command.split(), cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 200
        while process.poll() is None and time.monotonic() < deadline:
            if names(tmp_path / "c") and list((tmp_path / "c").glob(".aside-*/new/arrays.*")):
                break
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert not list((tmp_path / "c").glob(".aside-*"))
    assert (tmp_path / "run" / "run.json").exists()


@pytest.mark.timeout(900)  # processes that compile and train, on a machine that may be busy
@pytest.mark.long
def test_five_kills_are_survived(tmp_path):
    alone = [sys.executable, "-m", "bench.kills", "--endings", "0", "--together", "0"]
    done = subprocess.run(
        [*alone, "--kills", "5", "--seed", "1", "--json", str(tmp_path / "k.json")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=840,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    runs = json.loads((tmp_path / "k.json").read_text())
    assert sum(len(run["kills"]) for run in runs) == 5
    assert not any(run["fault"] for run in runs)


def test_a_run_that_diverges_keeps_its_last_finite_checkpoint_and_names_what_went_wrong(tmp_path, capsys):
    """A rate at which a straight line grows worse slowly: many epochs are finite."""
    where = ["--checkpoint-dir", str(tmp_path / "c"), "--debug-nans"]
    linear = ["train", "linear", "--batch-size", "100", "--lr", "2.6", "--epochs", "40"]
    assert run([*linear, "--out", str(tmp_path / "run"), *where]) == 1
    err = capsys.readouterr().err
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    epochs, first = record["diverged"]["epoch"], record["diverged"]["first_nonfinite"]
    assert 1 < epochs < 39
    assert len(record["history"]["train_loss"]) == epochs + 1  # it went no further
    assert names(tmp_path / "c")[-1] == f"step-{epochs * 10:08d}"
    assert f"the last finite checkpoint is {tmp_path}/c/step-{epochs * 10:08d}" in err
    assert first["step"] // 10 == epochs
    assert first["quantity"] == "loss"  # squares overflow before anything else does
    assert (
        f"the first number that was not finite: loss, inf, in epoch {epochs + 1}, step {first['step'] % 10 + 1}" in err
    )
    assert "try a smaller --lr than 2.6" in err


@pytest.mark.parametrize(("lr", "told"), [("1e6", True), ("0.5", False)])
def test_a_run_that_stays_finite_and_grows_worse_is_told(tmp_path, capsys, lr, told):
    assert run(["train", "softmax", "--lr", lr, "--epochs", "2", "--out", str(tmp_path / "run")]) == 0
    loss = json.loads((tmp_path / "run" / "run.json").read_text())["history"]["train_loss"][-1]
    assert (loss > 1000) == told
    err = capsys.readouterr().err
    assert (f"to {loss:.4g}: --lr 1e+06 is likely too large" in err) == told
    assert ("warning: the loss went up" in err) == told
