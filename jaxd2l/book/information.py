"""Information theory (D2L 4.1.3): surprisal, entropy, cross-entropy, relative entropy.

In nats, or with `base=2` in bits: 1 nat is 1 / ln 2 = 1.44 bit. An outcome that never happens costs nothing:
0 log 0 = 0. Distributions stand on the last axis. For logits and labels, as in training, see `losses.cross_entropy`.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxd2l._checks.arrays import floating
from jaxd2l._checks.numbers import require_real


def surprisal(p: Float[Array | np.ndarray, "..."], *, base: float | int = math.e) -> Float[Array, "..."]:
    """Information gained by seeing an event of probability `p`, `-log p`; infinite if that was impossible. D2L 4.1.3.2.

    Args:
      p: probabilities, each on its own.
      base: of the logarithm: e for nats, 2 for bits.

    Raises:
      ValueError: a number outside [0, 1], or no base. Under `jit` and in gradients a number outside gives NaN.

    >>> surprisal(jnp.array([1.0, 0.5, 0.125]), base=2)
    Array([0., 1., 3.], dtype=float32)
    """
    p = _valid(p, lambda p: (p >= 0) & (p <= 1), "a probability lies between 0 and 1")
    return (0.0 - jnp.log(p)) / _log(base)  # 0 - 0 is 0, where -0 would be printed with its sign


def entropy(p: Float[Array | np.ndarray, "*batch n"], *, base: float | int = math.e) -> Float[Array, "*batch"]:
    """Expected surprisal, `H(p) = -sum_j p_j log p_j`: between 0, if certain, and log n, if uniform. D2L 4.1.3.1.

    The slope at `p_j = 0` is infinite; here it is that of the smallest normal number (87.3 nats in float32), so that
    the chain rule through a softmax never meets infinity times 0. `torch.distributions.Categorical(p).entropy()`.

    Args:
      p: distributions.
      base: of the logarithm: e for nats, 2 for bits.

    Raises:
      ValueError: a negative probability, a sum that is not 1 (within 1e-5, or 4 roundings of a half-precision
        dtype), or no base. Under `jit` and in gradients, where values cannot be seen, such a distribution gives NaN.

    >>> entropy(jnp.array([[0.5, 0.5], [1.0, 0.0]]), base=2)
    Array([1., 0.], dtype=float32)
    """
    p = _distribution(p, "p")
    return (0.0 - jnp.sum(p * _log_normal(p), -1)) / _log(base)


def cross_entropy(
    p: Float[Array | np.ndarray, "*batch n"], q: Float[Array | np.ndarray, "*batch n"], *, base: float | int = math.e
) -> Float[Array, "*batch"]:
    """Expected surprisal of one who believes `q` where `p` is true, `H(p, q) = -sum_j p_j log q_j`. D2L 4.1.3.3.

    At least `entropy(p)`; infinite if `q` rules out what `p` does not.

    Args:
      p: true distributions.
      q: believed distributions, of the same shape.
      base: of the logarithm: e for nats, 2 for bits.

    Raises:
      ValueError: as for `entropy`, or shapes that differ.

    >>> cross_entropy(jnp.array([0.5, 0.5]), jnp.array([0.25, 0.75]), base=2).round(4)
    Array(1.2075, dtype=float32)
    """
    p, q = _pair(p, q)
    return (0.0 - jnp.sum(p * _log_believed(p, q), -1)) / _log(base)


def kl_divergence(
    p: Float[Array | np.ndarray, "*batch n"], q: Float[Array | np.ndarray, "*batch n"], *, base: float | int = math.e
) -> Float[Array, "*batch"]:
    """Surprisal that believing `q` adds to the entropy of `p`, `D(p||q) = sum_j p_j log(p_j / q_j) = H(p, q) - H(p)`.

    Never negative, up to rounding, and 0 only if the two are equal. D2L 4.1.3.3;
    `torch.nn.functional.kl_div(q.log(), p, reduction="sum")`, which has the arguments the other way round.

    Args:
      p: true distributions.
      q: believed distributions, of the same shape.
      base: of the logarithm: e for nats, 2 for bits.

    Raises:
      ValueError: as for `entropy`, or shapes that differ.

    >>> kl_divergence(jnp.array([0.5, 0.5]), jnp.array([0.25, 0.75]), base=2).round(4)
    Array(0.2075, dtype=float32)
    """
    p, q = _pair(p, q)
    return jnp.sum(p * (_log_normal(p) - _log_believed(p, q)), -1) / _log(base)


def _log_normal(p: Array) -> Array:
    """log p, and at 0 the logarithm of the smallest normal number, with derivative 0."""
    return jnp.log(jnp.maximum(p, jnp.finfo(p.dtype).smallest_normal))


def _log_believed(p: Array, q: Array) -> Array:
    # What neither expects is left out. What p expects and q rules out stays: -inf, as it should be.
    return jnp.log(jnp.where((p == 0) & (q == 0), 1.0, q))


def _pair(p: Array | np.ndarray, q: Array | np.ndarray) -> tuple[Array, Array]:
    if np.shape(p) != np.shape(q):
        raise ValueError(f"p and q must have one shape, got {np.shape(p)} and {np.shape(q)}")
    return _distribution(p, "p"), _distribution(q, "q")


def _distribution(p: Array | np.ndarray, name: str) -> Array:
    p = floating(name, p)
    if p.ndim == 0:
        raise ValueError(f"{name} needs an axis of outcomes, got a scalar")
    tolerance = max(1e-5, 4 * float(jnp.finfo(p.dtype).eps))

    def is_distribution(p: Array) -> Bool[Array, "*batch 1"]:
        total = jnp.sum(p, -1, keepdims=True, dtype=p.dtype if p.dtype.itemsize >= 4 else jnp.float32)
        return jnp.all(p >= 0, -1, keepdims=True) & (jnp.abs(total - 1) <= tolerance)

    return _valid(p, is_distribution, f"the probabilities in {name} must not be negative and must sum to 1")


def _valid(p: Array | np.ndarray, rule: Callable[[Array], Array], message: str) -> Array:
    """`p` if it keeps the rule. A traced `p`, whose values cannot be seen, becomes NaN where it breaks it."""
    p = floating("p", p)
    is_valid = rule(p)
    if isinstance(is_valid, jax.core.Tracer):
        # A factor, because the gradient has to become NaN as well.
        return p * jnp.where(is_valid, 1.0, jnp.nan).astype(p.dtype)
    if not is_valid.all():
        where = tuple(int(i) for i in np.argwhere(~np.asarray(is_valid))[0])
        wrong = np.asarray(p)[where if is_valid.shape == p.shape else where[:-1]]
        raise ValueError(f"{message}; got {wrong} at index {where}")
    return p


def _log(base: float | int) -> float:
    require_real(base=base)
    if not 0 < base < math.inf or base == 1:
        raise ValueError(f"the base of a logarithm is positive and not 1, got {base}")
    return math.log(base)
