"""Information theory (D2L 4.1.3): surprisal, entropy, cross-entropy, relative entropy.

In nats, or with `base=2` in bits: 1 nat is 1 / ln 2 = 1.44 bit. An outcome that never happens costs nothing:
0 log 0 = 0. The last axis holds the distributions. For logits and labels, as in training, see `losses.cross_entropy`.
"""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxd2l._checks.numbers import require_positive
from jaxd2l._checks.probabilities import distributions, probabilities
from jaxd2l._checks.shapes import require_shapes

__all__ = ["cross_entropy", "entropy", "kl_divergence", "surprisal"]


def __dir__() -> list[str]:
    return __all__


def surprisal(p: Float[Array | np.ndarray, "..."], *, base: float | int = math.e) -> Float[Array, "..."]:
    """Information gained from an event of probability `p`, `-log p`; infinite if it was impossible. D2L 4.1.3.2.

    Args:
      p: probabilities, each on its own.
      base: of the logarithm: e for nats, 2 for bits.

    Raises:
      TypeError: `p` is not floating point.
      ValueError: a number outside [0, 1], or a base that is not positive or is 1. Under `jit` and in gradients, where
        values are unknown, a number outside [0, 1] gives NaN.

    >>> surprisal(jnp.array([1.0, 0.5, 0.125]), base=2)
    Array([0., 1., 3.], dtype=float32)
    """
    p = probabilities("p", p)
    return (0.0 - jnp.log(p)) / _log(base)  # 0 - 0 is 0, whereas -0 would print with its sign


def entropy(p: Float[Array | np.ndarray, "*batch n"], *, base: float | int = math.e) -> Float[Array, "*batch"]:
    """Expected surprisal, `H(p) = -sum_j p_j log p_j`: 0 for a certain outcome, at most log n. D2L 4.1.3.1.

    The slope at `p_j = 0` is infinite; here it is that of the smallest normal number (87.3 nats in float32), so that
    the chain rule through a softmax never meets infinity times 0. `torch.distributions.Categorical(p).entropy()`.

    Args:
      p: distributions.
      base: of the logarithm: e for nats, 2 for bits.

    Raises:
      TypeError: `p` is not floating point.
      ValueError: a negative probability, a sum that is not 1 (within 1e-5, or 4 roundings of a half-precision dtype),
        or a base that is not positive or is 1. Under `jit` and in gradients, where values are unknown, a wrong
        distribution gives NaN.

    >>> entropy(jnp.array([[0.5, 0.5], [1.0, 0.0]]), base=2)
    Array([1., 0.], dtype=float32)
    """
    p = distributions("p", p)
    return (0.0 - jnp.sum(p * _log_normal(p), -1)) / _log(base)


def cross_entropy(
    p: Float[Array | np.ndarray, "*batch n"], q: Float[Array | np.ndarray, "*batch n"], *, base: float | int = math.e
) -> Float[Array, "*batch"]:
    """Expected surprisal for someone who believes `q` when `p` is true, `H(p, q) = -sum_j p_j log q_j`. D2L 4.1.3.3.

    At least `entropy(p)`; infinite if `q` rules out an outcome that `p` does not.

    Args:
      p: true distributions.
      q: believed distributions, of the same shape.
      base: of the logarithm: e for nats, 2 for bits.

    Raises:
      TypeError, ValueError: as for `entropy`, or shapes that differ.

    >>> cross_entropy(jnp.array([0.5, 0.5]), jnp.array([0.25, 0.75]), base=2).round(4)
    Array(1.2075, dtype=float32)
    """
    require_shapes("*batch n, *batch n", p=p, q=q)
    p, q = distributions("p", p), distributions("q", q)
    return (0.0 - jnp.sum(p * _log_believed(p, q), -1)) / _log(base)


def kl_divergence(
    p: Float[Array | np.ndarray, "*batch n"], q: Float[Array | np.ndarray, "*batch n"], *, base: float | int = math.e
) -> Float[Array, "*batch"]:
    """Surprisal that believing `q` adds to the entropy of `p`, `D(p||q) = sum_j p_j log(p_j / q_j) = H(p, q) - H(p)`.

    Never negative, up to rounding, and 0 only if both are equal. D2L 4.1.3.3;
    `torch.nn.functional.kl_div(q.log(), p, reduction="sum")`, which takes the arguments the other way round.

    Args:
      p: true distributions.
      q: believed distributions, of the same shape.
      base: of the logarithm: e for nats, 2 for bits.

    Raises:
      TypeError, ValueError: as for `entropy`, or shapes that differ.

    >>> kl_divergence(jnp.array([0.5, 0.5]), jnp.array([0.25, 0.75]), base=2).round(4)
    Array(0.2075, dtype=float32)
    """
    require_shapes("*batch n, *batch n", p=p, q=q)
    p, q = distributions("p", p), distributions("q", q)
    return jnp.sum(p * (_log_normal(p) - _log_believed(p, q)), -1) / _log(base)


def _log_normal(p: Array) -> Array:
    """log p; at 0 the logarithm of the smallest normal number, with derivative 0."""
    return jnp.log(jnp.maximum(p, jnp.finfo(p.dtype).smallest_normal))


def _log_believed(p: Array, q: Array) -> Array:
    # An outcome that both rule out is left out; one that only q rules out gives -inf, as it should.
    return jnp.log(jnp.where((p == 0) & (q == 0), 1.0, q))


def _log(base: float | int) -> float:
    require_positive(base=base)
    if base == 1:
        raise ValueError("base must not be 1, whose logarithm is 0")
    return math.log(base)
