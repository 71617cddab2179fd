"""Between the shell and Python: a run loads in one line, a model is saved in one, and both give the same numbers."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxd2l import activations, cli, data, losses, models, runs, train

pytestmark = pytest.mark.usefixtures("blank_pictures")


def evaluated(folder: Path, capsys) -> dict:
    capsys.readouterr()
    assert cli.run(["evaluate", str(folder), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_run_of_the_shell_loads_in_python(tmp_path: Path, capsys) -> None:
    words = ["train", "mlp", "--hidden", "8", "--activation", "tanh", "--epochs", "2", "--batch-size", "500"]
    assert cli.run([*words, "--out", str(tmp_path / "run")]) == 0
    run = runs.load(tmp_path / "run")
    found = train.evaluate(run.model, run.loss, run.params, run.dataset.test)
    assert found.loss == pytest.approx(evaluated(tmp_path / "run", capsys)["test_loss"], rel=1e-6)
    best = runs.load(str(tmp_path / "run"), best=True)
    assert jax.tree.structure(best.params) == jax.tree.structure(run.params)


def test_a_model_of_python_is_a_run_of_the_shell(tmp_path: Path, capsys) -> None:
    dataset, model = data.digits(), models.mlp(64, (16, 8), 10, activation=activations.tanh)
    run_ = (model, losses.cross_entropy, optax.sgd(0.5), dataset)
    state, history = train.fit(*run_, key=jax.random.key(0), epochs=2, batch_size=100)
    how = {"model": "mlp", "dataset": "digits", "hidden": (16, 8), "activation": activations.tanh}
    runs.save(tmp_path / "mine", state.params, **how)
    assert evaluated(tmp_path / "mine", capsys)["test_loss"] == pytest.approx(history.test_loss[-1], rel=1e-5)
    with pytest.raises(ValueError, match="not empty"):
        runs.save(tmp_path / "mine", state.params, **how)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": (9,)}, "their shapes are"),
        ({"model": "linear"}, "model must be"),
        ({"dataset": "synthetic"}, "dataset must be"),
        ({"activation": jnp.tan}, "activation must be"),
    ],
)
def test_what_is_no_such_model_is_refused_and_leaves_nothing(change, message, tmp_path: Path) -> None:
    params = models.mlp(64, 8, 10).init(jax.random.key(0))
    with pytest.raises(ValueError, match=message):
        runs.save(tmp_path / "mine", params, **({"model": "mlp", "dataset": "digits", "hidden": (8,)} | change))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no finished run"):
        runs.load(tmp_path)


def a_table(path: Path) -> Path:
    rng = np.random.default_rng(0)
    size, rooms = rng.uniform(20, 200, 300), rng.integers(1, 6, 300)
    price = (size / 50) ** 2 + rooms + 0.1 * rng.normal(size=300)
    rows = "".join(f"{a:.3f},{b},{c:.4f}\n" for a, b, c in zip(size, rooms, price, strict=True))
    path.write_text("size,rooms,price\n" + rows)
    return path


def test_an_mlp_predicts_numbers_of_a_table_better_than_a_line(tmp_path: Path, capsys) -> None:
    path = a_table(tmp_path / "homes.csv")
    found = {}
    for model in ("linear", "mlp"):
        words = ["train", model, "--data", str(path), "--target", "price", "--epochs", "60", "--lr", "0.02"]
        assert (
            cli.run([*words, *(["--init", "kaiming"] if model == "mlp" else []), "--out", str(tmp_path / model)]) == 0
        )
        found[model] = evaluated(tmp_path / model, capsys)["test_loss"]
    assert found["mlp"] < 0.5 * found["linear"]
    assert runs.load(tmp_path / "mlp").loss is losses.squared_loss


def test_a_column_in_doubt_needs_its_kind(tmp_path: Path, capsys) -> None:
    path = a_table(tmp_path / "homes.csv")
    words = ["train", "mlp", "--data", str(path), "--target", "rooms", "--epochs", "1"]
    assert cli.run([*words, "--kind", "classes", "--out", str(tmp_path / "classes")]) == 0
    assert cli.run([*words, "--kind", "numbers", "--out", str(tmp_path / "numbers")]) == 0
    assert "accuracy" in evaluated(tmp_path / "classes", capsys).__repr__()
    assert "accuracy" not in evaluated(tmp_path / "numbers", capsys).__repr__()
