"""Networks of images in the command line: trained, resumed, measured; and every misfit is a sentence."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxd2l import data, losses, runs, train
from jaxd2l.cli import run
from jaxd2l.cli.grammar import NETWORKS
from jaxd2l.cli.networks import NETWORKS as BY_NAME
from jaxd2l.models import resnet


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["lenet", "--dataset", "digits"],
            "at least 12 x 12, and these have 8 x 8: use it with --dataset",
        ),
        (["vgg", "--dataset", "digits"], "vgg needs images of at least 32 x 32, and these have 8 x 8"),
        (["lenet", "--dataset", "synthetic"], "lenet takes images"),
        (["resnet18", "--dataset", "digits", "--hidden", "3"], "resnet18 has its own layers: --hidden is for mlp"),
        (["resnet18", "--dataset", "digits", "--dropout", "0.2"], "has its own layers: --dropout is for mlp"),
        (["resnet18", "--dataset", "digits", "--precision", "bfloat16"], "resnet18 computes in float32"),
    ],
)
def test_what_does_not_suit_a_network_is_said_in_a_sentence(arguments, message, capsys) -> None:
    assert run(["train", *arguments]) != 0
    assert message in capsys.readouterr().err


def test_the_grammar_offers_each_network() -> None:
    assert tuple(BY_NAME) == NETWORKS


@pytest.mark.bad_input
@pytest.mark.parametrize("name", [name for name, network in BY_NAME.items() if network.smallest > 1])
def test_the_smallest_size_is_that_of_the_network(name) -> None:
    make, smallest = BY_NAME[name].make, BY_NAME[name].smallest
    make((smallest, smallest, 1))
    with pytest.raises(ValueError, match=rf"at least {smallest} x {smallest}|layer \d+"):
        make((smallest - 1, smallest - 1, 1))


def test_a_network_of_python_is_a_run_of_the_shell(tmp_path: Path, monkeypatch, capsys, blank_pictures) -> None:
    def small(shape=(8, 8, 1), **options):
        return resnet(((1, 4), (1, 8)), shape, **options)

    monkeypatch.setitem(BY_NAME, "resnet18", BY_NAME["resnet18"]._replace(make=small))
    params, model_state = small().init(jax.random.key(0))
    model_state = jax.tree.map(lambda average: average + 0.5, model_state)
    with pytest.raises(ValueError, match="params and model_state are not those of this resnet18"):
        runs.save(tmp_path / "mine", params, model="resnet18", dataset="digits")
    runs.save(tmp_path / "mine", params, model="resnet18", dataset="digits", model_state=model_state)
    read = runs.load(tmp_path / "mine")
    jax.tree.map(np.testing.assert_array_equal, (read.params, read.model_state), (params, model_state))
    capsys.readouterr()
    assert run(["evaluate", str(tmp_path / "mine"), "--json"]) == 0
    expected = train.evaluate(small(), losses.cross_entropy, params, data.digits().test, model_state=model_state)
    assert json.loads(capsys.readouterr().out)["test_loss"] == pytest.approx(float(expected.loss), rel=1e-5)


@pytest.mark.long
def test_a_network_with_running_averages_is_trained_resumed_and_measured(
    tmp_path: Path, monkeypatch, capsys, blank_pictures
) -> None:
    small = BY_NAME["resnet18"]._replace(make=lambda shape, **options: resnet(((1, 4), (1, 8)), shape, **options))
    monkeypatch.setitem(BY_NAME, "resnet18", small)
    command = ["train", "resnet18", "--dataset", "digits", "--lr", "0.1", "--checkpoint-dir", str(tmp_path / "ckpt")]
    assert run([*command, "--epochs", "1", "--out", str(tmp_path / "one")]) == 0
    assert run([*command, "--epochs", "2", "--resume", "--out", str(tmp_path / "two")]) == 0
    assert run([*command[:-2], "--epochs", "2", "--out", str(tmp_path / "whole")]) == 0
    for name in ("params.safetensors", "best.safetensors"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    record = json.loads((tmp_path / "whole" / "run.json").read_text())
    capsys.readouterr()
    assert run(["evaluate", str(tmp_path / "whole"), "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["test_loss"] == pytest.approx(record["results"]["test_loss"], rel=1e-5)
    assert run(["predict", str(tmp_path / "whole"), "--count", "2"]) == 0
