"""The rule itself: what must pass, what must fail, and how the failure is named."""

import numpy as np
import pytest

from jaxd2l.parity.rule import DOUBLE, SINGLE, ULP_EDGES, Row, compare_accuracy, compare_meaning, holds, require


def accuracy_row(torch_ulps: int, jax_ulps: int, scale: float = 1.0) -> Row:
    """A row whose two sides err by so many condition-scaled ULPs of a value near `scale`."""
    # Errors are multiples of 2 ULP from a power of two, so that float32 holds them exactly.
    oracle = np.full(3, scale)
    torch_value = np.float32(oracle + torch_ulps * SINGLE * scale)
    jax_value = np.float32(oracle + np.array([0, jax_ulps, 0]) * SINGLE * scale)
    return compare_accuracy("x", torch_value, jax_value, oracle, scale)


@pytest.mark.parametrize("scale", [1.0, 2.0**40, 2.0**-40])
def test_the_bound_is_twice_torch_plus_four(scale):
    row = accuracy_row(6, 16, scale)
    assert (row.torch_error, row.jax_error, row.bound, row.ratio) == (6, 16, 16, 16 / 6)
    assert row.verdict == "within-oracle"
    assert row.worst_index == (1,)
    assert not holds(accuracy_row(6, 18, scale))


def test_names_failures_by_size():
    assert accuracy_row(0, 100).verdict == "precision-defect"
    assert accuracy_row(0, 5000).verdict == "semantic-mismatch"


def test_equal_bits_hold_whatever_the_oracle_says():
    x = np.float32([1.0, 2.0])
    row = compare_accuracy("x", x, x, np.array([1.1, 2.0]), 1.0)
    assert row.verdict == "bitwise"
    assert row.jax_error == row.torch_error > 0


def test_zeros_of_different_sign_agree_but_not_bitwise():
    row = compare_accuracy("x", np.float32([0.0]), np.float32([-0.0]), np.zeros(1), 0.0)
    assert row.verdict == "within-oracle"
    assert row.ratio == 1


def test_cancellation_is_forgiven_to_the_scale_and_no_further():
    oracle, zero = np.array([1e-7]), np.float32([0.0])
    assert holds(compare_accuracy("x", np.float32(oracle), zero, oracle, 1.0))
    assert not holds(compare_accuracy("x", np.float32(oracle), zero, oracle, 1e-7))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [(np.nan, 1.0), (1.0, np.nan), (np.inf, -np.inf), (np.inf, np.nan), (1.0, np.inf), (np.inf, 1.0)],
)
def test_patterns_of_nan_and_inf_must_be_torch_s(theirs, ours):
    for row in (
        compare_accuracy("x", np.float32([1.0, theirs]), np.float32([1.0, ours]), np.ones(2), 1.0),
        compare_meaning("x", np.array([1.0, theirs]), np.array([1.0, ours]), 1.0),
    ):
        assert row.verdict == "semantic-mismatch"
        assert row.worst_index == (1,)
        assert row.jax_error == np.inf
        assert str(ours) in row.hint


def test_equal_patterns_of_nan_and_inf_are_no_error():
    x = np.float32([np.nan, np.inf, -np.inf, 1.0])
    y = x + np.float32([0, 0, 0, 2 * SINGLE])
    row = compare_accuracy("x", x, y, np.array([0.0, 1e300, 1.0, 1.0]), 1.0)
    assert row.verdict == "within-oracle"
    assert row.jax_error == 2
    assert compare_accuracy("x", x, np.negative(-x), np.float64(x), 1.0).verdict == "bitwise"


def test_an_oracle_that_is_not_finite_gives_way_to_torch():
    row = compare_accuracy("x", np.float32([1.0]), np.float32([1.5]), np.array([np.inf]), 1.0)
    assert not holds(row)
    assert row.torch_error == 0


