"""What is printed of the values that travel."""

import re
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxd2l import data, losses, models, train
from jaxd2l.types import Batch, Dataset, History, Model, TrainState

DIGITS = data.digits()
SOFTMAX = models.softmax_regression(64, 10)


def lines(value: object) -> list[str]:
    return [" ".join(line.split()) for line in str(value).splitlines()]


def test_a_model_prints_its_parameters() -> None:
    assert lines(models.mlp(784, 256, 10)) == [
        "Model with 203,530 parameters",
        "0.bias (256,) float32",
        "0.kernel (784, 256) float32",
        "1.bias (10,) float32",
        "1.kernel (256, 10) float32",
    ]
    deep = lines(models.mlp(4, (4,) * 20, 2))
    assert len(deep) == 13
    assert deep[-1] == "and 31 more arrays"


def test_a_model_whose_parameters_cannot_be_known_prints_its_functions() -> None:
    def init(key: jax.Array) -> jax.Array:
        raise RuntimeError("no")

    assert str(Model(init, SOFTMAX.apply)).startswith("Model(init=<function")
    assert str(Model(0, 1)) == "Model(init=0, apply=1)"  # type: ignore[arg-type]


def test_a_dataset_prints_shapes_and_classes() -> None:
    assert lines(DIGITS) == [
        "Dataset",
        "train: Batch(inputs=(1500, 8, 8, 1) uint8, labels=(1500,) int32)",
        "test: Batch(inputs=(297, 8, 8, 1) uint8, labels=(297,) int32)",
        "10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
    ]
    rows = Batch(np.zeros((5, 2), np.float32), np.zeros((5, 1), np.float32))
    assert len(lines(Dataset(rows, rows))) == 3
    assert max(map(len, lines(Dataset(rows, rows, ("a long name",) * 100)))) < 120


def test_a_run_prints_its_state_and_its_first_and_last_losses() -> None:
    tx = optax.sgd(0.1, momentum=0.9)
    state, history = train.fit(
        SOFTMAX, losses.cross_entropy, tx, DIGITS, key=jax.random.key(0), epochs=2, batch_size=256
    )
    assert lines(state) == [
        "TrainState after 12 steps: 650 parameters",
        "bias (10,) float32",
        "kernel (64, 10) float32",
        "and 650 numbers of the optimiser",
    ]
    first, *rest = lines(history)
    assert first == "History of 2 epochs of 6 steps"
    assert [line.split()[0] for line in rest] == ["train_loss", "test_loss", "test_accuracy"]
    assert rest[0] == f"train_loss {history.train_loss[0]:.4f} -> {history.train_loss[1]:.4f}"


def test_histories_of_no_epoch_of_regressions_and_of_many_runs() -> None:
    def history(*shape: int, accuracy: float) -> History:
        losses = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        return History(np.zeros((*shape, 7), np.float32), losses, losses, np.full(shape, accuracy, np.float32))

    assert lines(history(0, accuracy=0.5)) == ["History of 0 epochs of 7 steps"]
    assert lines(history(2, accuracy=np.nan))[1:] == ["train_loss 0.0000 -> 1.0000", "test_loss 0.0000 -> 1.0000"]
    many = lines(history(3, 2, 4, accuracy=0.5))
    assert many[0] == "History of (3, 2) runs of 4 epochs of 7 steps"
    assert many[1] == "train_loss 3.0000 to 23.0000 at the end"


@pytest.mark.parametrize("value", [Batch(0, None), History(0, 0, 0, 0), TrainState(0, 0, "step"), Dataset(0, 0)])  # type: ignore[arg-type]
def test_whatever_jax_puts_into_the_fields_can_be_printed(value: object) -> None:
    assert str(value).startswith(type(value).__name__)


def test_traced_and_abstract_values_can_be_printed() -> None:
    printed = []

    def step(batch: Batch, state: TrainState) -> Batch:
        printed.append((str(batch), str(state)))
        return batch

    jax.jit(step)(Batch(jnp.zeros((3, 2)), jnp.zeros(3, int)), TrainState({}, {}, jnp.array(3)))
    jax.eval_shape(step, Batch(jnp.zeros((3, 2)), jnp.zeros(3, int)), TrainState({}, {}, jnp.array(3)))
    assert [batch for batch, _ in printed] == ["Batch(inputs=(3, 2) float32, labels=(3,) int32)"] * len(printed)
    assert all(state.startswith("TrainState(params={}") for _, state in printed)


def test_shapes_are_watched_wherever_annotations_name_them() -> None:
    package = Path(__file__).parent
    settings = tomllib.loads((package.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    [option] = [o for o in settings["ini_options"]["addopts"] if o.startswith("--jaxtyping-packages=")]
    watched = option.partition("=")[2].split(",")
    with_shapes = {
        f"jaxd2l.{path.relative_to(package).with_suffix('').parts[0]}"
        for path in package.rglob("*.py")
        if re.search(r"\b(Float|Int|Bool|Num|Shaped|Key)\[", path.read_text(encoding="utf-8"))
        and not path.stem.endswith("_test")
    }
    assert "jaxd2l.losses" in with_shapes
    assert with_shapes <= set(watched)
