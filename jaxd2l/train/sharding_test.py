"""Sharding: what one device can show, and the tests that need eight, in a process that has them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

from jaxd2l import losses, models, optim, train
from jaxd2l.train import sharding
from jaxd2l.types import Batch, Dataset

RNG = np.random.default_rng(0)
DATA = Dataset(*(Batch(RNG.random((n, 4), np.float32), RNG.integers(0, 3, n).astype(np.int32)) for n in (22, 7)))


@pytest.mark.timeout(900)  # up to nineteen tests in one
@pytest.mark.parametrize("chosen", ["5-8 or second_epoch or each_device", pytest.param("", marks=pytest.mark.long)])
def test_on_eight_devices(chosen) -> None:
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu", "PJRT_NPROC": "16"}
    paths = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    file = Path(__file__).with_name("sharding_on_8_devices_test.py")
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", str(file), "-k", chosen],
        cwd=file.parents[2],
        env={**os.environ, **flags, **paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=840)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, out
    assert " passed" in out
    assert "skipped" not in out


def test_a_mesh_of_one_device_gives_the_bits_of_none() -> None:
    model, tx = models.mlp(4, 5, 3, dropout_rate=0.5), optim.sgd(0.3, momentum=0.9)
    arguments = {"key": jax.random.key(0), "epochs": 2, "batch_size": 8}
    one, none = (
        train.fit(model, losses.cross_entropy, tx, DATA, mesh=mesh, **arguments)
        for mesh in (sharding.make_mesh(), None)
    )
    jax.tree.map(np.testing.assert_array_equal, one, none)


def test_more_devices_than_there_are_are_refused() -> None:
    there = jax.device_count()
    with pytest.raises(
        ValueError, match=rf"mesh of {there + 1} devices .* there are {there} .*count={there + 1} before"
    ):
        sharding.make_mesh(there + 1)
    with pytest.raises(ValueError, match="a mesh of 0 devices cannot be made"):
        sharding.make_mesh(0)


def test_a_mesh_whose_axes_are_explicit_is_refused() -> None:
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Explicit,))
    with pytest.raises(ValueError, match=r"must be AxisType\.Auto"):
        train.fit(
            models.mlp(4, 5, 3), losses.cross_entropy, optim.sgd(0.1), DATA,
            key=jax.random.key(0), epochs=1, batch_size=8, mesh=mesh,
        )  # fmt: skip
