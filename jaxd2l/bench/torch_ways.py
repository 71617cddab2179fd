"""An epoch in PyTorch: eager, compiled and autocast on data in memory, and the book's way. Needs the extra `parity`."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
import optax

from jaxd2l.bench import book_torch
from jaxd2l.bench import torch_work as torch_timing
from jaxd2l.bench.cases import ORDER_SEED, WEIGHTS_SEED, Case, Way, model
from jaxd2l.data import epoch_indices
from jaxd2l.train import create_state

EAGER, COMPILED, AUTOCAST, BOOK = "torch eager", "torch.compile", "torch autocast bfloat16", "the book's way"


def ways() -> dict[str, Callable[[Case], Way]]:
    """The ways by name. torch.compile on a CPU needs a C++ compiler, and is left out without."""
    compiled = {COMPILED: partial(_in_memory, compiled=True)} if torch_timing.can_compile() else {}
    return {EAGER: _in_memory, **compiled, AUTOCAST: partial(_in_memory, autocast=True), BOOK: _book}


def _params(case: Case) -> Any:
    """The weights that the JAX ways start from."""
    return create_state(jax.random.key(WEIGHTS_SEED), model(case), optax.sgd(0.0)).params


def _in_memory(case: Case, *, compiled: bool = False, autocast: bool = False) -> Way:
    n = len(case.dataset.train.labels)
    start = partial(
        torch_timing.epochs,
        case.sizes, _params(case), case.lr, case.dataset.train, compiled=compiled, autocast=autocast,
    )  # fmt: skip
    run = start()

    def first_losses() -> np.ndarray:
        return torch_timing.first_losses(start(), epoch_indices(jax.random.key(ORDER_SEED), 0, n, case.batch_size))

    return Way(first_losses, lambda: run(book_torch.random_batches(n, case.batch_size)))


def _book(case: Case) -> Way:
    """The book's loaders and loop, its validation included; losses, as its order is its own, are those of `EAGER`."""
    loaders = quietly(book_torch.book_loaders, case.dataset.train, case.dataset.test, case.batch_size)
    net, loss, optimizer = torch_timing.training(case.sizes, _params(case), case.lr)
    net.to("cpu")
    return Way(_in_memory(case).losses, lambda: quietly(book_torch.train_book, net, loss, optimizer, *loaders))


def quietly(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls without the warnings that the book's loaders cause wherever JAX is imported."""
    with warnings.catch_warnings():  # loader processes are forks, and JAX warns of any: these never call it
        warnings.filterwarnings("ignore", message=".*fork.*")
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        return function(*arguments)
