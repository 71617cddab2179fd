"""A graph shows what a function computes and what its backward pass keeps, compared with what jax.vjp really holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from jax.ad_checkpoint import checkpoint_name

from jaxd2l import activations, losses, models
from jaxd2l.book.graphs import graph


@jax.jit
def loss(o, y):
    return jnp.mean((o - y) ** 2) / 2


def book(W1, W2, x, y):
    """The book's example, D2L 5.3.2."""
    z = checkpoint_name(W1 @ x, "z")
    h = checkpoint_name(activations.relu(z), "h")
    o = checkpoint_name(W2 @ h, "o")
    L = checkpoint_name(loss(o, y), "L")
    s = checkpoint_name(0.05 * (jnp.sum(W1**2) + jnp.sum(W2**2)), "s")
    return checkpoint_name(L + s, "J")


BOOK = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((5, 3), (2, 5), (3,), (2,))]
X = jnp.arange(6.0).reshape(2, 3)


def truly_kept(f, *args):
    """The sizes of all distinct arrays that jax.vjp holds."""
    leaves = jax.tree.leaves(jax.vjp(f, *args)[1])
    return sorted(leaf.nbytes for leaf in {id(leaf): leaf for leaf in leaves}.values())


def test_the_example_of_the_book_reads_like_the_book():
    found = graph(book, *BOOK)
    assert [value.name for value in found.values if value.role == "argument"] == ["W1", "W2", "x", "y"]
    assert {"z", "h", "o", "L", "s", "J"} < {value.name for value in found.values}
    lines = [
        (op.name, [found.values[i].name for i in op.inputs], [found.values[i].name for i in op.outputs])
        for op in found.operations
    ]
    for line in (
        ("dot", ["W1", "x"], ["z"]),
        ("relu", ["z"], ["h"]),
        ("dot", ["W2", "h"], ["o"]),
        ("loss", ["o", "y"], ["L"]),
        ("mul 0.05", ["v5"], ["s"]),
        ("add", ["L", "s"], ["J"]),
    ):
        assert line in lines
    by_name = {value.name: value for value in found.values}
    assert by_name["h"][1:] == ((5,), "f32", 20, "intermediate", True)
    assert by_name["z"].kept is False  # its sign is enough
    assert by_name["z > 0"][1:] == ((5,), "bool", 5, "residual", True)
    assert by_name["J"].role == "output"
    assert {value.name for value in found.kept if value.role == "residual"} == {
        "z > 0",
        "2 \N{MULTIPLICATION SIGN} (o - y)",
        "2 \N{MULTIPLICATION SIGN} W1",
        "2 \N{MULTIPLICATION SIGN} W2",
    }
    assert found.kept_bytes == 20 + 5 + 8 + 60 + 40


def test_less_is_kept_without_derivatives_for_the_inputs():
    kept = {value.name for value in graph(book, *BOOK, argnums=(0, 1)).kept}
    assert "W1" not in kept
    assert {"W2", "x", "h"} < kept
    assert graph(book, *BOOK, argnums=()).kept == ()


@pytest.mark.parametrize(
    "f",
    [
        lambda x: jnp.sum(jnp.sin(x) * jnp.exp(x)),
        lambda x: jnp.sum(jax.nn.softmax(x) ** 3),
        lambda x: jnp.tanh(x @ x.T).sum(),
        jax.jit(lambda x: jnp.log(x + 1.0)),
        lambda x: lax.scan(lambda c, row: (c * row, c), jnp.ones(3), x),
        lambda x: {"a": x, "b": lax.cond(True, jnp.sin, jnp.cos, x)},
        lambda x: x,
    ],
    ids=["sin exp", "softmax", "tanh", "jit", "scan", "cond", "identity"],
)
def test_what_is_kept_is_what_vjp_holds(f):
    kept = graph(f, X).kept
    true = truly_kept(f, X)
    # jax.vjp also holds plain numbers that are written in the program.
    assert sorted(value.nbytes for value in kept) == [size for size in true if size > 4 or size in _sizes(kept)]


def _sizes(kept):
    return {value.nbytes for value in kept}


def test_kept_values_agree_with_the_list_that_jax_prints(capsys):
    args = [jnp.ones(spec.shape) for spec in BOOK]
    jax.ad_checkpoint.print_saved_residuals(book, *args)
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if "literal" not in line]
    kept = graph(book, *BOOK).kept
    assert sorted(listed) == sorted(f"{v.dtype}[{','.join(map(str, v.shape))}]" for v in kept)


@settings(max_examples=8)
@given(n=st.integers(1, 40), depth=st.integers(1, 4), width=st.integers(1, 16))
def test_memory_grows_with_batch_and_depth(n, depth, width):
    model = models.mlp(7, (width,) * depth, 3)
    params = jax.eval_shape(model.init, jax.random.key(0))

    def objective(params, x):
        return jnp.sum(model.apply(params, x))

    def kept(n):
        return graph(objective, params, jax.ShapeDtypeStruct((n, 7), jnp.float32), argnums=0).kept_bytes

    # Each hidden layer keeps its outputs (4 bytes) and where they are positive (1 byte).
    assert kept(n) == 5 * n * depth * width


def test_pytrees_are_named_by_their_paths_and_constants_are_shown():
    table = jnp.arange(3.0)
    found = graph(lambda params, x: params["w"] * x + table, {"w": X}, X)
    assert [value.name for value in found.values][:3] == ["constant", "params.w", "x"]


def test_jitted_functions_open_on_request():
    closed, opened = graph(book, *BOOK), graph(book, *BOOK, expand=True)
    assert "loss" in [op.name for op in closed.operations]
    assert [op.name for op in opened.operations].count("loss") == 0
    assert "sub" in [op.name for op in opened.operations]
    assert opened.kept_bytes == closed.kept_bytes


def test_a_function_that_is_one_jitted_function_always_opens():
    assert [op.name for op in graph(jax.jit(jax.jit(lambda x: jnp.sin(x) + 1.0)), X).operations] == ["sin", "add 1"]


def test_integers_and_keys_are_arguments_without_derivative():
    def f(x, labels, key):
        return losses.cross_entropy(models.dropout(key, x, 0.5), labels)

    found = graph(f, X, jnp.array([0, 2]), jax.random.key(0))
    assert [value.dtype for value in found.values if value.role == "argument"][:2] == ["f32", "i32"]
    assert found.kept_bytes > 0


def test_loops_that_cannot_be_differentiated_can_be_drawn():
    def double(x):
        return lax.while_loop(lambda x: jnp.sum(x) < 1000, lambda x: 2 * x, x)

    assert [op.name for op in graph(double, X, argnums=()).operations] == ["while"]
    with pytest.raises(ValueError, match="while_loop"):
        graph(double, X)


def test_an_argnum_out_of_range_is_refused():
    with pytest.raises(ValueError, match="argnums names argument 2, but there are 1"):
        graph(jnp.sin, X, argnums=2)


def test_dtypes_read_as_in_a_jaxpr():
    values = graph(lambda x: (x.astype(jnp.bfloat16), x.astype(jnp.int8), x.astype(jnp.uint32)), X).values
    assert {value.dtype for value in values} == {"f32", "bf16", "i8", "u32"}
    assert [value.nbytes for value in values] == [24, 12, 6, 24]


def test_nothing_is_computed():
    huge = jax.ShapeDtypeStruct((10**6, 10**6), jnp.float32)
    assert graph(lambda x: jnp.sum(jnp.sin(x)), huge).kept_bytes == 4 * 10**12
    np.testing.assert_array_equal(X, jnp.arange(6.0).reshape(2, 3))
