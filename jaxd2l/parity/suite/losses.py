"""Losses (D2L 3.1, 4.1, 4.4, 4.5): cross-entropy with every combination of its options, and the squared loss."""

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from jaxd2l import losses
from jaxd2l.losses import Reduction
from jaxd2l.parity.rule import Row
from jaxd2l.parity.suite.activations import softmax_terms, sum_roundings
from jaxd2l.parity.suite.comparing import Case, FunctionPair, Numbers, case, compare

REDUCTIONS: tuple[Reduction, ...] = ("none", "mean", "sum")


class Options(NamedTuple):
    """Options of cross-entropy; `weight` is one factor per class, or None."""

    weight: np.ndarray | None = None
    ignore_index: int = -100
    label_smoothing: float = 0.0
    reduction: Reduction = "mean"


DEFAULTS = Options()


def cases() -> Iterator[Case]:
    """Every combination of weight, ignored labels, smoothing, reduction and hard or soft labels; then the others."""
    for weighted, ignored, smoothing, reduction in product((False, True), (-100, 2), (0.0, 0.1, 1.0), REDUCTIONS):
        options = f"weight={weighted} ignore={ignored} smoothing={smoothing} {reduction}"
        yield _hard_case(f"cross_entropy {options}", weighted, ignored, smoothing, reduction)
    for weighted, smoothing, reduction in product((False, True), (0.0, 0.1, 1.0), REDUCTIONS):
        chosen = Options(_weights(5) if weighted else None, -100, smoothing, reduction)
        name = f"cross_entropy soft labels weight={weighted} smoothing={smoothing} {reduction}"
        yield case(name, cross_entropy_soft(chosen), _soft_inputs)
    yield _hard_case("cross_entropy logits + 1e4", False, -100, 0.0, "mean", offset=1e4)
    yield _hard_case("cross_entropy wide logits", False, -100, 0.0, "mean", width=100.0)
    yield _hard_case("cross_entropy 1000 classes", False, -100, 0.1, "mean", num_classes=1000)
    for reduction in REDUCTIONS:
        yield case(
            f"squared_loss {reduction}", squared_loss(reduction), lambda rng: list(rng.standard_normal((2, 64, 1)))
        )
    yield Case("cross_entropy_from_probabilities", _from_probabilities)


def cross_entropy(labels: Numbers, options: Options = DEFAULTS) -> FunctionPair:
    """Integer labels, classes on the last axis of the logits.

    The loss is `sum(T * -log_softmax)`, a sum of terms of one sign, with coefficients T of label, weight, smoothing
    and reduction; its gradient is `p sum(T) - T`.
    """
    return FunctionPair(
        lambda x: functional.cross_entropy(
            _classes_second(x), torch.tensor(labels, dtype=torch.int64), **_for_torch(options, x.dtype)
        ),
        lambda x: losses.cross_entropy(x, np.asarray(labels, np.int32), **options._asdict()),
        lambda c, x: _linear_scale(c, x, *_hard_coefficients(labels, x.shape, options)),
        ("logits",),
    )


def cross_entropy_soft(options: Options = DEFAULTS) -> FunctionPair:
    """Labels that are probabilities, of the logits' shape; their own gradient is compared too."""
    weight = 1.0 if options.weight is None else np.float64(options.weight)

    def scale(c: Numbers, x: Numbers, labels: Numbers) -> tuple[Numbers, ...]:
        num_classes = x.shape[-1]
        share = num_classes / x.size if options.reduction == "mean" else 1.0
        smoothed = (1 - options.label_smoothing) * labels + options.label_smoothing / num_classes
        value, logits = _linear_scale(c, x, weight * smoothed * share, options.reduction)
        each = np.abs(c)[..., None] if options.reduction == "none" else np.abs(c)
        return value, logits, each * share * (1 - options.label_smoothing) * np.abs(weight) * softmax_terms(x)[2]

    return FunctionPair(
        lambda x, labels: functional.cross_entropy(
            _classes_second(x), _classes_second(labels), **_for_torch(options, x.dtype)
        ),
        lambda x, labels: losses.cross_entropy(x, labels, **options._asdict()),
        scale,
        ("logits", "labels"),
    )


