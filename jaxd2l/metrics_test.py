"""Metrics against scikit-learn, which counts in its own way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk

from jaxd2l.metrics import accuracy, confusion_matrix, error_rate, f1_score, fall_out, precision, recall, specificity

# Of four classes and nine examples, some class is often missing from the labels, the predictions or both: 0/0.
CLASSES = range(4)
classified = st.tuples(*(arrays(np.int32, 9, elements=st.integers(0, 3)) for _ in range(2)))
averages = pytest.mark.parametrize("average", ["macro", "micro", None])
ALL = (precision, recall, f1_score, specificity, fall_out)


def confusion(predictions: np.ndarray, labels: np.ndarray) -> jax.Array:
    return confusion_matrix(jnp.array(predictions), jnp.array(labels), len(CLASSES))


@given(classified)
def test_confusion_matrix_is_scikit_learns(data) -> None:
    predictions, labels = data
    np.testing.assert_array_equal(
        confusion(predictions, labels), sk.confusion_matrix(labels, predictions, labels=CLASSES)
    )


@averages
@given(classified)
def test_precision_recall_and_f1_are_scikit_learns(average, data) -> None:
    predictions, labels = data
    matrix = confusion(predictions, labels)
    for ours, theirs in ((precision, sk.precision_score), (recall, sk.recall_score), (f1_score, sk.f1_score)):
        expected = theirs(labels, predictions, labels=CLASSES, average=average, zero_division=0)
        np.testing.assert_allclose(ours(matrix, average=average), expected, rtol=1e-6)


@given(classified)
def test_specificity_is_the_recall_of_negatives_and_fall_out_its_complement(data) -> None:
    predictions, labels = data
    matrix = confusion(predictions, labels)
    per_class = [sk.recall_score(labels != c, predictions != c, zero_division=0) for c in CLASSES]
    there_are_negatives = [bool((labels != c).any()) for c in CLASSES]
    np.testing.assert_allclose(specificity(matrix, average=None), per_class, rtol=1e-6)
    np.testing.assert_allclose(specificity(matrix), np.mean(per_class), rtol=1e-6)
    sums = specificity(matrix, average=None) + fall_out(matrix, average=None)
    np.testing.assert_allclose(sums, there_are_negatives, rtol=1e-6)
    decisions = [np.concatenate([side != c for c in CLASSES]) for side in (labels, predictions)]
    np.testing.assert_allclose(specificity(matrix, average="micro"), sk.recall_score(*decisions), rtol=1e-6)
    np.testing.assert_allclose(1 - specificity(matrix, average="micro"), fall_out(matrix, average="micro"), atol=1e-6)


@given(classified)
def test_accuracy_is_scikit_learns_and_the_micro_average_of_the_rates(data) -> None:
    predictions, labels = data
    logits = jnp.array(np.eye(4, dtype=np.float32)[predictions] * 3 - 1)
    expected = sk.accuracy_score(labels, predictions)
    np.testing.assert_allclose(accuracy(logits, jnp.array(labels)), expected, rtol=1e-6)
    np.testing.assert_allclose(error_rate(logits, jnp.array(labels)), 1 - expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(accuracy(logits, jnp.array(labels), averaged=False), predictions == labels)
    for rate in (precision, recall, f1_score):
        np.testing.assert_allclose(rate(confusion(predictions, labels), average="micro"), expected, rtol=1e-6)


def test_zero_of_zero_is_zero_and_counts_in_the_macro_mean() -> None:
    matrix = jnp.array([[3, 0], [0, 0]])  # class 1 neither exists nor is predicted; class 0 has no negatives
    for rate in (precision, recall, f1_score):
        np.testing.assert_array_equal(rate(matrix, average=None), [1, 0])
        assert rate(matrix) == 0.5
    np.testing.assert_array_equal(specificity(matrix, average=None), [0, 1])
    np.testing.assert_array_equal(fall_out(matrix, average=None), [0, 0])
    for rate in ALL:
        assert rate(jnp.zeros((2, 2), jnp.int32), average="micro") == 0


def test_first_of_equal_logits_counts() -> None:
    assert accuracy(jnp.zeros((2, 3)), jnp.array([0, 1])) == 0.5


def test_accuracy_takes_labels_of_any_integer_type_and_any_shape() -> None:
    logits = jnp.array([[[0.0, 1.0], [1.0, 0.0]]])
    for dtype in (np.uint8, np.int32, np.int64):
        np.testing.assert_array_equal(accuracy(logits, np.array([[1, 1]], dtype), averaged=False), [[1, 0]])


def test_rates_stay_between_the_two_axes_of_the_matrix() -> None:
    matrix = confusion(np.array([0, 1, 1, 2]), np.array([0, 0, 0, 2]))  # rows are true
    np.testing.assert_array_equal(matrix[:3, :3], [[1, 2, 0], [0, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(recall(matrix, average=None), [1 / 3, 0, 1, 0])
    np.testing.assert_allclose(precision(matrix, average=None), [1, 0, 1, 0])


def test_jit_and_vmap_change_nothing_and_compile_once() -> None:
    rng = np.random.default_rng(0)
    predictions, labels = rng.integers(0, 4, (2, 3, 9))
    scores = jax.jit(lambda p, y: [rate(confusion_matrix(p, y, 4), average=None) for rate in ALL])
    with jax.checking_leaks():
        together = jax.vmap(scores)(jnp.array(predictions), jnp.array(labels))
    for i in range(3):
        each = scores(jnp.array(predictions[i]), jnp.array(labels[i]))
        for one, all_ in zip(each, together, strict=True):
            np.testing.assert_allclose(one, all_[i], rtol=1e-6)
    assert scores._cache_size() == 1


def test_under_jit_a_wrong_class_is_not_counted() -> None:
    count = jax.jit(confusion_matrix, static_argnames="num_classes")
    matrix = count(jnp.array([0, 4, 1]), jnp.array([0, 1, -1]), num_classes=2)
    np.testing.assert_array_equal(matrix, [[1, 0], [0, 0]])


def test_a_wrong_class_is_named_with_its_index() -> None:
    with pytest.raises(ValueError, match=r"predictions\[1\] is 4, but must be a class from 0 to 3"):
        confusion_matrix(jnp.array([0, 4]), jnp.array([0, 0]), 4)
    with pytest.raises(ValueError, match=r"labels\[0\] is -1, but must be a class"):
        confusion_matrix(np.array([0, 0]), np.array([-1, 0]), 4)


@pytest.mark.bad_input
def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"logits and labels must have shapes \(\*batch, classes>=1\) and \(\*batch,\); got \(3, 2\) and \(3, 1\)",
    ):
        accuracy(jnp.zeros((3, 2)), jnp.zeros((3, 1), int))
    with pytest.raises(
        ValueError, match=r"predictions and labels must have the same shape \(n,\); got \(3,\) and \(2,\)"
    ):
        confusion_matrix(jnp.zeros(3, int), jnp.zeros(2, int), 2)
    with pytest.raises(ValueError, match=r"the same shape \(n,\)"):
        confusion_matrix(jnp.zeros((3, 1), int), jnp.zeros((3, 1), int), 2)
    for rate in ALL:
        with pytest.raises(ValueError, match=r"confusion must have shape \(classes, classes\); got \(2, 3\)"):
            rate(jnp.zeros((2, 3), int))
        with pytest.raises(ValueError, match="average must be 'macro', 'micro' or None, got 'weighted'"):
            rate(jnp.zeros((2, 2), int), average="weighted")


@pytest.mark.bad_input
def test_labels_that_are_not_integers_are_refused() -> None:
    with pytest.raises(TypeError, match="labels must be integers"):
        accuracy(jnp.zeros((2, 3)), jnp.array([0.9, 1.0]))


@pytest.mark.bad_input
def test_labels_beyond_the_classes_and_fractions_of_them_are_refused() -> None:
    logits = jnp.array([[1.0, 0.0]])
    with pytest.raises(ValueError, match=r"labels\[.*\] is 4294967296"):
        accuracy(logits, np.array([2**32]))  # as an int32 it would be 0, and right
    with pytest.raises(ValueError, match=r"labels\[.*\] is 2,"):
        accuracy(logits, jnp.array([2]))
    with pytest.raises(ValueError, match=r"classes>=1\) and \(\*batch,\); got \(\) and \(\)"):
        accuracy(jnp.float32(1), jnp.int32(0))
    with pytest.raises(TypeError, match="labels must be integers"):
        confusion_matrix(jnp.array([1]), np.array([1.7]), 2)  # would be cut to 1
    with pytest.raises(TypeError, match="num_classes must be a whole number"):
        confusion_matrix(jnp.array([1]), jnp.array([1]), 2.5)


@pytest.mark.bad_input
@pytest.mark.parametrize("rate", ALL)
def test_rates_need_counts(rate) -> None:
    with pytest.raises(TypeError, match="confusion must be integers, got float32"):
        rate(jnp.array([[0.5, 0.1], [0.1, 0.3]]))  # shares: precision would be 0.45, not 0.79
    with pytest.raises(ValueError, match=r"confusion\[0, 1\] is -1, but must be at least 0"):
        rate(jnp.array([[1, -1], [0, 1]]))
    with pytest.raises(ValueError, match=r"confusion must add up to less than 2\^31, got 4294967299"):
        rate(np.array([[2**32, 1], [1, 1]]))


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_large_counts_do_not_overflow(average) -> None:
    n = 2**29
    assert f1_score(jnp.array([[n, 0], [n, n]]), average=average) == pytest.approx(2 / 3)
    assert specificity(jnp.diag(jnp.array([n, n, n])), average=average) == 1
