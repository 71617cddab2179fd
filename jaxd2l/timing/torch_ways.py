"""An epoch in PyTorch: eager, compiled and autocast on data in memory, and the book's way. Needs the extra `parity`."""

import shutil
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import jax
import numpy as np
import optax
import torch

from jaxd2l.data import epoch_indices
from jaxd2l.timing import book_torch
from jaxd2l.timing.cases import ORDER_SEED, WEIGHTS_SEED, Case, Way, model
from jaxd2l.train import create_state

EAGER, COMPILED, AUTOCAST, BOOK = "torch eager", "torch.compile", "torch autocast bfloat16", "the book's way"


def device() -> torch.device:
    """Where torch computes: on the GPU, if JAX does."""
    return torch.device("cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else "cpu")


def ways() -> dict[str, Callable[[Case], Way]]:
    """The ways by name. torch.compile on a CPU needs a C++ compiler, and is left out without."""
    can_compile = device().type == "cuda" or any(map(shutil.which, ("c++", "g++", "clang++")))
    compiled = {COMPILED: partial(_in_memory, compiled=True)} if can_compile else {}
    return {EAGER: _in_memory, **compiled, AUTOCAST: partial(_in_memory, autocast=True), BOOK: _book}


def _network(case: Case) -> tuple[Any, Any, torch.optim.Optimizer]:
    """The book's module with the weights that the JAX ways start from, its loss and its optimizer."""
    net = book_torch.network(case.sizes)
    book_torch.set_params(net, create_state(model(case), optax.sgd(0.0), jax.random.key(WEIGHTS_SEED)).params)
    net.to(device())
    loss = book_torch.half_mse if case.sizes[-1] == 1 else torch.nn.functional.cross_entropy
    return net, loss, torch.optim.SGD(net.parameters(), case.lr)


def _in_memory(case: Case, *, compiled: bool = False, autocast: bool = False) -> Way:
    """Eager steps, or compiled ones (as CUDA graphs on a GPU), on the data as one tensor."""
    examples = book_torch.Tensors(*(t.to(device()) for t in book_torch.in_memory(*case.dataset.train)))
    n = len(examples.labels)

    def runner() -> Callable[[Any], torch.Tensor]:
        net, loss, optimizer = _network(case)
        if compiled:
            net = torch.compile(net, mode="reduce-overhead" if device().type == "cuda" else None)
        context = torch.autocast(device().type, torch.bfloat16) if autocast else nullcontext()

        def in_context(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            with context:
                return loss(x, y)

        def forward(x: torch.Tensor) -> torch.Tensor:
            with context:
                return net(x)

        def run(batches: Any) -> torch.Tensor:
            result, _ = book_torch.train_eager(forward, in_context, optimizer, examples, batches)
            if device().type == "cuda":
                torch.cuda.synchronize()
            return result

        return run

    run = runner()

    def first_losses() -> np.ndarray:
        order = epoch_indices(jax.random.key(ORDER_SEED), 0, n, case.batch_size)
        return runner()([torch.from_numpy(np.array(i)).long() for i in order]).float().cpu().numpy()

    return Way(first_losses, lambda: run(book_torch.random_batches(n, case.batch_size)))


def _book(case: Case) -> Way:
    """The book's loaders and loop, its validation included; losses, as its order is its own, are those of `EAGER`."""
    loaders = quietly(book_torch.book_loaders, case.dataset.train, case.dataset.test, case.batch_size)
    net, loss, optimizer = _network(case)
    net.to("cpu")
    return Way(_in_memory(case).losses, lambda: quietly(book_torch.train_book, net, loss, optimizer, *loaders))


def quietly(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls without the warnings that the book's loaders cause wherever JAX is imported."""
    with warnings.catch_warnings():  # loader processes are forks, and JAX warns of any: these never call it
        warnings.filterwarnings("ignore", message=".*fork.*")
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        return function(*arguments)
