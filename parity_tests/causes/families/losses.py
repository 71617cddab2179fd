"""Options of losses, on the same outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from parity_tests.causes.settings import RANDOM, Setting, normal, plant

X, LABELS, REAL = normal(6, 4), RANDOM.integers(0, 5, 6), normal(6, 5)
IGNORED = np.where(np.arange(6) < 2, -100, LABELS)
WEIGHTS = np.linspace(0.5, 3, 5).astype(np.float32)
PROBABILITIES = np.exp(REAL) / np.exp(REAL).sum(-1, keepdims=True)


def on(theirs, ours, labels):
    """A linear layer whose outputs a loss takes."""
    return Setting(
        lambda: nn.Linear(4, 5), lambda p, x: x @ p["weight"].T + p["bias"], X,
        lambda **options: {"loss": (theirs, lambda o, y: ours(o, y, **options))}, labels,
    )  # fmt: skip


def cross_entropy(o, y, smoothing=0.1, weights=None, ignore=None, by_count=False, to_wrong=False, total=False):
    scores, hot = jax.nn.log_softmax(o), jax.nn.one_hot(y, 5)
    w = jnp.ones(5) if weights is None else weights
    soft = hot * (1 - smoothing) + (1 - hot) * smoothing / 4 if to_wrong else hot * (1 - smoothing) + smoothing / 5
    terms = -(soft * w * scores).sum(-1)
    kept = jnp.ones(len(y)) if ignore is None else y != ignore
    norm = (w[y] * kept).sum() if not by_count else len(y)
    return (terms * kept).sum() / (1 if total else norm)


SMOOTH = on(lambda o, y: F.cross_entropy(o, y, label_smoothing=0.1), cross_entropy, LABELS)
PLAIN = on(F.cross_entropy, lambda o, y, **k: cross_entropy(o, y, **{"smoothing": 0.0} | k), LABELS)
WEIGHTED = on(
    lambda o, y: F.cross_entropy(o, y, torch.tensor(WEIGHTS, dtype=o.dtype)),
    lambda o, y, **k: cross_entropy(o, y, **{"smoothing": 0.0, "weights": WEIGHTS} | k), LABELS,
)  # fmt: skip
WITH_IGNORED = on(
    F.cross_entropy, lambda o, y, **k: cross_entropy(o, y, **{"smoothing": 0.0, "ignore": -100} | k), IGNORED
)
PIXELS = Setting(
    lambda: nn.Conv2d(4, 5, 1),
    lambda p, x: jnp.einsum("bchw,oc->bohw", x, p["weight"][:, :, 0, 0]) + p["bias"][:, None, None],
    normal(3, 4, 5, 5), lambda axis=1, total=False: {"loss": (F.cross_entropy, lambda o, y: -(
        (jax.nn.log_softmax(o, axis) * jax.nn.one_hot(y, 5, axis=1)).sum(1)).mean() * (25 if total else 1)
    )}, RANDOM.integers(0, 5, (3, 5, 5)),
)  # fmt: skip


def squared(o, y, way="mse", delta=1.0, factor=1.0):
    d = abs(o - y)
    terms = {
        "mse": lambda: d**2,
        "l1": lambda: d,
        "huber": lambda: jnp.where(d < delta, d**2 / 2, delta * (d - delta / 2)),
        "smooth": lambda: jnp.where(d < delta, d**2 / 2 / delta, d - delta / 2),
        "sum": lambda: d**2 * 5,
    }[way]()
    return factor * terms.mean()


MSE = on(F.mse_loss, squared, REAL)
HUBER = on(
    lambda o, y: F.huber_loss(o, y, delta=0.5),
    lambda o, y, **k: squared(o, y, **{"way": "huber", "delta": 0.5} | k),
    REAL,
)


def binary(o, y, positive=3.0, total=False):
    terms = -(positive * y * jax.nn.log_sigmoid(o) + (1 - y) * jax.nn.log_sigmoid(-o))
    return terms.sum() if total else terms.mean()


BINARY = on(
    lambda o, y: F.binary_cross_entropy_with_logits(o, y, pos_weight=torch.full((5,), 3.0, dtype=o.dtype)), binary,
    (REAL > 0).astype(np.float32),
)  # fmt: skip


def divergence(o, y, n=6, entropy=True, swapped=False):
    scores = jax.nn.log_softmax(o)
    terms = jnp.exp(scores) * (scores - jnp.log(y)) if swapped else y * ((jnp.log(y) if entropy else 0) - scores)
    return terms.sum() / n


KL = on(lambda o, y: F.kl_div(F.log_softmax(o, -1), y, reduction="batchmean"), divergence, PROBABILITIES)

DEFECTS = [
    *plant("losses", SMOOTH, {
        "label smoothing missing": ("label smoothing&missing", {"smoothing": 0.0}),
        "label smoothing 0.2": ("label smoothing&0.2", {"smoothing": 0.2}),
        "smoothing spread over the wrong classes": ("label smoothing&wrong class", {"to_wrong": True}),
    }),
    *plant("losses", PLAIN, {
        "label smoothing in JAX alone": ("label smoothing&0.1", {"smoothing": 0.1}),
        "sum over the batch": ("missing mean", {"total": True}),
    }),
    *plant("losses", WEIGHTED, {
        "class weights missing": ("class weights&missing", {"weights": None}),
        "weighted mean by the number of examples": ("class weights&number of examples", {"by_count": True}),
    }),
    *plant("losses", WITH_IGNORED, {"mean over ignored labels, too": ("ignored labels", {"by_count": True})}),
    *plant("losses", PIXELS, {
        "softmax over another axis": ("axis", {"axis": -1}),
        "sum over places": ("missing mean", {"total": True}),
    }),
    *plant("losses", MSE, {
        "l1 for squared": ("l1_loss", {"way": "l1"}),
        "huber for squared": ("huber", {"way": "huber"}),
        "sum over features": ("missing mean", {"way": "sum"}),
        "half of it": ("1/2", {"factor": 0.5}),
    }),
    *plant("losses", HUBER, {
        "delta 1": ("huber&delta=1", {"delta": 1.0}),
        "smooth_l1 for huber": ("huber", {"way": "smooth"}),
    }),
    *plant("losses", BINARY, {
        "pos_weight missing": ("pos_weight&missing", {"positive": 1.0}),
        "sum of the binary terms": ("missing mean", {"total": True}),
    }),
    *plant("losses", KL, {
        "mean over all elements": ("reduction&mean", {"n": 30}),
        "arguments swapped": ("kl_div&swapped", {"swapped": True}),
        "without the entropy": ("kl_div&entropy", {"entropy": False}),
    }),
]  # fmt: skip
