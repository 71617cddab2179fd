"""Each notebook exists twice: as text, for editing, and executed, for reading. This module makes the second."""

import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parent
SECONDS_AT_MOST = 60
TIMING = "timing"
"""The tag of cells that print measured times. They run like all others, but their results are not compared."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def texts() -> list[Path]:
    """The texts of the notebooks, in the order of the book."""
    return sorted(FOLDER.glob("ch??_??_*.py"))


def execute(text: Path, data_dir: Path | None = None) -> NotebookNode:
    """Runs a notebook on the CPU, in a new kernel and an empty folder, and returns it with its results.

    Args:
      text: the notebook in jupytext's percent format.
      data_dir: the folder with the files of Fashion-MNIST; None means the folder that JAXD2L_DATA_DIR names.

    Raises:
      nbclient.exceptions.CellExecutionError: a cell raised an error.
      ValueError: a cell wrote to standard error, usually a warning.
    """
    notebook = _read(text)
    variables = {"JAX_PLATFORMS": "cpu"} | ({"JAXD2L_DATA_DIR": str(data_dir)} if data_dir else {})
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, variables):
        NotebookClient(
            notebook,
            extra_arguments=["--log-level=ERROR"],  # otherwise it warns that it uses a local TCP port
            timeout=300,
            resources={"metadata": {"path": folder}},
            record_timing=False,
            coalesce_streams=True,
        ).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "stream" and output.name == "stderr":
                raise ValueError(f"{text.name}: a cell wrote to standard error: {output.text}\n{cell.source}")
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "jaxd2l": {"seconds": round(time.perf_counter() - begun, 1)},
    }
    return notebook


def differences(committed: NotebookNode, fresh: NotebookNode) -> list[str]:
    """Where a fresh run prints something different from the committed notebook, beyond float32 rounding.

    Numbers with a fraction may differ by a relative 1e-5, or by one in the last printed digit. Words and whole numbers
    must be equal. Pictures are not compared; there must be as many. For a cell tagged "timing", only the kinds of its
    results are compared.
    """
    if [c.source for c in committed.cells] != [c.source for c in fresh.cells]:
        return ["the text was changed after this notebook was executed; run python -m notebooks"]
    found = []
    for i, (old, new) in enumerate(zip(committed.cells, fresh.cells, strict=True)):
        old_kinds, old_text = _results(old)
        new_kinds, new_text = _results(new)
        if old_kinds != new_kinds:
            found.append(f"cell {i}: results are {new_kinds}, committed are {old_kinds}\n{new.source}")
        elif TIMING not in old.metadata.get("tags", ()) and not same_print(old_text, new_text):
            found.append(f"cell {i}: printed\n{new_text}\ncommitted is\n{old_text}\n{new.source}")
    return found


def same_print(old: str, new: str) -> bool:
    """Whether two printed results are equal except for spaces and float32 rounding."""
    if "".join(_NUMBER.sub("#", old).split()) != "".join(_NUMBER.sub("#", new).split()):
        return False
    return all(_close(a, b) for a, b in zip(_NUMBER.findall(old), _NUMBER.findall(new), strict=True))


def _close(old: str, new: str) -> bool:
    if not ("." in old and "." in new):
        return float(old) == float(new)
    rounding = max(_last_digit(old), _last_digit(new), 1e-5 * max(abs(float(old)), abs(float(new))))
    return abs(float(old) - float(new)) <= 1.001 * rounding


def _last_digit(number: str) -> float:
    """The value of one in the last digit after the point: 0.01 for 1.25, 0 for "2."."""
    mantissa, _, exponent = number.lower().partition("e")
    digits = mantissa.partition(".")[2]
    return 10.0 ** (int(exponent or 0) - len(digits)) if digits else 0.0


def _results(cell: NotebookNode) -> tuple[list[str], str]:
    """The kinds of a cell's results (text, image/png, ...), and their text."""
    kinds: list[str] = []
    texts: list[str] = []
    for output in cell.get("outputs", ()):
        kinds += ["stream"] if output.output_type == "stream" else sorted(output.data)
        texts.append(output.text if output.output_type == "stream" else output.data.get("text/plain", ""))
    return kinds, "\n".join(texts)


def load(text: Path) -> NotebookNode:
    """The committed notebook of a text."""
    return nbformat.read(text.with_suffix(".ipynb"), as_version=4)


def save(text: Path, notebook: NotebookNode) -> None:
    """Writes the executed notebook beside its text."""
    nbformat.write(notebook, text.with_suffix(".ipynb"))


def _read(text: Path) -> NotebookNode:
    notebook: Any = jupytext.read(text, fmt="py:percent")
    for i, cell in enumerate(notebook.cells):
        cell.id = f"cell-{i}"  # jupytext draws random ones, so no two runs would give the same file
    nbformat.validate(notebook)
    return notebook
