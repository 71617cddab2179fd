"""The options of `jaxd2l train`: what each does to a run, what is refused, and what a run that fails says."""

import json
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

from jaxd2l import activations, data, initializers, losses, models, optim, train
from jaxd2l.cli import divergence, run
from jaxd2l.cli.grammar import OPTIMIZERS
from jaxd2l.cli.optimizers import scheduled
from jaxd2l.cli.setups import SETTINGS
from jaxd2l.types import History

pytestmark = pytest.mark.usefixtures("blank_pictures")
SHORT = ["--epochs", "3", "--batch-size", "500"]


def trained(folder: Path, *arguments: str) -> dict:
    with jax.numpy_dtype_promotion("standard"):  # on which optax's Adam relies
        assert run(["train", *arguments, "--out", str(folder)]) == 0
    return json.loads((folder / "run.json").read_text())


def test_the_options_are_the_run_that_the_same_words_say_in_python(tmp_path: Path) -> None:
    words = "--hidden 8,6 --optimizer adamw --lr 0.01 --weight-decay 0.1 --schedule cosine --warmup 1 --dropout 0.1"
    more = "--activation tanh --init xavier"
    record = trained(tmp_path / "run", "mlp", *SHORT, *words.split(), *more.split())
    init = initializers.xavier_normal()
    model = models.mlp(64, (8, 6), 10, activation=activations.tanh, dropout_rate=0.1, init=init)

    def rate(count):  # one epoch of three steps rises, two fall to 0
        return 0.01 * np.array([1 / 3, 2 / 3, 1, *(0.5 * (1 + np.cos(np.pi * np.arange(6) / 6)))], np.float32)[count]

    rates = jax.numpy.asarray(rate(np.arange(9)))
    tx = optax.adamw(lambda count: rates[count], weight_decay=0.1, mask=optim.kernels)
    run_ = (model, losses.cross_entropy, tx, data.digits())
    with jax.numpy_dtype_promotion("standard"):
        _, history = train.fit(*run_, key=jax.random.key(0), epochs=3, batch_size=500)
    np.testing.assert_allclose(record["history"]["step_loss"], history.step_loss, rtol=1e-4)
    assert record["arguments"]["optimizer"] == "adamw"


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("constant", [1, 1, 1, 1]), ("cosine", [1, 0.8536, 0.5, 0.1464]), ("step", [1, 1, 0.1, 0.01])],
)
def test_schedules_go_through_these_rates(schedule, expected) -> None:
    settings = SETTINGS["digits"]._replace(epochs=4, schedule=schedule)
    rate = scheduled(2.0, settings, steps=10)
    values = [rate(10 * epoch) if callable(rate) else rate for epoch in range(4)]
    np.testing.assert_allclose(values, 2 * np.array(expected), rtol=1e-3)
    warm = scheduled(2.0, settings._replace(epochs=6, warmup=2), steps=10)
    np.testing.assert_allclose([warm(0), warm(9), warm(19)], [0.1, 1, 2], rtol=1e-5)
    np.testing.assert_allclose([warm(20 + 10 * epoch) for epoch in range(4)], values, rtol=1e-5)


@pytest.mark.parametrize(
    "optimizer",
    [
        "sgd --momentum 0.9 --nesterov",
        "rmsprop --momentum 0.5",
        "radam --lr 0.01",
        "rprop --lr 0.01 --batch-size 1500 --epochs 15",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in OPTIMIZERS
            if name not in ("sgd", "rmsprop", "radam", "rprop")
        ),
    ],
)
def test_every_optimiser_learns(optimizer, tmp_path: Path) -> None:
    rate = ["--lr", "0.1"] if "sgd" in optimizer else []
    words = ["--epochs", "6", "--batch-size", "64", *rate]
    record = trained(tmp_path / "run", "softmax", *words, "--optimizer", *optimizer.split())
    losses_ = record["history"]["train_loss"]
    assert losses_[-1] < 0.8 * losses_[0]


def test_a_validation_set_is_held_out_and_the_test_set_is_measured_once(tmp_path: Path) -> None:
    record = trained(tmp_path / "run", "softmax", *SHORT, "--validation", "0.2")
    results, history = record["results"], record["history"]
    assert np.shape(history["step_loss"]) == (3, 3)  # of 1200 examples
    assert results["validation_loss"] == history["test_loss"][-1] != results["test_loss"]
    assert run(["evaluate", str(tmp_path / "run"), "--json"]) == 0
    whole = trained(tmp_path / "whole", "softmax", *SHORT)
    assert whole["results"]["test_loss"] != results["test_loss"]
    again = trained(tmp_path / "again", "softmax", *SHORT, "--validation", "0.2", "--seed", "1")
    assert again["results"]["validation_loss"] != results["validation_loss"]


def test_early_stopping_ends_where_the_validation_loss_no_longer_falls(tmp_path: Path) -> None:
    words = ["--epochs", "200", "--batch-size", "32", "--validation", "0.1", "--early-stopping", "3", "--hidden", "16"]
    validation = trained(tmp_path / "run", "mlp", *words)["history"]["test_loss"]
    assert len(validation) < 200
    assert len(validation) - 1 - int(np.argmin(validation)) == 3


