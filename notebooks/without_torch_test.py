"""Whoever has no PyTorch reads and runs the rest of a notebook: cells that need it say so."""

import ast
import os

import jupytext
import pytest

from notebooks import running

NEED_TORCH = {"torch", "parity"}


@pytest.fixture
def no_torch(tmp_path, monkeypatch):
    """For processes that are started now, importing torch fails."""
    (tmp_path / "torch.py").write_text("raise ImportError('No module named torch')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(running.FOLDER.parent)]))


def said(notebook):
    return ["".join(output.get("text", "") for output in cell.get("outputs", ())) for cell in notebook.cells]


def code_cells(text):
    return [cell.source for cell in jupytext.read(text, fmt="py:percent").cells if cell.cell_type == "code"]


@pytest.mark.parametrize("text", running.texts(), ids=lambda path: path.stem)
def test_a_cell_that_names_torch_begins_with_the_magic(text):
    first, *others = code_cells(text)
    marked = [source for source in others if source.startswith("%%torch\n")]
    if marked:
        assert first.startswith("%load_ext jaxd2l.parity.notebook\n")
    without_magics = "\n".join(line for line in first.splitlines() if not line.startswith("%"))
    for source in [without_magics, *(source for source in others if source not in marked)]:
        names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
        assert not names & NEED_TORCH, source


def test_a_cell_for_torch_says_what_to_install_and_the_next_one_runs(tmp_path, no_torch):
    text = tmp_path / "ch02_01_few.py"
    text.write_text(
        "# %%\n# %load_ext jaxd2l.parity.notebook\n\n# %%\n# %%torch\nimport torch\n\n\nprint(torch.ones(2))\n\n"
        "# %%\nprint('and on')\n"
    )
    _, left_out, after = said(running.execute(text))
    assert "pip install 'jaxd2l[parity]'" in left_out
    assert after == "and on\n"


def test_with_torch_the_cell_runs_and_shows_its_last_expression(tmp_path):
    text = tmp_path / "ch02_01_few.py"
    text.write_text("# %%\n# %load_ext jaxd2l.parity.notebook\n\n# %%\n# %%torch\nimport torch\n\ntorch.ones(2)\n")
    _, shown = running.execute(text).cells
    assert shown.outputs[0].data["text/plain"] == "tensor([1., 1.])"


@pytest.mark.long
@pytest.mark.parametrize("name", ["ch02_05", "ch04_05"])
def test_a_whole_notebook_runs_without_torch(name, no_torch, data_dir):
    [text] = [text for text in running.texts() if text.stem.startswith(name)]
    assert sum("needs PyTorch" in text for text in said(running.execute(text, data_dir(text)))) > 2
