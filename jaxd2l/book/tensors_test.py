"""The numbers of D2L 2.1 and 2.3, torch's meaning where that of JAX differs, and the laws of norms."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxd2l.book.tensors import at, copy_from, median, norm, set_at, std, var

X = jnp.arange(12.0).reshape(3, 4)
A = jnp.arange(6.0).reshape(2, 3)
finite = st.floats(-100, 100, width=32)
vectors = arrays(np.float32, 4, elements=finite)


def equal(ours, book) -> None:
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(book, np.asarray(ours).dtype), strict=True)


def close(ours, book) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(book), rtol=1e-6)


# 2.1 Data manipulation


def test_creation() -> None:
    x = jnp.arange(12, dtype=jnp.float32)
    assert (x.size, x.shape, x.dtype) == (12, (12,), jnp.float32)  # numel is a number of elements, not a dimension
    equal(jnp.arange(0, 12, 2), [0, 2, 4, 6, 8, 10])
    assert x.reshape(3, 4).shape == x.reshape(-1, 4).shape == x.reshape(3, -1).shape == (3, 4)
    assert x.reshape(3, 4).size == 12
    equal(jnp.zeros((2, 3, 4)), np.zeros((2, 3, 4)))
    equal(jnp.ones((2, 3, 4)), np.ones((2, 3, 4)))
    equal(jnp.array([[2, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]])[0], [2, 1, 4, 3])
    sample = jax.random.normal(jax.random.key(0), (3, 4))
    equal(sample, jax.random.normal(jax.random.key(0), (3, 4)))
    assert not (sample == jax.random.normal(jax.random.key(1), (3, 4))).any()


def test_reading_and_writing() -> None:
    equal(at(X, -1), [8, 9, 10, 11])
    equal(at(X, slice(1, 3)), [[4, 5, 6, 7], [8, 9, 10, 11]])
    written = set_at(X, (1, 2), 17)
    equal(written, [[0, 1, 2, 3], [4, 5, 17, 7], [8, 9, 10, 11]])
    block = set_at(written, (slice(None, 2), slice(None)), 12)
    equal(block, [[12] * 4, [12] * 4, [8, 9, 10, 11]])
    equal(X, np.arange(12).reshape(3, 4))
    # torch's reshape shares memory, so there the block shows up in x as well.
    exponentials = jnp.exp(block.ravel())
    np.testing.assert_allclose(exponentials[:8], 162754.7969, rtol=1e-6)
    np.testing.assert_allclose(exponentials[8:], [2980.9580, 8103.0840, 22026.4648, 59874.1406], rtol=1e-6)


def test_elementwise_operations_and_concatenation() -> None:
    x, y = jnp.array([1.0, 2, 4, 8]), jnp.array([2.0, 2, 2, 2])
    for ours, book in zip(
        (x + y, x - y, x * y, x / y, x**y),
        ([3, 4, 6, 10], [-1, 0, 2, 6], [2, 4, 8, 16], [0.5, 1, 2, 4], [1, 4, 16, 64]),
        strict=True,
    ):
        equal(ours, book)
    Y = jnp.array([[2.0, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]])
    assert jnp.concatenate((X, Y), 0).shape == (6, 4)
    equal(jnp.concatenate((X, Y), 1)[0], [0, 1, 2, 3, 2, 1, 4, 3])
    equal(X == Y, [[False, True, False, True], [False] * 4, [False] * 4])
    equal((X < Y)[0], [True, False, True, False])
    equal((X > Y)[0], [False] * 4)
    assert X.sum() == 66


def test_broadcasting() -> None:
    equal(jnp.arange(3)[:, None] + jnp.arange(2), [[0, 1], [1, 2], [2, 3]])
    equal(
        jnp.arange(6).reshape(3, 1, 2) + jnp.arange(3)[:, None], np.arange(6).reshape(3, 1, 2) + np.arange(3)[:, None]
    )


@pytest.mark.parametrize(
    ("operation", "shapes"),
    [
        (lambda: jnp.ones((2, 3)) + jnp.ones((2, 4)), r"2,\s?3.*2,\s?4"),
        (lambda: jnp.concatenate((jnp.ones((3, 4)), jnp.ones((2, 5)))), r"3,\s?4.*2,\s?5"),
        (lambda: jnp.ones((2, 3)) @ jnp.ones((4, 3)), "3.*4"),
        (lambda: X.reshape(5, -1), "12"),
    ],
    ids=["broadcast", "concatenate", "matmul", "reshape"],
)
def test_jax_itself_is_clear_about_shapes_that_do_not_fit(operation, shapes) -> None:
    with pytest.raises((ValueError, TypeError), match=shapes):
        operation()


def test_a_donated_buffer_is_reused_and_cannot_be_used_again() -> None:
    add = jax.jit(jnp.add, donate_argnums=0)
    x = jnp.ones(1000)
    address = x.unsafe_buffer_pointer()
    total = add(x, jnp.ones(1000))
    assert total.unsafe_buffer_pointer() == address
    with pytest.raises(RuntimeError, match="deleted"):
        x + 1


def test_a_write_into_a_donated_array_is_in_place() -> None:
    x = jnp.zeros(1000)
    address = x.unsafe_buffer_pointer()
    written = jax.jit(lambda x: set_at(x, 3, 17.0), donate_argnums=0)(x)
    assert (written.unsafe_buffer_pointer(), written[3], written.sum()) == (address, 17, 17)


def test_an_array_of_one_element_is_a_python_number() -> None:
    a = jnp.array([3.5])
    assert (a.item(), float(a.item()), int(a.item())) == (3.5, 3.5, 3)


# Indexing

INDICES = [
    (2,),
    (-3,),
    (1, 2),
    slice(1, 3),
    slice(1, 99),
    (Ellipsis, -1),
    (None, 0),
    [0, 2, 2],
    [],
    [[0, 1], [1, 2]],
    ([0, 1], [3, 3]),
    np.array([True, False, True]),
    [True, False, True],
    (slice(None), np.array([-1, 0])),
]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_anything_that_indexes_numpy_reads_and_writes_as_in_numpy(index) -> None:
    numpy = np.array(X)
    equal(at(X, index), numpy[index])
    numpy[index] = 99
    equal(set_at(X, index, 99), numpy)
    equal(jax.jit(lambda x: set_at(x, index, 99))(X), numpy)


@pytest.mark.parametrize(
    "index", [3, -4, (0, 4), [0, 3], (slice(None), [0, -5]), np.array([1, 9]), jnp.array([3])], ids=repr
)
def test_an_index_out_of_bounds_is_an_error(index) -> None:
    for operation in (
        lambda x: at(x, index),
        lambda x: set_at(x, index, 1.0),
        jax.jit(lambda x: at(x, index)),  # the index is concrete even where x is not
        jax.jit(lambda x: set_at(x, index, 1.0)),
        jax.grad(lambda x: at(x, index).sum()),
    ):
        with pytest.raises(IndexError, match=r"out of bounds.*\(3, 4\)"):
            operation(X)
    with pytest.raises(IndexError, match=r"out of bounds.*\(4,\)"):
        jax.vmap(lambda row: at(row, 4))(X)


def test_a_traced_index_is_unknown_but_its_neighbours_are_checked() -> None:
    read, write = jax.jit(at), jax.jit(set_at)
    equal(read(X, 2), X[2])
    equal(read(X, -1), X[-1])
    assert jnp.isnan(read(X, 3)).all()
    assert jnp.isnan(read(X, -4)).all()
    equal(write(X, 3, 1.0), X)
    equal(jax.vmap(at)(X, jnp.array([0, 1, 3])), [0, 5, 11])
    with pytest.raises(IndexError, match="index 4 is out of bounds for axis 1"):
        jax.jit(lambda x, i: at(x, (i, 4)))(X, 0)


@pytest.mark.parametrize("index", [(0, 0, 0), 1.0, np.zeros(2, bool)], ids=repr)
def test_an_invalid_index_is_an_error(index) -> None:
    with pytest.raises(IndexError, match=r"\(3, 4\)"):
        at(X, index)


def test_values_that_do_not_fit_are_not_written() -> None:
    with pytest.raises(TypeError, match="value holds float32, which an array of int32 cannot hold"):
        set_at(jnp.arange(3), 0, 17.5)
    with pytest.raises(ValueError, match=r"broadcasting.*\[3\].*\[4\]"):
        set_at(X, 0, jnp.ones(3))
    equal(set_at(X, 0, jnp.arange(4)), X.at[0].set(jnp.arange(4.0)))  # integers fit into floats
    assert set_at(X, 0, 5).dtype == X.dtype


def test_gradients_go_to_what_was_read_and_not_to_what_was_overwritten() -> None:
    equal(jax.grad(lambda x: at(x, [0, 0]).sum())(jnp.ones(3)), [2, 0, 0])
    equal(jax.grad(lambda x: set_at(x, 0, 5).sum())(jnp.ones(3)), [0, 1, 1])
    equal(jax.grad(lambda v: set_at(jnp.ones(3), slice(None, 2), v).sum())(1.0), 2)


# Conversion


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int32, np.int64, np.uint8, bool], ids=str)
def test_conversion_copies(dtype) -> None:
    host = np.ones((16, 16), dtype)
    x = copy_from(host)
    host[:] = 0
    equal(x, np.ones((16, 16), x.dtype))
    back = np.array(x)
    back[:] = 0
    assert (x == jnp.ones((), x.dtype)).all()
    equal(copy_from(np.arange(6)[::-2]), [5, 3, 1])
    equal(copy_from(np.float32(1.5)), 1.5)


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 1e300, np.uint64(2**32)], ids=str)
def test_a_number_that_does_not_fit_is_an_error(value) -> None:
    with pytest.raises(OverflowError, match="does not fit"):
        copy_from(np.array([value]))
    with jax.enable_x64(True):
        equal(copy_from(np.array([value])), np.array([value]))


def test_numbers_that_fit_are_kept() -> None:
    equal(copy_from(np.array([2**31 - 1, -(2**31)])), [2**31 - 1, -(2**31)])
    equal(copy_from(np.array([np.inf, -np.inf, np.nan, 3e38])), np.array([np.inf, -np.inf, np.nan, 3e38], np.float32))
    assert copy_from(np.array([1e-320])) == 0  # rounded, like every float64


# 2.3 Linear algebra


def test_scalars_and_vectors() -> None:
    x, y = jnp.array(3.0), jnp.array(2.0)
    assert (x + y, x * y, x / y, x**y) == (5, 6, 1.5, 9)
    v = jnp.arange(3)
    assert (len(v), v.shape, at(v, 2)) == (3, (3,), 2)
    equal(jnp.arange(6).reshape(3, 2).T, [[0, 2, 4], [1, 3, 5]])
    S = jnp.array([[1, 2, 3], [2, 0, 4], [3, 4, 5]])
    assert (S == S.T).all()
    equal(jnp.arange(24).reshape(2, 3, 4), np.arange(24).reshape(2, 3, 4))


def test_reductions_and_products() -> None:
    equal(A + A, [[0, 2, 4], [6, 8, 10]])
    equal(A * A, [[0, 1, 4], [9, 16, 25]])
    assert (A.sum(), A.mean(), A.sum() / A.size, A.sum((0, 1))) == (15, 2.5, 2.5, 15)
    assert (A.sum(0).shape, A.sum(1).shape) == ((3,), (2,))
    equal(A.mean(0), [1.5, 2.5, 3.5])
    equal(A.sum(1, keepdims=True), [[3], [12]])
    np.testing.assert_allclose(
        A / A.sum(1, keepdims=True), [[0, 0.3333, 0.6667], [0.25, 0.3333, 0.4167]], rtol=0, atol=5e-5
    )
    equal(A.cumsum(0), [[0, 1, 2], [3, 5, 7]])
    x = jnp.arange(3.0)
    assert x @ jnp.ones(3) == 3
    equal(A @ x, [5, 14])
    equal(A @ jnp.ones((3, 4)), [[3] * 4, [12] * 4])


def test_norms_of_the_book() -> None:
    u = jnp.array([3.0, -4.0])
    assert (norm(u), norm(u, 1), norm(u, math.inf), norm(jnp.ones((4, 9)))) == (5, 7, 4, 6)


ORDERS = [1, 1.5, 2, 3, math.inf]


@pytest.mark.parametrize("p", ORDERS)
@given(vectors, vectors, finite)
def test_the_three_axioms_of_a_norm(p, x, y, alpha) -> None:
    x, y = jnp.asarray(x), jnp.asarray(y)
    assume(all(abs(v) > 1e-6 or v == 0 for v in (alpha, *x.tolist(), *y.tolist())))  # their powers are normal numbers
    np.testing.assert_allclose(norm(alpha * x, p), abs(alpha) * norm(x, p), rtol=1e-4, atol=1e-8)
    assert norm(x + y, p) <= (norm(x, p) + norm(y, p)) * (1 + 1e-5) + 1e-8
    assert (norm(x, p) > 0) == bool((x != 0).any())


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_the_gradient_of_a_norm_is_0_at_0(p, wrap) -> None:
    gradient = wrap(jax.grad(lambda x: norm(x, p)))
    equal(gradient(jnp.zeros(3)), [0, 0, 0])
    equal(jax.jit(jax.grad(lambda x: norm(x, p, axis=1).sum()))(jnp.zeros((2, 3))), np.zeros((2, 3)))
    assert gradient(jnp.array([0.0, 2.0]))[0] == 0
    x = jnp.array([1.0, -2.0, 0.5])
    close(gradient(x), jax.grad(lambda x: jnp.linalg.norm(x, p))(x))


@pytest.mark.parametrize("p", ORDERS)
def test_norms_along_axes(p) -> None:
    x = jax.random.normal(jax.random.key(3), (2, 3, 4))
    np.testing.assert_allclose(norm(x, p, 1), np.linalg.norm(np.asarray(x), p, 1), rtol=1e-5)
    close(jax.vmap(lambda x: norm(x, p))(x), norm(x, p, (1, 2)))
    assert norm(x, p, (0, 2), keepdims=True).shape == (1, 3, 1)
    assert norm(jnp.zeros((0,)), p) == 0


def test_norms_refuse_orders_below_1() -> None:
    for p in (0.5, 0, -1, math.nan):
        with pytest.raises(ValueError, match="at least 1"):
            norm(jnp.ones(2), p)


@pytest.mark.bad_input
@pytest.mark.parametrize("function", [norm, var, std])
def test_integers_are_refused(function) -> None:
    with pytest.raises(TypeError, match=r"int32.*astype"):
        function(jnp.arange(3))


@given(arrays(np.float32, (3, 4), elements=finite))
def test_deviations_divide_by_one_less(x) -> None:
    for axis in (None, 0, 1):
        np.testing.assert_allclose(
            var(jnp.asarray(x), axis), np.var(x.astype(float), axis, ddof=1), rtol=1e-4, atol=1e-6
        )
    np.testing.assert_allclose(std(jnp.asarray(x), 1) ** 2, var(jnp.asarray(x), 1), rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(var(jnp.asarray(x), ddof=0) * 12, var(jnp.asarray(x)) * 11, rtol=1e-5)


def test_deviation_of_a_constant_and_of_one_number() -> None:
    equal(jax.grad(std)(jnp.ones(4)), np.zeros(4))
    equal(jax.jit(jax.grad(lambda x: std(x, 1).sum()))(jnp.ones((2, 3))), np.zeros((2, 3)))
    assert jnp.isnan(std(jnp.ones(1)))
    assert std(jnp.ones((2, 3)), 0, keepdims=True).shape == (1, 3)


def test_the_median_is_one_of_the_numbers() -> None:
    assert median(jnp.array([4.0, 1, 3, 2])) == 2
    assert median(jnp.array([3, 1, 2])) == 2
    equal(median(jnp.array([[1, 2, 3, 4], [8, 7, 6, 5]]), 1), [2, 6])
    equal(median(jnp.array([[1.0, jnp.nan, 0.0], [1.0, 2.0, 3.0]]), -1), [np.nan, 2])
    with pytest.raises(ValueError, match=r"\(0, 3\)"):
        median(jnp.zeros((0, 3)), 0)


@given(arrays(np.float32, st.integers(1, 9), elements=finite), st.randoms())
def test_the_median_does_not_depend_on_the_order(x, random) -> None:
    shuffled = x[random.sample(range(len(x)), len(x))]
    assert median(jnp.asarray(x)) == median(jnp.asarray(shuffled)) == np.sort(x)[(len(x) - 1) // 2]


@given(arrays(np.float32, (2, 3), elements=finite), arrays(np.float32, (2, 3), elements=finite))
def test_concatenation_and_splitting_undo_each_other(x, y) -> None:
    for axis in (0, 1):
        equal(jnp.stack(jnp.split(jnp.concatenate((x, y), axis), 2, axis)), np.stack((x, y)))


@pytest.mark.bad_input
def test_numbers_that_do_not_fit_are_not_wrapped_around() -> None:
    with pytest.raises(OverflowError, match="300 does not fit into uint8"):
        set_at(jnp.zeros(2, jnp.uint8), 0, 300)  # would become 44
    with pytest.raises(TypeError, match="holds complex64, which"):
        set_at(jnp.zeros(2), 0, 1j)
    with pytest.raises(OverflowError, match="4294967296 does not fit into int32"):
        median(np.array([2**32]))  # would be 0
    with pytest.raises(TypeError, match="x must hold real numbers"):
        median(jnp.array([1j]))
    equal(set_at(np.zeros(2, np.float32), 0, 1), [1, 0])


@pytest.mark.bad_input
def test_wrong_axes_and_orders_are_refused() -> None:
    for function in (norm, var, std, median):
        with pytest.raises(ValueError, match="there is no axis -5"):
            function(X, axis=-5)
    with pytest.raises(TypeError, match="p must be a real number"):
        norm(X, "2")
    with pytest.raises(TypeError, match="ddof must be a real number"):
        var(X, ddof=1j)
