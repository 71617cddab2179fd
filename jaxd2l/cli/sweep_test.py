"""`jaxd2l sweep` as a person uses it."""

import json

import numpy as np
import pytest

from jaxd2l import plots
from jaxd2l._process.exit_codes import ExitCode
from jaxd2l.cli import run

SHORT = ["sweep", "softmax", "--epochs", "2", "--seeds", "2", "--batch-size", "500"]


def test_a_table_with_the_best_point_and_a_heat_map(tmp_path, capsys):
    assert run([*SHORT, "--lr", "0.01:1:log:3", "--weight-decay", "0,0.1", "--plot", str(tmp_path / "map.png")]) == 0
    out, err = capsys.readouterr()
    assert "12 models" in out
    assert [line.rstrip(" │").endswith("best") for line in out.splitlines()].count(True) == 1
    assert "map.png" in out
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    assert "2/2 epochs" in err


@pytest.mark.parametrize("decays", [[], ["--weight-decay", "0.5,0"]])
def test_the_heat_map_frames_the_best_cell(decays, tmp_path, capsys, monkeypatch):
    drawn: dict = {}
    draw = plots.heat_map

    def heat_map(values, **options):
        drawn.update(options, values=values)
        return draw(values, **options)

    monkeypatch.setattr(plots, "heat_map", heat_map)
    command = [*SHORT, "--lr", "0.001,0.1,0.01", *decays, "--json", "--plot", str(tmp_path / "map.png")]
    assert run(command) == 0
    best = json.loads(capsys.readouterr().out)["best"]
    row, column = drawn["best"]
    assert drawn["x"][column] == f"{best['point']['learning_rate']:g}" == "0.1"
    assert drawn["y"][row] == (f"{best['point']['weight_decay']:g}" if decays else "mean")
    assert drawn["values"][row, column] == pytest.approx(best["mean"])
    assert drawn["title"].startswith("softmax on digits, 2 epochs; the best: lr 0.1")


def test_json_and_nothing_else_on_standard_output(capsys):
    assert run([*SHORT, "--lr", "0.1:0.3:lin:3", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["axes"] == ["seed", "learning_rate"]
    np.testing.assert_allclose(record["grid"]["learning_rate"], [0.1, 0.2, 0.3])
    accuracy = np.array(record["outcomes"]["validation_accuracy"])
    assert accuracy.shape == (2, 3)
    assert record["best"]["mean"] == pytest.approx(accuracy.mean(0).max())
    assert record["arguments"]["epochs"] == 2


def test_a_sweep_where_all_diverge_is_an_error_and_no_number(capsys):
    code = run([*SHORT, "--dataset", "digits", "--lr", "1e38", "--json"])
    out, err = capsys.readouterr()
    assert code == 1
    assert "smaller learning rates" in err
    assert json.loads(out)["outcomes"]["validation_accuracy"] == [[None], [None]]


def test_a_regression_is_judged_by_its_loss(capsys):
    assert run(["sweep", "linear", "--lr", "0.001,0.03", "--seeds", "1"]) == 0
    assert "validation loss" in capsys.readouterr().out


def test_the_best_is_chosen_on_a_validation_set_and_an_end_of_the_grid_is_flagged(capsys):
    assert run([*SHORT, "--lr", "0.001,0.01,0.1"]) == 0
    out = capsys.readouterr().out
    assert "validation accuracy" in out
    assert "the best on the test set: test accuracy 0." in out
    assert "the best lr, 0.1, is the largest of the grid: try larger ones, too" in out
    assert "one program for 6 models" in out
    assert run([*SHORT, "--lr", "0.001,0.1,1e30", "--validation", "0"]) == 0
    out = capsys.readouterr().out
    assert "test accuracy" in out
    assert "of the grid" not in out


@pytest.mark.long
def test_the_options_of_train_hold_for_every_model(tmp_path, capsys):
    words = ["--optimizer", "adam", "--schedule", "cosine", "--validation", "0.2", "--init", "xavier"]
    assert run([*SHORT, "--lr", "0.01", *words, "--json"]) == 0
    swept = json.loads(capsys.readouterr().out)
    folder = str(tmp_path / "run")
    arguments = ["--epochs", "2", "--batch-size", "500", "--lr", "0.01", "--seed", "1", "--out", folder, "--json"]
    assert run(["train", "softmax", *words, *arguments]) == 0
    alone = json.loads(capsys.readouterr().out)
    np.testing.assert_allclose(swept["outcomes"]["validation_loss"][1], alone["results"]["validation_loss"], rtol=1e-4)


def test_a_picture_that_cannot_be_written_is_refused_before_training(capsys):
    assert run([*SHORT, "--lr", "0.1", "--plot", "no/such/folder/map.png"]) == 1
    out, err = capsys.readouterr()
    assert "there is no folder no/such/folder" in err
    assert "epochs" not in err + out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lr", "x"], "positive number"),
        (["--lr", "0.1:1:8"], "FROM:TO:log:COUNT"),
        (["--lr", "0.1:1:cube:8"], "FROM:TO:log:COUNT"),
        (["--lr", "0:1:log:8"], "above 0"),
        (["--lr", "0.1:1:log:1"], "2 to 10000"),
        (["--lr", "0.1,,1"], "positive number"),
        (["--lr", "0.1,nan"], "positive number"),
        ([], "--lr"),
    ],
)
def test_a_wrong_call_is_told(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        run(["sweep", "mlp", *arguments])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def test_a_model_that_does_not_suit_the_dataset_is_refused(capsys):
    assert run(["sweep", "linear", "--lr", "0.1", "--dataset", "digits"]) == 1
    assert "--dataset synthetic" in capsys.readouterr().err


def test_ctrl_c_ends_with_its_code(monkeypatch, capsys):
    def pressed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxd2l.cli.sweep.sweep", pressed)
    assert run([*SHORT, "--lr", "0.1"]) == ExitCode.INTERRUPTED
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.long
def test_optimisers_are_compared_in_one_program(tmp_path, capsys):
    words = [*SHORT, "--lr", "0.001,0.1", "--seeds", "1", "--optimizer", "sgd,adamw"]
    assert run([*words, "--plot", str(tmp_path / "map.png"), "--json"]) == 0
    together = json.loads(capsys.readouterr().out)
    assert together["axes"] == ["seed", "learning_rate", "optimizer"]
    assert together["grid"]["optimizer"] == together["arguments"]["optimizer"] == ["sgd", "adamw"]
    assert together["best"]["point"]["optimizer"] in ("sgd", "adamw")
    assert (tmp_path / "map.png").exists()
    for i, name in enumerate(("sgd", "adamw")):
        assert run([*SHORT, "--lr", "0.001,0.1", "--seeds", "1", "--optimizer", name, "--json"]) == 0
        alone = json.loads(capsys.readouterr().out)["outcomes"]["validation_loss"]
        np.testing.assert_allclose(np.array(together["outcomes"]["validation_loss"])[..., i], alone, rtol=1e-4)


def test_a_picture_of_three_axes_and_unknown_optimisers_are_refused(tmp_path, capsys):
    words = [*SHORT, "--lr", "0.1", "--weight-decay", "0,0.1", "--optimizer", "sgd,adam"]
    assert run([*words, "--plot", str(tmp_path / "map.png")]) == 1
    assert "--plot draws two axes" in capsys.readouterr().err
    for wrong in ("sgd,adan", "sgd,sgd"):
        with pytest.raises(SystemExit):
            run([*SHORT, "--lr", "0.1", "--optimizer", wrong])
