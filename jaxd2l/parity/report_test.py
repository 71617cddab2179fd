"""Every form of a report shows where to look first, and cuts nothing off. The report here is written by hand."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from jaxd2l.parity import Report
from jaxd2l.parity.findings import Divergence
from jaxd2l.parity.rule import compare_accuracy, compare_meaning
from jaxd2l.parity.source_lines import Line

THEIRS = Line("/home/me/model.py", 41, "Block.forward", "weights = scores.softmax(-1)[:, ::2]")
OURS = Line("/home/me/port.py", 7, "apply", "weights = jax.nn.softmax(scores[/], -2)")
HINT = "softmax over axis -2 instead of axis -1, found in every one of the twelve layers of the encoder: the last words"
WRONG = compare_meaning("outputs", np.array([1.0, 0.0]), np.array([1.5, 0.0]), 1.0)._replace(hint=HINT)
RIGHT = compare_meaning("loss of the same outputs", np.ones(2), np.ones(2), 1.0)
REPORT = Report(
    (WRONG, RIGHT, WRONG._replace(quantity="loss", hint="follows from: outputs", follows_from=("outputs",))),
    first_diverging="block (Block)",
    where=Divergence("block (Block)", "block (Block): softmax", THEIRS, OURS),
    unseen=("dropout",),
    coverage=("relu6 (ReLU6) never reached 6",),
)


def terminal(report: Report, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(report.table())
    return console.file.getvalue()


def page(report: Report, folder) -> str:
    report.to_html(folder / "report.html")
    return (folder / "report.html").read_text()


def test_both_lines_of_source_stand_in_every_form(tmp_path) -> None:
    html = page(REPORT, tmp_path)
    for text in (REPORT.summary(), REPORT.markdown(), terminal(REPORT), html):
        for said in ("model.py:41", "port.py:7", "Block.forward", THEIRS.text, OURS.text, "never reached 6"):
            assert said in text
    assert html.index(THEIRS.text) < html.index(OURS.text) < html.index("<table")
    where = json.loads(REPORT.json())["where"]
    assert (where["quantity"], where["jax_line"]) == ("block (Block): softmax", OURS._asdict())


def test_a_side_whose_line_is_unknown_is_left_out() -> None:
    silent = REPORT._replace(where=Divergence("", "", None, OURS))
    assert "computes all that torch does, and then something else at port.py:7" in silent.summary()
    assert "torch" not in silent.summary().split("JAX computes")[0]


def test_no_hint_is_cut_off_in_80_columns_and_none_on_the_page_is_out_of_sight(tmp_path) -> None:
    words = " ".join(terminal(REPORT).split())
    assert "…" not in words
    assert all(word in words for word in HINT.split())
    assert f"<td class='q'>outputs<small>{HINT}</small></td>" in page(REPORT, tmp_path)


def test_failures_are_marked_without_colour(tmp_path) -> None:
    html = page(REPORT, tmp_path)
    for mark, verdict in (("✗", "semantic-mismatch"), ("✓", "bitwise"), ("↳", "semantic-mismatch")):
        assert f">{mark} {verdict}<" in html


def test_every_verdict_and_column_is_explained() -> None:
    legend = REPORT.markdown().partition("## How to read it")[2]
    for word in ("bitwise", "within-oracle", "kink-flip", "known-difference", "precision-defect", "semantic-mismatch"):
        assert f"- {word}: " in legend
    for column in ("precision", "torch", "JAX", "bound", "ratio", "absolute error", "relative error", "worst at"):
        assert column in legend


@pytest.mark.parametrize(
    ("ours", "absolute", "relative"),
    [([1.0, -2.0, 0.5], 0.5, 0.0), ([1.0, -2.0, 0.0], 0.0, 0.0), ([1.5, -2.0, 0.0], 0.5, 0.5)],
)
def test_plain_errors_leave_zeros_out(ours, absolute, relative) -> None:
    row = compare_meaning("x", np.array([1.0, -2.0, 0.0]), np.array(ours), 1.0)
    assert row.absolute == absolute
    assert row.relative == relative
    single = compare_accuracy("x", np.float32(1), np.float32(np.nan), 1.0, 1.0)
    assert np.isinf([single.absolute, single.relative]).all()
