"""A run that is stopped and resumed ends bit for bit as one that was not; and nothing else is ever resumed."""

import json
import logging
import os
import resource
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxd2l import losses, models, optim
from jaxd2l.train import create_state, fit
from jaxd2l.train.checkpoint import describe, join_histories, locked, restore, save
from jaxd2l.train.checkpoint._sealed import SUMS, _digests, _format
from jaxd2l.types import Batch, Dataset, History, Model, TrainState

STEPS = 5


def small_dataset() -> Dataset:
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(STEPS * 8 - 3, 6)).astype(np.float32), rng.integers(0, 3, STEPS * 8 - 3)
    return Dataset(
        Batch(inputs, labels.astype(np.int32)), Batch(inputs[:9], labels[:9].astype(np.int32)), ("a", "b", "c")
    )


def history_of(epochs: int) -> History:
    row = np.arange(epochs, dtype=np.float32)
    return History(np.full((epochs, STEPS), 0.5, np.float32), row, row, row)


def state_of(params: Any, epochs: int = 1, opt_state: Any = ()) -> TrainState:
    return TrainState(params, opt_state, jnp.int32(epochs * STEPS))


def kept(directory: Path, epochs: int = 3, **configuration: Any) -> TrainState:
    """Checkpoints of the last three of so many epochs; returns the last state."""
    for epoch in range(1, epochs + 1):
        state = state_of({"w": jnp.full((2, 3), epoch, jnp.float32)}, epoch)
        save(directory, state, history_of(epoch), configuration=configuration)
    return state


def assert_same_bits(found: Any, expected: Any) -> None:
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for new, old in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        if jnp.issubdtype(old.dtype, jax.dtypes.prng_key):
            assert new.dtype == old.dtype
            new, old = jax.random.key_data(new), jax.random.key_data(old)
        assert new.dtype == old.dtype
        assert new.shape == old.shape
        assert np.asarray(new).tobytes() == np.asarray(old).tobytes()


