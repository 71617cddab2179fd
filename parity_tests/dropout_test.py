"""Dropout (D2L 5.6) with an injected mask against the book's layer; and the masks themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxd2l import models
from jaxd2l.parity.rule import require
from jaxd2l.parity.suite import named


@pytest.mark.parametrize("case", named("dropout", "mlp with dropout"), ids=lambda case: case.name)
@pytest.mark.parametrize("seed", range(3))
def test_suite(case, seed):
    require(case.run(seed))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_share_of_dropped_elements(rate):
    """Against the binomial distribution that `torch.nn.functional.dropout` draws from."""
    dropped = int(jnp.sum(models.dropout(jax.random.key(0), jnp.ones(100_000), rate) == 0))
    assert stats.binomtest(dropped, 100_000, rate).pvalue > 0.001


def test_layers_drop_independently():
    width = 1000
    model = models.mlp(1, (width, width), width, activation=lambda x: x, dropout_rate=0.5)
    eye, ones = jnp.eye(width), jnp.ones(width)
    first = {"kernel": jnp.zeros((1, width)), "bias": ones}
    passing = {"kernel": eye, "bias": jnp.zeros(width)}
    out = np.asarray(model.apply((first, passing, passing), jnp.zeros((1, 1)), key=jax.random.key(0)))
    # Two independent masks leave a quarter; the same mask twice would leave half.
    assert stats.binomtest(int(np.sum(out != 0)), width, 0.25).pvalue > 0.001
