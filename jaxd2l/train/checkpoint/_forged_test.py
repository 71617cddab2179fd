"""Whatever a checkpoint claims that it is not, it is passed over or refused, and costs nothing."""

import json
import logging
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from jaxd2l.train.checkpoint import restore, save
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


def test_a_history_that_the_files_do_not_hold_is_not_read(tmp_path, caplog):
    like = kept(tmp_path)
    steps = 2**40
    forged = tmp_path / f"step-{steps:08d}"
    shutil.copytree(tmp_path / "step-00000015", forged)
    arrays = json.loads((forged / "manifest.json").read_text())["arrays"]
    arrays |= {"history.step_loss": f"float32[1,{steps}]"}
    arrays |= {f"history.{name}": "float32[1]" for name in ("train_loss", "test_loss", "test_accuracy")}
    change_manifest(forged, step=steps, epochs=1, arrays=arrays)
    found = restore(tmp_path, like=like, configuration={})
    assert found is not None
    assert found.folder.name == "step-00000015"
    assert f"takes {4 * steps} bytes, and its file has 60" in caplog.text


def packed(folder: Path, array: np.ndarray) -> None:
    """As Orbax writes by default: a megabyte of zeros becomes a few hundred bytes."""
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
        checkpointer.save(folder, args=ocp.args.PyTreeSave({"0": array}))


def compressed(folder: Path, array: np.ndarray) -> None:
    """Each array in files of its own, and compressed."""
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_ocdbt=False)) as checkpointer:
        checkpointer.save(folder, args=ocp.args.PyTreeSave({"0": array}))


def compressed_to_its_own_length(folder: Path, array: np.ndarray) -> None:
    """The length is right, but it is not that of the numbers."""
    compressed(folder, array)
    file = folder / "0" / "0.0"
    file.write_bytes(file.read_bytes().ljust(array.nbytes, b"\0"))


def in_larger_pieces(folder: Path, array: np.ndarray) -> None:
    write_arrays(folder, {"w": array})
    header = folder / "0" / ".zarray"
    header.write_text(json.dumps(json.loads(header.read_text()) | {"chunks": [2**20, 2**20]}))


def packed_beside_plain(folder: Path, array: np.ndarray) -> None:
    """Where both are, Orbax reads the packed one."""
    packed(folder, array)
    write_arrays(folder.with_name("plain"), {"w": array})
    shutil.copytree(folder.with_name("plain"), folder, dirs_exist_ok=True)


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (packed, "No such file"),
        (compressed, "w takes 1048576 bytes, and its file has"),
        (compressed_to_its_own_length, "w is not stored as plain numbers of shape"),
        (in_larger_pieces, "w is not stored as plain numbers of shape"),
        (packed_beside_plain, "Orbax may read more there than the arrays"),
    ],
)
def test_what_would_grow_while_it_is_read_is_not_read(tmp_path, monkeypatch, forge, reason):
    array = np.zeros((512, 256))
    forge(tmp_path / "arrays", array)
    monkeypatch.setattr("orbax.checkpoint.Checkpointer.restore", lambda *_, **__: pytest.fail("the arrays are read"))
    with pytest.raises((ValueError, FileNotFoundError), match=reason):
        read_arrays(tmp_path / "arrays", {"w": jax.ShapeDtypeStruct(array.shape, array.dtype)})


@pytest.mark.parametrize("name", ["x" * 300, "W", "/"])
def test_names_too_long_or_too_alike_for_files_are_kept(tmp_path, name):
    arrays = {name: np.ones(3), "w": np.zeros(2, np.int8), "none": np.zeros((0, 3))}
    write_arrays(tmp_path / "arrays", arrays)
    found = read_arrays(tmp_path / "arrays", {n: jax.ShapeDtypeStruct(x.shape, x.dtype) for n, x in arrays.items()})
    assert {n: x.tolist() for n, x in found.items()} == {n: x.tolist() for n, x in arrays.items()}


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
