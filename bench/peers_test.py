"""What others offer computes what we compute, before it is timed."""

import numpy as np
import pytest

from bench import openblas, peers
from jaxd2l.bench import ways
from jaxd2l.bench.cases import Case
from jaxd2l.bench.measure import Summary, prepare
from jaxd2l.types import Batch, Dataset


def small() -> Case:
    rng = np.random.default_rng(0)
    train = Batch(rng.integers(0, 256, (600, 28, 28, 1), np.uint8), rng.integers(0, 10, 600, np.int32))
    return Case("small", (784, 256, 10), Dataset(train, train), batch_size=256, lr=0.1)


@pytest.mark.long
@pytest.mark.parametrize("way", [peers.C_PROGRAM, *peers.LIBRARIES.values()], ids=lambda way: way.name)
def test_a_peer_has_our_losses_and_trains_on(way) -> None:
    if way not in peers.peers():
        pytest.skip(f"{way.name} is not installed")
    ready = prepare(small(), [ways.REFERENCE, way], ways.REFERENCE)  # an error if a loss differs
    ready[way].loop.epoch()
    assert np.float32(1e-40) * np.float32(0.5) > 0  # the processor still has numbers this small


def test_the_c_program_is_for_one_hidden_layer() -> None:
    with pytest.raises(ValueError, match="one hidden layer"):
        openblas.by_hand(small()._replace(sizes=(784, 10)))


def test_the_page_lists_the_fastest_first_and_says_whether_the_machine_was_busy() -> None:
    fast, slow = (Summary(t, (t, t), t, 1, quiet, t / 0.2, t / 0.2) for t, quiet in ((0.1, True), (0.2, False)))
    text = peers.page(small(), 9, {ways.REFERENCE: slow, peers.C_PROGRAM: fast})
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[1:] == ["| C on OpenBLAS, by hand | 100 | 100 | 0.50 |", "| JAX, compiled epoch | 200 | 200 | 1.00 |"]
    assert "busy" in text
