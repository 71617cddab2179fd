"""Torch's half of the benchmark: epochs, products and sums that `jaxd2l.bench` times beside JAX's.

Everything takes and gives plain values, so that no other room needs torch. On the GPU, if JAX computes there.
"""

import shutil
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

import jax
import numpy as np
import torch
from numpy.typing import ArrayLike

from jaxd2l.bench import book_torch
from jaxd2l.parity.bridge import to_tensor


def device() -> torch.device:
    """Where torch computes: on the GPU, if JAX does."""
    return torch.device("cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else "cpu")


def can_compile() -> bool:
    """Whether `torch.compile` works: on a CPU it needs a C++ compiler."""
    return device().type == "cuda" or any(map(shutil.which, ("c++", "g++", "clang++")))


def training(
    sizes: tuple[int, ...], params: Any, lr: float
) -> tuple[torch.nn.Module, book_torch.Loss, torch.optim.Optimizer]:
    """The book's module with these weights, its loss and its optimizer."""
    net = book_torch.network(sizes)
    book_torch.load_params(net, params)
    net.to(device())
    loss = book_torch.half_mse if sizes[-1] == 1 else torch.nn.functional.cross_entropy
    return net, loss, torch.optim.SGD(net.parameters(), lr)


def epochs(
    sizes: tuple[int, ...],
    params: Any,
    lr: float,
    train: tuple[ArrayLike, ArrayLike],
    *,
    compiled: bool = False,
    autocast: bool = False,
) -> Callable[[Iterable[torch.Tensor]], torch.Tensor]:
    """A function that runs an epoch over these batches of indices to its very end, and returns the loss of every step.

    Eager steps, or compiled ones (as CUDA graphs on a GPU), on the data as one tensor.
    """
    examples = book_torch.Tensors(*(t.to(device()) for t in book_torch.in_memory(*train)))
    net, loss, optimizer = training(sizes, params, lr)
    run_net: book_torch.Network = net
    if compiled:
        run_net = torch.compile(net, mode="reduce-overhead" if device().type == "cuda" else None)
    context = torch.autocast(device().type, torch.bfloat16) if autocast else nullcontext()

    def in_context(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        with context:
            return loss(x, y)

    def forward(x: torch.Tensor) -> torch.Tensor:
        with context:
            return run_net(x)

    def run(batches: Iterable[torch.Tensor]) -> torch.Tensor:
        step_losses, _ = book_torch.train_eager(forward, in_context, optimizer, examples, batches)
        _wait()
        return step_losses

    return run


def first_losses(run: Callable[[Iterable[torch.Tensor]], torch.Tensor], order: Iterable[np.ndarray]) -> np.ndarray:
    """What such a function returns for these indices, as NumPy."""
    return run([to_tensor(indices).long() for indices in order]).float().cpu().numpy()


def product(shape: tuple[int, int, int], precision: str) -> Callable[[], None]:
    """A function that multiplies matrices of ones: (rows, summed over, columns)."""
    rows, inner, columns = shape
    dtype = getattr(torch, precision)
    a, b = (torch.ones(size, dtype=dtype, device=device()) for size in ((rows, inner), (inner, columns)))

    def multiply() -> None:
        torch.matmul(a, b)
        _wait()

    return multiply


def additions(n: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """Functions that add two vectors of n ones: element by element, and at once. D2L 3.1.2."""
    x, y = torch.ones(n), torch.ones(n)

    def loop() -> None:
        c = torch.zeros(n)
        for i in range(n):
            c[i] = x[i] + y[i]

    return loop, lambda: x + y


def _wait() -> None:
    if device().type == "cuda":
        torch.cuda.synchronize()
