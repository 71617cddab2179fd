"""One function makes every Markdown table; what it refuses."""

import pytest

from jaxd2l._tables import in_markdown, markdown_table


def test_empty_cells_and_no_rows_still_make_a_table():
    assert markdown_table(["", "n"], []) == "|  | n |\n|---|---|"
    assert markdown_table(["", "n"], [["", 0]], "cr").splitlines() == ["|  | n |", "|:---:|---:|", "|  | 0 |"]


@pytest.mark.parametrize(
    ("rows", "align", "message"),
    [
        ([["a"]], None, r"a row has 1 cells but the table has 2 columns: \['a'\]"),
        ([["a", "b", "c"]], None, "a row has 3 cells"),
        ([], "l", "for each of 2 columns, got 'l'"),
        ([], "lx", "one of the letters l, r, c"),
    ],
)
def test_wrong_lengths_and_letters_are_refused(rows, align, message):
    with pytest.raises(ValueError, match=message):
        markdown_table(["x", "y"], rows, align)


def test_text_of_others_is_no_markup_and_steers_no_terminal() -> None:
    assert in_markdown("<script>&\x1b[2J") == r"&lt;script&gt;&amp;\x1b\[2J"
    assert in_markdown("[x](javascript:1) `a` **b**") == r"\[x\](javascript:1) \`a\` \*\*b\*\*"
