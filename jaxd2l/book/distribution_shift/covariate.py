"""Covariate shift: a classifier that tells source from target, and the weights that follow from it (D2L 4.7.3.1)."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from jaxd2l import models
from jaxd2l._checks.arrays import floating
from jaxd2l._checks.numbers import require_positive
from jaxd2l._checks.shapes import require_not_empty, require_shapes
from jaxd2l._checks.values import require_finite, require_none_negative


def fit_domain_classifier(
    source: Float[Array | np.ndarray, "n d"], target: Float[Array | np.ndarray, "m d"], *, l2: float = 1e-3
) -> dict[str, Array]:
    """Logistic regression that tells target rows (1) from source rows (0). D2L 4.7.3.1, step 2.

    Minimises the mean of log(1 + exp(-z h(x))), z = +1 or -1, plus `l2 / 2 ||w||^2`, on standardised features, by
    Newton's method. The penalty keeps the weights finite if the samples can be told apart perfectly.
    `sklearn.linear_model.LogisticRegression`.

    Args:
      source, target: rows of features.
      l2: factor of the penalty; positive.

    Returns:
      `{"kernel": (d, 1), "bias": (1,)}`; `models.linear(params, x)` is h, the log-odds of "target".

    Raises:
      TypeError: features that are not floating point, or of less than float32.
      ValueError: an empty sample, different numbers of features, NaN or infinity, or an `l2` that is not positive.
    """
    source, target = samples(source, target)
    require_positive(l2=l2)
    X = jnp.concatenate([source, target])
    mean, std = jnp.mean(X, 0), jnp.std(X, 0)
    std = jnp.where(std > 0, std, 1.0).astype(X.dtype)
    Z = jnp.concatenate([(X - mean) / std, jnp.ones((len(X), 1), X.dtype)], axis=1)
    sign = jnp.concatenate([-jnp.ones(len(source), X.dtype), jnp.ones(len(target), X.dtype)])
    w = _logistic_newton(Z, sign, jnp.asarray(l2, X.dtype))
    kernel = w[:-1] / std
    return {"kernel": kernel[:, None], "bias": (w[-1] - mean @ kernel)[None]}


def samples(source: Array | np.ndarray, target: Array | np.ndarray) -> tuple[Array, Array]:
    """Two samples of rows with the same features as JAX arrays, or an error that names what is wrong with them."""
    source, target = floating("source", source), floating("target", target)
    require_shapes("n d, m d", source=source, target=target)
    require_not_empty(None, source=source, target=target)
    require_finite(source=source, target=target)
    if min(source.dtype.itemsize, target.dtype.itemsize) < 4:
        raise TypeError(f"source and target must be float32 or more precise; got {source.dtype} and {target.dtype}")
    return source, target


@jax.jit
def _logistic_newton(Z: Array, sign: Array, l2: Array) -> Array:
    """The weights of a logistic regression; the last one is the bias, without a penalty."""
    penalty = l2 * jnp.ones(Z.shape[1], Z.dtype).at[-1].set(0.0)
    # A full step may overshoot: take the best of these halvings.
    lengths = 2.0 ** -jnp.arange(0, 12, dtype=Z.dtype)

    def objective(w: Array) -> Array:
        return jnp.mean(jnp.logaddexp(0.0, -sign * (Z @ w))) + jnp.sum(penalty * w**2) / 2

    def newton(w: Array, _: None) -> tuple[Array, None]:
        p = jax.nn.sigmoid(Z @ w)
        gradient = Z.T @ (p - (sign + 1) / 2) / len(Z) + penalty * w
        # Far from the boundary p (1 - p) rounds to 0, which would leave the bias without curvature.
        hessian = Z.T @ (Z * (p * (1 - p))[:, None]) / len(Z) + jnp.diag(penalty + 1e-6)
        candidates = w - lengths[:, None] * jnp.linalg.solve(hessian, gradient)
        values = jax.vmap(objective)(candidates)
        return jnp.where(jnp.min(values) < objective(w), candidates[jnp.argmin(values)], w), None

    return lax.scan(newton, jnp.zeros(Z.shape[1], Z.dtype), length=30)[0]


def covariate_shift_weights(
    source: Float[Array | np.ndarray, "n d"],
    target: Float[Array | np.ndarray, "m d"],
    *,
    clip: float | None = None,
    l2: float = 1e-3,
) -> Float[Array, " n"]:
    """How much each source row must count for the source to represent the target: `p(x) / q(x)`.

        beta_i = min(n/m exp(h(x_i)), clip),  h the log-odds of "target" against "source"

    n/m is 1 for samples of equal size, as in the book; without it, more unlabelled rows would mean larger weights.
    Every kind of target row must occur in the source. D2L 4.7.3.1.

    Args:
      source: rows that have labels, drawn from q.
      target: rows that have none, drawn from p.
      clip: the largest weight, positive, so that a few rows cannot dominate; None for no limit.
      l2: of `fit_domain_classifier`.

    Raises:
      TypeError, ValueError: as for `fit_domain_classifier`, or a `clip` that is not positive and finite.

    >>> x = jnp.array([[0.0], [1.0], [2.0], [3.0]])
    >>> covariate_shift_weights(x, x).round(3)
    Array([1., 1., 1., 1.], dtype=float32)
    """
    if clip is not None:
        require_positive(clip=clip)
    log_odds = models.linear(fit_domain_classifier(source, target, l2=l2), jnp.asarray(source))[:, 0]
    weights = jnp.exp(log_odds) * (len(source) / len(target))
    return weights if clip is None else jnp.minimum(weights, clip)


def weighted_risk(losses: Float[Array, " n"], weights: Float[Array | np.ndarray, " n"]) -> Float[Array, ""]:
    """Weighted empirical risk, `1/n sum_i beta_i l(f(x_i), y_i)`. D2L 4.7.3.1.

    It does not divide by the sum of the weights: with the true ratios it is an unbiased estimate of the target's risk.

    Args:
      losses: one per example, such as `losses.cross_entropy(..., reduction="none")`.
      weights: one per example, not negative.

    Raises:
      TypeError: losses or weights that are not floating point.
      ValueError: shapes that differ, or a negative weight.

    >>> weighted_risk(jnp.array([1.0, 2.0]), jnp.array([0.5, 1.5]))
    Array(1.75, dtype=float32)
    """
    losses, _ = floating("losses", losses), floating("weights", weights)
    require_shapes("n, n", losses=losses, weights=weights)
    require_none_negative(weights=weights)
    return jnp.mean(jnp.asarray(weights, losses.dtype) * losses)
