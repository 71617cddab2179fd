"""Training loops in PyTorch: eager steps on data in memory, and the book's, with its loaders. D2L 3.2-3.4, 4.2-4.4.

The book's loop is written as the book writes it, without its plotting. Needs `pip install jaxd2l[parity]`.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

Forward = Callable[[Tensor], Tensor]
Criterion = Callable[[Tensor, Tensor], Tensor]


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


def train_step(net: Forward, loss: Criterion, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> Tensor:
    """One eager step of minibatch SGD; returns the loss before the update."""
    optimizer.zero_grad()
    value = loss(net(x), y)
    value.backward()
    optimizer.step()
    return value.detach()


def train_eager(
    net: Forward,
    loss: Criterion,
    optimizer: torch.optim.Optimizer,
    train: Tensors,
    batches: Iterable[Tensor],
) -> Tensor:
    """One epoch of eager torch at its best: the data is one tensor in memory.

    Args:
      net: what to train, in place.
      loss: mean loss of a batch.
      optimizer: of `net.parameters()`.
      train: the training set.
      batches: indices of each step's examples: `random_batches(n, batch_size)`, or those of jaxd2l.

    Returns:
      The loss of every step.
    """
    return torch.stack([train_step(net, loss, optimizer, train.inputs[i], train.labels[i]) for i in batches])


def evaluate(net: Forward, loss: Criterion, test: Tensors, batch_size: int = 1000) -> tuple[float, float]:
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
    """The book's loaders for training and validation. Only images are loaded by `num_workers` processes (4.2.2)."""
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
    net: nn.Module, loss: Criterion, optimizer: torch.optim.Optimizer, train_loader: DataLoader, test_loader: DataLoader
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
