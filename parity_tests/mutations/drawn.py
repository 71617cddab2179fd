"""Cases on random numbers: how initialisers, layers, masks and synthetic data are drawn."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from scipy import stats

from jaxd2l import data, initializers, models
from jaxd2l.parity.rule import Row
from jaxd2l.parity.suite.comparing import Case
from parity_tests.mutations.claims import claim, compare_draws

DRAWN: dict[str, tuple[Callable[[], initializers.LinearInit], Callable[[torch.nn.Linear], Any]]] = {
    "normal": (lambda: initializers.normal(0.01), lambda layer: torch.nn.init.normal_(layer.weight, 0.0, 0.01)),
    "xavier_normal": (
        lambda: initializers.xavier_normal(1.5),
        lambda layer: torch.nn.init.xavier_normal_(layer.weight, 1.5),
    ),
    "xavier_uniform": (
        lambda: initializers.xavier_uniform(),
        lambda layer: torch.nn.init.xavier_uniform_(layer.weight),
    ),
    "kaiming_normal": (
        lambda: initializers.kaiming_normal(),
        lambda layer: torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu"),
    ),
    "kaiming_uniform fan_out": (
        lambda: initializers.kaiming_uniform(mode="fan_out"),
        lambda layer: torch.nn.init.kaiming_uniform_(layer.weight, mode="fan_out", nonlinearity="relu"),
    ),
    "torch_linear": (lambda: initializers.torch_linear(), lambda layer: None),
    "flax_linear": (
        lambda: initializers.flax_linear(),
        lambda layer: torch.nn.init.trunc_normal_(
            layer.weight, std=(sd := layer.in_features**-0.5 / stats.truncnorm.std(-2, 2)), a=-2 * sd, b=2 * sd
        ),
    ),
}
"""Ours, made when a case runs, and how torch draws the same weight. All leave the bias at 0, except torch's own."""


def cases() -> Iterator[Case]:
    """All of them."""
    for name in DRAWN:
        yield Case(f"drawn {name}", lambda seed, name=name: list(_drawn(name, seed)))
    yield Case("layers drawn", lambda seed: list(_layers_drawn(seed)))
    yield Case("masks differ", lambda seed: list(_masks(seed)))
    yield Case("synthetic regression", lambda seed: list(_synthetic(seed)))


def _drawn(name: str, seed: int) -> Iterator[Row]:
    ours, theirs = DRAWN[name]
    num_in, num_out = (16, 20000) if name == "torch_linear" else (200, 1250)
    layer = ours()(jax.random.key(seed), num_in, num_out)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        linear = torch.nn.Linear(num_in, num_out)
        theirs(linear)
        yield compare_draws(f"{name}: kernel", linear.weight.numpy(), layer["kernel"])
        if name == "torch_linear":
            yield compare_draws(f"{name}: bias", linear.bias.numpy(), layer["bias"])
        else:
            yield claim(f"{name}: bias is 0", not np.any(layer["bias"]))


def _layers_drawn(seed: int) -> Iterator[Row]:
    first, second = models.mlp(8, (8,), 8).init(jax.random.key(seed))
    yield claim("each layer has a draw of its own", np.all(first["kernel"] != second["kernel"]))


def _masks(seed: int) -> Iterator[Row]:
    first, second = jax.random.split(jax.random.key(seed))
    one, other = (np.array(models.dropout(key, jnp.ones((64, 64)), 0.5)) for key in (first, second))
    yield claim("another key, another mask", np.any(one != other))
    yield claim("each example has a mask of its own", np.any(one != one[:1]))
    identity = {"kernel": jnp.eye(256), "bias": jnp.zeros(256)}
    model = models.mlp(256, (256, 256), 256, dropout_rate=0.5)
    kept = np.array(model.apply((identity,) * 3, jnp.ones((16, 256)), key=first)) > 0
    yield claim("a unit survives two independent masks in a quarter of cases", 0.2 < kept.mean() < 0.3)


def _synthetic(seed: int) -> Iterator[Row]:
    w, b, noise = np.float32([2.0, -3.4]), 4.2, 0.5
    dataset = data.synthetic_regression(jax.random.key(seed), w, b, noise=noise, n=20000)
    (x, y), (x_test, _) = dataset.train, dataset.test
    residuals = np.ravel(y) - (x @ w + b)
    generator = torch.Generator().manual_seed(seed)
    yield compare_draws("features", torch.randn(40000, generator=generator).numpy(), x)
    yield compare_draws("noise", (noise * torch.randn(20000, generator=generator)).numpy(), residuals)
    yield claim("training and test examples differ", not np.array_equal(x, x_test))
    correlation = np.corrcoef(residuals, np.ravel(x)[: residuals.size])[0, 1]
    yield claim("noise does not depend on features", abs(correlation) < 0.5)
