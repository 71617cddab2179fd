"""Accuracy, and the rates computed from a confusion matrix (D2L 4.3, 4.7)."""

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch

from jaxd2l import metrics
from jaxd2l.parity.rule import Row, compare_accuracy, compare_meaning
from jaxd2l.parity.suite.comparing import Case, Numbers

RATES = ("precision", "recall", "f1_score", "specificity", "fall_out")
AVERAGES = ("macro", "micro", None)
NUM_CLASSES = 6


def cases() -> Iterator[Case]:
    """Accuracy with and without ties, the confusion matrix, and each rate with each average."""
    yield Case("accuracy", lambda seed: _accuracy_rows("accuracy", *_logits(seed)))
    yield Case("accuracy with ties", lambda seed: _accuracy_rows("accuracy with ties", *_logits(seed, ties=True)))
    yield Case("confusion_matrix", _confusion_rows)
    yield Case("rates", _rate_rows)


def book_accuracy(logits: torch.Tensor, labels: torch.Tensor, averaged: bool = True) -> torch.Tensor:
    """The book's `Classifier.accuracy`."""
    predictions = logits.argmax(1).type(labels.dtype)
    compare = (predictions == labels).type(torch.float32)
    return compare.mean() if averaged else compare


def book_confusion(predictions: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts of (label, prediction), by torch."""
    pairs = torch.tensor(labels * num_classes + predictions)
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes).numpy()


def book_rate(name: str, confusion: np.ndarray, average: str | None, dtype: torch.dtype) -> Numbers:
    """A rate by its definition, class against the rest; 0/0 counts as 0."""
    table = torch.tensor(confusion)
    tp = table.diagonal()
    fp, fn = table.sum(0) - tp, table.sum(1) - tp
    tn = table.sum() - tp - fp - fn
    numerator, denominator = {
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "f1_score": (2 * tp, 2 * tp + fp + fn),
        "specificity": (tn, tn + fp),
        "fall_out": (fp, fp + tn),
    }[name]
    if average == "micro":
        numerator, denominator = numerator.sum(), denominator.sum()
    rate = torch.nan_to_num(numerator.to(dtype) / denominator.to(dtype), nan=0.0)
    return (rate.mean() if average == "macro" else rate).numpy()


def _accuracy_rows(name: str, logits: np.ndarray, labels: np.ndarray) -> list[Row]:
    rows = []
    for averaged in (True, False):
        theirs = book_accuracy(torch.tensor(logits), torch.tensor(labels), averaged).numpy()
        ours = np.array(metrics.accuracy(jnp.array(logits), labels.astype(np.int32), averaged=averaged))
        right = np.argmax(logits, 1) == labels
        oracle = np.mean(right) if averaged else np.float64(right)
        rows.append(compare_accuracy(f"{name} averaged={averaged}", theirs, ours, oracle, oracle))
    theirs = 1 - book_accuracy(torch.tensor(logits), torch.tensor(labels)).numpy()
    ours = np.array(metrics.error_rate(jnp.array(logits), labels.astype(np.int32)))
    return [*rows, compare_accuracy(f"{name}: error_rate", theirs, ours, 1 - np.mean(right), 1.0)]


def _confusion_rows(seed: int) -> list[Row]:
    predictions, labels = _predictions(seed)
    theirs = book_confusion(predictions, labels, NUM_CLASSES)
    ours = metrics.confusion_matrix(predictions.astype(np.int32), labels.astype(np.int32), NUM_CLASSES)
    return [compare_meaning("confusion_matrix", theirs, np.array(ours), 1.0)]


def _rate_rows(seed: int) -> list[Row]:
    table = book_confusion(*_predictions(seed), NUM_CLASSES)
    rows = []
    for name in RATES:
        for average in AVERAGES:
            theirs, oracle = (book_rate(name, table, average, dtype) for dtype in (torch.float32, torch.float64))
            rate: Any = getattr(metrics, name)
            ours = np.array(rate(jnp.array(table, np.int32), average=average))
            rows.append(compare_accuracy(f"rates: {name} average={average}", theirs, ours, oracle, oracle))
    return rows


def _logits(seed: int, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = rng.integers(0, 3, (101, NUM_CLASSES)) if ties else rng.standard_normal((101, NUM_CLASSES))
    return logits.astype(np.float32), rng.integers(0, NUM_CLASSES, 101)


def _predictions(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The last class is never predicted, so its precision is 0/0."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, NUM_CLASSES - 1, 200), rng.integers(0, NUM_CLASSES, 200)
