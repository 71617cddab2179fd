"""Mathematics without clutter: few lines of checks before an equation, and no long functions."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import jaxd2l
from jaxd2l import activations, book, data, losses, metrics, models
from jaxd2l._checks import arrays, numbers, probabilities, shapes, values

MAX_CHECK_LINES = 3
MAX_LINES = 60
ROOT = Path(jaxd2l.__file__).parent.parent


def own_functions(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The public functions that a module, or a module of a package, defines."""
    names = getattr(module, "__all__", None) or dir(module)
    functions = {f"{module.__name__}.{name}": getattr(module, name) for name in names if not name.startswith("_")}
    return {
        name: function
        for name, function in functions.items()
        if inspect.isfunction(function) and function.__module__.startswith(module.__name__)
    }


MODULES = [activations, data, losses, metrics, models, *(getattr(book, name) for name in book.__all__)]
FUNCTIONS = {name: function for module in MODULES for name, function in own_functions(module).items()}
CONVERTERS = {
    name.rpartition(".")[2]
    for module in (arrays, numbers, probabilities, shapes, values)
    for name in own_functions(module)
    if not name.rpartition(".")[2].startswith(("require_", "is_"))
} | {"asarray"}


def is_check(statement: ast.stmt) -> bool:
    """Whether a statement does nothing but refuse arguments or convert them."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call) and called(statement.value).lstrip("_").startswith("require_")
    if isinstance(statement, ast.If | ast.For):
        return all(map(is_check, statement.body))
    if isinstance(statement, ast.Assign):
        values = statement.value.elts if isinstance(statement.value, ast.Tuple) else [statement.value]
        return all(isinstance(value, ast.Call) and called(value).lstrip("_") in CONVERTERS for value in values)
    # An AssertionError is no refusal of an argument: it is what a function that checks gradients has found.
    return isinstance(statement, ast.Raise) and "AssertionError" not in ast.unparse(statement)


def called(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def check_lines(source: str) -> int:
    """How many lines of a function's own body are checks."""
    [function] = ast.parse(textwrap.dedent(source)).body
    assert isinstance(function, ast.FunctionDef)
    return sum(s.end_lineno - s.lineno + 1 for s in unwrapped(function.body) if is_check(s) and s.end_lineno)


def unwrapped(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements, those below a `with` in its place."""
    return [s for statement in body for s in (statement.body if isinstance(statement, ast.With) else [statement])]


def test_checks_are_counted() -> None:
    source = '''
    def f(x, y, option):
        """A docstring."""
        x, y = floating("x", x), np.asarray(y)
        if x.ndim == 3:
            raise ValueError(
                "no"
            )
        for name in ("x", "y"):
            require_real(**{name: x})
        with jax.default_matmul_precision("highest"):
            require_finite(x=x)
            total = jnp.sum(x)
        if option:
            total = floating("total", total) + 1
        return total
    '''
    assert check_lines(source) == 8
    assert {"floating", "real", "classes", "host_or_device"} <= CONVERTERS


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_of_the_book_has_at_most_three_lines_of_checks(name: str) -> None:
    assert check_lines(inspect.getsource(FUNCTIONS[name])) <= MAX_CHECK_LINES


@pytest.mark.parametrize("folder", ["jaxd2l", "parity_tests", "notebooks", "bench"])
def test_no_function_has_more_than_sixty_lines_after_its_docstring(folder: str) -> None:
    long = [
        f"{path.relative_to(ROOT)}: {function.name}"
        for path in (ROOT / folder).rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef) and code_lines(function) > MAX_LINES
    ]
    assert long == []


def code_lines(function: ast.FunctionDef) -> int:
    code = function.body[ast.get_docstring(function) is not None :]
    return (function.end_lineno or 0) - code[0].lineno + 1 if code else 0


def test_every_function_is_looked_at() -> None:
    assert len(FUNCTIONS) > 50
