"""What is run in different ways: functions of scores, a perceptron, its gradient, SGD and an epoch."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxd2l import activations, losses, models, optim, train
from jaxd2l.models import linear
from jaxd2l.types import Batch, Model, TrainState


class Sizes(NamedTuple):
    """How large the subjects are; the defaults are the book's MLP."""

    batches: int = 4
    n: int = 256
    inputs: int = 784
    hiddens: int = 256
    classes: int = 10


class Subject(NamedTuple):
    """What is run.

    step: `(carry, batch) -> (carry, output)`.
    carry: its initial value.
    batches: each array with axes (batches, n, ...).
    by_example: whether row i of the output belongs to example i alone.
    torch: the output for a batch of tensors, if torch is measured too.
    """

    step: Callable[[Any, Any], tuple[Any, Any]]
    carry: Any
    batches: Any
    by_example: bool = False
    torch: Callable[..., Any] | None = None


def subjects(sizes: Sizes = Sizes()) -> dict[str, Subject]:  # noqa: B008 (a constant)
    """All of them, on random numbers that are the same every time; in float64 where JAX has it on."""
    rng, dtype = np.random.default_rng(0), jnp.zeros(0).dtype
    shape = (sizes.batches, sizes.n)
    x = np.float32(rng.standard_normal((*shape, sizes.inputs)))
    logits = np.float32(3 * rng.standard_normal((*shape, sizes.classes)))
    y = rng.integers(0, sizes.classes, shape).astype(np.int32)
    x, logits, y = jnp.array(x, dtype), jnp.array(logits, dtype), jnp.array(y)
    widths = (sizes.inputs, sizes.hiddens, sizes.classes)
    weights = [np.float32(rng.standard_normal(pair) / np.sqrt(pair[0])) for pair in pairwise(widths)]
    weights = [np.asarray(w, dtype) for w in weights]
    params = tuple({"kernel": jnp.array(w), "bias": jnp.full(w.shape[1], 0.1, dtype)} for w in weights)
    grads = jax.tree.map(lambda p: jnp.array(rng.standard_normal((sizes.batches, *p.shape)), p.dtype), params)
    mlp = models.mlp(*widths)
    return _of_scores(logits, y) | _of_layers(mlp, params, weights, x, y) | _of_steps(mlp, params, grads, Batch(x, y))


def _of_scores(logits: Any, y: Any) -> dict[str, Subject]:
    cross_entropy = torch.nn.functional.cross_entropy
    return {
        "softmax": _pure(activations.softmax, (logits,), lambda x: torch.softmax(x, -1)),
        "log_softmax": _pure(activations.log_softmax, (logits,), lambda x: torch.log_softmax(x, -1)),
        "cross_entropy": _pure(
            lambda x, y: losses.cross_entropy(x, y, reduction="none"),
            (logits, y),
            lambda x, y: cross_entropy(x, y.long(), reduction="none"),
        ),
        "its gradient": _pure(
            lambda x, y: jax.grad(lambda x: losses.cross_entropy(x, y, reduction="sum"))(x),
            (logits, y),
            lambda x, y: torch.func.grad(lambda x: cross_entropy(x, y.long(), reduction="sum"))(x),
        ),
    }


def _of_layers(mlp: Model, params: Any, weights: list[np.ndarray], x: Any, y: Any) -> dict[str, Subject]:
    theirs = [t for w in weights for t in (torch.tensor(w.T.copy()), torch.full((w.shape[1],), 0.1))]

    def loss(params: Any, x: Any, y: Any) -> Any:
        return losses.cross_entropy(mlp.apply(params, x), y)

    def torch_mlp(x: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
        return torch.relu(x @ w1.T + b1) @ w2.T + b2

    def torch_gradient(x: Any, y: Any) -> Any:
        return torch.func.grad(lambda w: torch.nn.functional.cross_entropy(torch_mlp(x, *w), y.long()))(theirs)

    return {
        "linear": _pure(lambda x: linear(params[0], x), (x,), lambda x: x @ theirs[0].T + theirs[1]),
        "MLP": _pure(lambda x: mlp.apply(params, x), (x,), lambda x: torch_mlp(x, *theirs)),
        "MLP's gradient": _pure(lambda x, y: jax.grad(loss)(params, x, y), (x, y), torch_gradient, by_example=False),
    }


def _of_steps(mlp: Model, params: Any, grads: Any, batches: Batch) -> dict[str, Subject]:
    tx = optim.sgd(0.1, momentum=0.9, weight_decay=1e-3)
    state = TrainState(params, tx.init(params), jnp.zeros((), jnp.int32))

    def sgd(carry: Any, grads: Any) -> tuple[Any, Any]:
        params, opt_state = carry
        updates, opt_state = tx.update(grads, opt_state, params)
        return (jax.tree.map(jnp.add, params, updates), opt_state), ()

    return {
        "SGD": Subject(sgd, (params, tx.init(params)), grads),
        "an epoch": Subject(train.make_train_step(mlp, losses.cross_entropy, tx), state, batches),
    }


def _pure(function: Callable[..., Any], batches: Any, theirs: Callable[..., Any], by_example: bool = True) -> Subject:
    return Subject(lambda carry, batch: (carry, function(*batch)), (), batches, by_example, theirs)
