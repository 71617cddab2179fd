"""Losses and distances of torch.nn.functional, as formulas of jax.numpy, jax.nn and optax."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from parity_tests.operations.counterpart import Counterpart, inexpressible


def _reduced(losses: Any, reduction: str = "mean") -> Any:
    if reduction == "batchmean":
        return jnp.sum(losses) / losses.shape[0]
    return {"none": lambda x: x, "mean": jnp.mean, "sum": jnp.sum}[reduction](losses)


def _pointwise(loss: Callable[..., Any]) -> Counterpart:
    """A loss of one prediction and one target, with torch's reduction and weight."""

    def reduced(x: Any, y: Any, weight: Any = None, reduction: str = "mean", **options: Any) -> Any:
        losses = loss(x, y, **options)
        return _reduced(losses if weight is None else weight * losses, reduction)

    return reduced


def _bce(x: Any, y: Any) -> Any:
    return -(y * jnp.maximum(jnp.log(x), -100.0) + (1 - y) * jnp.maximum(jnp.log1p(-x), -100.0))


def _bce_logits(x: Any, y: Any, pos_weight: Any = None) -> Any:
    positive = y if pos_weight is None else y * pos_weight
    return -(positive * jax.nn.log_sigmoid(x) + (1 - y) * jax.nn.log_sigmoid(-x))


def _smooth_l1(x: Any, y: Any, beta: float = 1.0) -> Any:
    return optax.losses.huber_loss(x, y, beta) / beta


def _kl_div(x: Any, y: Any, log_target: bool = False) -> Any:
    return jnp.exp(y) * (y - x) if log_target else jax.scipy.special.xlogy(y, y) - y * x


def _poisson(x: Any, y: Any, log_input: bool = True, full: bool = False, eps: float = 1e-8) -> Any:
    loss = jnp.exp(x) - y * x if log_input else x - y * jnp.log(x + eps)
    stirling = y * jnp.log(y) - y + 0.5 * jnp.log(2 * jnp.pi * y)
    return loss + jnp.where(y > 1, stirling, 0.0) if full else loss


