"""Clauses of the contract on batch normalisation (D2L 8.5)."""

from parity_tests.contract.clause import Clause


def _torch(batch: str, show: str, options: str = "") -> str:
    return f"x = torch.tensor({batch}); m = torch.nn.BatchNorm1d(1{options}); y = m(x); {show}"


def _flax(batch: str, show: str, options: str = "") -> str:
    return (
        f"x = jnp.array({batch}); m = linen.BatchNorm(use_running_average=False{options}); "
        "y, after = m.apply(m.init(jax.random.key(0), x), x, mutable='batch_stats'); "
        f"{show}"
    )


def _ours(batch: str, show: str, options: str = "") -> str:
    start = "{'scale': jnp.ones(1), 'bias': jnp.zeros(1)}, {'mean': jnp.zeros(1), 'var': jnp.ones(1)}"
    return f"y, after = models.batch_norm({start}, jnp.array({batch}), train=True{options}); {show}"


_PAIR, _LARGE = "[[0.], [2.]]", "[[1e4], [1e4 + 1], [1e4 + 2]]"

NORMS = (
    Clause(
        "momentum .1 of batch normalisation",
        "8.5.4",
        (_torch(_PAIR, "m.running_mean", ", momentum=.1"), "[0.1]"),
        (_flax(_PAIR, "after['batch_stats']['mean']", ", momentum=.1"), "[0.9]"),
        "The share of the new batch, as in torch; Flax's is the share of the old average: torch's .1 is Flax's .9.",
        (_ours(_PAIR, "after['mean']", ", momentum=.1"), "[0.1]"),
    ),
    Clause(
        "momentum that is not asked for",
        "8.5.4",
        (_torch(_PAIR, "m.running_mean"), "[0.1]"),
        (_flax(_PAIR, "after['batch_stats']['mean']"), "[0.01]"),
        "torch's .1. Flax's default is .99.",
        (_ours(_PAIR, "after['mean']"), "[0.1]"),
    ),
    Clause(
        "running variance of two examples",
        "8.5.4",
        (_torch(_PAIR, "m.running_var"), "[1.1]"),
        (_flax(_PAIR, "after['batch_stats']['var']", ", momentum=.9"), "[1]"),
        "Divided by n - 1, as in torch; Flax keeps the one divided by n. Both normalise with the latter.",
        (_ours(_PAIR, "after['var']"), "[1.1]"),
    ),
    Clause(
        "batch normalisation far from 0",
        "8.5.2",
        (_torch(_LARGE, "y[0]"), "[-1.225]"),
        (_flax(_LARGE, "y[0]"), "[-316.2]"),
        "Flax's `use_fast_variance` takes E[x^2] - E[x]^2, which is 0 here; switch it off.",
        (_ours(_LARGE, "y[0]"), "[-1.225]"),
    ),
    Clause(
        "a batch of one",
        "8.5.2",
        (_torch("[[3.]]", "y"), "ValueError"),
        (_flax("[[3.]]", "y"), "[[0]]"),
        "Refused in training, as in torch.",
        (_ours("[[3.]]", "y"), "ValueError"),
    ),
)
