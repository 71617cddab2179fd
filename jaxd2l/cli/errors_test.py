"""Every error is a sentence, whatever its type; a mistake of ours keeps its traceback, and says where to report it."""

import copy
import json
import subprocess
import sys

import jax
import pytest

import jaxd2l.cli.evaluate
from jaxd2l.cli import run
from jaxd2l.cli.record import checked


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "jaxd2l: error: there is not enough memory\n"),
        (OSError(), "jaxd2l: error: OSError\n"),
        (ValueError("a \x1b[2Jname"), "jaxd2l: error: a \\x1b[2Jname\n"),
        (ImportError("no torch"), "jaxd2l: error: no torch\n"),
    ],
)
def test_an_error_is_a_sentence(monkeypatch, capsys, error, said):
    monkeypatch.setattr(jaxd2l.cli.evaluate, "run", lambda options: (_ for _ in ()).throw(error))
    assert run(["evaluate", "run"]) == 1
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("mistake", [TypeError("ours"), AssertionError(), RecursionError("deep"), KeyError("name")])
def test_a_mistake_of_ours_shows_its_traceback_and_where_to_report_it(monkeypatch, capsys, mistake):
    monkeypatch.setattr(jaxd2l.cli.evaluate, "run", lambda options: (_ for _ in ()).throw(mistake))
    assert run(["evaluate", "run"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "https://github.com/jaxd2l/jaxd2l/issues" in err


def test_an_error_that_a_library_makes_of_ctrl_c_is_no_error(monkeypatch, capsys):
    def interrupted_import(options):
        try:
            __import__("signal").raise_signal(__import__("signal").SIGINT)
        except KeyboardInterrupt as error:
            raise SystemError("initialization of _multiarray raised unreported exception") from error

    monkeypatch.setattr(jaxd2l.cli.evaluate, "run", interrupted_import)
    assert run(["evaluate", "run"]) == 130
    assert capsys.readouterr().err == "jaxd2l: interrupted; nothing was left half-written\n"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("cpu", "JAX finds no device of the platform 'cpu', which JAX_PLATFORMS asks for; unset it, or install one\n"),
        (None, "JAX finds no device\n"),
    ],
)
def test_jax_without_a_device_is_named(asked, message, monkeypatch, capsys):
    def devices():
        raise AssertionError

    monkeypatch.setattr(jax, "devices", devices)
    if asked is None:
        monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    else:
        monkeypatch.setenv("JAX_PLATFORMS", asked)
    monkeypatch.setattr(jaxd2l.cli.evaluate, "run", lambda options: jax.devices())
    assert run(["evaluate", "run"]) == 1
    assert capsys.readouterr().err == f"jaxd2l: error: {message}"


@pytest.mark.long
@pytest.mark.parametrize("arguments", [["--help"], ["train", "softmax", "--epochs", "1", "--out", "run"]])
def test_a_user_without_name_and_home_can_do_everything(own_process, tmp_path, arguments):
    (tmp_path / "sitecustomize.py").write_text("import pwd\ndef gone(uid): raise KeyError(uid)\npwd.getpwuid = gone")
    gone = ("HOME", "XDG_CACHE_HOME", "JAXD2L_CACHE_DIR")
    env = {name: value for name, value in own_process.items() if name not in gone}
    env |= {"PYTHONPATH": f"{tmp_path}:{own_process['PYTHONPATH']}", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "jaxd2l", *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


WHOLE = {"arguments": {"model": "mlp", "dataset": "digits", "hidden": [8], "lr": 0.5, "seed": 1, "data_dir": None}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", ["mlp"]),
        ("model", "__init__"),
        ("hidden", "8"),
        ("hidden", []),
        ("hidden", [True]),
        ("hidden", [10**30]),
        ("dataset", "table"),
        ("activation", "__doc__"),
        ("dropout", 1),
        ("lr", float("nan")),
        ("lr", "0.5"),
        ("nesterov", 1),
        ("seed", -1),
        ("data_dir", 3),
        ("data_dir", "a\0b"),
        ("kind", "both"),
    ],
)
def test_every_argument_in_a_run_json_is_looked_at(name, value):
    changed = copy.deepcopy(WHOLE)
    assert checked(changed) == WHOLE
    changed["arguments"][name] = value
    with pytest.raises(ValueError, match=r"must be|needs"):
        checked(changed)


@pytest.mark.parametrize("text", ["[" * 10**5, '{"arguments":' * 10**5, "[]", "{}", "\xff", '{"arguments": {}}', ""])
def test_a_run_json_of_any_content_is_refused_in_a_sentence(tmp_path, capsys, text):
    (tmp_path / "run.json").write_bytes(text.encode("latin1"))
    assert run(["evaluate", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert "run.json is damaged or not made by jaxd2l" in err
    assert "Traceback" not in err


def test_a_run_json_that_is_mostly_a_hole_is_not_read(tmp_path, capsys):
    (tmp_path / "run.json").write_text(json.dumps(WHOLE))
    with (tmp_path / "run.json").open("ab") as file:
        file.truncate(2**36)
    assert run(["evaluate", str(tmp_path)]) == 1
    assert "it has 68719476736 bytes" in capsys.readouterr().err
