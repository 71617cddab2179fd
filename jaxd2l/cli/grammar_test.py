"""Calls, help, examples and completion of the command line."""

import re
import shutil
import subprocess
import sys

import pytest

from jaxd2l import __version__
from jaxd2l.cli import run
from jaxd2l.cli.grammar import SHELLS, parser


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "fly",
        "train",
        "train resnet",
        "train mlp --epochs 0",
        "train mlp --epochs two",
        "train mlp --batch-size -1",
        "train mlp --lr 0",
        "train mlp --lr nan",
        "train mlp --lr inf",
        "train mlp --hidden 12,",
        "train mlp --hidden 0",
        "train mlp --seed -1",
        "train mlp --seed 4294967296",
        "train mlp --dataset cifar",
        "predict",
        "data show synthetic --out x.png",
        "data prepare digits",
    ],
)
def test_a_wrong_call_exits_with_2_and_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        run(arguments.split())
    assert stop.value.code == 2
    assert "usage: jaxd2l" in capsys.readouterr().err


def test_the_version_and_examples_that_are_calls_the_parser_takes(capsys):
    with pytest.raises(SystemExit) as stop:
        run(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"jaxd2l {__version__}\n"
    for words in (["--help"], ["train", "--help"]):
        with pytest.raises(SystemExit):
            run(words)
        examples = re.findall(r"^  (jaxd2l .*?)(?:   .*)?$", capsys.readouterr().out, re.MULTILINE)
        assert len(examples) >= 4
        for example in examples:
            assert parser().parse_args(example.split()[1:]).module.startswith("jaxd2l.cli.")


def test_help_answers_without_loading_jax(tmp_path):
    code = "import sys, jaxd2l.cli as c\ntry: c.run(['--help'])\nexcept SystemExit: print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
    assert "train" in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_can_complete_every_command(shell, capsys) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("train", "sweep", "--optimizer", "adamw", "fashion_mnist"):
        assert word in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_the_values_of_an_option(capsys) -> None:
    run(["completion", "bash"])
    ask = 'COMP_WORDS=(jaxd2l train mlp --optimizer ada); COMP_CWORD=4; _shtab_jaxd2l; echo "${COMPREPLY[@]}"'
    said = subprocess.run(
        ["bash", "-c", capsys.readouterr().out + ask], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    assert said.stdout.split() == ["adagrad", "adadelta", "adam", "adamw", "adamax"]
