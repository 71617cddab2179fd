"""Hostile arguments to what trains and what is kept: initialisers, optimisers, models, data, runs, files."""

import math
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import strategies as st

from jaxd2l import data, initializers, keys, losses, models, optim, train
from jaxd2l.fuzz_tests.arguments import (
    Case,
    array,
    choice,
    classes,
    count,
    flags,
    floats,
    hostile_arrays,
    hunt,
    is_close,
    junk,
    mixed,
    number,
    wide,
)
from jaxd2l.fuzz_tests.arguments import keys as some_keys
from jaxd2l.models import least_squares, linear
from jaxd2l.train import checkpoint, sweep
from jaxd2l.types import Batch, Dataset, History


def drawn(make):
    """An initialiser's layer: the layer is what the factory's arguments decide."""

    def layer(key, num_inputs, num_outputs, **options):
        return make(**options)(key, num_inputs, num_outputs)

    return layer


def layer_is_right(result, key, num_inputs, num_outputs, **options) -> None:
    assert result["kernel"].shape == (num_inputs, num_outputs)
    assert result["bias"].shape == (num_outputs,)
    assert not np.isnan(result["kernel"]).any()


def first_step(params, grads, **options):
    tx = optim.sgd(**options)
    return optax.apply_updates(params, tx.update(grads, tx.init(params), params)[0])


def step_is_right(result, params, grads, learning_rate, momentum=0.0, weight_decay=0.0, **rest) -> None:
    g = (-1 if rest.get("maximize", False) else 1) * wide(grads) + wide(weight_decay) * wide(params)
    if rest.get("nesterov", False):
        g = g + momentum * g
    is_close(result, wide(params) - wide(learning_rate) * g, 1e-3, 1e-3)


def outputs_of(make):
    """The outputs of a new model for these inputs: its sizes, its key and its inputs at once."""

    def outputs(key, inputs, **sizes):
        model = make(**sizes)
        return model.apply(model.init(key), inputs)

    return outputs


def outputs_are_right(result, key, inputs, num_outputs=1, **rest) -> None:
    assert result.shape == (len(inputs), num_outputs)
    assert np.isfinite(np.asarray(inputs, np.float64)).all() <= (not np.isnan(np.asarray(result)).any())


def linear_is_right(result, layer, x, precision="float32") -> None:
    if result.dtype == jnp.float32 and precision == "float32" and np.abs(wide(x)).max(initial=0) < 1e30:
        is_close(result, wide(x) @ wide(layer["kernel"]) + wide(layer["bias"]), 1e-3, 1e-3)


def least_squares_is_right(result, inputs, targets, weight_decay=0.0) -> None:
    X, y = wide(inputs), wide(targets)
    assert np.isfinite(X).all()
    assert np.isfinite(y).all()
    if np.linalg.matrix_rank(X - X.mean(0)) == X.shape[1] and np.abs(X).max() < 10 and np.abs(y).max() < 10:
        d, Z = X.shape[1], X - X.mean(0)
        w = np.linalg.solve(Z.T @ Z + len(X) * weight_decay * np.eye(d), Z.T @ (y - y.mean(0)))
        if np.linalg.cond(Z) < 100:
            is_close(result["kernel"], w, 1e-2, 1e-2)


def dropout_is_right(result, x, rate, key) -> None:
    result, x = np.asarray(result, np.float64), wide(x)
    kept = result != 0
    is_close(result[kept], (x / (1 - rate))[kept] if rate < 1 else x[kept] * 0, 2e-2)


def indices_are_right(result, key, epoch, n, batch_size) -> None:
    np.testing.assert_array_equal(np.sort(np.concatenate(result)), np.arange(n))
    assert all(len(batch) == batch_size for batch in result[:-1])


def is_finite_airfoil(result, key, n=1500) -> None:
    assert result.train.inputs.shape == (n, 5)
    assert np.isfinite(result.train.inputs).all()
    assert np.isfinite(result.train.labels).all()


def pixels_are_right(result, inputs) -> None:
    inputs = np.asarray(inputs)
    assert inputs.dtype.kind == "f" or inputs.dtype == np.uint8
    is_close(result, wide(inputs) / (255 if inputs.dtype == np.uint8 else 1), 1e-6)