def squared_loss(reduction: Reduction = "mean") -> FunctionPair:
    """The book's `(y_hat - y) ** 2 / 2`, then the reduction."""

    def theirs(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss = (predictions - targets) ** 2 / 2
        return loss if reduction == "none" else getattr(loss, reduction)()

    def scale(c: Numbers, predictions: Numbers, targets: Numbers) -> tuple[Numbers, ...]:
        error = np.abs(predictions - targets)
        share = 1 / error.size if reduction == "mean" else 1.0
        value = error**2 if reduction == "none" else np.sum(error**2) * share
        return value, np.abs(c) * error * share, np.abs(c) * error * share

    ours = lambda predictions, targets: losses.squared_loss(predictions, targets, reduction=reduction)  # noqa: E731
    return FunctionPair(theirs, ours, scale, ("predictions", "targets"))


def _from_probabilities(seed: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    pair = from_probabilities(rng.integers(0, 10, 64))
    return compare("cross_entropy_from_probabilities", pair, [rng.dirichlet(np.ones(10), 64)], seed)


def from_probabilities(labels: Numbers) -> FunctionPair:
    """The book's `-log(y_hat[range(len(y_hat)), y])`, averaged."""

    def scale(c: Numbers, p: Numbers) -> tuple[Numbers, ...]:
        own = np.arange(p.shape[-1]) == labels[:, None]
        costs = np.where(own, np.abs(np.log(p)) + 1, 0.0)  # 1: log is steep at 1
        return np.sum(costs) / len(p), np.abs(c) * np.where(own, 1 / p, 0.0) / len(p)

    return FunctionPair(
        lambda p: -torch.log(p[list(range(len(p))), torch.tensor(labels)]).mean(),
        lambda p: losses.cross_entropy_from_probabilities(p, np.asarray(labels, np.int32)),
        scale,
        ("probabilities",),
    )


def _classes_second(x: torch.Tensor) -> torch.Tensor:
    """torch has the classes on axis 1, or on the only one."""
    return x.movedim(-1, min(1, x.ndim - 1))


def _hard_coefficients(labels: Numbers, shape: tuple[int, ...], options: Options) -> tuple[Numbers, str]:
    """Coefficients of `-log p` in the loss, and the reduction."""
    weight = np.ones(shape[-1]) if options.weight is None else np.asarray(options.weight, np.float64)
    kept = labels != options.ignore_index
    one_hot = (np.arange(shape[-1]) == labels[..., None]).astype(np.float64)
    smoothing = options.label_smoothing
    coefficients = kept[..., None] * weight * ((1 - smoothing) * one_hot + smoothing / shape[-1])
    counts = kept * weight[np.where(kept, labels, 0)]
    if options.reduction == "mean":
        # torch allows negative weights, whose sum may cancel; a sum of labels alone is exact.
        roundings = 1.0 if options.weight is None else sum_roundings(counts.size)
        coefficients = coefficients / np.sum(counts) * (roundings * np.sum(np.abs(counts)) / np.abs(np.sum(counts)))
    return coefficients, options.reduction


def _linear_scale(c: Numbers, x: Numbers, coefficients: Numbers, reduction: str) -> tuple[Numbers, Numbers]:
    p, error, scale = softmax_terms(x)
    coefficients = np.abs(coefficients)
    terms = np.sum(coefficients * scale, -1)
    each = np.abs(c)[..., None] if reduction == "none" else np.abs(c)
    slopes = coefficients + p * (error + sum_roundings(x.shape[-1])) * np.sum(coefficients, -1, keepdims=True)
    return (terms if reduction == "none" else np.sum(terms)), each * slopes


def _for_torch(options: Options, dtype: torch.dtype) -> dict[str, Any]:
    weight = None if options.weight is None else torch.tensor(options.weight, dtype=dtype)
    return {**options._asdict(), "weight": weight}


def _weights(num_classes: int) -> Numbers:
    return np.float32(np.linspace(0.25, 2.0, num_classes))


def _hard_case(
    name: str,
    weighted: bool,
    ignore_index: int,
    smoothing: float,
    reduction: Reduction,
    *,
    num_classes: int = 5,
    width: float = 3.0,
    offset: float = 0.0,
) -> Case:
    def run(seed: int) -> list[Row]:
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, num_classes, 32)
        labels[:2] = 0, ignore_index  # at least one example is kept, and one ignored
        logits = width * rng.standard_normal((32, num_classes)) + offset
        options = Options(_weights(num_classes) if weighted else None, ignore_index, smoothing, reduction)
        return compare(name, cross_entropy(labels, options), [logits], seed)

    return Case(name, run)


def _soft_inputs(rng: np.random.Generator) -> tuple[Numbers, ...]:
    return 3 * rng.standard_normal((32, 5)), rng.dirichlet(np.ones(5), 32)
