"""Detecting a covariate shift: a two-sample test (D2L 4.7.1, 4.7.3.1)."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxd2l import models
from jaxd2l._checks.numbers import require_whole
from jaxd2l.book.distribution_shift.covariate import fit_domain_classifier, samples


class ShiftTest(NamedTuple):
    """What a two-sample test found.

    accuracy: of a classifier that tells the two samples apart, on rows that it never saw; 0.5 if it cannot.
    p_value: how often samples without a shift would look as different as these. A small value means a shift.
    """

    accuracy: Float[Array, ""]
    p_value: Float[Array, ""]


def shift_test(
    key: PRNGKeyArray,
    source: Float[Array | np.ndarray, "n d"],
    target: Float[Array | np.ndarray, "m d"],
    *,
    num_permutations: int = 999,
    l2: float = 1e-3,
) -> ShiftTest:
    """Detects covariate shift: can a classifier tell the two samples apart on rows that it never saw?

    It trains on half of each sample. On the other half, the statistic is the mean log-odds of target rows minus that of
    source rows. Shuffled labels show how large it gets by chance: `p = (1 + #{as large}) / (1 + permutations)`, which
    is valid for samples of any size. The test detects linear differences only; pass features in which a shift would be
    linear. D2L 4.7.1, 4.7.3.1; Lopez-Paz and Oquab, Revisiting classifier two-sample tests.

    Args:
      key: decides the halves and the shuffles.
      source, target: at least 4 rows each.
      num_permutations: number of shuffles; the smallest possible p-value is 1 / (1 + this).
      l2: of `fit_domain_classifier`.

    Raises:
      TypeError, ValueError: as for `fit_domain_classifier`, too few rows, or no permutation.
    """
    source, target = samples(source, target)
    require_whole(4, **{"rows of source": len(source), "rows of target": len(target)})
    require_whole(1, num_permutations=num_permutations)
    source_key, target_key, shuffle_key = jax.random.split(key, 3)
    source, target = jax.random.permutation(source_key, source), jax.random.permutation(target_key, target)
    params = fit_domain_classifier(source[::2], target[::2], l2=l2)
    scores = models.linear(params, jnp.concatenate([source[1::2], target[1::2]]))[:, 0]
    is_target = jnp.arange(len(scores)) >= len(source[1::2])
    # Both samples count equally, so that 0.5 means no better than chance, whatever their sizes.
    prior = jnp.log(jnp.float32(len(target[::2]) / len(source[::2])))
    right = jnp.where(is_target, scores > prior, scores <= prior).astype(scores.dtype)
    accuracy = (_mean_where(right, is_target) + _mean_where(right, ~is_target)) / 2

    @partial(jax.vmap, in_axes=(0, None, None))
    def shuffled_difference(key: PRNGKeyArray, scores: Array, is_target: Array) -> Array:
        return _difference(scores, jax.random.permutation(key, is_target))

    differences = shuffled_difference(jax.random.split(shuffle_key, num_permutations), scores, is_target)
    as_large = (differences >= _difference(scores, is_target) - 1e-6).astype(scores.dtype)
    return ShiftTest(accuracy, (1 + jnp.sum(as_large)) / (1 + num_permutations))


def _difference(scores: Array, is_target: Array) -> Array:
    return _mean_where(scores, is_target) - _mean_where(scores, ~is_target)


def _mean_where(values: Array, chosen: Array) -> Array:
    return jnp.mean(values, where=chosen)
