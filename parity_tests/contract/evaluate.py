"""Runs the source texts of the contract, and shows their values."""

import ast
import inspect
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from flax import linen

from jaxd2l import activations, data, initializers, losses, models, optim, schedules
from jaxd2l.book import tensors
from jaxd2l.models import layers


def torch_steps(name: str, **options: Any) -> torch.Tensor:
    """Where three steps of the optimiser of `torch.optim` lead from p = 1 on p^2/2, whose gradient is p."""
    p = torch.ones(1, requires_grad=True)
    optimizer = getattr(torch.optim, name)([p], **options)
    for _ in range(3):
        optimizer.zero_grad()
        (p * p / 2).sum().backward()
        optimizer.step()
    return p


def torch_rates(name: str, steps: int, **options: Any) -> list[float]:
    """The rate that each step uses, with a scheduler of `torch.optim.lr_scheduler` and a first rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **options)
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


def optax_steps(tx: optax.GradientTransformation) -> jax.Array:
    """The same three steps by an optax transformation."""
    p = jnp.ones(1)
    state = tx.init(p)
    for _ in range(3):
        updates, state = tx.update(p, state, p)
        p = optax.apply_updates(p, updates)
    return p


NAMES: Mapping[str, Any] = {
    "F": torch.nn.functional,
    "activations": activations,
    "data": data,
    "initializers": initializers,
    "inspect": inspect,
    "jax": jax,
    "jnp": jnp,
    "layers": layers,
    "linen": linen,
    "losses": losses,
    "models": models,
    "np": np,
    "optax": optax,
    "optax_steps": optax_steps,
    "optim": optim,
    "schedules": schedules,
    "tensors": tensors,
    "torch": torch,
    "torch_rates": torch_rates,
    "torch_steps": torch_steps,
}
"""What the source texts may use."""


def evaluate(source: str) -> str:
    """Runs statements and shows the value of the last one, or the name of the error it ends in.

    >>> evaluate("x = jnp.arange(3); x[5]")
    '2'
    >>> evaluate("torch.arange(3)[5]")
    'IndexError'
    """
    *statements, last = ast.parse(source).body
    if not isinstance(last, ast.Expr):
        raise ValueError(f"the last statement must be an expression: {source}")
    names = dict(NAMES)
    # JAX as users have it, however strict the tests around it are; and torch's generator as it was.
    with jax.numpy_dtype_promotion("standard"), torch.random.fork_rng():
        torch.manual_seed(0)
        try:
            exec(compile(ast.Module(statements, []), "<clause>", "exec"), names)
            return show(eval(compile(ast.Expression(last.value), "<clause>", "eval"), names))
        except Exception as error:
            return type(error).__name__


def show(value: Any) -> str:
    """A value with four significant digits: enough to tell functions apart, too few to depend on the machine.

    >>> show(torch.tensor([1.0, 1 / 3])), show(jnp.arange(2)), show(jnp.float32), show((2, None))
    ('[1, 0.3333]', '[0, 1]', 'float32', '(2, None)')
    """
    if isinstance(value, torch.Tensor | jax.Array | np.ndarray | np.generic):
        value = value.detach() if isinstance(value, torch.Tensor) else value
        return show(np.asarray(value).tolist())
    if isinstance(value, torch.dtype | np.dtype | type(jnp.float32)):
        return str(value).removeprefix("torch.") if isinstance(value, torch.dtype) else np.dtype(value).name
    if isinstance(value, list):
        return f"[{', '.join(map(show, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(show, value))})"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
