"""Defects in the tensor operations (D2L 2.1, 2.3)."""

from parity_tests.mutations.planting import defects

TENSORS = (
    *defects("book.tensors.var", ("ddof 0", "axis, ddof=ddof", "axis, ddof=0", "tensors var")),
    *defects(
        "book.tensors.std",
        (
            "variance",
            "_root(var(x, axis, ddof=ddof, keepdims=keepdims), 2)",
            "var(x, axis, ddof=ddof, keepdims=keepdims)",
            "tensors std",
        ),
        ("gradient NaN at a constant", "_root(", "(lambda v, _: jnp.sqrt(v))(", "tensors std"),
        ("epsilon 1e-5 under the root", "_root(", "_root(1e-5 + ", "tensors std"),
    ),
    *defects(
        "book.tensors.norm",
        ("squared", "return _root(jnp.sum(x * x if", "return (lambda t, _: t)(jnp.sum(x * x if", "tensors norm"),
        ("gradient NaN at 0", "return _root(", "return (lambda t, p: t ** (1 / p))(", "tensors norm"),
        ("sum of signed numbers", "x * jnp.sign(x)", "x", "tensors norm p=1"),
        ("derivative 1 at 0", "x * jnp.sign(x)", "jnp.abs(x)", "tensors norm p=1"),
    ),
    *defects(
        "book.tensors.median",
        ("the upper of the two", "(x.shape[axis] - 1) // 2", "x.shape[axis] // 2", "tensors median"),
    ),
    *defects(
        "book.tensors.at",
        (
            "index unchecked",
            "_check_index(index, x.shape)",
            "(index if isinstance(index, tuple) else (index,), True)",
            "out of bounds",
        ),
    ),
    *defects(
        "book.tensors.set_at",
        (
            "index unchecked",
            "_check_index(index, x.shape)",
            "(index if isinstance(index, tuple) else (index,), True)",
            "out of bounds",
        ),
    ),
)