def _gaussian(x: Any, y: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> Any:
    if isinstance(var, float):
        inexpressible("a variance that is a number")
    if var.shape != x.shape and var.ndim == x.ndim - 1:
        var = var[..., None]
    var = var + jax.lax.stop_gradient(jnp.maximum(var, eps) - var)
    losses = 0.5 * (jnp.log(var) + (x - y) ** 2 / var)
    return _reduced(losses + (0.5 * jnp.log(2 * jnp.pi) if full else 0.0), reduction)


def _hinge_embedding(x: Any, y: Any, margin: float = 1.0) -> Any:
    return jnp.where(y == 1, x, 0.0) + jnp.where(y == -1, jnp.maximum(margin - x, 0), 0.0)


def _cosine_similarity(x: Any, y: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    x, y = jnp.broadcast_arrays(x, y)
    norms = [jnp.maximum(jnp.linalg.norm(v, axis=dim, keepdims=True), eps) for v in (x, y)]
    return jnp.sum(x / norms[0] * (y / norms[1]), dim)


def _cosine_embedding(x: Any, y: Any, target: Any, margin: float = 0.0, reduction: str = "mean") -> Any:
    product = jnp.sum(x * y, -1) / jnp.sqrt((jnp.sum(x * x, -1) + 1e-12) * (jnp.sum(y * y, -1) + 1e-12))
    losses = jnp.where(target == 1, 1 - product, jnp.where(target == -1, jnp.maximum(product - margin, 0), 0.0))
    return _reduced(losses, reduction)


def _distance(x: Any, y: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    return jnp.linalg.vector_norm(x - y + eps, ord=p, axis=-1, keepdims=keepdim)


def _triplet(
    anchor: Any, positive: Any, negative: Any, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6,
    swap: bool = False, reduction: str = "mean",
) -> Any:  # fmt: skip
    near, far = _distance(anchor, positive, p, eps), _distance(anchor, negative, p, eps)
    if swap:
        far = jnp.minimum(far, _distance(positive, negative, p, eps))
    return _reduced(jnp.maximum(near - far + margin, 0), reduction)


def _margin_ranking(x: Any, y: Any, target: Any, margin: float = 0.0, reduction: str = "mean") -> Any:
    return _reduced(jnp.maximum(-target * (x - y) + margin, 0), reduction)


def _multilabel_soft_margin(x: Any, y: Any, weight: Any = None, reduction: str = "mean") -> Any:
    losses = _bce_logits(x, y)
    return _reduced(jnp.mean(losses if weight is None else weight * losses, -1), reduction)


def _nll(
    logp: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
    smoothing: float = 0.0,
) -> Any:  # fmt: skip
    logp = jnp.moveaxis(logp, 1, -1) if logp.ndim > 1 else logp
    counted = target != ignore_index
    label = jnp.where(counted, target, 0)
    weights = jnp.ones(logp.shape[-1], logp.dtype) if weight is None else weight
    per_example = jnp.where(counted, weights[label], 0.0)
    losses = -jnp.take_along_axis(logp, label[..., None], -1)[..., 0] * per_example
    if smoothing:
        spread = jnp.where(counted, -jnp.sum(logp * weights, -1), 0.0) / logp.shape[-1]
        losses = (1 - smoothing) * losses + smoothing * spread
    return jnp.sum(losses) / jnp.sum(per_example) if reduction == "mean" else _reduced(losses, reduction)


def _cross_entropy(
    x: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:  # fmt: skip
    axis = min(1, x.ndim - 1)
    logp = jax.nn.log_softmax(x, axis)
    if not jnp.issubdtype(target.dtype, jnp.floating):
        return _nll(logp, target, weight, ignore_index, reduction, label_smoothing)
    classes = x.shape[axis]
    target = target * (1 - label_smoothing) + label_smoothing / classes
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    losses = -jnp.sum(logp * target * (1 if weight is None else weight.reshape(shape)), axis)
    return jnp.sum(losses) / max(losses.size, 1) if reduction == "mean" else _reduced(losses, reduction)


def _multi_margin(
    x: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"
) -> Any:  # fmt: skip
    if x.ndim != 2:
        inexpressible("no batch")
    right = jnp.take_along_axis(x, target[:, None], 1)
    losses = jnp.maximum(margin - right + x, 0) ** p * (1 if weight is None else weight[target][:, None])
    others = jnp.arange(x.shape[1]) != target[:, None]
    return _reduced(jnp.sum(jnp.where(others, losses, 0), 1) / x.shape[1], reduction)


def _normalize(x: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Any:
    return x / jnp.maximum(jnp.linalg.vector_norm(x, ord=p, axis=dim, keepdims=True), eps)


def _pdist(x: Any, p: float = 2.0) -> Any:
    if p == 0 or p == float("inf"):
        inexpressible("p = 0 or inf")
    rows, columns = jnp.triu_indices(len(x), 1)
    return jnp.sum(jnp.abs(x[rows] - x[columns]) ** p, -1) ** (1 / p)


LOSSES: dict[str, Counterpart] = {
    "nn_functional_binary_cross_entropy": _pointwise(_bce),
    "nn_functional_binary_cross_entropy_with_logits": _pointwise(_bce_logits),
    "nn_functional_cosine_embedding_loss": _cosine_embedding,
    "nn_functional_cosine_similarity": _cosine_similarity,
    "nn_functional_cross_entropy": _cross_entropy,
    "nn_functional_gaussian_nll_loss": _gaussian,
    "nn_functional_hinge_embedding_loss": _pointwise(_hinge_embedding),
    "nn_functional_huber_loss": _pointwise(lambda x, y, delta=1.0: optax.losses.huber_loss(x, y, delta)),
    "nn_functional_kl_div": _pointwise(_kl_div),
    "nn_functional_l1_loss": _pointwise(lambda x, y: jnp.abs(x - y)),
    "nn_functional_margin_ranking_loss": _margin_ranking,
    "nn_functional_mse_loss": _pointwise(optax.losses.squared_error),
    "nn_functional_multi_margin_loss": _multi_margin,
    "nn_functional_multilabel_soft_margin_loss": _multilabel_soft_margin,
    "nn_functional_nll_loss": _nll,
    "nn_functional_normalize": _normalize,
    "nn_functional_pairwise_distance": _distance,
    "nn_functional_pdist": _pdist,
    "nn_functional_poisson_nll_loss": _pointwise(_poisson),
    "nn_functional_smooth_l1_loss": _pointwise(_smooth_l1),
    "nn_functional_soft_margin_loss": _pointwise(lambda x, y: jnp.log1p(jnp.exp(-y * x))),
    "nn_functional_triplet_margin_loss": _triplet,
}
