"""The book's models and training loops in PyTorch, to time and to compare with. D2L 3.2-3.5, 4.2-4.5, 5.2.

The classes and loops are written as the book writes them, without its plotting. Needs `pip install jaxd2l[parity]`.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from jaxd2l.parity.bridge import to_torch

Loss = Callable[[Tensor, Tensor], Tensor]
Network = Callable[[Tensor], Tensor]


class LinearRegression(nn.Module):
    """D2L 3.5.1; with the book's N(0, 0.01^2) and zero bias."""

    def __init__(self, num_inputs: int) -> None:
        super().__init__()
        self.net = nn.Linear(num_inputs, 1)
        draw_as_the_book(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class SoftmaxRegression(nn.Module):
    """D2L 4.5.1; with the weights of 4.4.2."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(num_inputs, num_outputs))
        draw_as_the_book(self)

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
        draw_as_the_book(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def network(sizes: tuple[int, ...]) -> nn.Module:
    """The book's class for these units from inputs to outputs."""
    if len(sizes) > 2:
        return MLP(*sizes)
    return LinearRegression(sizes[0]) if sizes[1] == 1 else SoftmaxRegression(*sizes)


def draw_as_the_book(net: nn.Module, sigma: float = 0.01) -> None:
    """Weights ~ N(0, sigma^2), biases 0."""
    for layer in linear_layers(net):
        nn.init.normal_(layer.weight, std=sigma)
        nn.init.zeros_(layer.bias)


def linear_layers(net: nn.Module) -> list[nn.Linear]:
    """The fully connected layers, from inputs to outputs."""
    return [module for module in net.modules() if isinstance(module, nn.Linear)]


def load_params(net: nn.Module, params: Any) -> None:
    """Copies a jaxd2l model's parameters into `net`: one `{"kernel", "bias"}` per layer, or a tuple of them."""
    names = [name for name, module in net.named_modules() if isinstance(module, nn.Linear)]
    layers = [""] if isinstance(params, dict) else [f"{i}." for i in range(len(params))]
    # By order: of equal, square layers no shape tells which is which.
    weights: dict[str, Any] = {}
    for name, layer in zip(names, layers, strict=True):
        weights |= {f"{name}.weight": (f"{layer}kernel", "transpose"), f"{name}.bias": f"{layer}bias"}
    net.load_state_dict(to_torch(params, net.state_dict(), weights))


def half_mse(predictions: Tensor, targets: Tensor) -> Tensor:
    """The squared loss of D2L 3.4.2, with its 1/2."""
    return nn.functional.mse_loss(predictions, targets) / 2


class Tensors(NamedTuple):
    """A set of examples in memory. inputs: float32 (n, ...); labels: int64 (n,) or float32 (n, 1)."""

    inputs: Tensor
    labels: Tensor


def in_memory(inputs: ArrayLike, labels: ArrayLike) -> Tensors:
    """A set as two tensors: images as (n, channels, height, width) floats in [0, 1], classes as int64."""
    x = torch.from_numpy(np.array(inputs))
    if x.dtype == torch.uint8:
        x = x.permute(0, 3, 1, 2).contiguous().float().div(255)
    y = torch.from_numpy(np.array(labels))
    return Tensors(x, y if y.is_floating_point() else y.long())


def random_batches(n: int, batch_size: int) -> tuple[Tensor, ...]:
    """The indices of each batch of one epoch, in a fresh random order."""
    return torch.randperm(n).split(batch_size)


def train_step(net: Network, loss: Loss, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> Tensor:
    """One eager step of minibatch SGD; returns the loss before the update."""
    optimizer.zero_grad()
    value = loss(net(x), y)
    value.backward()
    optimizer.step()
    return value.detach()


def train_eager(
    net: Network,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    train: Tensors,
    batches: Iterable[Tensor],
    test: Tensors | None = None,
) -> tuple[Tensor, tuple[float, float] | None]:
    """One epoch of eager torch at its best: the data is one tensor in memory.

    Args:
      net: what to train, in place.
      loss: mean loss of a batch.
      optimizer: of `net.parameters()`.
      train: the training set.
      batches: indices of each step's examples: `random_batches(n, batch_size)`, or those of jaxd2l.
      test: if given, evaluated after the epoch.

    Returns:
      The loss of every step, and `evaluate`'s result.
    """
    losses = [train_step(net, loss, optimizer, train.inputs[i], train.labels[i]) for i in batches]
    return torch.stack(losses), None if test is None else evaluate(net, loss, test)


def evaluate(net: Network, loss: Loss, test: Tensors, batch_size: int = 1000) -> tuple[float, float]:
    """Loss and accuracy over a whole set (accuracy NaN for regression)."""
    with torch.no_grad():
        outputs = torch.cat([net(x) for x in test.inputs.split(batch_size)])
        accuracy = torch.nan if test.labels.is_floating_point() else (outputs.argmax(1) == test.labels).float().mean()
        return float(loss(outputs, test.labels)), float(accuracy)


class ImageFiles(Dataset):
    """What `torchvision.datasets.FashionMNIST(transform=Compose([Resize((28, 28)), ToTensor()]))` does per example."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, resize: tuple[int, int] = (28, 28)) -> None:
        self.data = torch.from_numpy(np.array(images[..., 0]))
        self.targets = torch.from_numpy(np.array(labels)).long()
        self.resize = resize

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.data[index].numpy())
        image = image.resize(self.resize[::-1], Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(image, np.uint8, copy=True))[..., None]
        return pixels.permute(2, 0, 1).contiguous().float().div(255), int(self.targets[index])


def book_loaders(
    train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], batch_size: int, num_workers: int = 4
) -> tuple[DataLoader, DataLoader]:
    """The book's loaders for training and validation: images by `num_workers` processes (4.2.2), others by none."""
    if np.asarray(train[0]).dtype == np.uint8:
        sets: list[Dataset] = [ImageFiles(*train), ImageFiles(*test)]
        options: dict[str, Any] = {"num_workers": num_workers, "timeout": 120}
    else:
        sets, options = [TensorDataset(*in_memory(*train)), TensorDataset(*in_memory(*test))], {}
    train_set, test_set = sets
    return (
        DataLoader(train_set, batch_size, shuffle=True, **options),
        DataLoader(test_set, batch_size, shuffle=False, **options),
    )


def train_book(
    net: nn.Module, loss: Loss, optimizer: torch.optim.Optimizer, train_loader: DataLoader, test_loader: DataLoader
) -> tuple[Tensor, tuple[float, float]]:
    """One epoch as the book's `Trainer.fit_epoch` (3.2.4, 3.4.5): steps from a loader, then the validation set.

    Returns:
      The loss of every step, and the mean over the validation batches of loss and accuracy (NaN for regression).
    """
    net.train()
    losses = [train_step(net, loss, optimizer, x, y) for x, y in train_loader]
    net.eval()
    scores = []
    with torch.no_grad():
        for x, y in test_loader:
            outputs = net(x)
            accuracy = torch.nan if y.is_floating_point() else float((outputs.argmax(1) == y).float().mean())
            scores.append((float(loss(outputs, y)), accuracy))
    test_loss, test_accuracy = np.mean(scores, axis=0)
    return torch.stack(losses), (float(test_loss), float(test_accuracy))
