"""Dropout (D2L 5.6) with the same noise on both sides, so that only the use of the noise is compared."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.func import functional_call

from jaxd2l import activations, models
from jaxd2l.parity.rule import Row
from jaxd2l.parity.suite.comparing import Case, FunctionPair, Numbers, case, compare
from jaxd2l.parity.suite.error_bounds import perceptron_scale
from jaxd2l.parity.suite.layers import draw, sequential, to_params

SIZES = (12, 16, 10, 5)


def cases() -> Iterator[Case]:
    """Single layers at several rates, and a perceptron that drops after each hidden layer."""
    for rate in (0.0, 0.3, 0.5, 1.0):
        yield case(f"dropout rate={rate}", dropout(rate), lambda rng: [rng.standard_normal((64, 32))])
    yield Case("mlp with dropout", _perceptron_rows)


def dropout(rate: float, seed: int = 0) -> FunctionPair:
    """The book's dropout layer against ours. A mask costs one product."""
    key = jax.random.key(0)
    kept = 0.0 if rate == 1 else 1 / (1 - rate)

    def scale(c: Numbers, x: Numbers) -> tuple[Numbers, Numbers]:
        mask = kept * (_noise(seed, 0, x.shape) > rate)
        return mask * np.abs(x), mask * np.abs(c)

    return FunctionPair(
        lambda x: book_dropout(x, rate, _noise(seed, 0, x.shape)),
        with_noise(lambda x: models.dropout(key, x, rate), seed),
        scale,
    )


def book_dropout(x: torch.Tensor, rate: float, noise: Numbers) -> torch.Tensor:
    """The book's `dropout_layer` with given random numbers."""
    if rate == 1:
        return torch.zeros_like(x)
    mask = (torch.tensor(noise) > rate).to(x.dtype)
    return mask * x / (1.0 - rate)


def with_noise(function: Callable[..., Any], seed: int) -> Callable[..., Any]:
    """The same function, but its Bernoulli draws compare the given noise with the probability."""

    def draws() -> Callable[..., jax.Array]:
        order = count()
        # The book keeps where noise > rate; an event of probability p is then noise > 1 - p.
        return lambda key, p=0.5, shape=(): jnp.array(_noise(seed, next(order), shape) > 1 - p)

    def with_given_draws(*args: Any) -> Any:
        with mock.patch.object(jax.random, "bernoulli", draws()):
            return function(*args)

    return with_given_draws


def _noise(seed: int, layer: int, shape: tuple[int, ...]) -> Numbers:
    return np.random.default_rng((seed, layer)).random(tuple(shape))


def _perceptron_rows(seed: int) -> list[Row]:
    inputs = draw(np.random.default_rng(seed), SIZES, "tanh", 16)
    net, rate, key = sequential(SIZES, "tanh"), 0.5, jax.random.key(seed)
    names = [name for name, _ in net.named_parameters()]

    def theirs(x: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        layers = iter(range(len(SIZES)))

        def drop(module: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
            return book_dropout(output, rate, _noise(seed, next(layers), output.shape))

        hooks = [module.register_forward_hook(drop) for module in list(net)[2::2]]
        try:
            return functional_call(net, dict(zip(names, parameters, strict=True)), x)
        finally:
            for hook in hooks:
                hook.remove()

    def ours(x: jax.Array, *parameters: jax.Array) -> jax.Array:
        model = models.mlp(12, (16, 10), 5, activation=activations.tanh, dropout_rate=rate)
        return model.apply(to_params(parameters), x, key=key)

    # Dropping only takes terms away, and keeping doubles them: each hidden layer scales by at most 2.
    def scale(c: np.ndarray, x: np.ndarray, *parameters: np.ndarray) -> list[np.ndarray]:
        return [4 * s for s in perceptron_scale(c, x, parameters, "tanh")]

    return compare("mlp with dropout", FunctionPair(theirs, with_noise(ours, seed), scale, ("x", *names)), inputs, seed)
