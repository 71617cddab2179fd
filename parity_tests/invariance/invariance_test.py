"""What holds on every machine about the ways of running: the rest is measured, not asserted."""

import jax
import numpy as np
import pytest

from jaxd2l.parity.rule import compare_accuracy, holds
from parity_tests import measured
from parity_tests.invariance.subjects import Sizes, subjects
from parity_tests.invariance.ways import loop, ulps, ways

SMALL = Sizes(batches=3, n=16, inputs=20, hiddens=12, classes=5)
NAMES = tuple(subjects(SMALL))


@pytest.fixture(scope="module")
def results():
    return {name: ways(subject) for name, subject in subjects(SMALL).items()}


@pytest.fixture(scope="module")
def oracle():
    with jax.enable_x64(True):
        return {name: jax.tree.map(np.asarray, loop(s.step, s)) for name, s in subjects(SMALL).items()}


def arrays(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


@pytest.mark.parametrize("name", NAMES)
def test_a_scan_is_the_jitted_loop_to_the_bit(results, name):
    assert ulps(results[name]["jit"], results[name]["scan"]) == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_the_next_to_the_bit(results, name):
    subject = subjects(SMALL)[name]
    again = loop(jax.jit(subject.step), subject)
    assert all(map(np.array_equal, arrays(results[name]["jit"]), arrays(again)))


@pytest.mark.parametrize("way", ["eager", "scan"])
@pytest.mark.parametrize("name", NAMES)
def test_no_way_of_running_is_less_accurate_than_the_rule_allows(results, oracle, name, way):
    leaves = zip(*map(arrays, (results[name]["jit"], results[name][way], oracle[name])), strict=True)
    for jitted, other, exact in leaves:
        row = compare_accuracy(f"{name} {way}", jitted, other, exact, np.max(np.abs(exact)))
        assert holds(row), row


@pytest.mark.parametrize("way", ["vmap", "alone"])
def test_one_example_agrees_with_its_batch_within_the_rule(results, oracle, way):
    for name, found in results.items():
        if way in found:
            part = slice(4) if way == "alone" else slice(None)
            exact = np.asarray(oracle[name][1])[0][part]
            row = compare_accuracy(f"{name} {way}", found["batch"][part], found[way], exact, np.max(np.abs(exact)))
            assert holds(row), row


def test_the_table_on_record_has_every_subject():
    assert set(measured.read()["invariance"]["result"]) == set(NAMES)
