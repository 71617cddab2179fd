"""Training on batches that come one by one."""

import threading
from collections.abc import Iterator

import jax
import numpy as np
import optax
import pytest

from jaxd2l import data, losses, models, train
from jaxd2l.train import _stream, sweep
from jaxd2l.train._stream import compiled_steps
from jaxd2l.types import Batch, Dataset, Streamed

KEY = jax.random.key(0)
DIGITS = data.digits()
SMALL = Dataset(Batch(*(part[:70] for part in DIGITS.train)), Batch(*(part[:50] for part in DIGITS.test)))
BATCHES = [(SMALL.train.inputs[i : i + 32], SMALL.train.labels[i : i + 32]) for i in (0, 32, 64)]
MODEL = models.mlp(64, 16, 10, dropout_rate=0.2)
TX = optax.sgd(0.1, momentum=0.9)


def streamed(source: object = BATCHES, num_examples: int = 70) -> Streamed:
    return data.stream(source, SMALL.test, num_examples=num_examples)  # type: ignore[arg-type]


def fit(dataset: Dataset | Streamed, epochs: int = 2, **options):
    return train.fit(MODEL, losses.cross_entropy, TX, dataset, key=KEY, epochs=epochs, batch_size=32, **options)


def test_from_the_same_batches_it_learns_what_fit_learns_from_arrays() -> None:
    in_batches = data.shuffled(KEY, SMALL.train, SMALL.test, batch_size=32)
    (state, history), (expected, reference) = fit(in_batches), fit(SMALL)
    assert history.step_loss.shape == (2, 3)
    for own, other in zip(history, reference, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), state.params, expected.params)


def test_files_that_are_mapped_into_memory_are_read_batch_by_batch(tmp_path) -> None:
    np.save(tmp_path / "x.npy", SMALL.train.inputs)
    mapped = Batch(np.load(tmp_path / "x.npy", mmap_mode="r"), SMALL.train.labels)
    from_files, from_memory = (
        fit(data.shuffled(KEY, given, SMALL.test, batch_size=32)) for given in (mapped, SMALL.train)
    )
    jax.tree.map(np.testing.assert_array_equal, from_files, from_memory)


def test_stopped_and_continued_it_ends_with_the_same_bits() -> None:
    dataset = data.shuffled(KEY, SMALL.train, SMALL.test, batch_size=32)
    half, _ = fit(dataset, epochs=1)
    jax.tree.map(np.testing.assert_array_equal, fit(dataset, state=half)[0], fit(dataset)[0])


def test_batches_are_joined_while_they_are_alike_and_small(monkeypatch) -> None:
    def sizes() -> list[tuple[int, ...]]:
        return [group.labels.shape for group in _stream._groups(iter(Batch(*batch) for batch in BATCHES))]

    assert sizes() == [(2, 32), (1, 6)]
    monkeypatch.setattr(_stream, "_TOGETHER", 1)
    assert sizes() == [(1, 32), (1, 32), (1, 6)]


def test_a_model_that_keeps_averages_trains_on_a_stream() -> None:
    net = models.layers.sequential(models.layers.flatten(), models.layers.dense(8), models.layers.dense(10))
    model = models.layers.stateful_model(net, (8, 8, 1))
    state, _ = train.fit(model, losses.cross_entropy, TX, streamed(), key=KEY, epochs=1, batch_size=32)
    assert int(state.step) == 3


def test_the_second_epoch_compiles_nothing_new() -> None:
    fit(streamed(), epochs=1)
    size = compiled_steps._cache_size()
    assert size >= 2  # the last batch is shorter, and in a group of its own
    fit(streamed(), epochs=3)
    assert compiled_steps._cache_size() == size


def test_a_loader_of_torch_is_a_source() -> None:
    torch = pytest.importorskip("torch")
    pairs = torch.utils.data.TensorDataset(*(torch.tensor(np.asarray(part)) for part in SMALL.train))
    loader = torch.utils.data.DataLoader(pairs, batch_size=32)
    from_torch, from_lists = fit(streamed(loader)), fit(streamed())
    jax.tree.map(np.testing.assert_array_equal, from_torch[1], from_lists[1])


def test_another_thread_reads_the_batches_and_ends_with_the_epoch() -> None:
    threads, taken = set(), 0

    def source(epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        nonlocal taken
        for batch in BATCHES:
            threads.add(threading.current_thread().name)
            taken += 1
            yield batch

    fit(streamed(source), epochs=1)
    assert any(name.startswith("batches") for name in threads)
    assert taken == 1 + 3  # the first is looked at before training
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def broken(number: int, batch: object):
    return [batch if i == number else given for i, given in enumerate(BATCHES)]


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "epoch 0 ended 3 batches before its 70 examples"),
        (BATCHES[:2], "epoch 0 ended 1 batches before its 70 examples"),
        ([*BATCHES, BATCHES[0]], "batch 3 of epoch 0 is one too many"),
        (broken(0, BATCHES[2]), "batch 0 of epoch 0 has 6 inputs and 6 labels; batches have batch_size = 32"),
        (broken(1, (BATCHES[1][0], BATCHES[1][1] + 9)), r"labels\[\d+\] is 1\d, no class from 0 to 9"),
        (broken(1, (BATCHES[1][0][:, :7], BATCHES[1][1])), r"inputs of batch 1 of epoch 0 are uint8 of shape \(32, 7"),
        (broken(1, (BATCHES[1][0].astype(float), BATCHES[1][1])), "are float64 .* in the first batch they were uint8"),
    ],
)
def test_a_source_that_is_not_as_promised_is_named(source, message) -> None:
    with pytest.raises(ValueError, match=message):
        fit(streamed(source), epochs=1)


@pytest.mark.bad_input
def test_nan_in_a_later_batch_is_found() -> None:
    numbers = [(x.astype(np.float32), y) for x, y in BATCHES]
    numbers[2][0][3] = np.nan
    with pytest.raises(ValueError, match="inputs of batch 2 of epoch 0 hold NaN"):
        fit(streamed(numbers), epochs=1)


def test_an_error_of_the_source_comes_through() -> None:
    def source(epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield BATCHES[0]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        fit(streamed(source), epochs=1)


@pytest.mark.bad_input
def test_what_is_no_source_is_refused() -> None:
    with pytest.raises(TypeError, match="can be read only once, as a generator; give a function of the epoch"):
        streamed(batch for batch in BATCHES)
    with pytest.raises(TypeError, match="source must give batches"):
        streamed(3)
    with pytest.raises(ValueError, match="num_examples"):
        streamed(num_examples=0)
    with pytest.raises(ValueError, match="trains on one device"):
        fit(streamed(), mesh=train.sharding.make_mesh(1))
    with pytest.raises(TypeError, match=r"train\.fit takes a stream of batches"):
        sweep.sweep(
            MODEL, losses.cross_entropy, optax.sgd, streamed(),  # type: ignore[arg-type]
            seeds=[0], grid={"learning_rate": [0.1]}, epochs=1, batch_size=32,
        )  # fmt: skip
