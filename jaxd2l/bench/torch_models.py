"""The book's models in PyTorch, with the weights of ours. D2L 3.5, 4.5, 5.2. Needs `pip install jaxd2l[parity]`."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from jaxd2l._files import named_leaves
from jaxd2l.bench.cases import RESNET, Network
from jaxd2l.bench.torch_networks import LeNet, ResNet
from jaxd2l.parity.bridge import to_torch
from jaxd2l.train.checkpoint._torch_networks import network_state_dict
from jaxd2l.types import TrainState


class LinearRegression(nn.Module):
    """D2L 3.5.1; with the book's N(0, 0.01^2) and zero bias."""

    def __init__(self, num_inputs: int) -> None:
        super().__init__()
        self.net = nn.Linear(num_inputs, 1)
        _draw_as_the_book(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class SoftmaxRegression(nn.Module):
    """D2L 4.5.1; with the weights of 4.4.2."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(num_inputs, num_outputs))
        _draw_as_the_book(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class MLP(nn.Module):
    """D2L 5.2.2, with any number of hidden layers; with the weights of 5.2.1."""

    def __init__(self, num_inputs: int, *others: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten(), nn.Linear(num_inputs, others[0])]
        for i in range(1, len(others)):
            layers += [nn.ReLU(), nn.Linear(others[i - 1], others[i])]
        self.net = nn.Sequential(*layers)
        _draw_as_the_book(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def books_module(sizes: tuple[int, ...]) -> nn.Module:
    """The book's class for these units from inputs to outputs."""
    if len(sizes) > 2:
        return MLP(*sizes)
    return LinearRegression(sizes[0]) if sizes[1] == 1 else SoftmaxRegression(*sizes)


def books_network(network: Network, image: tuple[int, ...], state: TrainState) -> nn.Module:
    """The book's class with the parameters and running averages of a state."""
    return load_network(LeNet() if network == "lenet" else ResNet(RESNET), image, state)


def load_network(net: LeNet | ResNet, image: tuple[int, ...], state: TrainState) -> nn.Module:
    """Copies the parameters and running averages of a state into a network for such images; ready to be trained."""
    height, width, channels = image
    net.eval()(torch.zeros(1, channels, height, width))  # gives the lazy layers their shapes
    arrays = named_leaves({"params": state.params, "state": state.model_state})
    kind = "lenet" if isinstance(net, LeNet) else "resnet18"
    names = network_state_dict(kind, {n: np.asarray(x) for n, x in arrays.items()})
    net.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in names.items()})
    return net.train()


def load_params(net: nn.Module, params: Any) -> None:
    """Copies a jaxd2l model's parameters into `net`: one `{"kernel", "bias"}`, or a tuple of them, one per layer."""
    names = [name for name, module in net.named_modules() if isinstance(module, nn.Linear)]
    layers = [""] if isinstance(params, dict) else [f"{i}." for i in range(len(params))]
    # Paired by order, since several layers may have the same shape.
    weights: dict[str, Any] = {}
    for name, layer in zip(names, layers, strict=True):
        weights |= {f"{name}.weight": (f"{layer}kernel", "transpose"), f"{name}.bias": f"{layer}bias"}
    net.load_state_dict(to_torch(params, net.state_dict(), weights=weights))


def _draw_as_the_book(net: nn.Module) -> None:
    """Weights ~ N(0, 0.01^2), biases 0."""
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
