"""Tensor operations in which the libraries differ by default, for the defects planted in them."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxd2l import tensors
from jaxd2l.parity.rule import Row, compare_accuracy
from jaxd2l.parity.suite.pairs import Case

PAIRS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "var": (torch.var, tensors.var),
    "std": (torch.std, tensors.std),
    "median": (lambda x: x.median(), tensors.median),
    "norm": (torch.linalg.vector_norm, tensors.norm),
    "norm p=1": (lambda x: torch.linalg.vector_norm(x, 1), lambda x: tensors.norm(x, 1)),
    "at": (lambda x: x[torch.tensor([2, 0])], lambda x: tensors.at(x, jnp.array([2, 0]))),
}
"""A function of one array in torch and ours, looked up when a case runs."""


def cases() -> Iterator[Case]:
    """Values, and gradients at a random point and at 0; then indices out of bounds."""
    for name in PAIRS:
        yield Case(f"tensors {name}", functools.partial(_rows, name))


def _rows(name: str, seed: int) -> list[Row]:
    theirs, ours = PAIRS[name]
    x = np.random.default_rng(seed).standard_normal(10).astype(np.float32)
    rows = []
    for where, at in (("a random point", x), ("0", np.zeros_like(x))):
        value = [np.asarray(theirs(torch.tensor(at, dtype=dtype))) for dtype in (torch.float32, torch.float64)]
        rows.append(
            compare_accuracy(f"{name} at {where}", value[0], np.array(ours(jnp.array(at))), value[1], 1 + at @ at)
        )
        if name == "median":  # torch takes one of several equal numbers, we the first in order
            continue
        slope = [
            torch.func.grad(lambda x: theirs(x).sum())(torch.tensor(at, dtype=dtype)).numpy()
            for dtype in (torch.float32, torch.float64)
        ]
        gradient = np.array(jax.grad(lambda x: ours(x).sum())(jnp.array(at)))
        rows.append(compare_accuracy(f"{name}' at {where}", slope[0], gradient, slope[1], 1 + np.abs(at)))
    return rows
