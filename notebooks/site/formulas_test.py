"""Every formula of a public docstring can be written in TeX; what is drawn, `site_test` looks at."""

import inspect
import re

import pytest

from jaxd2l.api_test import MODULES
from notebooks.site import formulas


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("dJ/dW2 = dJ/do h^T", r"\frac{\partial J}{\partial W_{2}} = \frac{\partial J}{\partial o} h^{\top}"),
        ("sum over a, b of  X[i + a]", r"\sum_{a, b} X[i + a]"),
        ("max over l in [0, 1] of  f(l)", r"\max_{l \in [0, 1]} f(l)"),
        ("sqrt((r-4)(r-2)) / (X^T X)^-1", r"\sqrt{(r-4)(r-2)} / (X^{\top} X)^{-1}"),
        ("mu_(t+1) - beta2^t", r"\mu _{t+1} - \beta_{2}^{t}"),
        ("g_old + W_ijk", r"g_{\text{old}} + W_{ijk}"),
        ("weight_decay * p,  if centered", r"\mathtt{weight\_decay} \cdot  p,\quad \text{if}\ \text{centered}"),
        ("min(1, max_norm / (||g|| + 2e-6))", r"\min (1,\ \mathtt{max\_norm} / (\|g\| + 2 \cdot 10^{-6}))"),
    ],
)
def test_a_formula_in_tex(text: str, tex: str) -> None:
    assert formulas.latex(text) == tex


def test_lines_are_aligned_at_what_they_assign() -> None:
    assert formulas.display(["mean <- 2", "else", "x = y = 0"]) == (
        "\\text{mean} &\\leftarrow  2 \\\\\n&\\text{else} \\\\\nx &= y = 0"
    )


@pytest.mark.parametrize("program", ["x @ W", "x: int", "fit(..., key=0)", "a.b"])
def test_a_program_is_no_formula(program: str) -> None:
    assert not formulas.looks_like_one(program)


@pytest.mark.parametrize("text", ["x @ W", "100%", "{a}"])
def test_what_no_formula_has_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no part of a formula"):
        formulas.latex(text)


def test_every_formula_of_a_docstring_can_be_written() -> None:
    blocks, before = 0, ""
    for module in MODULES:
        for name in module.__all__:
            docstring = inspect.getdoc(getattr(module, name)) or ""
            for block in re.split(r"\n[ \t]*\n", docstring):
                if block.startswith("    ") and not before.endswith("::") and not block.lstrip().startswith(">>>"):
                    blocks += 1
                    assert formulas.display(block.splitlines())
                before = block
    assert blocks > 30
