"""What the checks let through; what they refuse stands in their examples and in the tests of those who use them."""

import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l._checks import arrays, numbers, shapes, values

NAN = math.nan
RIGHT = [
    (numbers.require_between, (0, 1), (0, 1, 0.5, np.float32(1), jnp.array(0.0), True)),
    (numbers.require_between, (1, math.inf), (1, 2, math.inf)),
    (numbers.require_inside, (0, 1), (0.5, jnp.bfloat16(0.5))),
    (numbers.require_positive, (), (1e-300, 1, 1e300)),
    (numbers.require_not_negative, (), (0, -0.0, 1e300)),
    (numbers.require_choice, (Literal["a", "b", None],), ("a", "b", None)),
    (numbers.require_sequence, (), ([], (1, 2), range(3))),
    (numbers.require_kind, (dict,), ({}, {"a": 1})),
    (numbers.require_all_whole, (1,), ([], (1, np.int64(2)))),
    (numbers.require_whole_between, (2, 4), (2, 4, np.int64(3))),
    (shapes.require_not_empty, (None,), (3.0, np.ones((1, 1)))),
    (shapes.require_not_empty, (-1,), (np.ones((0, 1)),)),
]
WRONG = [
    (numbers.require_between, (0, 1), (-0.1, 1.1, NAN, math.inf), ValueError),
    (numbers.require_between, (1, math.inf), (0, -math.inf, NAN), ValueError),
    (numbers.require_inside, (0, 1), (0, 1, NAN), ValueError),
    (numbers.require_positive, (), (0, -1, NAN, math.inf, -math.inf), ValueError),
    (numbers.require_not_negative, (), (-1e-300, NAN, math.inf), ValueError),
    (numbers.require_between, (0, 1), ("0", None, 1j, np.ones(1)), TypeError),
    (numbers.require_choice, (Literal["a", None],), ("c", 1, ["a"], np.array(["a", "a"])), ValueError),
    (numbers.require_choice, (Literal["a", "b"],), (None,), ValueError),
    (numbers.require_sequence, (), ("12", b"12", 3, {1, 2}, None), TypeError),
    (numbers.require_kind, (dict,), ([], None, dict), TypeError),
    (numbers.require_all_whole, (1,), ([1.5], 3), TypeError),
    (numbers.require_whole_between, (2, 4), (1, 5, -1), ValueError),
    (numbers.require_whole_between, (2, 4), (2.5, "3", None), TypeError),
    (shapes.require_not_empty, (None,), (np.ones((0, 1)), []), ValueError),
    (shapes.require_not_empty, (0,), (np.ones((0, 1)),), ValueError),
    (values.require_finite, (), (np.ones(2) * 1j, "text", None), TypeError),
    (values.require_all_positive, (), (np.ones(2) * 1j, "text", None), TypeError),
]


@pytest.mark.parametrize(("check", "limits", "values"), RIGHT)
def test_what_is_right_passes(check: Callable[..., None], limits: tuple[Any, ...], values: tuple[Any, ...]) -> None:
    for value in values:
        check(*limits, value=value)


@pytest.mark.parametrize(("check", "limits", "values", "error"), WRONG)
def test_what_is_wrong_is_refused_by_name(
    check: Callable[..., None], limits: tuple[Any, ...], values: tuple[Any, ...], error: type[Exception]
) -> None:
    for value in values:
        with pytest.raises(error, match=r"^value(\[0\])? must "):
            check(*limits, value=value)


def test_traced_numbers_have_no_range_to_check() -> None:
    def f(x: jax.Array) -> jax.Array:
        numbers.require_between(0, 1, x=x)
        numbers.require_inside(0, 1, x=x)
        numbers.require_positive(x=x)
        numbers.require_not_negative(x=x)
        values.require_finite(x=x)
        values.require_all_positive(x=x)
        return x

    assert jnp.isnan(jax.jit(f)(NAN))
    assert not numbers.is_traced(jnp.array(1.0))


def test_numpy_stays_on_the_host_and_is_checked_even_while_tracing() -> None:
    x = np.zeros(3)
    assert values.host_or_device(x) is x
    assert isinstance(values.host_or_device([1, 2]), np.ndarray)
    assert values.host_or_device(device := jnp.zeros(3)) is device
    with pytest.raises(ValueError, match=r"labels\[0\] is 5"):
        jax.jit(lambda _: arrays.classes("labels", np.array([5]), 3))(0)
    assert jax.jit(lambda y: arrays.classes("labels", y, 3))(5) == 5


def test_classes_are_int32_and_may_be_ignored() -> None:
    for dtype in (np.uint8, np.int64):
        labels = arrays.classes("labels", np.array([[0, 2]], dtype), 3)
        assert labels.dtype == jnp.int32
        assert labels.tolist() == [[0, 2]]
    assert arrays.classes("labels", np.array([0, -100]), 3, ignore_index=-100).tolist() == [0, -100]
    with pytest.raises(ValueError, match=r"labels is -1, but must be a class from 0 to 2, or -100 to ignore"):
        arrays.classes("labels", -1, 3, ignore_index=-100)
    with pytest.raises(TypeError, match="labels must be integers, got bool"):
        arrays.classes("labels", np.array([True]), 3)


@pytest.mark.parametrize(
    ("pattern", "given"),
    [
        ("n", [(3,)]),
        ("n", [(0,)]),
        ("", [()]),
        ("n d, n 1", [(5, 2), (5, 1)]),
        ("n inputs, hiddens inputs, outputs hiddens", [(5, 2), (7, 2), (3, 7)]),
        ("*batch classes, *batch", [(2, 5, 3), (2, 5)]),
        ("*batch classes, *batch", [(3,), ()]),
        ("*shape, *shape", [(), ()]),
        ("*shape, n n", [(1, 2, 3), (4, 4)]),
        ("n>=2 d>=1, n", [(2, 1), (2,)]),
    ],
)
def test_shapes_that_fit(pattern: str, given: list[tuple[int, ...]]) -> None:
    shapes.require_shapes(pattern, **{f"x{i}": np.empty(shape) for i, shape in enumerate(given)})


@pytest.mark.parametrize(
    ("pattern", "given", "message"),
    [
        ("n", [()], r"x0 must have shape (n,); got ()"),
        ("", [(1,)], r"x0 must have shape (); got (1,)"),
        ("classes classes", [(2, 3)], r"x0 must have shape (classes, classes); got (2, 3)"),
        ("n, n", [(3,), (2,)], r"x0 and x1 must have the same shape (n,); got (3,) and (2,)"),
        ("n d, n 1", [(5, 2), (5, 2)], r"x0 and x1 must have shapes (n, d) and (n, 1); got (5, 2) and (5, 2)"),
        ("*batch classes, *batch", [(), ()], r"shapes (*batch, classes) and (*batch,); got () and ()"),
        ("*shape, *shape", [(3, 1), (3,)], r"the same shape (*shape,); got (3, 1) and (3,)"),
        ("n>=2 d", [(1, 3)], r"x0 must have shape (n>=2, d); got (1, 3)"),
        ("n>=1, n", [(1,), (2,)], r"x0 and x1 must have shapes (n>=1,) and (n,); got (1,) and (2,)"),
        ("a b, b c, a c", [(1, 2), (2, 3), (1, 4)], r"x0, x1 and x2 must have shapes (a, b), (b, c) and (a, c)"),
    ],
)
def test_shapes_that_do_not_fit(pattern: str, given: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        shapes.require_shapes(pattern, **{f"x{i}": np.empty(shape) for i, shape in enumerate(given)})
    assert message in str(caught.value)