def test_the_best_epoch_is_kept_beside_the_last_and_can_be_used(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "run"
    record = trained(folder, "mlp", "--hidden", "8", "--epochs", "6", "--batch-size", "100", "--lr", "2")
    accuracy = record["history"]["test_accuracy"]
    best = int(np.argmax(accuracy))
    assert record["best"] == {
        "after_epoch": best + 1,
        "test_loss": record["history"]["test_loss"][best],
        "test_accuracy": accuracy[best],
    }
    capsys.readouterr()
    assert run(["evaluate", str(folder), "--json", "--best"]) == 0
    assert json.loads(capsys.readouterr().out)["test_accuracy"] == accuracy[best]


def test_a_resumed_run_keeps_the_best_epoch_of_the_whole(tmp_path: Path) -> None:
    words = ["mlp", "--hidden", "8", "--batch-size", "100", "--lr", "2", "--validation", "0.1"]
    whole = trained(tmp_path / "whole", *words, "--epochs", "8")
    kept = ["--checkpoint-dir", str(tmp_path / "kept")]
    trained(tmp_path / "part", *words, *kept, "--epochs", "4")
    resumed = trained(tmp_path / "resumed", *words, *kept, "--epochs", "8", "--resume")
    assert resumed["best"] == whole["best"]
    both = [(tmp_path / name / "best.safetensors").read_bytes() for name in ("whole", "resumed")]
    assert both[0] == both[1]


def test_a_schedule_that_counts_epochs_is_not_resumed_with_others(tmp_path: Path, capsys) -> None:
    words = ["softmax", "--batch-size", "500", "--checkpoint-dir", str(tmp_path / "kept"), "--schedule", "cosine"]
    trained(tmp_path / "part", *words, "--epochs", "2")
    assert run(["train", *words, "--epochs", "3", "--resume", "--out", str(tmp_path / "more")]) == 1
    assert "epochs_of_the_schedule: 2 there, 3 here" in capsys.readouterr().err


def test_with_more_than_one_hidden_layer_the_weights_are_kaimings(tmp_path: Path, capsys) -> None:
    deep = ["mlp", "--hidden", "64,32,16", "--epochs", "5"]
    assert trained(tmp_path / "deep", *deep)["results"]["test_accuracy"] > 0.6
    record = trained(tmp_path / "small", *deep, "--init", "normal")
    assert record["results"]["test_accuracy"] < 0.2
    err = capsys.readouterr().err
    assert "is that of guessing one of 10 classes: the loss never left log C" in err
    assert "N(0, 0.01^2) is too small for 3 hidden layers; try --init kaiming" in err


def history(train_loss: list[float], accuracy: list[float]) -> History:
    values = np.array(train_loss, np.float32)
    return History(np.stack([values, values], axis=1), values, values, np.array(accuracy, np.float32))


def test_a_run_that_is_lost_is_an_error_with_its_cause_and_its_best_epoch() -> None:
    lost = history([2.3, 0.5, 0.4, 1e9, 2.303], [0.5, 0.8, 0.85, 0.1, 0.1])
    told = divergence.trouble(lost, SETTINGS["digits"], 2, 10)
    assert told is not None
    assert told.is_lost
    assert "the loss jumped to 1e+09 in epoch 4, and the run did not recover" in told.text
    assert "the accuracy of 0.1000 is that of guessing one of 10 classes" in told.text
    assert "--lr 0.5 is likely too large" in told.text
    assert "an accuracy of 0.8500 after epoch 3, is kept in best.safetensors" in told.text


@pytest.mark.parametrize(
    "fine",
    [
        history([2.3, 0.5, 0.4, 0.3], [0.5, 0.8, 0.85, 0.84]),
        history([2.3, 30.0, 0.5, 0.3], [0.5, 0.1, 0.85, 0.84]),  # it recovered
        history([2.3, 2.0], [0.2, 0.3]),
    ],
)
def test_a_run_that_learns_is_not_scolded(fine) -> None:
    assert divergence.trouble(fine, SETTINGS["digits"], 1, 10) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("softmax --dropout 0.5", "--dropout is for mlp and flax-mlp"),
        ("linear --activation tanh", "--activation is for mlp and flax-mlp"),
        ("mlp --early-stopping 2", "give --validation FRACTION"),
        ("mlp --nesterov", "give --momentum"),
        ("mlp --optimizer adam --momentum 0.9", "--momentum is for sgd and rmsprop"),
        ("mlp --optimizer rprop --weight-decay 0.1", "no --weight-decay for it"),
        ("mlp --optimizer rprop --schedule cosine", "leave out --schedule"),
        ("mlp --epochs 2 --warmup 2", "--warmup 2 leaves nothing of --epochs 2"),
        ("mlp --validation 0.9999", "leaves nothing to train on"),
    ],
)
def test_options_that_do_not_suit_are_refused(arguments, message, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", *arguments.split()]) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_run_recorded_before_these_options_still_loads(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "run"
    record = trained(folder, "mlp", "--hidden", "8", *SHORT)
    old = ("model", "dataset", "epochs", "batch_size", "lr", "hidden", "precision", "seed", "data_dir")
    record["arguments"] = {name: record["arguments"][name] for name in old}
    (folder / "run.json").write_text(json.dumps(record))
    capsys.readouterr()
    assert run(["evaluate", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test_loss"] == record["results"]["test_loss"]
