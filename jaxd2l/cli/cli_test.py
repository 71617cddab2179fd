"""The command line as people meet it: results on disk, errors in a sentence."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

import jaxd2l.cli.train
import jaxd2l.data
from jaxd2l import models
from jaxd2l.cli import run
from jaxd2l.train.checkpoint import load_params

PNG = b"\x89PNG\r\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, jaxd2l_process) -> tuple[Path, dict]:
    """A run made in a process of its own, and what it printed."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    process = jaxd2l_process(
        *("train", "mlp", "--hidden", "16,8", "--epochs", "3", "--seed", "7", "--json", "--out", str(folder)),
        cwd=folder.parent,
    )
    out, err = process.communicate()
    assert process.returncode == 0, err
    return folder, json.loads(out)


def test_train_keeps_parameters_curves_mistakes_and_a_record(trained):
    folder, printed = trained
    names = ["best.safetensors", "curves.png", "mistakes.png", "params.safetensors", "run.json"]
    assert sorted(p.name for p in folder.iterdir()) == names
    assert json.loads((folder / "run.json").read_text()) == printed
    for picture in ("curves.png", "mistakes.png"):
        assert (folder / picture).read_bytes().startswith(PNG)
    model = models.mlp(64, (16, 8), 10)
    params = load_params(folder / "params.safetensors", like=jax.eval_shape(model.init, jax.random.key(0)))
    assert [layer["kernel"].shape for layer in params] == [(64, 16), (16, 8), (8, 10)]


def test_the_record_says_all_that_is_needed_to_repeat_the_run(trained):
    _, record = trained
    assert record["arguments"] == {
        "model": "mlp",
        "dataset": "digits",
        "epochs": 3,
        "batch_size": 32,
        "lr": 0.5,
        "optimizer": "sgd",
        "momentum": 0.0,
        "nesterov": False,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warmup": 0,
        "dropout": 0.0,
        "activation": "relu",
        "init": "kaiming",
        "validation": 0.0,
        "early_stopping": None,
        "hidden": [16, 8],
        "precision": "float32",
        "seed": 7,
        "data_dir": None,
        "data": None,
        "target": None,
        "kind": None,
    }
    assert record["interrupted"] is False
    assert record["versions"]["jax"] == jax.__version__
    assert record["device"]["platform"] == jax.devices()[0].platform
    assert np.shape(record["history"]["step_loss"]) == (3, 47)
    assert record["seconds"]["compile"] > 0
    assert len(record["seconds"]["epochs"]) == 3
    assert record["results"]["test_accuracy"] == record["history"]["test_accuracy"][-1]