@pytest.mark.parametrize("kind", ["threefry2x32", pytest.param("rbg", marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("model", "tx"),
    [
        (Model(lambda key: jnp.zeros((6, 3)), lambda params, x, *, key=None: x @ params), optax.sgd(0.1)),
        (models.softmax_regression(6, 3), optax.sgd(0.1)),
        (models.mlp(6, (5, 4), 3, dropout_rate=0.3), optax.adam(0.01)),
        (models.mlp(6, 5, 3), optim.sgd(0.1, momentum=0.9, dampening=0.1)),
        (models.flax_mlp(6, 5, 3, dropout_rate=0.5), optim.sgd(optax.cosine_decay_schedule(0.1, 20), momentum=0.9)),
        (models.softmax_regression(6, 3), optax.chain(optax.add_noise(0.1, 0.5, jax.random.key(3)), optax.sgd(0.1))),
    ],
    ids=["one bare array", "sgd", "adam, dropout", "dampened", "flax, schedule", "noisy gradients"],
)
def test_stopped_after_any_epoch_and_resumed_it_ends_with_the_same_bits(tmp_path, model, tx, kind):
    dataset, key = small_dataset(), jax.random.key(4, impl=kind)
    configuration = describe(dataset, key=key, batch_size=8)
    rest: dict[str, Any] = {"key": key, "epochs": 4, "batch_size": 8}

    def on_epoch(state: TrainState, history: History) -> None:
        save(tmp_path, state, history, configuration=configuration, keep=9)

    with locked(tmp_path), jax.numpy_dtype_promotion("standard"):  # optax's Adam is not strict
        whole = fit(model, losses.cross_entropy, tx, dataset, on_epoch=on_epoch, **rest)
    like = jax.eval_shape(lambda: create_state(jax.random.key(0), model, tx))
    for newest in (4, 3, 2, 1):
        found = restore(tmp_path, like=like, configuration=configuration)
        assert found is not None
        assert found.folder.name == f"step-{newest * STEPS:08d}"
        with jax.numpy_dtype_promotion("standard"):
            state, history = fit(model, losses.cross_entropy, tx, dataset, state=found.state, **rest)
        assert_same_bits((state, join_histories(found.history, history)), whole)
        shutil.rmtree(found.folder)
    assert restore(tmp_path, like=like, configuration=configuration) is None


arrays = hnp.arrays(
    st.sampled_from([np.float32, np.float16, np.int32, np.uint8, np.bool_]),
    hnp.array_shapes(min_dims=0, min_side=0, max_dims=3),
)
names = st.text(min_size=1, max_size=4).filter(lambda name: "." not in name)


@settings(max_examples=20)
@given(
    tree=st.recursive(
        arrays,
        lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3) | st.tuples(inner, inner),
        max_leaves=6,
    )
)
def test_any_tree_of_arrays_under_any_names_survives_bit_for_bit(tree, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tree")
    state = state_of(tree, 2, opt_state=(tree, jax.random.key(5)))
    notes = {"seconds": [0.1, 1e300], "who": "ä"}
    save(directory, state, history_of(2), configuration={"a": 1}, notes=notes)
    found = restore(directory, like=state, configuration={"a": 1})
    assert found is not None
    assert_same_bits((found.state, found.history), (state, history_of(2)))
    assert found.notes == notes


def test_unusual_bits_survive(tmp_path):
    words = np.array([0x80000000, 0x7FC00001, 0xFFC12345, 1, 0x7F800000, 0], np.uint32)  # -0, NaNs, a subnormal, inf
    state = state_of(
        {
            "odd": words.view(np.float32),
            "minus zero": np.full(70, -0.0, np.float32),
            "half": words.view(ml_dtypes.bfloat16),
        }
    )
    history = history_of(1)._replace(test_accuracy=np.array([np.nan], np.float32))
    save(tmp_path, state, history, configuration={})
    found = restore(tmp_path, like=state, configuration={})
    assert found is not None
    assert_same_bits((found.state, found.history), (state, history))


def test_the_last_three_stay(tmp_path):
    kept(tmp_path, epochs=5)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"step-000000{step}" for step in (15, 20, 25)]


def test_a_damaged_one_is_named_and_the_next_older_is_used(tmp_path, caplog):
    like = kept(tmp_path)
    damaged = next((tmp_path / "step-00000015" / "arrays").rglob("0.0"))
    os.truncate(damaged, damaged.stat().st_size - 1)
    with caplog.at_level(logging.WARNING):
        found = restore(tmp_path, like=like, configuration={})
    assert found is not None
    assert found.folder == tmp_path / "step-00000010"
    assert found.state.params["w"].tolist() == [[2.0] * 3] * 2
    [message] = caplog.messages
    assert message.startswith(f"{tmp_path}/step-00000015 is damaged and passed over: 'arrays/")
    assert damaged.name in message


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"hidden": [128], "lr": 0.1}, "hidden: 256 there, 128 here"),
        ({"hidden": [256, 8], "lr": 0.2}, "hidden: 256 there, 256,8 here; lr: 0.1 there, 0.2 here"),
        ({"lr": 0.1}, "hidden: 256 there, none here"),
        ({"hidden": [256], "lr": 0.1, "momentum": 0.9}, "momentum: none there, 0.9 here"),
    ],
)
def test_another_configuration_is_refused_with_every_difference(tmp_path, other, told):
    like = kept(tmp_path, hidden=[256], lr=0.1)
    with pytest.raises(ValueError, match=f"step-00000015 is a checkpoint of another run: {told}$"):
        restore(tmp_path, like=like, configuration=other)


