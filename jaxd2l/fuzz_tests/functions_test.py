"""Hostile arguments to the functions of numbers: activations, losses, metrics, tensors."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import strategies as st

from jaxd2l import activations, losses, metrics
from jaxd2l.book import tensors
from jaxd2l.fuzz_tests.arguments import (
    Case,
    array,
    axes,
    choice,
    classes,
    count,
    extremes,
    flags,
    floats,
    hostile_arrays,
    hunt,
    ints,
    is_close,
    mixed,
    number,
    wide,
)


def elementwise(reference):
    """The result is the reference of each element; a float16 result is known to its own precision only."""

    def right(result, x, **options) -> None:
        rtol = 2e-2 if result.dtype == jnp.float16 else 1e-4
        is_close(result, reference(wide(x), **{name: wide(value) for name, value in options.items()}), rtol, rtol)

    return right


def gelu_is_right(result, x, approximate=False) -> None:
    def tanh_formula(x):
        return x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    def exact(x):
        return x * scipy.special.ndtr(x)

    elementwise(tanh_formula if approximate else exact)(result, x)


def np_softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True, initial=-np.inf))
    return e / e.sum(axis, keepdims=True)


def softmax_is_right(result, x, axis=-1) -> None:
    is_close(result, np_softmax(wide(x), axis), 2e-2 if result.dtype == jnp.float16 else 1e-4, 1e-3)


def log_softmax_is_right(result, x, axis=-1) -> None:
    if result.dtype != jnp.float16:
        x = wide(x)
        shifted = x - x.max(axis, keepdims=True, initial=-np.inf)
        is_close(result, shifted - np.log(np.exp(shifted).sum(axis, keepdims=True)))


def np_reduce(values, reduction):
    return {"none": lambda x: x, "sum": np.sum, "mean": np.mean}[reduction](values)


def cross_entropy_is_right(result, logits, labels, weight=None, ignore_index=-100, label_smoothing=0.0, **rest) -> None:
    logits, labels, num_classes = wide(logits), np.asarray(labels), np.shape(logits)[-1]
    assert labels.dtype.kind in "iuf"
    reduction = rest.get("reduction", "mean")
    shifted = logits - logits.max(-1, keepdims=True, initial=-np.inf)
    costs = -(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))
    w = np.ones(num_classes) if weight is None else wide(weight)
    if labels.dtype.kind == "f":
        targets = (1 - label_smoothing) * wide(labels) + label_smoothing / max(num_classes, 1)
        terms = targets * np.where((targets == 0) & np.isinf(w * costs), 0, w * costs)
        expected = np_reduce(terms.sum(-1), reduction)
    else:
        kept = labels != ignore_index
        assert ((labels[kept] >= 0) & (labels[kept] < num_classes)).all()
        one_hot = np.arange(num_classes) == np.where(kept, labels, 0)[..., None]
        loss = (1 - label_smoothing) * np.where(one_hot, w * costs, 0).sum(-1)
        loss = np.where(kept, loss + (label_smoothing / num_classes * (w * costs).sum(-1) if label_smoothing else 0), 0)
        mean = loss.sum() / np.where(kept, np.where(one_hot, w, 0).sum(-1), 0).sum()
        expected = mean if reduction == "mean" else np_reduce(loss, reduction)
    if np.asarray(result).dtype != np.float16:
        is_close(result, expected, 1e-3, 1e-4)


def probabilities_loss_is_right(result, probabilities, labels) -> None:
    p, labels = wide(probabilities), np.asarray(labels)
    assert labels.dtype.kind in "iu"
    if np.asarray(result).dtype != np.float16:
        is_close(result, np.mean(-np.log(np.take_along_axis(p, labels[..., None], -1))))


def squared_loss_is_right(result, predictions, targets, reduction="mean") -> None:
    assert np.shape(predictions) == np.shape(targets)
    if np.asarray(result).dtype != np.float16:
        is_close(result, np_reduce((wide(predictions) - wide(targets)) ** 2 / 2, reduction))


def accuracy_is_right(result, logits, labels, averaged=True) -> None:
    logits, labels = np.asarray(logits), np.asarray(labels)
    assert labels.dtype.kind in "iu"
    assert logits.dtype.kind in "fiub"
    correct = np.argmax(logits, -1) == labels
    is_close(result, correct.mean() if averaged else correct)


def error_rate_is_right(result, logits, labels) -> None:
    accuracy_is_right(1 - result, logits, labels)


def confusion_is_right(result, predictions, labels, num_classes) -> None:
    expected = np.zeros((num_classes, num_classes))
    for p, y in zip(np.asarray(predictions).tolist(), np.asarray(labels).tolist(), strict=True):
        assert isinstance(p, int)
        assert isinstance(y, int)
        expected[y, p] += 1
    is_close(result, expected)


def rate(numerator, denominator):
    def right(result, confusion, average="macro") -> None:
        c = np.asarray(confusion)
        assert c.dtype.kind in "iu"
        c = c.astype(np.float64)
        tp = np.diagonal(c)
        fp, fn = c.sum(0) - tp, c.sum(1) - tp
        counts = {"tp": tp, "fp": fp, "fn": fn, "tn": c.sum() - tp - fp - fn}
        above, below = (
            sum(factor * counts[name] for name, factor in part.items()) for part in (numerator, denominator)
        )
        if average == "micro":
            above, below = above.sum(), below.sum()
        ratio = np.where(below > 0, above / np.where(below > 0, below, 1), 0)
        is_close(result, ratio.mean() if average == "macro" else ratio)

    return right


def np_norm(x, p=2, axis=None, keepdims=False):
    return np.linalg.vector_norm(x, ord=p, axis=axis, keepdims=keepdims)


def norm_is_right(result, x, p=2, axis=None, keepdims=False) -> None:
    powers = np.abs(wide(x)) ** (1 if math.isinf(p) else p)
    # The sum of powers is what float32 must hold, as in torch.
    if result.dtype != jnp.float16 and np.sum(powers) < 1e37 and not ((powers < 1e-37) & (wide(x) != 0)).any():
        size = np.size(x) or 1
        expected = np_norm(wide(x), p, axis, keepdims) if np.size(x) else np.zeros(result.shape)
        is_close(result, expected, 1e-3 * size)


def var_is_right(result, x, axis=None, ddof=1, keepdims=False) -> None:
    x = wide(x)
    n = x.size / max(1, np.asarray(result).size)
    if result.dtype != jnp.float16 and not (np.abs(x) > 1e17).any():
        expected = x.var(axis, ddof=ddof, keepdims=keepdims)
        is_close(result, np.where(n > ddof, expected, np.nan), 1e-3, 1e-3)


def std_is_right(result, x, axis=None, ddof=1, keepdims=False) -> None:
    x = wide(x)
    n = x.size / max(1, np.asarray(result).size)
    if result.dtype != jnp.float16 and not (np.abs(x) > 1e17).any():
        expected = x.std(axis, ddof=ddof, keepdims=keepdims)
        is_close(result, np.where(n > ddof, expected, np.nan), 1e-3, 1e-1)


def median_is_right(result, x, axis=None) -> None:
    x = np.asarray(x)
    assert x.dtype.kind in "fiub"
    x, axis = (x.ravel(), 0) if axis is None else (x, axis)
    lower = np.take(np.sort(x, axis), (x.shape[axis] - 1) // 2, axis)
    is_close(result, np.where(np.isnan(wide(x)).any(axis), np.nan, wide(lower)))


def at_is_right(result, x, index) -> None:
    np.testing.assert_array_equal(result, np.asarray(tensors.copy_from(x))[index])


def set_at_is_right(result, x, index, value) -> None:
    expected, value = np.array(tensors.copy_from(x)), np.asarray(value)
    if not expected[index].size:
        return
    expected[index] = value
    np.testing.assert_array_equal(np.asarray(result), expected)
    back = expected[index]
    np.testing.assert_allclose(back, np.broadcast_to(value, back.shape), rtol=1e-2)


def copy_is_right(result, external) -> None:
    external = np.asarray(external)
    assert external.dtype.kind in "fiubc"
    np.testing.assert_allclose(np.asarray(result), external, rtol=1e-6, atol=1e-37)


indices = mixed(
    st.integers(-2, 1),
    st.sampled_from([3, -4, 10**30, None, ..., slice(None), slice(5, 1), (0, 1), (0, -3), 1.5, True, "a", [0, 1], []]),
    ints((2,), -2, 3),
    extremes,
)
logits = array((3, 3), (2, 3), (3,))
hard_or_soft = mixed(classes(3), classes(2), floats((2, 3), 0.0, 1.0), hostile_arrays)
confusions = mixed(ints((3, 3), 0, 9), ints((2, 2), 0, 2**31 - 1), floats((2, 2), 0.0, 1.0), hostile_arrays)
averages = choice("macro", "micro", None)
CASES = {
    "activations.softmax": Case(activations.softmax, {"x": array((2, 3), (3,))}, {"axis": axes}, softmax_is_right),
    "activations.log_softmax": Case(
        activations.log_softmax, {"x": array((2, 3), (3,))}, {"axis": axes}, log_softmax_is_right
    ),
    "activations.relu": Case(activations.relu, {"x": array((3,))}, {}, elementwise(lambda x: np.where(x < 0, 0, x))),
    "activations.sigmoid": Case(
        activations.sigmoid, {"x": array((3,))}, {}, elementwise(lambda x: 1 / (1 + np.exp(-x)))
    ),
    "activations.tanh": Case(activations.tanh, {"x": array((3,))}, {}, elementwise(np.tanh)),
    "activations.leaky_relu": Case(
        activations.leaky_relu,
        {"x": array((3,))},
        {"negative_slope": number(-1.0, 1.0)},
        elementwise(lambda x, negative_slope=0.01: np.where(x > 0, x, x * negative_slope)),
    ),
    "activations.prelu": Case(
        activations.prelu,
        {"x": array((2, 3)), "slope": array((1,), (3,))},
        {},
        elementwise(lambda x, slope: np.where(x > 0, x, x * slope.reshape(() if slope.shape == (1,) else slope.shape))),
    ),
    "activations.swish": Case(
        activations.swish,
        {"x": array((3,))},
        {"beta": number(-2.0, 2.0)},
        elementwise(lambda x, beta=1.0: x / (1 + np.exp(-beta * x))),
    ),
    "activations.gelu": Case(activations.gelu, {"x": array((3,))}, {"approximate": flags}, gelu_is_right),
    "losses.cross_entropy": Case(
        losses.cross_entropy,
        {"logits": logits, "labels": hard_or_soft},
        {
            "weight": mixed(floats((3,), 0.0, 2.0), hostile_arrays),
            "ignore_index": mixed(
                st.sampled_from([-100, 0, 1]), st.sampled_from([1.5, None, "0", 10**30, 2**31, True])
            ),
            "label_smoothing": number(0.0, 1.0),
            "reduction": choice("mean", "sum", "none"),
        },
        cross_entropy_is_right,
    ),
    "losses.cross_entropy_from_probabilities": Case(
        losses.cross_entropy_from_probabilities,
        {"probabilities": array((3, 3), low=0.0, high=1.0), "labels": classes(3)},
        {},
        probabilities_loss_is_right,
    ),
    "losses.squared_loss": Case(
        losses.squared_loss,
        {"predictions": array((3,), (3, 1)), "targets": array((3,), (3, 1))},
        {"reduction": choice("mean", "sum", "none")},
        squared_loss_is_right,
    ),
    "metrics.accuracy": Case(
        metrics.accuracy, {"logits": logits, "labels": classes(3)}, {"averaged": flags}, accuracy_is_right
    ),
    "metrics.error_rate": Case(metrics.error_rate, {"logits": logits, "labels": classes(3)}, {}, error_rate_is_right),
    "metrics.confusion_matrix": Case(
        metrics.confusion_matrix,
        {"predictions": classes(3), "labels": classes(3), "num_classes": count(1, 4)},
        {},
        confusion_is_right,
    ),
    **{
        f"metrics.{name}": Case(getattr(metrics, name), {"confusion": confusions}, {"average": averages}, right)
        for name, right in {
            "precision": rate({"tp": 1}, {"tp": 1, "fp": 1}),
            "recall": rate({"tp": 1}, {"tp": 1, "fn": 1}),
            "f1_score": rate({"tp": 2}, {"tp": 2, "fp": 1, "fn": 1}),
            "specificity": rate({"tn": 1}, {"tn": 1, "fp": 1}),
            "fall_out": rate({"fp": 1}, {"tn": 1, "fp": 1}),
        }.items()
    },
    "book.tensors.at": Case(tensors.at, {"x": array((2, 3)), "index": indices}, {}, at_is_right),
    "book.tensors.set_at": Case(
        tensors.set_at,
        {"x": mixed(array((2, 3)), ints((3,))), "index": indices, "value": mixed(number(-2.0, 2.0), hostile_arrays)},
        {},
        set_at_is_right,
    ),
    "book.tensors.copy_from": Case(
        tensors.copy_from, {"external": hostile_arrays}, {}, copy_is_right, also=(BufferError,)
    ),
    "book.tensors.norm": Case(
        tensors.norm,
        {"x": array((2, 3), (3,))},
        {"p": mixed(st.sampled_from([1, 2, 3.5, math.inf]), number(0.0, 9.0)), "axis": axes, "keepdims": st.booleans()},
        norm_is_right,
    ),
    "book.tensors.var": Case(
        tensors.var,
        {"x": array((2, 3))},
        {"axis": axes, "ddof": count(0, 7), "keepdims": st.booleans()},
        var_is_right,
    ),
    "book.tensors.std": Case(
        tensors.std,
        {"x": array((2, 3))},
        {"axis": axes, "ddof": count(0, 7), "keepdims": st.booleans()},
        std_is_right,
    ),
    "book.tensors.median": Case(tensors.median, {"x": array((2, 3), (3,))}, {"axis": axes}, median_is_right),
}


@pytest.mark.bad_input
@pytest.mark.parametrize("name", CASES)
def test_right_or_refused(name) -> None:
    hunt(CASES[name])