def test_a_scale_that_is_not_finite_gives_way_to_the_value():
    value = np.float32([1.0])
    assert not holds(compare_accuracy("x", value, value + np.float32(1e-3), np.ones(1), np.inf))
    assert not holds(compare_accuracy("x", value, value + np.float32(1e-3), np.ones(1), np.nan))


def test_a_negative_scale_is_a_mistake():
    with pytest.raises(ValueError, match="cannot be negative"):
        compare_accuracy("x", np.ones(1, np.float32), np.zeros(1, np.float32), np.ones(1), -1.0)


def test_scale_zero_asks_for_the_exact_value():
    zero = np.zeros(2, np.float32)
    assert holds(compare_accuracy("x", zero, zero, np.zeros(2), 0.0))
    assert not holds(compare_accuracy("x", zero, zero + np.float32(1e-30), np.zeros(2), 0.0))


def test_flushed_subnormals_are_forgiven_and_small_normals_are_not():
    for value, agrees in ((1e-39, True), (1e-35, False)):
        oracle = np.array([value])
        assert holds(compare_accuracy("x", np.float32(oracle), np.zeros(1, np.float32), oracle, oracle)) == agrees


@pytest.mark.parametrize("shape", [(0,), (3, 0), ()])
def test_empty_and_scalar_values(shape):
    x = np.ones(shape, np.float32)
    row = compare_accuracy("x", x, x, np.ones(shape), np.ones(shape))
    assert (row.verdict, row.jax_error, row.ratio) == ("bitwise", 0, 1)
    assert sum(row.histogram) == x.size
    assert holds(compare_accuracy("x", x, x + 2 * np.float32(SINGLE), np.ones(shape), 1.0))
    assert holds(compare_meaning("x", np.ones(shape), np.ones(shape), 1.0))


def test_shapes_and_dtypes_must_be_the_same():
    x = np.ones((3, 1), np.float32)
    for row in (
        compare_accuracy("x", x, x[:, 0], x, 1.0),
        compare_accuracy("x", x, x, np.ones((3, 3)), 1.0),
        compare_accuracy("x", x, x.astype(np.float64), x, 1.0),
        compare_accuracy("x", x, x.astype(np.int32), x, 1.0),
        compare_meaning("x", x.astype(np.float64), x, 1.0),  # float64 that silently became float32
        compare_meaning("x", x, x, 1.0),
    ):
        assert row.verdict == "semantic-mismatch"
        assert row.hint


def test_integers_must_be_equal_and_may_have_another_width():
    assert holds(compare_meaning("x", np.arange(3), np.arange(3, dtype=np.int32), 1.0))
    row = compare_meaning("x", np.arange(3), np.array([0, 1, 3]), 1e20)
    assert row.verdict == "semantic-mismatch"
    assert "1 of 3" in row.hint


def test_meaning_allows_eight_roundings():
    one = np.ones(2)
    assert compare_meaning("x", one, one, 1.0).verdict == "bitwise"
    assert compare_meaning("x", one, one + 8 * DOUBLE, 1.0).verdict == "within-oracle"
    row = compare_meaning("x", one, one + np.array([0, 10 * DOUBLE]), 1.0)
    assert (row.verdict, row.jax_error, row.torch_error, row.bound) == ("semantic-mismatch", 10, 0, 8)


def test_the_histogram_counts_every_element():
    oracle = np.ones(6)
    ours = np.float32(1 + SINGLE * np.array([0, 2, 2, 4, 100, 1e5]))
    row = compare_accuracy("x", np.ones(6, np.float32), ours, oracle, 1.0)
    counts = dict(zip(ULP_EDGES[:-1], row.histogram, strict=True))
    assert {edge: n for edge, n in counts.items() if n} == {0.0: 1, 2.0: 2, 4.0: 1, 64.0: 1, 4096.0: 1}


def test_require_lists_every_row_that_does_not_hold():
    good, bad = accuracy_row(0, 2), accuracy_row(0, 100)
    require([good, good])
    with pytest.raises(AssertionError, match=r"(?s)precision-defect at \(1,\).*100.*allowed 4.*precision-defect"):
        require([bad, good, bad])
