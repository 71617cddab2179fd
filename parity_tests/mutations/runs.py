"""Cases on runs: training on images beside torch's loop by hand, resuming, dropout's noise, evaluation in chunks."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxd2l import activations, data, losses, models, optim, train
from jaxd2l.parity.rule import Row, compare_accuracy
from jaxd2l.parity.suite.comparing import Case
from jaxd2l.parity.suite.layers import draw, from_params, sequential, to_params
from jaxd2l.types import Batch, Dataset, Model, TrainState
from parity_tests.mutations.claims import claim

N, BATCH_SIZE, EPOCHS, SIZES = 20, 8, 3, (12, 8, 4)
MODEL = models.mlp(12, 8, 4, activation=activations.tanh)


def cases() -> Iterator[Case]:
    """All of them."""
    yield Case("training by hand", lambda seed: list(_by_hand(seed)))
    yield Case("resumed", lambda seed: list(_resumed(seed)))
    yield Case("evaluated", lambda seed: list(_evaluated(seed)))
    yield Case("dropout in training", lambda seed: list(_dropout_in_training(seed)))


def _by_hand(seed: int) -> Iterator[Row]:
    dataset, parameters, key = (
        _dataset(seed),
        draw(np.random.default_rng(seed), SIZES, "tanh", 1)[1:],
        jax.random.key(seed),
    )
    tx = optim.sgd(0.1, momentum=0.9)
    params = to_params([jnp.array(p) for p in parameters])
    start = TrainState(params, tx.init(params), jnp.zeros((), jnp.int32))
    state, history = train.fit(
        MODEL, losses.cross_entropy, tx, dataset, key=key, epochs=EPOCHS, batch_size=BATCH_SIZE, state=start
    )
    ours = [history.step_loss, history.train_loss, history.test_loss, *from_params(state.params)]
    order = [data.epoch_indices(key, epoch, N, BATCH_SIZE) for epoch in range(EPOCHS)]
    theirs, oracle = (_torch_run(dataset, parameters, order, dtype) for dtype in (torch.float32, torch.float64))
    names = ["loss of each step", "training loss", "test loss", "weight 0", "bias 0", "weight 1", "bias 1"]
    for name, t, j, o in zip(names, theirs, ours, oracle, strict=True):
        # The largest entry, for roundings of any parameter reach all of them within a few steps.
        yield compare_accuracy(f"by hand: {name}", np.float32(t), j, o, np.max(np.abs(o)))


def _torch_run(
    dataset: Dataset, parameters: Any, order: list[list[np.ndarray]], dtype: torch.dtype
) -> list[np.ndarray]:
    """What the book's loop gives: step losses, mean training loss, test loss per epoch; then the parameters."""
    net = sequential(SIZES, "tanh").to(dtype)
    with torch.no_grad():
        for p, start in zip(net.parameters(), parameters, strict=True):
            p.copy_(torch.tensor(start))
    # torchvision's ToTensor rounds to float32, for the oracle too.
    (x, y), (x_test, y_test) = (
        ((torch.tensor(b.inputs).float() / 255).to(dtype), torch.tensor(b.labels).long()) for b in dataset[:2]
    )
    optimizer, loss_function = torch.optim.SGD(net.parameters(), 0.1, 0.9), torch.nn.CrossEntropyLoss()
    step_loss, train_loss, test_loss = [], [], []
    for epoch in order:
        of_steps = []
        for batch in map(torch.tensor, epoch):
            loss = loss_function(net(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            of_steps.append(loss.item())
        step_loss.append(of_steps)
        train_loss.append(np.average(of_steps, weights=[len(batch) for batch in epoch]))
        with torch.no_grad():
            test_loss.append(loss_function(net(x_test), y_test).item())
    return [*map(np.array, (step_loss, train_loss, test_loss)), *(p.detach().numpy().copy() for p in net.parameters())]


def _resumed(seed: int) -> Iterator[Row]:
    dataset, key = _dataset(seed), jax.random.key(seed)

    def run(epochs: int, state: TrainState | None = None) -> tuple[TrainState, Any]:
        return train.fit(
            MODEL, losses.cross_entropy, tx, dataset, key=key, epochs=epochs, batch_size=BATCH_SIZE, state=state
        )

    tx = optim.sgd(0.1, momentum=0.9)
    whole, history = run(3)
    half, _ = run(1)
    rest, later = run(3, half)
    same = jax.tree.map(lambda a, b: np.array_equal(a, b), whole, rest)
    yield claim("a run stopped and resumed ends as one never stopped", all(jax.tree.leaves(same)))
    yield claim("its history is the end of the other", np.array_equal(history.step_loss[1:], later.step_loss))
    yield claim("the state handed over stays whole", all(np.all(np.isfinite(x)) for x in jax.tree.leaves(half)))


def _evaluated(seed: int) -> Iterator[Row]:
    dataset, parameters = _dataset(seed), draw(np.random.default_rng(seed), SIZES, "tanh", 1)[1:]
    model = models.mlp(12, 8, 4, activation=activations.tanh, dropout_rate=0.5)
    params = to_params([jnp.array(p) for p in parameters])
    sides = []
    for dtype in (torch.float32, torch.float64):
        net = sequential(SIZES, "tanh").to(dtype)
        with torch.no_grad():
            for p, value in zip(net.parameters(), parameters, strict=True):
                p.copy_(torch.tensor(value))
            logits = net((torch.tensor(dataset.test.inputs).float() / 255).to(dtype))
            labels = torch.tensor(dataset.test.labels).long()
            loss = torch.nn.functional.cross_entropy(logits, labels)
            accuracy = (logits.argmax(1) == labels).to(dtype).mean()
        sides.append([x.numpy() for x in (logits, loss, accuracy)])
    ours = [
        train.predict(model, params, dataset.test.inputs, batch_size=BATCH_SIZE),
        *train.evaluate(model, losses.cross_entropy, params, dataset.test, batch_size=BATCH_SIZE),
    ]
    for name, t, o, j in zip(("outputs", "loss", "accuracy"), *sides, ours, strict=True):
        yield compare_accuracy(f"evaluated: {name}", t, np.array(j), o, np.max(np.abs(o)))


def _dropout_in_training(seed: int) -> Iterator[Row]:
    """A model whose output is its noise, so that the losses show which keys it was given."""

    def apply(params: Any, inputs: Any, *, key: Any = None) -> Any:
        noise = 0.0 if key is None else jax.random.uniform(key)
        return jnp.zeros((len(inputs), 1)) * params["w"] + noise

    dataset = Dataset(*2 * [Batch(np.ones((6, 1), np.float32), np.zeros((6, 1), np.float32))])
    model = Model(lambda key: {"w": jnp.ones(())}, apply)
    _, history = train.fit(
        model, losses.squared_loss, optim.sgd(0.1), dataset, key=jax.random.key(seed), epochs=2, batch_size=2
    )
    yield claim("each step has its own noise", len(np.unique(history.step_loss)) == history.step_loss.size)
    yield claim("there is noise", np.all(history.step_loss > 0))
    yield claim("an evaluation has none", not np.any(history.test_loss))


def _dataset(seed: int) -> Dataset:
    """Images of 3 x 4 random pixels with random labels; training and test set end in a short batch."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (2 * N, 3, 4, 1)).astype(np.uint8)
    labels = rng.integers(0, 4, 2 * N).astype(np.int32)
    return Dataset(Batch(images[:N], labels[:N]), Batch(images[N:], labels[N:]))
