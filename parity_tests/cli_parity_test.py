"""`jaxd2l parity`: exit codes, what is printed, and errors without tracebacks."""

import inspect
import json
import subprocess
import sys

import pytest

from jaxd2l import cli, parity
from jaxd2l.cli.spec import EXAMPLE, OPTIONAL, REQUIRED
from jaxd2l.parity import suite
from jaxd2l.parity.rule import compare_meaning

SPEC = """
import numpy as np
import torch
from jaxd2l import models

torch_module = torch.nn.Linear(3, 2)
jax_model = models.softmax_regression(3, 2)
batch = (np.eye(3, dtype=np.float32), np.zeros(3, np.int32))
"""


@pytest.fixture
def spec(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "spec.py"
        path.write_text(text)
        return str(path)

    return write


def test_a_right_pair_gives_0_and_a_table(spec, capsys) -> None:
    assert cli.run(["parity", spec(SPEC)]) == 0
    assert "comparisons hold" in " ".join(capsys.readouterr().out.split())


def test_a_wrong_pair_gives_1_and_json_alone_on_stdout(spec, capsys, tmp_path) -> None:
    wrong = SPEC + "jax_model = jax_model._replace(apply=lambda p, x, *, key=None: x @ p['kernel'])\n"
    files = ["--markdown", str(tmp_path / "r.md"), "--html", str(tmp_path / "r.html")]
    assert cli.run(["parity", spec(wrong), "--json", *files]) == 1
    out, err = capsys.readouterr()
    content = json.loads(out)
    assert err == ""
    assert not content["ok"]
    assert "bias is not used" in content["rows"][1]["hint"] or "not used" in content["rows"][1]["hint"]
    assert "semantic-mismatch" in (tmp_path / "r.md").read_text()
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "must define torch_module, jax_model, batch"),
        ("x = 1\ny = 1 / 0\n", "spec.py, line 2: ZeroDivisionError: division by zero"),
        ("import nothing_of_this_name\n", "spec.py, line 1: ModuleNotFoundError"),
        ("def f(:\n", "spec.py, line 1: SyntaxError"),
        (SPEC + "import sys\nsys.exit(0)\n", "spec.py, line 10: SystemExit: 0; a SPEC defines names"),
        (SPEC + "jax_model = jax_model._replace(apply=lambda p, x, *, key=None: exit())\n", "SystemExit"),
        (SPEC + "batch = (batch[0][:0], batch[1][:0])\n", "the batch is empty"),
        (SPEC + "jax_model = 3\n", "jax_model must be a Model, a StatefulModel, a Linen, NNX"),
        (
            SPEC
            + "def apply(p, x, *, key=None):\n    return p['nothing']\njax_model = jax_model._replace(apply=apply)\n",
            "spec.py, line 10: KeyError: 'nothing'",
        ),
    ],
)
@pytest.mark.bad_input
def test_a_broken_spec_gives_an_error_of_one_sentence(spec, capsys, text, message) -> None:
    assert cli.run(["parity", spec(text)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_a_spec_may_define_every_argument_of_check_and_help_lists_them(capsys) -> None:
    assert [*REQUIRED, *OPTIONAL] == list(inspect.signature(parity.check).parameters)
    with pytest.raises(SystemExit):
        cli.run(["parity", "--help"])
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed for name in (*REQUIRED, *OPTIONAL))
    assert "exit codes: 0 all comparisons hold; 1" in listed


def test_the_example_in_help_runs_and_strict_fails_on_what_is_left_open(spec) -> None:
    example = "\n".join(EXAMPLE)
    assert cli.run(["parity", spec(example)]) == 0
    dropout = example.replace(
        "torch.nn.Linear(784, 10)", "torch.nn.Sequential(torch.nn.Linear(784, 10), torch.nn.Dropout())"
    )
    assert cli.run(["parity", spec(dropout)]) == 0
    assert cli.run(["parity", spec(dropout), "--strict"]) == 1


def test_a_missing_spec_and_a_useless_only(spec, capsys) -> None:
    assert cli.run(["parity", "nowhere.py"]) == 1
    assert "there is no file nowhere.py" in capsys.readouterr().err
    assert cli.run(["parity", spec(SPEC), "--only", "softmax"]) == 1
    assert "--only" in capsys.readouterr().err


def test_without_a_spec_our_own_suite_runs(monkeypatch, capsys) -> None:
    cases = [suite.Case(n, lambda seed, n=n, v=v: [compare_meaning(f"{n}: values", 1.0, v, 1.0)]) for n, v in _VALUES]
    monkeypatch.setattr(suite, "cases", lambda: tuple(cases))
    assert cli.run(["parity", "--only", "right", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["quantity"] == "right: values"
    assert cli.run(["parity"]) == 1
    assert cli.run(["parity", "--only", "nothing"]) == 1
    assert "there are: right, wrong" in capsys.readouterr().err


_VALUES = (("right", 1.0), ("wrong", 2.0))


@pytest.mark.parametrize(
    "program", ["from jaxd2l import parity; parity.check", "from jaxd2l.cli import run; run(['parity'])"]
)
def test_without_torch_the_extra_is_named(program) -> None:
    program = f"import sys; sys.modules['torch'] = None; {program}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert "pip install 'jaxd2l[parity]'" in done.stderr
