"""Every notebook runs, prints what its committed copy prints, and has a row in the table."""

import re
import subprocess
import sys

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from notebooks import contents, running

_QUICK = "ch03_03"
"""A quick notebook. Executing the others is for the long tests."""


def texts():
    marks = {path: [] if path.stem[:7] == _QUICK else [pytest.mark.long] for path in running.texts()}
    return [pytest.param(path, id=path.stem, marks=mark) for path, mark in marks.items()]


@pytest.mark.parametrize("text", texts())
def test_a_fresh_run_gives_what_is_committed(text, data_dir):
    folder = data_dir(text)
    fresh = running.execute(text, folder)
    assert fresh.metadata["jaxd2l"]["seconds"] < 5 * running.SECONDS_AT_MOST  # a runaway, not a timing
    if any("made-up data of" in output.get("text", "") for cell in fresh.cells for output in cell.get("outputs", ())):
        pytest.skip(f"{text.name} ran on made-up data, for the airfoil file is not in {folder}; nothing to compare")
    assert running.differences(running.load(text), fresh) == []


@pytest.mark.parametrize("text", running.texts(), ids=lambda path: path.stem)
def test_the_committed_notebook_took_less_than_a_minute_and_has_no_error(text):
    notebook = running.load(text)
    assert notebook.metadata["jaxd2l"]["seconds"] < running.SECONDS_AT_MOST
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error"]


def test_every_section_has_a_notebook():
    sections = {2: 5, 3: 7, 4: 7, 5: 7, 6: 7, 7: 6, 8: 8, 12: 11}  # how many of each chapter are taught here
    expected = [f"ch{chapter:02}_{i:02}" for chapter, count in sections.items() for i in range(1, count + 1)]
    assert sorted(path.stem[:7] for path in running.texts()) == expected


def test_every_notebook_is_executed_and_begins_with_its_section():
    assert {path.stem for path in running.texts()} == {p.stem for p in running.FOLDER.glob("ch*.ipynb")}
    for path in running.texts():
        assert contents.title(path).startswith(f"{int(path.stem[2:4])}.{int(path.stem[5:7])} ")


def test_the_table_is_current():
    assert contents.PATH.read_text(encoding="utf-8") == contents.text(), "run python -m notebooks --table"


def test_every_link_of_the_page_leads_to_a_file():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", contents.text()) if not link.startswith("https://")]
    assert len(links) > 2 * len(running.texts())
    assert [link for link in links if not (contents.PATH.parent / link).is_file()] == []


def test_functions_are_found_under_any_name_they_are_imported_by(tmp_path):
    path = tmp_path / "use.py"
    path.write_text(
        "from jaxd2l import data, losses as L, models\n"
        "from jaxd2l.train import fit\n"
        "import numpy as np\n"
        "fit(models.mlp(4, 3, 2), L.cross_entropy, data.digits().train.inputs, np.zeros)\n"
    )
    assert contents.functions(path) == ["data.digits", "losses.cross_entropy", "models.mlp", "train.fit"]


def test_functions_are_found_whatever_was_imported_before(tmp_path):
    path = tmp_path / "use.py"
    path.write_text(
        "from jaxd2l import data\nfrom jaxd2l.train.sweep import sweep as run\nrun(data.digits(), data._digits.load)\n"
    )
    program = f"import pathlib; from notebooks import contents; print(contents.functions(pathlib.Path({str(path)!r})))"
    fresh = subprocess.run(  # a process that has imported nothing yet: the modules of a package are not its attributes
        [sys.executable, "-c", program], cwd=running.FOLDER.parent, capture_output=True, text=True, check=True
    )
    assert fresh.stdout.strip() == "['data.digits', 'train.sweep.sweep']"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("loss 0.50001", "loss 0.50002"),
        ("[1.234567  2.]", "[1.234568 2.]"),
        ("1.00000e-03", "1.00001e-03"),
        ("162754.79", "162754.80"),
        ("60000 images", "60000 images"),
    ],
)
def test_float32_rounding_is_no_difference(old, new):
    assert running.same_print(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("loss 0.50001", "loss 0.50004"),
        ("accuracy .84", "accuracy .86"),
        ("60000 images", "60001 images"),
        ("1.0e-03", "1.0e-02"),
        ("nan", "0.0"),
        ("True", "False"),
        ("[1. 2.]", "[1. 2. 3.]"),
        ("[1. 2.]", "[1. 3.]"),
    ],
)
def test_a_changed_result_is_a_difference(old, new):
    assert not running.same_print(old, new)


def notebook(source: str, *outputs, tags=()):
    cell = nbformat.v4.new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})
    return nbformat.v4.new_notebook(cells=[cell])


def stream(text: str):
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def test_what_counts_as_a_difference_between_two_runs():
    a, b = notebook("print(x)", stream("1.5 s")), notebook("print(x)", stream("2.5 s"))
    assert running.differences(a, a) == []
    [message] = running.differences(a, b)
    assert "2.5 s" in message
    assert "print(x)" in message
    assert running.differences(notebook("x", stream("1.5"), tags=["timing"]), notebook("x", stream("2.5"))) == []
    assert "text was changed" in running.differences(a, notebook("print(y)", stream("1.5 s")))[0]
    picture = nbformat.v4.new_output("display_data", data={"image/png": "", "text/plain": "1.5 s"})
    assert "committed are" in running.differences(notebook("x", picture), notebook("x", stream("1.5 s")))[0]


@pytest.mark.parametrize("line", ["1 / 0", "import warnings; warnings.warn('careful')"])
def test_a_cell_that_raises_or_warns_fails(tmp_path, line):
    text = tmp_path / "ch02_01_wrong.py"
    text.write_text(f"# %% [markdown]\n# # 2.1 Wrong\n\n# %%\n{line}\n")
    with pytest.raises((ValueError, CellExecutionError), match=r"careful|ZeroDivisionError"):
        running.execute(text)


def test_a_live_plot_is_one_picture_in_the_notebook(tmp_path):
    text = tmp_path / "ch02_01_live.py"
    text.write_text(
        "# %%\n# %matplotlib inline\nimport jax, numpy as np, optax\n"
        "from jaxd2l import data, losses, models, plots, train\n"
        "sets = data.synthetic_regression(jax.random.key(0), np.array([2.0, -3.4]), 4.2)\n"
        "train.fit(models.linear_regression(2), losses.squared_loss, optax.sgd(0.03), sets, key=jax.random.key(1),\n"
        "    epochs=5, batch_size=32, on_epoch=plots.live_curves(5));\n"
    )
    [cell] = running.execute(text).cells
    assert [sorted(output.data) for output in cell.outputs] == [["image/png", "text/plain"]]
