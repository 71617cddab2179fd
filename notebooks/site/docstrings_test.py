"""What Sphinx is given of a docstring: code, formulas, fields and prose, each as what it is."""

from typing import NamedTuple

from notebooks.site import docstrings


class Pair(NamedTuple):
    first: int
    second: int


def rst(docstring: str, what: str = "function", obj: object = None) -> str:
    lines = docstring.split("\n")
    docstrings.to_rst(None, what, "name", obj, None, lines)
    return "\n".join(lines)


def test_code_goes_into_double_backticks_and_prose_is_taken_literally():
    assert rst("The `w` of *all* |x|, `x`s and x_ too.") == r"The ``w`` of \*all\* \|x\|, ``x``\ s and x\_ too."
    assert rst("Already ``code``.") == "Already ``code``."
    assert rst("Over `two\nlines` it goes.") == "Over ``two\nlines`` it goes."


def test_a_formula_is_drawn():
    assert rst("It costs\n\n    a = b_c^2,\n    |x|\n\nand so on.") == (
        "It costs\n\n.. math::\n\n    a &= b_{c}^{2}, \\\\\n    &|x|\n\nand so on."
    )
    assert rst("Half of it, `(x - y)^2 / 2`s, not `f(x=2)`.") == (
        r"Half of it, :math:`(x - y)^{2} / 2`\ s, not ``f(x=2)``."
    )


def test_programs_are_left_to_sphinx():
    doctest = "One line.\n\n>>> 2 * f(`x`)\n4"
    assert rst(doctest) == doctest
    example = "One line.\n\nExample::\n\n    f(*x)  # `no` markup"
    assert rst(example) == example


def test_sections_are_left_to_napoleon():
    assert rst("Args:\n  x: of `*batch`,\n    and *more*.") == "Args:\n  x: of ``*batch``,\n    and \\*more\\*."


def test_the_fields_of_a_named_tuple_are_a_list():
    assert rst("Two.\n\nfirst: `a`.\nsecond: b.", obj=Pair) == "Two.\n\nAttributes:\n  first: ``a``.\n  second: b."
    assert docstrings.is_field(None, "class", "first", Pair.first, False, None)
    assert docstrings.is_field(None, "class", "_replace", Pair._replace, False, None) is None


def test_what_stands_before_a_colon_is_no_type_of_a_value():
    assert rst("`loss(x)`: a scalar.", what="data") == "\n``loss(x)``: a scalar."


def test_types_are_those_of_the_source():
    key = "~jaxtyping.Key[jaxlib._jax.Array, ''] | UInt32[jaxlib._jax.Array, '2'] | UInt32[jaxlib._jax.Array, '4']"
    short = docstrings.short_types(None, "function", "f", None, None, f"(key: {key})", "~jaxlib._jax.Array")
    assert short == ("(key: PRNGKeyArray)", "Array")
    assert docstrings.short_types(None, "data", "x", None, None, None, None) is None
