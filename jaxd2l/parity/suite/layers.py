"""The fully connected layer, and perceptrons of it (D2L 3.4, 4.4, 5.1, 5.2, 5.6), from scratch and in Flax."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import jax
import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from jaxd2l import activations, models
from jaxd2l.parity.rule import SINGLE
from jaxd2l.parity.suite.activations import ELEMENTWISE
from jaxd2l.parity.suite.comparing import Case, FunctionPair, case
from jaxd2l.parity.suite.error_bounds import perceptron_scale, pre_activations

ACTIVATIONS = ("relu", "sigmoid", "tanh", "leaky_relu", "gelu", "swish")
Draw = Callable[[np.random.Generator], Sequence[np.ndarray]]


def cases() -> Iterator[Case]:
    """Single layers, then one to three hidden layers with each activation."""
    for num_in, num_out in ((4, 1), (13, 10)):
        single = (num_in, num_out)
        yield case(f"linear {num_in}-{num_out}", perceptron(single), _draw(single))
        yield case(f"flax linear {num_in}-{num_out}", perceptron(single, flax=True), _draw(single))
    yield case("linear_regression", linear_regression(4), _draw((4, 1)))
    for activation in ACTIVATIONS:
        for depth in (1, 2, 3):
            sizes = (12, *(16, 10, 8)[:depth], 5)
            yield case(f"mlp {activation} depth={depth}", perceptron(sizes, activation), _draw(sizes, activation))
        yield case(f"flax mlp {activation}", perceptron(sizes, activation, flax=True), _draw(sizes, activation))


def perceptron(sizes: Sequence[int], activation: str = "relu", *, flax: bool = False) -> FunctionPair:
    """`nn.Sequential` of linear layers with an activation between; inputs x, weight and bias of each layer.

    torch keeps a weight as (out, in), we as (in, out).
    """
    net = sequential(sizes, activation)
    names = [name for name, _ in net.named_parameters()]
    make = _flax_model if flax else _model

    def ours(x: jax.Array, *parameters: jax.Array) -> jax.Array:
        return make(sizes, activation).apply(to_params(parameters, flax=flax), x)

    return FunctionPair(
        lambda x, *parameters: functional_call(net, dict(zip(names, parameters, strict=True)), x),
        ours,
        lambda c, x, *parameters: perceptron_scale(c, x, parameters, activation),
        ("x", *names),
    )


def linear_regression(num_inputs: int) -> FunctionPair:
    """The book's `X @ w + b`."""
    return perceptron((num_inputs, 1))._replace(
        torch=lambda x, weight, bias: x @ weight.T + bias,
        jax=lambda x, *parameters: models.linear_regression(num_inputs).apply(to_params(parameters)[0], x),
    )


def sequential(sizes: Sequence[int], activation: str = "relu") -> nn.Sequential:
    """The book's concise perceptron."""
    layers: list[nn.Module] = []
    for num_in, num_out in pairwise(sizes):
        layers += [nn.Linear(num_in, num_out), _Elementwise(activation)]
    return nn.Sequential(nn.Flatten(), *layers[:-1])


class _Elementwise(nn.Module):
    """An activation as the module that `nn.Sequential` wants."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ELEMENTWISE[self.name].torch(x)


def to_params(parameters: Sequence[Any], *, flax: bool = False) -> Any:
    """Weights and biases as torch lists them, as our parameters."""
    layers = tuple(
        {"kernel": weight.T, "bias": bias} for weight, bias in zip(parameters[::2], parameters[1::2], strict=True)
    )
    return {"layers": dict(enumerate(layers))} if flax else layers


def from_params(params: Any) -> list[np.ndarray]:
    """Our parameters (or gradients), as torch lists them."""
    layers = params["layers"].values() if "layers" in params else params
    return [np.array(x) for layer in layers for x in (layer["kernel"].T, layer["bias"])]


def _model(sizes: Sequence[int], activation: str) -> Any:
    num_inputs, *num_hiddens, num_outputs = sizes
    if not num_hiddens:
        model = models.softmax_regression(num_inputs, num_outputs)
        return model._replace(apply=lambda params, x, *, key=None: model.apply(params[0], x, key=key))
    return models.mlp(num_inputs, num_hiddens, num_outputs, activation=getattr(activations, activation))


def _flax_model(sizes: Sequence[int], activation: str) -> Any:
    num_inputs, *num_hiddens, num_outputs = sizes
    if not num_hiddens:
        return models.flax_softmax_regression(num_inputs, num_outputs)
    return models.flax_mlp(num_inputs, num_hiddens, num_outputs, activation=getattr(activations, activation))


def _draw(sizes: Sequence[int], activation: str = "relu", n: int = 16) -> Draw:
    return lambda rng: draw(rng, sizes, activation, n)


def draw(rng: np.random.Generator, sizes: Sequence[int], activation: str, n: int) -> list[np.ndarray]:
    """Inputs and parameters of ordinary size, as float32.

    Examples that bring a unit within rounding errors of a kink are left out: there, the last bit decides which slope
    holds, in either library.
    """
    parameters = []
    for num_in, num_out in pairwise(sizes):
        parameters.append((rng.standard_normal((num_out, num_in)) / np.sqrt(num_in)).astype(np.float32))
        parameters.append((rng.standard_normal(num_out) / 2).astype(np.float32))
    x = rng.standard_normal((2 * n, sizes[0])).astype(np.float32)
    clear = np.ones(2 * n, bool)
    for value, error in pre_activations(x.astype(np.float64), [p.astype(np.float64) for p in parameters], activation):
        clear &= np.all(np.abs(value) > 64 * SINGLE * error, axis=-1)
    return [x[clear][:n], *parameters]