def test_other_data_another_key_and_another_batch_size_are_refused(tmp_path):
    data, key = small_dataset(), jax.random.key(0)
    like = kept(tmp_path, **describe(data, key=key, batch_size=8))
    other_data = data._replace(train=data.train._replace(inputs=np.nextafter(data.train.inputs, np.float32(9))))
    for changed, told in (
        (describe(data, key=key, batch_size=4), "batch_size: 8 there, 4 here"),
        (describe(data, key=jax.random.key(1), batch_size=8), "key: threefry2x32 0 0 there, threefry2x32 0 1 here"),
        (describe(other_data, key=key, batch_size=8), r"data: \w{64} there, \w{64} here"),
        (describe(data._replace(class_names=("x", "y", "z")), key=key, batch_size=8), r"data: \w{64} there"),
    ):
        with pytest.raises(ValueError, match=f"another run: {told}"):
            restore(tmp_path, like=like, configuration=changed)


@pytest.mark.parametrize(
    ("params", "opt_state", "told"),
    [
        ({"w": jnp.ones((2, 4))}, (), r"state.params.w: float32\[2,3\] there, float32\[2,4\] here"),
        ({"w": jnp.ones((2, 3), jnp.float16)}, (), r"float32\[2,3\] there, float16\[2,3\] here"),
        ({"v": jnp.ones((2, 3))}, (), r"params.v: none there, float32\[2,3\] here"),
        ({"w": jnp.ones((2, 3))}, (jnp.ones(4),), r"opt_state.0: none there, float32\[4\] here"),
    ],
)
def test_another_model_or_optimiser_is_refused_even_if_the_configuration_says_nothing(
    tmp_path, params, opt_state, told
):
    kept(tmp_path)
    with pytest.raises(ValueError, match=told):
        restore(tmp_path, like=state_of(params, opt_state=opt_state), configuration={})


def reseal(folder: Path) -> None:
    """What a forger does: right sums for wrong files."""
    (folder / SUMS).write_text(_format(_digests(folder)))


def change_manifest(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    reseal(folder)


def test_another_format_is_refused(tmp_path):
    like = kept(tmp_path)
    change_manifest(tmp_path / "step-00000015", format=1)
    with pytest.raises(ValueError, match="step-00000015 has format 1, and this version of jaxd2l reads 2"):
        restore(tmp_path, like=like, configuration={})


def test_other_versions_are_a_warning(tmp_path, caplog):
    like = kept(tmp_path)
    change_manifest(tmp_path / "step-00000015", surroundings={"jax": "0.1"})
    with caplog.at_level(logging.WARNING):
        assert restore(tmp_path, like=like, configuration={}) is not None
    assert f"jax: 0.1 there, {jax.__version__} here" in caplog.text
    assert "its last bits may differ" in caplog.text


def test_a_full_disk_is_an_error_that_names_it_and_the_last_good_one_stays(tmp_path, capfd, caplog):
    like = kept(tmp_path)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    state = state_of({"w": np.random.default_rng(0).normal(size=40000).astype(np.float32)}, 4)
    for limit in (10, 2000, 50_000):  # bytes a file may have: fails in Orbax's metadata, or in the array
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, usual[1]))
        try:
            with pytest.raises(OSError, match=r"cannot save .*step-00000020: File too large"):
                save(tmp_path, state, history_of(4), configuration={})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        assert "Traceback" not in capfd.readouterr().err + caplog.text
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"step-000000{step}" for step in ("05", 10, 15)]
    found = restore(tmp_path, like=like, configuration={})
    assert found is not None
    assert found.folder.name == "step-00000015"


def test_a_history_that_is_not_that_of_the_state_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has taken 10 steps, but the history reports 5; .* join_histories"):
        save(tmp_path, state_of({}, 2), history_of(1), configuration={})


def test_to_keep_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="keep must be at least 1, got 0"):
        save(tmp_path, state_of({}), history_of(1), configuration={}, keep=0)


def test_where_nothing_is_nothing_is_found(tmp_path):
    assert restore(tmp_path, like=state_of({}), configuration={}) is None
    assert restore(tmp_path / "nowhere", like=state_of({}), configuration={}) is None
