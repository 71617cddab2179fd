"""Whole training runs in miniature (D2L 3.4, 4.4, 5.2): the same weights, the same batches, the last one short."""

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn

from jaxd2l import activations, data, losses, models, optim, train
from jaxd2l.parity.rule import Row, compare_accuracy, compare_meaning
from jaxd2l.parity.suite.comparing import Case
from jaxd2l.parity.suite.error_bounds import cross_entropy_gradient, gradients, outputs, squared_loss_gradient
from jaxd2l.parity.suite.layers import draw, from_params, sequential, to_params
from jaxd2l.parity.suite.optim import majorant
from jaxd2l.types import Batch, Dataset, TrainState

Options = dict[str, Any]
N, BATCH_SIZE, EPOCHS = 100, 32, 3
SIZES = {"linear regression": (6, 1), "softmax regression": (6, 4), "mlp": (6, 12, 4)}
OPTIONS: tuple[Options, ...] = ({}, {"momentum": 0.9, "weight_decay": 0.01})


class Run(NamedTuple):
    """Loss of every step, parameters after the last one, loss over the test set after each epoch."""

    step_loss: np.ndarray
    parameters: list[np.ndarray]
    test_loss: np.ndarray
    scales: Any = None


def cases() -> Iterator[Case]:
    """Each model with plain SGD, and with momentum and decay."""
    for name, options in product(SIZES, OPTIONS):
        label = f"training {name}" + (" momentum" if options else "")
        yield Case(label, partial(_rows, label, name, options))


