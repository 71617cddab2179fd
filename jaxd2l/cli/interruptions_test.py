"""Ctrl-C at any moment: exit code 130, no traceback, and the finished epochs are kept."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

import jaxd2l.cli.train
from jaxd2l.cli import run


@pytest.mark.usefixtures("blank_pictures")
def test_interrupted_training_keeps_the_finished_epochs(tmp_path, monkeypatch, capsys):
    real_fit = jaxd2l.cli.train.fit

    def fit_until_ctrl_c(*args, on_epoch, **options):
        def interrupt(state, history):
            on_epoch(state, history)
            if len(history.train_loss) == 2:
                raise KeyboardInterrupt

        return real_fit(*args, on_epoch=interrupt, **options)

    monkeypatch.setattr(jaxd2l.cli.train, "fit", fit_until_ctrl_c)
    assert run(["train", "softmax", "--epochs", "9", "--out", str(tmp_path / "cut")]) == 130
    assert "2 finished epochs are saved" in capsys.readouterr().err
    monkeypatch.setattr(jaxd2l.cli.train, "fit", real_fit)
    assert run(["train", "softmax", "--epochs", "2", "--out", str(tmp_path / "whole")]) == 0
    cut, whole = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("cut", "whole"))
    assert cut["interrupted"] is True
    assert cut["history"] == whole["history"]
    cut_params, whole_params = ((tmp_path / n / "params.safetensors").read_bytes() for n in ("cut", "whole"))
    assert cut_params == whole_params
    assert run(["predict", str(tmp_path / "cut"), "--count", "1"]) == 0


def test_ctrl_c_before_the_first_epoch_leaves_nothing(tmp_path, monkeypatch, capsys):
    def fit(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(jaxd2l.cli.train, "fit", fit)
    assert run(["train", "softmax", "--out", str(tmp_path / "none")]) == 130
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("blank_pictures")
def test_a_ctrl_c_of_which_a_library_makes_another_error_keeps_the_finished_epochs(tmp_path, monkeypatch):
    real_fit = jaxd2l.cli.train.fit

    def fit_with_an_import(*args, on_epoch, **options):
        def interrupted_import(state, history):
            on_epoch(state, history)
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            raise SystemError("initialization of a module raised unreported exception")

        return real_fit(*args, on_epoch=interrupted_import, **options)

    monkeypatch.setattr(jaxd2l.cli.train, "fit", fit_with_an_import)
    assert run(["train", "softmax", "--epochs", "9", "--out", str(tmp_path / "run")]) == 130
    assert len(json.loads((tmp_path / "run" / "run.json").read_text())["history"]["train_loss"]) == 1


@pytest.mark.usefixtures("blank_pictures")
def test_a_ctrl_c_that_a_callback_swallows_still_ends_the_run(tmp_path, monkeypatch):
    real_fit = jaxd2l.cli.train.fit

    def fit_deaf_to_ctrl_c(*args, on_epoch, **options):
        def swallow(state, history):
            if len(history.train_loss) == 2:
                with contextlib.suppress(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
            return on_epoch(state, history)

        return real_fit(*args, on_epoch=swallow, **options)

    monkeypatch.setattr(jaxd2l.cli.train, "fit", fit_deaf_to_ctrl_c)
    assert run(["train", "softmax", "--epochs", "9", "--out", str(tmp_path / "run")]) == 130
    assert len(json.loads((tmp_path / "run" / "run.json").read_text())["history"]["train_loss"]) == 2


def test_the_exit_code_is_130_even_if_exec_of_a_string_was_interrupted(tmp_path, own_process):
    # `python -m` is where CPython would end by the signal itself.
    patch = "import jaxd2l.cli.train as t; t.fit = lambda *a, **k: exec('raise KeyboardInterrupt')"
    (tmp_path / "sitecustomize.py").write_text(patch)
    known = {**own_process, "PYTHONPATH": f"{tmp_path}{os.pathsep}{own_process['PYTHONPATH']}"}
    command = [sys.executable, "-m", "jaxd2l", "train", "softmax"]
    done = subprocess.run(command, cwd=tmp_path, env=known, capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr


@pytest.mark.long
def test_a_real_sigint_ends_with_130_and_a_whole_run(tmp_path, jaxd2l_process):
    for patience in (2.7, 6, 20, 60):  # seconds: while it compiles, and until surely an epoch is finished
        folder = tmp_path / f"after-{patience}"
        process = jaxd2l_process(
            *("train", "softmax", "--epochs", "10000000", "--out", str(folder)), cwd=tmp_path, start_new_session=True
        )
        time.sleep(patience)
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 130, err
        assert "Traceback" not in err
        if folder.exists():
            break
    record = json.loads((folder / "run.json").read_text())
    assert 0 < len(record["history"]["train_loss"]) < 10000000


def test_ctrl_c_while_everything_is_still_being_imported_is_no_traceback(own_process):
    interrupted_import = "c.import_module = lambda name: os.kill(os.getpid(), signal.SIGINT)"
    code = f"import os, signal, jaxd2l.cli as c; {interrupted_import}; c.run(['train', 'mlp'])"
    done = subprocess.run([sys.executable, "-c", code], env=own_process, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "\njaxd2l: interrupted before anything was done\n"
