"""An epoch in PyTorch: eager, compiled or autocast on data in memory, and the book's way. Needs the extra `parity`.

Torch computes on the GPU if JAX does.
"""

import shutil
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

import jax
import numpy as np
import optax
import torch

from jaxd2l.bench import torch_loops, torch_models
from jaxd2l.bench.cases import ORDER_SEED, WEIGHTS_SEED, Case, Loop, model
from jaxd2l.data import epoch_indices
from jaxd2l.parity.bridge import to_tensor
from jaxd2l.train import create_state


def in_memory(case: Case, *, compiled: bool = False, autocast: bool = False) -> Loop:
    """Eager steps, or compiled ones (as CUDA graphs on a GPU), on the data as one tensor."""
    n = len(case.dataset.train.labels)
    run = _epoch(case, compiled=compiled, autocast=autocast)

    def first_losses() -> np.ndarray:
        order = epoch_indices(jax.random.key(ORDER_SEED), 0, n, case.batch_size)
        batches = [to_tensor(indices).long() for indices in order]
        return _epoch(case, compiled=compiled, autocast=autocast)(batches).float().cpu().numpy()

    return Loop(first_losses, lambda: run(torch_loops.random_batches(n, case.batch_size)))


def as_the_book(case: Case) -> Loop:
    """The book's loaders and loop, its validation included. Its order is its own; so the first losses are eager's."""
    loaders = quietly(torch_loops.book_loaders, case.dataset.train, case.dataset.test, case.batch_size)
    net, loss, optimizer = _training(case, torch.device("cpu"))
    return Loop(in_memory(case).first_losses, lambda: quietly(torch_loops.train_book, net, loss, optimizer, *loaders))


def quietly(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls without the warnings that the book's loaders cause wherever JAX is imported."""
    with warnings.catch_warnings():  # loader processes are forks, and JAX warns of any: these never call it
        warnings.filterwarnings("ignore", message=".*fork.*")
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        return function(*arguments)


def device() -> torch.device:
    """Where torch computes: on the GPU if JAX does."""
    return torch.device("cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else "cpu")


def can_compile() -> bool:
    """Whether `torch.compile` works: on a CPU it needs a C++ compiler."""
    return device().type == "cuda" or any(map(shutil.which, ("c++", "g++", "clang++")))


def wait() -> None:
    """Returns when the GPU, if torch computes there, has done all it was given."""
    if device().type == "cuda":
        torch.cuda.synchronize()


def _training(case: Case, on: torch.device) -> tuple[torch.nn.Module, torch_loops.Criterion, torch.optim.Optimizer]:
    """The book's module with the weights that the JAX ways start from, its loss and its optimizer."""
    state = create_state(jax.random.key(WEIGHTS_SEED), model(case), optax.sgd(0.0))
    if case.network:
        net = torch_models.books_network(case.network, case.dataset.train.inputs.shape[1:], state)
    else:
        net = torch_models.books_module(case.sizes)
        torch_models.load_params(net, state.params)
    loss = torch_loops.half_mse if case.sizes[-1] == 1 else torch.nn.functional.cross_entropy
    return net.to(on), loss, torch.optim.SGD(net.parameters(), case.lr)


def _epoch(case: Case, *, compiled: bool, autocast: bool) -> Callable[[Iterable[torch.Tensor]], torch.Tensor]:
    """A function that runs an epoch over these batches of indices to its very end, and returns every step's loss."""
    examples = torch_loops.Tensors(*(t.to(device()) for t in torch_loops.in_memory(*case.dataset.train)))
    net, loss, optimizer = _training(case, device())
    run_net: torch_loops.Forward = net
    if compiled:
        run_net = torch.compile(net, mode="reduce-overhead" if device().type == "cuda" else None)
    context = torch.autocast(device().type, torch.bfloat16) if autocast else nullcontext()

    def loss_in_context(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with context:
            return loss(outputs, labels)

    def forward(x: torch.Tensor) -> torch.Tensor:
        with context:
            return run_net(x)

    def run(batches: Iterable[torch.Tensor]) -> torch.Tensor:
        step_losses = torch_loops.train_eager(forward, loss_in_context, optimizer, examples, batches)
        wait()
        return step_losses

    return run