def _rows(label: str, name: str, options: Options, seed: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    sizes = SIZES[name]
    x, *parameters = draw(rng, sizes, "tanh", 2 * N)
    classes = sizes[-1] > 1
    targets = rng.standard_normal((2 * N, 1)).astype(np.float32)
    y = rng.integers(0, sizes[-1], 2 * N, dtype=np.int32) if classes else targets
    dataset = Dataset(Batch(x[:N], y[:N]), Batch(x[N:], y[N:]))
    key = jax.random.key(seed)
    order = [data.epoch_indices(key, epoch, N, BATCH_SIZE) for epoch in range(EPOCHS)]

    theirs, oracle = (
        _torch_run(sizes, parameters, dataset, order, options, dtype) for dtype in (torch.float32, torch.float64)
    )
    ours32, history = _fit(name, parameters, dataset, key, options)
    ours64 = _float64_run(name, parameters, dataset, key, options)
    loss_scale, parameter_scales = oracle.scales
    quantities = {
        "loss of each step": (theirs.step_loss, ours32.step_loss, oracle.step_loss, ours64.step_loss, loss_scale)
    }
    for i, scale in enumerate(parameter_scales):
        values = (run.parameters[i] for run in (theirs, ours32, oracle, ours64))
        quantities[f"final parameter {i}"] = (*values, scale)
    rows = []
    for what, (t32, j32, t64, j64, scale) in quantities.items():
        rows.append(compare_accuracy(f"{label}: {what}", t32, j32, t64, scale))
        rows.append(compare_meaning(f"{label}: {what}", t64, j64, scale))
    counts = [[len(batch) for batch in epoch] for epoch in order]
    means = [np.average(run.step_loss.reshape(EPOCHS, -1), axis=1, weights=counts[0]) for run in (theirs, oracle)]
    loss_scale = loss_scale.reshape(EPOCHS, -1).max(1)
    rows.append(
        compare_accuracy(f"{label}: training loss", np.float32(means[0]), history.train_loss, means[1], loss_scale)
    )
    rows.append(
        compare_accuracy(f"{label}: test loss", theirs.test_loss, ours32.test_loss, oracle.test_loss, 2 * loss_scale)
    )
    return rows


def _torch_run(
    sizes: tuple[int, ...],
    parameters: list[np.ndarray],
    dataset: Dataset,
    order: list[list[np.ndarray]],
    options: Options,
    dtype: torch.dtype,
) -> Run:
    """The book's training loop, and how far its roundings may carry."""
    net = sequential(sizes, "tanh").to(dtype)
    with torch.no_grad():
        for p, start in zip(net.parameters(), parameters, strict=True):
            p.copy_(torch.tensor(start))
    loss_function = nn.CrossEntropyLoss() if sizes[-1] > 1 else lambda y_hat, y: ((y_hat - y) ** 2 / 2).mean()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, **options)
    (x, y), (x_test, y_test) = (_tensors(batch, dtype) for batch in dataset[:2])
    step_loss, test_loss, path, slopes, loss_scales = [], [], [], [], []
    for epoch in order:
        for batch in map(torch.tensor, epoch):
            path.append([p.detach().numpy().astype(np.float64) for p in net.parameters()])
            loss_scale, slope = _step_scales(x[batch].numpy(), y[batch].numpy(), path[-1])
            loss_scales.append(loss_scale)
            slopes.append(slope)
            loss = loss_function(net(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step_loss.append(loss.item())
        with torch.no_grad():
            test_loss.append(loss_function(net(x_test), y_test).item())
    rates = np.full(len(path), 0.1)
    bounds = [
        majorant(start, np.stack(slope), rates, options)
        for start, slope in zip(path[0], zip(*slopes, strict=True), strict=True)
    ]
    # A loss inherits the errors of the parameters through its gradient.
    inherited = [
        sum(np.sum(g * bound[t]) for g, bound in zip(slope, bounds, strict=True)) for t, slope in enumerate(slopes)
    ]
    losses_ = np.array(step_loss, np.float32 if dtype == torch.float32 else np.float64)
    final = [p.detach().numpy().copy() for p in net.parameters()]
    scales = (np.array(loss_scales) + inherited, [bound[-1] for bound in bounds])
    return Run(losses_, final, np.array(test_loss, losses_.dtype), scales)


def _tensors(batch: Batch, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = (torch.tensor(np.asarray(values)) for values in batch)
    return x.to(dtype), y.to(dtype) if y.is_floating_point() else y.long()


def _step_scales(x: np.ndarray, y: np.ndarray, parameters: list[np.ndarray]) -> tuple[float, list[np.ndarray]]:
    """Condition scale of a batch's loss and of the gradient of each parameter."""
    x = x.astype(np.float64)
    predicted, error = outputs(x, parameters, "tanh")
    start = cross_entropy_gradient if predicted.shape[-1] > 1 else squared_loss_gradient
    loss_scale, g, g_error = start(predicted, error, y)
    return loss_scale, gradients(g, g_error, x, parameters, "tanh")[1:]


def _ours(name: str, parameters: list[Any], options: Options) -> tuple[Any, Any, Any, TrainState]:
    num_inputs, *num_hiddens, num_outputs = SIZES[name]
    params = to_params(parameters)
    loss: Any = losses.cross_entropy
    if num_hiddens:
        model = models.mlp(num_inputs, num_hiddens, num_outputs, activation=activations.tanh)
    else:
        (params,) = params
        model = models.softmax_regression(num_inputs, num_outputs)
    if num_outputs == 1:
        model, loss = models.linear_regression(num_inputs), losses.squared_loss
    tx = optim.sgd(0.1, **options)
    return model, loss, tx, TrainState(params, tx.init(params), jnp.zeros((), jnp.int32))


def _fit(
    name: str, parameters: list[np.ndarray], dataset: Dataset, key: jax.Array, options: Options
) -> tuple[Run, Any]:
    model, loss, tx, state = _ours(name, [jnp.array(p) for p in parameters], options)
    state, history = train.fit(model, loss, tx, dataset, key=key, epochs=EPOCHS, batch_size=BATCH_SIZE, state=state)
    return Run(history.step_loss.ravel(), _listed(state.params), history.test_loss), history


def _float64_run(name: str, parameters: list[np.ndarray], dataset: Dataset, key: jax.Array, options: Options) -> Run:
    """The epochs that `fit` runs, in float64; the history of `fit` itself is float32."""
    with jax.enable_x64(True):
        model, loss, tx, state = _ours(name, [jnp.array(p, np.float64) for p in parameters], options)
        x, y = dataset.train
        batch = Batch(jnp.array(x, np.float64), jnp.array(y, y.dtype if y.dtype == np.int32 else np.float64))
        epoch = jax.jit(train.train_epoch, static_argnames=("model", "loss", "tx", "batch_size"))
        step_loss = []
        for _ in range(EPOCHS):
            state, epoch_loss = epoch(key, state, batch, model=model, loss=loss, tx=tx, batch_size=BATCH_SIZE)
            step_loss.append(np.array(epoch_loss))
        return Run(np.concatenate(step_loss), _listed(state.params), np.empty(0))


def _listed(params: Any) -> list[np.ndarray]:
    return from_params((params,) if isinstance(params, dict) else params)
