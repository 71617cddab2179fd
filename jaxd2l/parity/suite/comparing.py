"""One function, written once in torch and once in JAX, and what it takes to compare the two.

Float32 is compared with float64 (accuracy), float64 with float64 (meaning). The value, and the gradient of every input,
give one row for each. Arrays are copied on their way across: neither side may see the other's memory.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxd2l.parity.rule import Row, compare_accuracy, compare_meaning

Numbers = Any
"""A NumPy array, or the number that NumPy makes of one without axes."""

Side = tuple[np.ndarray, ...]
"""A value, followed by the gradient of each input."""


class FunctionPair(NamedTuple):
    """A function of floating-point arrays in both libraries.

    torch: tensors to a tensor, as the book writes it.
    jax: arrays to an array, by ours.
    scale: `scale(cotangent, *inputs)`, in NumPy float64: the condition scale of the value, then of each gradient of
      `sum(cotangent * value)`. Each one is broadcast to what it belongs to.
    names: of the inputs.
    """

    torch: Callable[..., torch.Tensor]
    jax: Callable[..., jax.Array]
    scale: Callable[..., Sequence[Any]]
    names: tuple[str, ...] = ("x",)


class Case(NamedTuple):
    """A named comparison. Our functions are looked up at each run.

    name: the function, then the options: cases of one function have a common beginning.
    run: `run(seed)` draws inputs and gives the rows, whose quantities begin with the name.
    """

    name: str
    run: Callable[[int], list[Row]]


def case(name: str, pair: FunctionPair, draw: Callable[[np.random.Generator], Sequence[np.ndarray]]) -> Case:
    """The case that compares a pair on the inputs which `draw` makes of a generator."""
    return Case(name, lambda seed: compare(name, pair, draw(np.random.default_rng(seed)), seed))


def compare(name: str, pair: FunctionPair, inputs: Sequence[np.ndarray], seed: int, *, jit: bool = False) -> list[Row]:
    """Compares values and gradients of a pair, in float32 and in float64.

    Args:
      name: the rows' names begin with it.
      pair: the two functions.
      inputs: their arguments; they are rounded to float32 first, so that each precision sees the same numbers.
      seed: decides the cotangent, the weights of the outputs in the sum whose gradient is taken.
      jit: compile our side instead of running it op by op.
    """
    inputs = [np.asarray(x, np.float32) for x in inputs]
    with torch.no_grad():
        shape = pair.torch(*(torch.tensor(x) for x in inputs)).shape
    cotangent = np.asarray(np.random.default_rng(seed).standard_normal(shape), np.float32)
    theirs32, oracle = (torch_results(pair.torch, inputs, cotangent, dtype) for dtype in (torch.float32, torch.float64))
    ours32, ours64 = (jax_results(pair.jax, inputs, cotangent, dtype, jit=jit) for dtype in (np.float32, np.float64))
    with np.errstate(all="ignore"):  # a scale may be inf or NaN where the value is
        scales = pair.scale(np.float64(cotangent), *(np.float64(x) for x in inputs))
    rows = []
    quantities = [f"{name} value", *(f"{name} gradient of {what}" for what in pair.names)]
    for quantity, *values in zip(quantities, theirs32, ours32, oracle, ours64, scales, strict=True):
        t32, j32, t64, j64, scale = values
        rows.append(compare_accuracy(quantity, t32, j32, t64, scale))
        rows.append(compare_meaning(quantity, t64, j64, scale))
    return rows


def torch_results(
    function: Callable[..., torch.Tensor], inputs: Sequence[np.ndarray], cotangent: np.ndarray, dtype: torch.dtype
) -> Side:
    """Value and gradients by torch; the gradient of an input that is not used is 0."""
    tensors = [torch.tensor(x, dtype=dtype, requires_grad=True) for x in inputs]
    value = function(*tensors)
    gradients = tuple(torch.zeros_like(x) for x in tensors)
    if value.requires_grad:
        cotangents = torch.tensor(cotangent, dtype=dtype)
        gradients = torch.autograd.grad(value, tensors, cotangents, allow_unused=True, materialize_grads=True)
    return tuple(x.detach().numpy().copy() for x in (value, *gradients))


def jax_results(
    function: Callable[..., jax.Array],
    inputs: Sequence[np.ndarray],
    cotangent: np.ndarray,
    dtype: Any,
    *,
    jit: bool = False,
) -> Side:
    """Value and gradients by JAX."""

    def value_and_gradients(cotangent: jax.Array, *inputs: jax.Array) -> tuple[jax.Array, ...]:
        value, vjp = jax.vjp(function, *inputs)
        return value, *vjp(cotangent.astype(value.dtype))

    with jax.enable_x64(dtype == np.float64):
        arrays = [jnp.array(x, dtype) for x in (cotangent, *inputs)]
        results = jax.jit(value_and_gradients)(*arrays) if jit else value_and_gradients(*arrays)
        return tuple(np.array(x) for x in results)
