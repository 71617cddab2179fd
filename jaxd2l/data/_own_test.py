"""Data of one's own: what becomes of it, and what is refused."""

import json
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

from jaxd2l import data, losses, models, train
from jaxd2l.cli import run
from jaxd2l.types import Dataset

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 3))


def key() -> jax.Array:
    return jax.random.key(0)


def test_every_example_is_in_one_set_and_keeps_its_label() -> None:
    numbers = np.arange(50)
    made = data.from_arrays(numbers[:, None], numbers / 4, test=0.2, validation=0.1, key=key(), target="numbers")
    assert made.validation is not None
    parts = (made.train, made.test, made.validation)
    assert [len(part.inputs) for part in parts] == [35, 10, 5]
    together = np.concatenate([part.inputs for part in parts])[:, 0]
    np.testing.assert_array_equal(np.sort(together), numbers)
    np.testing.assert_array_equal(np.concatenate([part.labels for part in parts])[:, 0], together / 4)
    again = data.from_arrays(numbers[:, None], numbers / 4, test=0.2, validation=0.1, key=key(), target="numbers")
    np.testing.assert_array_equal(again.train.inputs, made.train.inputs)
    assert data.from_arrays(X, numbers % 2, key=key()).validation is None


@pytest.mark.parametrize(
    ("labels", "target", "names", "dtype"),
    [
        (["b", "a"] * 25, None, ("a", "b"), np.int32),
        ([3, 7] * 25, None, ("3", "7"), np.int32),
        (np.array([3.0, 7.0] * 25), "classes", ("3", "7"), np.int32),
        ([True, False] * 25, None, ("False", "True"), np.int32),
        (RNG.normal(size=50), None, (), np.float32),
        (np.arange(50), "numbers", (), np.float32),
    ],
    ids=["text", "whole numbers", "whole floats", "booleans", "floats", "counts"],
)
def test_labels_become_classes_or_targets(labels, target, names, dtype) -> None:
    made = data.from_arrays(X, labels, key=key(), target=target)
    assert made.class_names == names
    assert made.train.labels.dtype == dtype
    assert made.train.labels.shape == ((40,) if names else (40, 1))


def test_whole_numbers_as_features_are_trained_on() -> None:
    counts = RNG.integers(0, 5, (50, 3))
    made = data.from_arrays(counts, (counts[:, 0] > 2).astype(int), key=key())
    model = models.softmax_regression(3, 2)
    run_ = {"key": key(), "epochs": 30, "batch_size": 10}
    _, history = train.fit(model, losses.cross_entropy, optax.sgd(0.5), made, **run_)
    assert history.test_accuracy[-1] > 0.8


def test_images_stay_pixels() -> None:
    images = RNG.integers(0, 256, (10, 4, 4)).astype(np.uint8)
    made = data.from_arrays(images, np.arange(10) % 2, key=key())
    assert (made.train.inputs.shape, made.train.inputs.dtype) == ((8, 4, 4, 1), np.uint8)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("inputs", "labels", "options", "message"),
    [
        (X, np.arange(49), {}, "different whole numbers: say whether they are classes or numbers"),
        (X, np.zeros(50), {}, "1 different whole numbers: say whether they are classes or numbers"),
        (X, ["a"] * 49, {}, "as many labels as inputs; got 49 and 50"),
        (X, ["a"] * 50, {"target": "numbers"}, "the labels are text, such as 'a', and no numbers"),
        (X, X[:, 0], {"target": "classes"}, "the labels are no classes: one is"),
        (X, X, {}, r"one class or number per example; got shape \(50, 3\)"),
        (X, ["a"] * 50, {"test": 0.6, "validation": 0.4}, "leave nothing to train on of 50 examples"),
        (X, ["a"] * 50, {"test": 1.5}, "test must lie in"),
        (X, ["a"] * 50, {"target": "words"}, "target must be 'classes', 'numbers' or None"),
        (np.where(X[3, 1] == X, np.nan, X), ["a"] * 50, {}, r"inputs\[3, 1\] is nan"),
        (np.full((50, 2), "x"), ["a"] * 50, {}, "inputs must be real numbers"),
        (X, ["a"] * 50, {"key": 0}, r"key must be a random key, such as jax.random.key\(0\)"),
    ],
)
def test_what_cannot_be_a_dataset_is_refused(inputs, labels, options, message) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        data.from_arrays(inputs, labels, **{"key": key(), **options})


def table(folder: Path, *lines: str) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def flowers(folder: Path) -> Path:
    rows = [
        f"{x:.3f},{'red' if x > 0 else 'blue'},{i % 7},{'rose' if x > 0 else 'iris'}" for i, x in enumerate(X[:, 0])
    ]
    return table(folder, "length,colour,petals,kind", *rows)


def test_a_table_is_standardised_and_its_text_is_one_hot(tmp_path: Path) -> None:
    made = data.from_csv(flowers(tmp_path), target="kind", key=key(), validation=0.1)
    assert made.class_names == ("iris", "rose")
    assert made.train.inputs.shape == (35, 4)
    np.testing.assert_allclose(made.train.inputs.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(made.train.inputs.std(0), 1, rtol=1e-5)
    assert len(np.unique(made.train.inputs[:, 1])) == 2
    assert made.validation is not None
    assert made.validation.inputs.shape == (5, 4)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a,b", "1,2"], "has no column 'kind'; its columns are a, b"),
        (["a,kind", "1,x", ",y"], "no value in line 3, column 'a'"),
        (["kind", "x"], "no column besides 'kind'"),
        (["a,kind", *(f"word{i},x" for i in range(60))], "the column 'a' holds text with 60 different values"),
    ],
)
def test_a_table_that_cannot_be_used_says_where(tmp_path: Path, lines, message) -> None:
    with pytest.raises(ValueError, match=message):
        data.from_csv(table(tmp_path, *lines), target="kind", key=key())


def test_the_command_line_trains_on_a_table_and_goes_on_with_the_run(tmp_path: Path, capsys) -> None:
    words = ["--data", str(flowers(tmp_path)), "--target", "kind", "--out", str(tmp_path / "run")]
    assert run(["train", "mlp", "--hidden", "8", *words]) == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["results"]["test_accuracy"] == 1
    assert not (tmp_path / "run" / "mistakes.png").exists()
    for command in ("evaluate", "predict"):
        assert run([command, str(tmp_path / "run")]) == 0
    assert "rose" in capsys.readouterr().out
    assert run(["train", "linear", *words[:2], "--target", "length", "--out", str(tmp_path / "line")]) == 0
    assert run(["train", "mlp", *words[:2]]) == 1
    assert "--data FILE.csv and --target NAME" in capsys.readouterr().err


def test_the_validation_set_can_take_the_place_of_the_test_set() -> None:
    made = data.from_arrays(X, ["a", "b"] * 25, validation=0.1, key=key())
    chosen_by = Dataset(made.train, made.validation, made.class_names)
    model, options = models.softmax_regression(3, 2), {"key": key(), "epochs": 1, "batch_size": 10}
    _, history = train.fit(model, losses.cross_entropy, optax.sgd(0.1), chosen_by, **options)
    assert history.test_accuracy[-1] * 5 % 1 == 0
    assert "validation: Batch" in repr(made)
