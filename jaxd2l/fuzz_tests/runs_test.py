"""Hostile arguments to whole runs: where they train, with whom, where they go on, what is kept of them."""

import math
import tempfile
from unittest import mock

import jax
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxd2l import losses, models, runs, train
from jaxd2l.fuzz_tests.arguments import (
    Case,
    choice,
    count,
    floats,
    hostile_arrays,
    hunt,
    junk,
    mixed,
)
from jaxd2l.fuzz_tests.training_test import MODEL, TX
from jaxd2l.train import checkpoint, divergence, processes, sharding
from jaxd2l.types import Batch, Dataset, TrainState

DATA = Dataset(*(Batch(np.ones((n, 2), np.float32), np.zeros(n, np.int32)) for n in (4, 2)))
RUN = {"model": st.just(MODEL), "loss": st.just(losses.cross_entropy), "tx": st.just(TX)}
STATE, HISTORY = train.fit(MODEL, losses.cross_entropy, TX, DATA, key=jax.random.key(0), epochs=1, batch_size=2)
BEGUN, AMID = (STATE._replace(step=np.int32(step)) for step in (0, 1))
NO_ADDRESS = ["", "here", ":1", "here:0", "here:x", "here:65536"]
CONFIGURATION = checkpoint.describe(DATA, key=jax.random.key(0), batch_size=2)
good_keys = st.integers(0, 9).map(jax.random.key)
few = mixed(st.integers(0, 3), st.sampled_from([-1, 2.5, 10**30, "2", None]))
states = mixed(st.sampled_from([STATE, BEGUN]), st.just(AMID), junk)


def fit_is_right(result, dataset, key, epochs, batch_size, state=None, **rest) -> None:
    steps = -(-len(dataset.train.inputs) // batch_size)
    begun = 0 if state is None else int(state.step)
    assert result[0].step == max(epochs * steps, begun)
    assert result[1].step_loss.shape == (max(epochs - begun // steps, 0), steps)


def finite_is_right(result, params) -> None:
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(params)]
    with np.errstate(over="ignore"):  # beyond float32 it is infinite to JAX
        narrow = [x.astype(np.complex64 if x.dtype.kind == "c" else np.float32) for x in leaves]
    assert result == all(np.isfinite(x).all() for x in narrow)


def saved_and_restored(state, history, configuration, like, keep):
    with tempfile.TemporaryDirectory() as folder, checkpoint.locked(folder):
        checkpoint.save(folder, state, history, configuration=configuration, keep=keep)
        return checkpoint.restore(folder, like=like, configuration=configuration)


def what_was_saved_is_back(result, state, history, **rest) -> None:
    for old, new in zip(jax.tree.leaves((state, history)), jax.tree.leaves(result[:2]), strict=True):
        np.testing.assert_array_equal(old, new)


def started(**arguments):
    """Up to where JAX takes over: with what it is called."""
    with (
        mock.patch.object(jax.distributed, "initialize") as initialize,
        mock.patch.object(processes, "_exit_by_code_on_abort"),
        mock.patch.object(processes, "_wait_for"),
        mock.patch.object(processes, "_require_free"),
    ):
        processes.start(**arguments)
    return initialize.call_args.kwargs


def start_is_right(result, coordinator, num_processes=None, process_id=None, timeout=60) -> None:
    assert result["initialization_timeout"] == timeout >= 1
    if coordinator != processes.AUTO:
        assert 0 <= result["process_id"] == process_id < num_processes == result["num_processes"]


PARAMS = models.mlp(64, (3,), 10).init(jax.random.key(0))


def saved_and_loaded(**options):
    with tempfile.TemporaryDirectory() as folder:
        runs.save(f"{folder}/run", **options)
        return runs.load(f"{folder}/run").params


def same_params(result, params, **rest) -> None:
    jax.tree.map(np.testing.assert_array_equal, result, params)


CASES = {
    "runs.save": Case(
        saved_and_loaded,
        {
            "params": mixed(st.just(PARAMS), junk),
            "model": mixed(st.just("mlp"), st.sampled_from(("softmax", "linear", None, 3))),
            "dataset": mixed(st.just("digits"), st.sampled_from(("synthetic", "mnist", None, 3))),
            "hidden": mixed(st.just((3,)), junk, st.tuples(st.integers(-1, 4))),
        },
        {"activation": mixed(st.sampled_from(("relu", "tanh")), junk)},
        same_params,
    ),
    "train.fit, resumed and spread": Case(
        train.fit,
        {**RUN, "dataset": st.just(DATA), "key": good_keys, "epochs": st.integers(0, 2), "batch_size": st.just(2)},
        {"state": states, "mesh": mixed(st.builds(sharding.make_mesh), junk)},
        fit_is_right,
    ),
    "train.divergence.first_nonfinite": Case(
        divergence.first_nonfinite,
        {
            **RUN,
            "train": st.just(DATA.train),
            "key": good_keys,
            "state": st.sampled_from([STATE, BEGUN, AMID]),
            "batch_size": mixed(st.just(2), st.sampled_from([0, -1, 2.5, 10**30, "2", None])),
        },
        {},
        lambda result, **arguments: np.testing.assert_equal(result, None),
    ),
    "train.divergence.is_finite": Case(
        divergence.is_finite,
        {"params": mixed(st.fixed_dictionaries({"kernel": floats((2,)), "lr": choice(0.1, math.nan)}), hostile_arrays)},
        {},
        finite_is_right,
    ),
    "train.checkpoint.save": Case(
        saved_and_restored,
        {
            "state": states,
            "history": mixed(st.just(HISTORY), junk),
            "configuration": st.sampled_from([CONFIGURATION, {}]),
            "like": mixed(st.just(STATE), st.just(TrainState((), (), np.int32(0)))),
            "keep": mixed(st.just(1), st.sampled_from([0, 2.5, "3", None])),
        },
        {},
        what_was_saved_is_back,
    ),
    "train.sharding.make_mesh": Case(
        sharding.make_mesh,
        {"num_devices": count(1, 1)},
        {},
        lambda result, num_devices: np.testing.assert_equal(result.size, num_devices or 1),
    ),
    "train.processes.start": Case(
        started,
        {"coordinator": mixed(st.sampled_from(["here:1", "[::1]:65535", "auto"]), st.sampled_from(NO_ADDRESS), junk)},
        {"num_processes": few, "process_id": few, "timeout": few},
        start_is_right,
    ),
}


@pytest.mark.bad_input
@pytest.mark.parametrize("name", CASES)
def test_right_or_refused(name) -> None:
    hunt(CASES[name])