def synthetic_is_right(result, key, w, b, noise=0.01, n=1000, num_test=None) -> None:
    inputs, labels = result.train
    assert labels.shape == (n, 1)
    line = wide(inputs) @ wide(w)[:, None] + wide(b)
    np.testing.assert_allclose(labels, line, rtol=1e-3, atol=1e-2 + 9 * noise)


def saved_and_loaded(params, flip, cut):
    """What comes back from a file in which one byte was changed, or whose end is missing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "params.safetensors")
        checkpoint.save_params(path, params)
        content = bytearray(path.read_bytes())
        content[flip % len(content)] ^= 1 + flip % 255 if flip else 0
        path.write_bytes(content[: len(content) - cut])
        return checkpoint.load_params(path, like=params)


def what_was_saved_has_its_shapes(result, params, flip, cut) -> None:
    assert cut == 0
    for old, new in zip(jax.tree.leaves(params), jax.tree.leaves(result), strict=True):
        assert np.shape(old) == new.shape
        if flip == 0:
            np.testing.assert_array_equal(old, new)


def read_bytes(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "params.safetensors")
        path.write_bytes(content)
        return checkpoint.read_tensors(path)


def number_is_whole(result, key, **number) -> None:
    assert all(int(value) == value >= 0 for value in number.values())


def joined_is_longer(result, earlier, later) -> None:
    assert len(result.train_loss) == len(later.train_loss) + (0 if earlier is None else len(earlier.train_loss))


MODEL, TX = models.softmax_regression(2, 3), optax.sgd(0.1)
PARAMS = MODEL.init(jax.random.key(0))
LINE = models.linear_regression(2)

inits = st.sampled_from([initializers.normal(0.1), initializers.kaiming_uniform(), initializers.torch_linear()])
layer_arguments = {"key": some_keys, "num_inputs": count(1, 3), "num_outputs": count(1, 3)}
gains = {"gain": number(0.1, 2.0)}
precisions = {"precision": choice("float32", "bfloat16"), "init": inits}
widths = mixed(
    st.sampled_from([2, (3, 2), (), np.int64(2)]), st.sampled_from([0, (2, 0), -1, 2.5, "23", (2, "3"), None])
)
inputs = array((3, 2), (1, 2))
layers = st.fixed_dictionaries(
    {"kernel": mixed(floats((2, 3)), floats((2, 3)), hostile_arrays)},
    optional={"bias": mixed(floats((3,)), floats((3,)), floats((1,)), floats((3, 1)), hostile_arrays)},
)
labelled = st.builds(Batch, array((3, 2)), classes(3))
targeted = st.builds(Batch, array((3, 2)), array((3, 1), (3,)))
sets = mixed(labelled, labelled, targeted, junk)
datasets = st.builds(Dataset, sets, sets)
LINES = Dataset(*(Batch(np.ones((n, 2), np.float32), np.ones((n, 1), np.float32)) for n in (2, 1)))
SWEPT = sweep.sweep(
    LINE, losses.squared_loss, optax.sgd, LINES, seeds=[0], grid={"learning_rate": [0.1]}, epochs=1, batch_size=2
)
histories = st.integers(0, 2).map(lambda n: History(np.zeros((n, 2)), *(np.zeros(n) for _ in range(3))))

CASES = {
    "initializers.normal": Case(
        drawn(initializers.normal), layer_arguments, {"stddev": number(0.0, 1.0)}, layer_is_right
    ),
    **{
        f"initializers.{name}": Case(drawn(getattr(initializers, name)), layer_arguments, gains, layer_is_right)
        for name in ("xavier_normal", "xavier_uniform")
    },
    **{
        f"initializers.{name}": Case(
            drawn(getattr(initializers, name)),
            layer_arguments,
            {**gains, "mode": choice("fan_in", "fan_out")},
            layer_is_right,
        )
        for name in ("kaiming_normal", "kaiming_uniform")
    },
    "initializers.torch_linear": Case(drawn(initializers.torch_linear), layer_arguments, {}, layer_is_right),
    "initializers.flax_linear": Case(drawn(initializers.flax_linear), layer_arguments, {}, layer_is_right),
    "optim.sgd": Case(
        first_step,
        {"params": floats((3,)), "grads": floats((3,)), "learning_rate": number(0.0, 1.0)},
        {
            "momentum": number(0.0, 1.0),
            "dampening": number(0.0, 1.0),
            "weight_decay": number(0.0, 1.0),
            "nesterov": flags,
            "maximize": flags,
        },
        step_is_right,
    ),
    "optim.kernels": Case(optim.kernels, {"params": mixed(layers, junk)}),
    "keys.init_key": Case(keys.init_key, {"key": some_keys}),
    "keys.order_key": Case(keys.order_key, {"key": some_keys, "epoch": count(0, 3)}, {}, number_is_whole),
    "keys.noise_key": Case(keys.noise_key, {"key": some_keys, "step": count(0, 3)}, {}, number_is_whole),
    "models.linear_regression": Case(
        outputs_of(models.linear_regression),
        {"key": some_keys, "inputs": inputs, "num_inputs": count(2, 2)},
        {"init": inits},
        outputs_are_right,
    ),
    "models.flax_linear_regression": Case(
        outputs_of(models.flax_linear_regression),
        {"key": some_keys, "inputs": inputs, "num_inputs": count(2, 2)},
        {"init": inits},
        outputs_are_right,
    ),
    **{
        f"models.{name}": Case(
            outputs_of(getattr(models, name)),
            {"key": some_keys, "inputs": inputs, "num_inputs": count(2, 2), "num_outputs": count(1, 3)},
            precisions,
            outputs_are_right,
        )
        for name in ("softmax_regression", "flax_softmax_regression")
    },
    **{
        f"models.{name}": Case(
            outputs_of(getattr(models, name)),
            {
                "key": some_keys,
                "inputs": inputs,
                "num_inputs": count(2, 2),
                "num_hiddens": widths,
                "num_outputs": count(1, 3),
            },
            {**precisions, "dropout_rate": number(0.0, 1.0)},
            outputs_are_right,
        )
        for name in ("mlp", "flax_mlp")
    },
    "models.from_flax": Case(models.from_flax, {"module": junk, "example_input": hostile_arrays}),
    "models.from_flax_stateful": Case(models.from_flax_stateful, {"module": junk, "example_input": hostile_arrays}),
    "models.dropout": Case(
        models.dropout, {"x": array((3,)), "rate": number(0.0, 1.0), "key": some_keys}, {}, dropout_is_right
    ),
    "models.init_layers": Case(
        models.init_layers,
        {"key": some_keys, "sizes": mixed(st.sampled_from([(2, 3), (2, 3, 1), [1, 1]]), junk), "init": inits},
        {},
        lambda result, sizes, **rest: is_close([len(layer["kernel"]) for layer in result], sizes[:-1]),
    ),
    "models.linear": Case(
        linear,
        {"layer": mixed(layers, junk), "x": inputs},
        {"precision": choice("float32", "bfloat16")},
        linear_is_right,
    ),
    "models.least_squares": Case(
        least_squares,
        {"inputs": array((5, 2)), "targets": array((5, 1), (5,))},
        {"weight_decay": number(0.0, 1.0)},
        least_squares_is_right,
    ),
    "data.made_up_airfoil": Case(data.made_up_airfoil, {"key": some_keys}, {"n": count(2, 9)}, is_finite_airfoil),
    "data.epoch_indices": Case(
        data.epoch_indices,
        {"key": some_keys, "epoch": count(0, 2), "n": count(1, 5), "batch_size": count(1, 6)},
        {},
        indices_are_right,
    ),
    "data.shuffle": Case(
        data.shuffle,
        {"key": some_keys, "n": count(0, 5)},
        {},
        lambda result, key, n: np.testing.assert_array_equal(np.sort(result), np.arange(n)),
    ),
    "data.to_float": Case(data.to_float, {"inputs": hostile_arrays}, {}, pixels_are_right),
    "data.synthetic_regression": Case(
        data.synthetic_regression,
        {"key": some_keys, "w": array((2,), (1,)), "b": number(-3.0, 3.0)},
        {"noise": number(0.0, 1.0), "n": count(1, 3), "num_test": count(1, 3)},
        synthetic_is_right,
    ),
    "train.create_state": Case(train.create_state, {"model": st.just(MODEL), "tx": st.just(TX), "key": some_keys}),
    "train.predict": Case(
        train.predict,
        {"model": st.just(MODEL), "params": mixed(st.just(PARAMS), layers), "inputs": inputs},
        {"batch_size": count(1, 3)},
    ),
    "train.evaluate": Case(
        train.evaluate,
        {"model": st.just(MODEL), "loss": st.just(losses.cross_entropy), "params": st.just(PARAMS), "batch": sets},
        {"batch_size": count(1, 3)},
        lambda result, **arguments: is_close(np.isfinite(np.asarray(result)), [True, True]),
    ),
    "train.fit": Case(
        train.fit,
        {
            "model": st.just(MODEL),
            "loss": st.just(losses.cross_entropy),
            "tx": st.just(TX),
            "dataset": datasets,
            "key": some_keys,
            "epochs": count(0, 1),
            "batch_size": mixed(st.just(2), st.sampled_from([0, -1, 2.5, 10**30, "2", None])),
        },
    ),
    "train.sweep.sweep": Case(
        sweep.sweep,
        {
            "model": st.just(LINE),
            "loss": st.just(losses.squared_loss),
            "make_tx": st.just(optax.sgd),
            "dataset": st.just(LINES),
            "seeds": mixed(
                st.just([0, 1]), st.sampled_from([[], [0, 0], [1.5], ["0"], [10**30], None, 3, [-1], [2**32, 0]])
            ),
            "grid": mixed(
                st.just({"learning_rate": [0.1, 0.2]}),
                st.sampled_from([{}, {"learning_rate": []}, {"learning_rate": [math.nan]}, {"learning_rate": [1e39]}]),
                st.sampled_from(
                    [{"learning_rate": ["0.1"]}, {"learning_rate": [1j]}, {"learning_rate": 0.1}, None, {"lr": [1]}]
                ),
            ),
            "epochs": mixed(st.just(1), st.sampled_from([0, 2.5, "1", None])),
            "batch_size": mixed(st.just(2), st.sampled_from([0, 2.5, "1", None])),
        },
    ),
    "train.checkpoint.load_params": Case(
        saved_and_loaded,
        {
            "params": mixed(layers, st.just(PARAMS), junk),
            "flip": st.integers(0, 5000),
            "cut": mixed(st.just(0), st.integers(0, 9)),
        },
        {},
        what_was_saved_has_its_shapes,
    ),
    "train.checkpoint.read_tensors": Case(read_bytes, {"content": st.binary(max_size=60)}),
    "train.checkpoint.to_state_dict": Case(
        checkpoint.to_state_dict, {"params": mixed(layers, junk)}, {"is_regression": flags}
    ),
    "train.checkpoint.from_state_dict": Case(
        checkpoint.from_state_dict,
        {
            "tensors": mixed(
                st.fixed_dictionaries({"0.weight": mixed(floats((3, 2)), hostile_arrays), "0.bias": array((3,))}), junk
            )
        },
    ),
    "train.checkpoint.layers_to_params": Case(
        lambda tensors: checkpoint.layers_to_params(checkpoint.from_state_dict(tensors)),
        {"tensors": st.fixed_dictionaries({"0.weight": array((3, 2)), "0.bias": array((3,))})},
    ),
    "train.checkpoint.join_histories": Case(
        checkpoint.join_histories, {"earlier": mixed(st.none(), histories), "later": histories}, {}, joined_is_longer
    ),
    "train.sweep.outcome": Case(sweep.outcome, {"result": st.just(SWEPT)}, {"of": choice("test_loss", "train_loss")}),
    "train.sweep.best": Case(sweep.best, {"result": st.just(SWEPT)}, {"by": choice("test_loss", "test_accuracy")}),
}


@pytest.mark.bad_input
@pytest.mark.parametrize("name", CASES)
def test_right_or_refused(name) -> None:
    hunt(CASES[name])
