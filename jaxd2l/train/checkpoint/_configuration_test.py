"""What a run's bits depend on is on record, and a resume says what of it has changed."""

import logging
import os

import jax
import numpy as np
import optax
import pytest

from jaxd2l import data, losses, models, train
from jaxd2l.train.checkpoint import describe, restore, save
from jaxd2l.train.checkpoint._configuration import surroundings

DATASET = data.synthetic_regression(jax.random.key(0), np.array([2.0, -3.4]), 4.2, n=64, num_test=8)
CONFIGURATION = describe(DATASET, key=jax.random.key(0), batch_size=32)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a checkpoint, and the state in it."""
    run = models.linear_regression(2), losses.squared_loss, optax.sgd(0.1), DATASET
    state, history = train.fit(*run, key=jax.random.key(0), epochs=2, batch_size=32)
    directory = tmp_path_factory.mktemp("checkpoints")
    save(directory, state, history, configuration=CONFIGURATION)
    return directory, state


def resumed(saved):
    return restore(saved[0], like=saved[1], configuration=CONFIGURATION)


def test_nothing_is_said_where_nothing_has_changed(saved, caplog):
    assert resumed(saved) is not None
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PJRT_NPROC", "77", "threads: "),
        ("XLA_FLAGS", "--xla_cpu_enable_fast_math=true", "XLA_FLAGS: "),
        ("NVIDIA_TF32_OVERRIDE", "0", "NVIDIA_TF32_OVERRIDE: none there, 0 here"),
    ],
)
def test_a_variable_that_changes_bits_is_named(saved, caplog, monkeypatch, variable, value, said):
    monkeypatch.setenv(variable, value)
    with caplog.at_level(logging.WARNING):
        assert resumed(saved) is not None
    assert said in caplog.text
    assert f"{value} here" in caplog.text


def test_fewer_processors_to_run_on_are_fewer_threads(saved, caplog, monkeypatch):
    for name in ("PJRT_NPROC", "NPROC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(99)))
    assert resumed(saved) is not None
    assert "99 here" in caplog.text


def test_another_processor_is_named(saved, caplog, monkeypatch):
    here = surroundings() | {"processor": "another", "vector instructions": "avx"}
    monkeypatch.setattr("jaxd2l.train.checkpoint._resume.surroundings", lambda: here)
    assert resumed(saved) is not None
    assert "another here" in caplog.text
    assert "vector instructions" in caplog.text


def test_an_option_of_jax_is_named(saved, caplog):
    jax.config.update("jax_default_matmul_precision", "highest")
    try:
        assert resumed(saved) is not None
    finally:
        jax.config.update("jax_default_matmul_precision", None)
    assert "JAX_DEFAULT_MATMUL_PRECISION: None there, highest here" in caplog.text


def test_a_run_whose_examples_would_come_in_another_order_is_refused(saved):
    jax.config.update("jax_threefry_partitionable", False)
    try:
        with pytest.raises(ValueError, match="JAX_THREEFRY_PARTITIONABLE: True there, False here"):
            resumed(saved)
    finally:
        jax.config.update("jax_threefry_partitionable", True)
