"""Training runs (D2L 3.4, 4.4, 5.2) on the real Fashion-MNIST: identical weights, identical batches, up to ten epochs.

In float64 both run freely, and every loss and the final parameters must agree. In float32 our gradients are taken at
torch's own parameters, step after sampled step: two free runs part at the first relu whose sign differs, for no fault
of either.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional

from jaxd2l import activations, data, losses, models, optim, train
from jaxd2l.parity.rule import DOUBLE, MEANING_BOUND, SINGLE, compare_accuracy, compare_meaning, require
from jaxd2l.parity.suite import error_bounds, layers, named
from jaxd2l.types import Batch, TrainState

BATCH_SIZE = 256
KEY = jax.random.key(0)
SIZES = {"linear": (784, 1), "softmax": (784, 10), "mlp": (784, 256, 10)}
RATES = {"linear": 0.005, "softmax": 0.1, "mlp": 0.1}


@pytest.mark.parametrize("case", named("training"), ids=lambda case: case.name)
def test_small_runs(case):
    require(case.run(0))


def one_and_ten(*runs: tuple[str, ...]) -> list[Any]:
    """Each run over one epoch, and over ten, which takes longer than anybody should wait each time."""
    ten = [pytest.param(*run, 10, marks=(pytest.mark.long, pytest.mark.timeout(600))) for run in runs]
    return [*(pytest.param(*run, 1) for run in runs), *ten]


class TorchRun(NamedTuple):
    """Loss of every step; parameters at sampled steps and at the end; how far each tensor travelled in all."""

    step_loss: np.ndarray
    samples: dict[int, list[np.ndarray]]
    parameters: list[np.ndarray]
    distance: list[float]


def start_parameters(name: str) -> list[np.ndarray]:
    """The book's N(0, 0.01^2) and zeros, torch's way round."""
    rng = np.random.default_rng(0)
    pairs = [
        (0.01 * rng.standard_normal((num_out, num_in)), np.zeros(num_out)) for num_in, num_out in pairwise(SIZES[name])
    ]
    return [np.float32(x) for pair in pairs for x in pair]


def torch_loss(name: str, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    if name == "linear":
        return ((outputs - labels[:, None].to(outputs.dtype)) ** 2 / 2).mean()
    return functional.cross_entropy(outputs, labels)


def our_loss(name: str) -> Any:
    if name == "linear":
        return lambda outputs, labels: losses.squared_loss(outputs, labels[:, None].astype(outputs.dtype))
    return losses.cross_entropy


def our_model(name: str, activation: str) -> Any:
    """Ours, in the precision of its parameters."""
    num_inputs, *num_hiddens, num_outputs = SIZES[name]
    if num_hiddens:
        model = models.mlp(num_inputs, num_hiddens, num_outputs, activation=getattr(activations, activation))
    else:
        model = models.softmax_regression(num_inputs, num_outputs)

    def apply(params: Any, x: Any, *, key: Any = None) -> Any:
        layers_ = params if num_hiddens else params[0]
        return model.apply(layers_, x.astype(params[0]["bias"].dtype), key=key)

    return model._replace(apply=apply)


def torch_run(
    name: str, dataset: Batch, epochs: int, dtype: torch.dtype, activation: str, every: int = 10**9
) -> TorchRun:
    """The book's loop; the batches are those of `data.epoch_indices`."""
    net = layers.sequential(SIZES[name], activation).to(dtype)
    with torch.no_grad():
        for p, start in zip(net.parameters(), start_parameters(name), strict=True):
            p.copy_(torch.tensor(start))
    optimizer = torch.optim.SGD(net.parameters(), lr=RATES[name])
    x = torch.tensor(np.asarray(dataset.inputs)).flatten(1).to(torch.float32).div(255)
    y = torch.tensor(np.asarray(dataset.labels)).long()
    step_loss, samples = [], {}
    distance = [float(p.detach().double().norm()) for p in net.parameters()]
    for epoch in range(epochs):
        for batch in map(torch.tensor, data.epoch_indices(KEY, epoch, len(x), BATCH_SIZE)):
            if len(step_loss) % every == 0:
                samples[len(step_loss)] = [p.detach().numpy().copy() for p in net.parameters()]
            loss = torch_loss(name, net(x[batch].to(dtype)), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step_loss.append(loss.item())
            for i, p in enumerate(net.parameters()):
                distance[i] += RATES[name] * float(p.grad.norm())
    final = [p.detach().numpy().copy() for p in net.parameters()]
    return TorchRun(np.array(step_loss), samples, final, distance)


def our_run(name: str, dataset: Batch, epochs: int, dtype: Any, activation: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """The very epochs that `train.fit` compiles."""
    with jax.enable_x64(dtype == np.float64):
        params = layers.to_params([jnp.array(p, dtype) for p in start_parameters(name)])
        tx = optim.sgd(RATES[name])
        state = TrainState(params, tx.init(params), jnp.zeros((), jnp.int32))
        epoch = jax.jit(train.train_epoch, static_argnames=("model", "loss", "tx", "batch_size"))
        model, loss, batch = our_model(name, activation), our_loss(name), jax.device_put(Batch(*dataset))
        step_loss = []
        for _ in range(epochs):
            state, each = epoch(KEY, state, batch, model=model, loss=loss, tx=tx, batch_size=BATCH_SIZE)
            step_loss.append(np.array(each))
        return np.concatenate(step_loss), layers.from_params(state.params)


@pytest.mark.parametrize(("name", "epochs"), one_and_ten(*((name,) for name in SIZES)))
def test_epochs_in_float64(name, epochs, fashion_mnist, record_property):
    """Free runs: parameters to 8 roundings of the way they travelled, in the Euclidean norm; losses likewise."""
    theirs = torch_run(name, fashion_mnist.train, epochs, torch.float64, "relu")
    step_loss, parameters = our_run(name, fashion_mnist.train, epochs, np.float64, "relu")
    for i, (p, q, distance) in enumerate(zip(theirs.parameters, parameters, theirs.distance, strict=True)):
        error = np.linalg.norm(p - q) / (DOUBLE * distance)
        relative = float(np.linalg.norm(p - q) / np.linalg.norm(p))
        record_property(f"parameter {i} relative error", relative)
        print(f"{name} parameter {i}: {relative:.2e}, {error:.3g} roundings")
        assert error <= MEANING_BOUND
    relative = np.max(np.abs(step_loss - theirs.step_loss) / theirs.step_loss)
    print(f"{name}: {len(step_loss)} losses, largest relative difference {relative:.2e}")
    require([compare_meaning("loss of each step", theirs.step_loss, step_loss, 1 + theirs.step_loss)])


@pytest.mark.parametrize("name", SIZES)
def test_float32_gradients_along_torch_s_run(name, fashion_mnist):
    """Re-synchronised: at each 25th step our gradients are taken at torch's parameters, on torch's batch."""
    theirs = torch_run(name, fashion_mnist.train, 1, torch.float32, "relu", every=25)
    model, loss = our_model(name, "relu"), our_loss(name)
    value_and_grad = jax.jit(jax.value_and_grad(lambda params, x, y: loss(model.apply(params, x), y)))
    batches = data.epoch_indices(KEY, 0, len(fashion_mnist.train.inputs), BATCH_SIZE)
    rows = []
    for step, parameters in theirs.samples.items():
        x = np.float32(fashion_mnist.train.inputs[batches[step]].reshape(-1, 784)) / np.float32(255)
        y = np.asarray(fashion_mnist.train.labels)[batches[step]]
        value, grads = value_and_grad(layers.to_params([jnp.array(p) for p in parameters]), jnp.array(x), jnp.array(y))
        ours = [np.array(value), *layers.from_params(grads)]
        theirs32, oracle = (torch_gradients(name, x, y, parameters, dtype) for dtype in (torch.float32, torch.float64))
        for what, *values, scale in zip(
            ("loss", "weight 1", "bias 1", "weight 2", "bias 2"), theirs32, ours, oracle,
            scales(name, x, y, parameters), strict=False,
        ):  # fmt: skip
            rows.append(compare_accuracy(f"{name} step {step}: gradient of {what}", *values, scale))
    ratios = [row.ratio for row in rows if np.isfinite(row.ratio)]
    print(f"{name}: {len(rows)} rows, error ratio JAX/torch median {np.median(ratios):.3f}, worst {np.max(ratios):.3f}")
    require(rows)


def torch_gradients(
    name: str, x: np.ndarray, y: np.ndarray, parameters: list[np.ndarray], dtype: torch.dtype
) -> list[np.ndarray]:
    net = layers.sequential(SIZES[name], "relu").to(dtype)
    with torch.no_grad():
        for p, value in zip(net.parameters(), parameters, strict=True):
            p.copy_(torch.tensor(value))
    loss = torch_loss(name, net(torch.tensor(x, dtype=dtype)), torch.tensor(y).long())
    loss.backward()
    return [loss.detach().numpy(), *(p.grad.numpy() for p in net.parameters())]


def scales(name: str, x: np.ndarray, y: np.ndarray, parameters: list[np.ndarray]) -> list[Any]:
    """Condition scale of the loss and of each gradient. A unit on its kink may contribute its whole gradient."""
    x, parameters = np.float64(x), [np.float64(p) for p in parameters]
    outputs, error = error_bounds.outputs(x, parameters, "relu")
    if name == "linear":
        loss, g, g_error = error_bounds.squared_loss_gradient(outputs, error, np.float64(y)[:, None])
    else:
        loss, g, g_error = error_bounds.cross_entropy_gradient(outputs, error, y)
    of_parameters = error_bounds.gradients(g, g_error, x, parameters, "relu")[1:]
    for a, a_error in error_bounds.pre_activations(x, parameters, "relu"):
        on_kink = np.abs(a) < SINGLE * a_error
        back = np.abs(g) @ np.abs(parameters[2]) * on_kink / SINGLE
        of_parameters[0] = of_parameters[0] + back.T @ np.abs(x)
        of_parameters[1] = of_parameters[1] + back.sum(0)
    return [loss, *of_parameters]


@pytest.mark.parametrize(("name", "activation", "epochs"), one_and_ten(("softmax", "relu"), ("mlp", "tanh")))
def test_float32_free_run_without_kinks(name, activation, epochs, fashion_mnist):
    """Without relu the free runs stay together: JAX is as far from float64 as torch is, over a whole run."""
    theirs = torch_run(name, fashion_mnist.train, epochs, torch.float32, activation)
    oracle = torch_run(name, fashion_mnist.train, epochs, torch.float64, activation)
    step_loss, parameters = our_run(name, fashion_mnist.train, epochs, np.float32, activation)
    rows = [
        compare_accuracy(
            "loss of each step", np.float32(theirs.step_loss), step_loss, oracle.step_loss, 1 + oracle.step_loss
        )
    ]
    print(f"{name} {activation} losses: torch {rows[0].torch_error:.3g}, JAX {rows[0].jax_error:.3g} roundings")
    for i, (t, j, o, distance) in enumerate(
        zip(theirs.parameters, parameters, oracle.parameters, oracle.distance, strict=True)
    ):
        torch_error, jax_error = (np.linalg.norm(p - o) / (SINGLE * distance) for p in (t, j))
        print(f"{name} {activation} parameter {i}: torch {torch_error:.4g}, JAX {jax_error:.4g} roundings")
        assert jax_error <= 2 * torch_error + 4
    require(rows)
