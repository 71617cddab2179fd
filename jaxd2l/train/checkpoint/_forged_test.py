"""Whatever a checkpoint claims that it is not, it is passed over or refused, and costs nothing."""

import json
import logging
import os
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l.train.checkpoint import _resume, restore, save
from jaxd2l.train.checkpoint._arrays import read_arrays, write_arrays
from jaxd2l.train.checkpoint._resume_test import (
    STEPS,
    assert_same_bits,
    change_manifest,
    history_of,
    kept,
    reseal,
    state_of,
)
from jaxd2l.train.checkpoint._sealed import SUMS


class Trap:
    """Runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_a_forged_checkpoint_runs_no_code_and_is_passed_over(tmp_path, caplog):
    directory, sprung = tmp_path / "checkpoints", tmp_path / "sprung"
    directory.mkdir()
    like = kept(directory, epochs=3)
    folder = directory / "step-00000015"
    whole = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != SUMS}
    hostile = [
        pickle.dumps(Trap(sprung)),
        b"\x93NUMPY\x01\0\x46\0{'descr': '|O', 'shape': (1,)}",
        b"[" * 10**6,
        b"",
        b"{}",
    ]
    passed_over = 0
    for path, content in whole.items():
        for bad in hostile if path.suffix == ".json" else hostile[:1]:
            path.write_bytes(bad)
            reseal(folder)
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                found = restore(directory, like=like, configuration={})
            assert found is not None
            if found.folder != folder:
                assert f"{folder} is damaged and passed over: " in caplog.text
                passed_over += 1
            else:  # Orbax does not read every file it writes
                assert_same_bits(found.state, like)
            assert not sprung.exists()
        path.write_bytes(content)
    assert passed_over >= len(hostile) + 2
    pickle.loads(hostile[0])
    assert sprung.exists()  # the trap works


@pytest.mark.parametrize(
    "changes",
    [{"epochs": "3"}, {"epochs": None}, {"notes": []}, {"configuration": None}, {"arrays": 1}, {"surroundings": 3}],
)
def test_a_forged_manifest_of_other_types_is_passed_over(tmp_path, caplog, changes):
    like = kept(tmp_path)
    change_manifest(tmp_path / "step-00000015", **changes)
    found = restore(tmp_path, like=like, configuration={})
    assert found is not None
    assert found.folder.name == "step-00000010"
    assert "step-00000015 is damaged and passed over: manifest.json is not one of ours" in caplog.text


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 10**15, "step": 10**18},
        {"epochs": -1},
        {"arrays": {"state.step": "\x1b[2J"}},
        {"configuration": {"a": "\x1b[2J"}},
        {"configuration": {str(i): ["x" * 10**6] for i in range(20)}},
    ],
)
def test_a_forged_manifest_of_another_run_is_refused_in_few_plain_words(tmp_path, changes):
    like = kept(tmp_path)
    change_manifest(tmp_path / "step-00000015", **changes)
    with pytest.raises(ValueError, match="is a checkpoint of another run") as refused:
        restore(tmp_path, like=like, configuration={})
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 3000


def test_one_that_calls_itself_later_than_it_is_is_passed_over(tmp_path, caplog):
    like = kept(tmp_path)
    shutil.copytree(tmp_path / "step-00000010", tmp_path / "step-99999999")
    found = restore(tmp_path, like=like, configuration={})
    assert found is not None
    assert found.folder.name == "step-00000015"
    assert "step-99999999 is damaged and passed over: its manifest is one of step 10" in caplog.text


def test_more_steps_than_the_dataset_makes_are_passed_over(tmp_path, caplog):
    configuration = {"examples": STEPS * 8 - 3, "batch_size": 8}
    like = kept(tmp_path, **configuration)
    assert restore(tmp_path, like=like, configuration=configuration) is not None
    configuration["batch_size"] = 4
    change_manifest(tmp_path / "step-00000015", configuration=configuration)
    change_manifest(tmp_path / "step-00000010", configuration=configuration)
    change_manifest(tmp_path / "step-00000005", configuration=configuration)
    assert restore(tmp_path, like=like, configuration=configuration) is None
    assert "15 steps in 3 epochs is not what 37 examples in batches of 4 make" in caplog.text


def test_a_history_that_the_files_cannot_hold_is_not_read(tmp_path, caplog, monkeypatch):
    like = kept(tmp_path)
    monkeypatch.setattr(_resume, "read_arrays", lambda *_: pytest.fail("the arrays are read"))
    steps = 2**40
    forged = tmp_path / f"step-{steps:08d}"
    shutil.copytree(tmp_path / "step-00000015", forged)
    arrays = json.loads((forged / "manifest.json").read_text())["arrays"]
    arrays |= {"history.step_loss": f"float32[1,{steps}]"}
    arrays |= {f"history.{name}": "float32[1]" for name in ("train_loss", "test_loss", "test_accuracy")}
    change_manifest(forged, step=steps, epochs=1, arrays=arrays)
    with pytest.raises(pytest.fail.Exception, match="the arrays are read"):  # of the next older one
        restore(tmp_path, like=like, configuration={})
    assert f"it claims {4 * (steps + 3)} bytes of history" in caplog.text


def test_arrays_in_pieces_larger_than_themselves_are_not_read(tmp_path, monkeypatch):
    write_arrays(tmp_path / "arrays", {"w": np.zeros((2, 3))})
    expected = {"w": jax.ShapeDtypeStruct((2, 3), np.float64)}
    assert read_arrays(tmp_path / "arrays", expected)["w"].shape == (2, 3)
    metadata = SimpleNamespace(shape=(2, 3), dtype=np.float64, storage=SimpleNamespace(chunk_shape=(2**20, 2**10)))
    forged = SimpleNamespace(item_metadata=SimpleNamespace(tree={"w": metadata}))
    monkeypatch.setattr("orbax.checkpoint.Checkpointer.metadata", lambda *_: forged)
    with pytest.raises(ValueError, match="stored in pieces of shape"):
        read_arrays(tmp_path / "arrays", expected)


def test_arrays_other_than_the_manifest_says_are_passed_over(tmp_path, caplog):
    (tmp_path / "a").mkdir()
    kept(tmp_path / "a")
    (tmp_path / "b").mkdir()
    save(tmp_path / "b", state_of({"w": jnp.ones((9, 9))}, 3), history_of(3), configuration={})
    folder = tmp_path / "a" / "step-00000015"
    shutil.rmtree(folder / "arrays")
    shutil.copytree(tmp_path / "b" / "step-00000015" / "arrays", folder / "arrays")
    reseal(folder)
    found = restore(tmp_path / "a", like=state_of({"w": jnp.ones((2, 3))}), configuration={})
    assert found is not None
    assert found.folder.name == "step-00000010"
    assert "its arrays are not as its manifest says" in caplog.text


def test_no_pickle_is_used(tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("pickle")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    like = kept(tmp_path)
    assert restore(tmp_path, like=like, configuration={}) is not None