@pytest.mark.usefixtures("blank_pictures")
def test_the_recorded_command_gives_the_same_bits(trained, tmp_path, monkeypatch, capsys):
    folder, record = trained
    monkeypatch.chdir(tmp_path)
    assert run([*record["command"].split()[1:], "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["history"] == record["history"]
    saved = tmp_path / "out" / "mlp-digits" / "params.safetensors"
    assert saved.read_bytes() == (folder / "params.safetensors").read_bytes()


def test_evaluate_agrees_with_what_training_said(trained, capsys):
    folder, record = trained
    assert run(["evaluate", str(folder), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["test_loss"] == record["results"]["test_loss"]
    assert result["test_accuracy"] == record["results"]["test_accuracy"]
    assert np.isclose(result["macro_f1_score"], record["results"]["macro_f1"])
    assert np.sum(result["confusion_matrix"]) == result["examples"] == 297
    assert not (folder / "confusion.png").exists()


def test_evaluate_draws_the_confusion_matrix(trained, capsys, tmp_path):
    folder, _ = trained
    copy = shutil.copytree(folder, tmp_path / "run")
    assert run(["evaluate", str(copy)]) == 0
    out = capsys.readouterr().out
    assert "accuracy" in out
    assert f"the confusion matrix: {copy}/confusion.png" in out
    assert (copy / "confusion.png").read_bytes().startswith(PNG)
    assert run(["evaluate", str(copy), "--json", "--out", str(tmp_path / "c.png")]) == 0
    assert json.loads(capsys.readouterr().out)["examples"] == 297
    assert (tmp_path / "c.png").read_bytes() == (copy / "confusion.png").read_bytes()


def test_predict_shows_truth_prediction_and_a_picture(trained, capsys, tmp_path):
    folder, _ = trained
    assert run(["predict", str(folder), "--count", "5", "--out", str(tmp_path / "p.png")]) == 0
    out = capsys.readouterr().out
    assert "of 5 right" in out
    assert "probability" in out
    assert (tmp_path / "p.png").read_bytes().startswith(PNG)


def test_a_picture_of_ones_own_is_classified_whichever_way_round_it_is(trained, capsys, tmp_path):
    folder, _ = trained
    digit = jaxd2l.data.digits().test.inputs[0, ..., 0]
    printed = []
    for name, pixels in (("light.png", digit), ("dark.png", 255 - digit)):
        Image.fromarray(pixels).resize((80, 80), Image.Resampling.NEAREST).convert("RGB").save(tmp_path / name)
        assert run(["predict", str(folder), "--image", str(tmp_path / name)]) == 0
        printed.append(re.findall(r"\d\.\d{3}", capsys.readouterr().out))
    assert printed[0] == printed[1] != []
    (tmp_path / "no.png").write_bytes(b"no picture")
    assert run(["predict", str(folder), "--image", str(tmp_path / "no.png")]) == 1
    assert "no.png is no picture that can be read" in capsys.readouterr().err


def test_linear_regression_trains_evaluates_and_predicts(tmp_path, capsys):
    folder = str(tmp_path / "linear")
    assert run(["train", "linear", "--out", folder]) == 0
    assert "error of w" in capsys.readouterr().out
    record = json.loads((tmp_path / "linear" / "run.json").read_text())
    assert record["arguments"]["dataset"] == "synthetic"
    assert record["history"]["test_accuracy"] == [None] * 3  # JSON knows no NaN
    assert max(map(abs, record["results"]["error_of_w"])) < 0.4
    assert run(["predict", folder, "--count", "2"]) == 0
    assert run(["evaluate", folder]) == 0
    assert "loss" in capsys.readouterr().out


@pytest.mark.usefixtures("blank_pictures")
def test_flax_and_from_scratch_run_alike(tmp_path, capsys):
    histories = []
    for model in ("mlp", "flax-mlp"):
        assert run(["train", model, "--hidden", "8", "--epochs", "2", "--json", "--out", str(tmp_path / model)]) == 0
        histories.append(json.loads(capsys.readouterr().out)["history"]["step_loss"])
    np.testing.assert_allclose(*histories, rtol=1e-5)


@pytest.mark.usefixtures("blank_pictures")
def test_runs_never_overwrite_each_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert run(["train", "softmax", "--epochs", "1"]) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["softmax-digits", "softmax-digits-2"]
    before = (tmp_path / "out" / "softmax-digits" / "run.json").read_bytes()
    assert run(["train", "softmax", "--epochs", "1", "--out", "out/softmax-digits"]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert (tmp_path / "out" / "softmax-digits" / "run.json").read_bytes() == before


@pytest.mark.long
def test_full_disk_is_told_and_leaves_no_torn_file(tmp_path, own_process):
    limited = "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); from jaxd2l.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", f"import resource; {limited}", "train", "softmax", "--epochs", "1", "--out", "run"],
        cwd=tmp_path,
        env=own_process,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "cannot write run/curves.png: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("blank_pictures")
def test_diverging_training_is_an_error_that_names_the_step(tmp_path, capsys):
    assert run(["train", "softmax", "--lr", "1e38", "--epochs", "1", "--out", str(tmp_path / "bad")]) == 1
    err = capsys.readouterr().err
    assert "training diverged" in err
    assert "try a smaller --lr" in err
    assert None in json.loads((tmp_path / "bad" / "run.json").read_text())["history"]["step_loss"][0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train linear --dataset digits", "linear regression predicts numbers"),
        ("train softmax --dataset synthetic", "softmax predicts classes"),
        ("train softmax --hidden 8", "softmax regression has no hidden layers"),
        ("train mlp --data-dir nowhere", "--data-dir says where the files of fashion_mnist are"),
        ("train mlp --dataset fashion_mnist --data-dir nowhere", "nowhere"),
        ("data prepare fashion_mnist --from nowhere", "nowhere"),
        ("data show digits --out no/such/folder/x.png", "cannot write no/such/folder/x.png"),
        ("predict nowhere", "nowhere holds no finished run"),
        ("evaluate nowhere", "nowhere holds no finished run"),
    ],
)
def test_a_request_that_cannot_be_met_exits_with_1_and_says_why(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(arguments.split()) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("jaxd2l: error: ")
    assert message in captured.err
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run.json", b"{", "damaged"),
        ("run.json", b"[]", "damaged"),
        ("run.json", b'{"arguments": {}}', "damaged"),
        ("params.safetensors", b"\xff" * 100, "damaged"),
        ("params.safetensors", b"", "damaged"),
        ("params.safetensors", None, "params.safetensors"),
    ],
)
def test_a_damaged_run_is_refused(trained, tmp_path, capsys, name, content, message):
    for file in ("run.json", "params.safetensors"):
        (tmp_path / file).write_bytes((trained[0] / file).read_bytes())
    (tmp_path / name).unlink() if content is None else (tmp_path / name).write_bytes(content)
    assert run(["predict", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err


def test_parameters_of_another_model_are_refused(trained, tmp_path, capsys):
    for file in ("run.json", "params.safetensors"):
        (tmp_path / file).write_bytes((trained[0] / file).read_bytes())
    record = json.loads((tmp_path / "run.json").read_text())
    record["arguments"]["hidden"] = [16, 9]
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert run(["predict", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert "1.kernel: expected ((16, 9), 'float32'), found ((16, 8), 'float32')" in err


@pytest.mark.long
def test_a_reader_that_leaves_early_is_no_traceback(trained, tmp_path, jaxd2l_process):
    process = jaxd2l_process("evaluate", str(trained[0]), "--json", cwd=tmp_path)
    process.stdout.close()
    with process.stderr as stderr:
        err = stderr.read()
    assert process.wait() == 1
    assert "Traceback" not in err
    assert "Exception" not in err


def test_data_show_draws_a_grid(tmp_path, capsys):
    assert run(["data", "show", "digits", "--count", "9", "--out", str(tmp_path / "grid.png")]) == 0
    assert (tmp_path / "grid.png").read_bytes().startswith(PNG)
    assert "first 9 training images" in capsys.readouterr().out
