"""Parameters go to the book's torch modules and come back, bit for bit, through the files of export and import."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from torch import nn

from jaxd2l import data, models
from jaxd2l.cli import run
from jaxd2l.train.checkpoint import load_params, read_tensors


class Book(nn.Module):
    """D2L 3.5.1, 4.5.1, 5.2.2: each keeps its layers in `net`."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def linear() -> Book:
    return Book(nn.Linear(2, 1))


def softmax() -> Book:
    return Book(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))


def lazy_mlp() -> Book:
    return Book(nn.Sequential(nn.Flatten(), nn.LazyLinear(64), nn.ReLU(), nn.LazyLinear(10)))


def deep_mlp() -> Book:
    layers = [nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)]
    return Book(nn.Sequential(*layers))


@pytest.mark.parametrize(
    ("command", "make"),
    [
        (["linear"], linear),
        (["softmax"], softmax),
        (["mlp", "--hidden", "64"], lazy_mlp),
        (["flax-mlp", "--hidden", "64,64"], deep_mlp),
    ],
)
def test_a_run_loads_into_the_books_module_and_comes_back_bit_for_bit(tmp_path, capsys, command, make):
    assert run(["train", *command, "--epochs", "1", "--out", str(tmp_path / "run")]) == 0
    assert run(["export", str(tmp_path / "run"), "--to", str(tmp_path / "net.safetensors")]) == 0
    net = make()
    net.load_state_dict(safetensors.torch.load_file(tmp_path / "net.safetensors"), strict=True)
    ours = read_tensors(tmp_path / "run" / "params.safetensors")
    weights = {p.detach().numpy().T.tobytes() for p in net.parameters()}
    assert weights == {array.tobytes() for array in ours.values()}

    safetensors.torch.save_file(net.state_dict(), tmp_path / "again.safetensors")
    assert run(["import", str(tmp_path / "again.safetensors"), "--out", str(tmp_path / "back")]) == 0
    assert sorted(a.tobytes() for a in read_tensors(tmp_path / "back" / "params.safetensors").values()) == sorted(
        array.tobytes() for array in ours.values()
    )
    capsys.readouterr()
    measured = []
    for folder in ("run", "back"):
        assert run(["evaluate", str(tmp_path / folder), "--json"]) == 0
        measured.append(json.loads(capsys.readouterr().out))
    assert measured[0] == measured[1]
    assert run(["predict", str(tmp_path / "back"), "--count", "2"]) == 0
    assert run(["export", str(tmp_path / "back"), "--to", str(tmp_path / "third.safetensors")]) == 0
    first, third = (safetensors.torch.load_file(tmp_path / f"{name}.safetensors") for name in ("net", "third"))
    assert list(first) == list(third)
    assert all(first[name].numpy().tobytes() == third[name].numpy().tobytes() for name in first)


def test_torch_and_the_imported_run_say_the_same_of_the_test_images(tmp_path, capsys):
    torch.manual_seed(0)
    net = deep_mlp()
    safetensors.torch.save_file(net.state_dict(), tmp_path / "net.safetensors")
    assert run(["import", str(tmp_path / "net.safetensors"), "--out", str(tmp_path / "run")]) == 0
    assert "mlp 64-64-64-10 for digits" in capsys.readouterr().out
    model = models.mlp(64, (64, 64), 10)
    params = load_params(tmp_path / "run" / "params.safetensors", jax.eval_shape(model.init, jax.random.key(0)))
    inputs = np.array(data.to_float(data.digits().test.inputs))
    with torch.no_grad():
        expected = net(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(model.apply(params, jnp.asarray(inputs)), expected, rtol=1e-4, atol=1e-5)


def save(path: Path, **shapes: tuple[int, ...]) -> None:
    tensors = {name.replace("_", "."): np.zeros(shape, np.float32) for name, shape in shapes.items()}
    path.write_bytes(safetensors.numpy.save(tensors))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"a_weight": (10, 100), "a_bias": (10,)}, "maps 100 inputs to 10 outputs; the datasets here are"),
        ({"a_weight": (3, 64), "a_bias": (3,)}, "maps 64 inputs to 3 outputs"),
        ({"a_weight": (6, 2, 5), "a_bias": (6,)}, "of fully connected layers can be converted"),
        ({"a_weight": (10, 64)}, "of fully connected layers can be converted"),
        (
            {"a_weight": (5, 2), "a_bias": (5,), "b_weight": (1, 5), "b_bias": (1,)},
            "synthetic data are for linear regression only",
        ),
    ],
)
def test_what_cannot_be_imported_is_refused_and_nothing_is_made(tmp_path, capsys, shapes, message):
    save(tmp_path / "net.safetensors", **shapes)
    assert run(["import", str(tmp_path / "net.safetensors"), "--out", str(tmp_path / "run")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x04N.", b"\xff" * 100])
def test_a_file_that_is_no_safetensors_is_refused(tmp_path, capsys, content):
    (tmp_path / "net.safetensors").write_bytes(content)
    assert run(["import", str(tmp_path / "net.safetensors")]) == 1
    assert "is damaged or not a safetensors file" in capsys.readouterr().err


def test_a_dtype_that_numpy_lacks_is_refused(tmp_path, capsys):
    safetensors.torch.save_file(deep_mlp().bfloat16().state_dict(), tmp_path / "net.safetensors")
    assert run(["import", str(tmp_path / "net.safetensors"), "--out", str(tmp_path / "run")]) == 1
    assert "BF16" in capsys.readouterr().err


def test_a_folder_without_a_run_and_a_missing_file_are_named(tmp_path, capsys):
    assert run(["export", str(tmp_path), "--to", str(tmp_path / "x")]) == 1
    assert "holds no finished run" in capsys.readouterr().err
    assert run(["import", str(tmp_path / "nothing.safetensors")]) == 1
    assert "nothing.safetensors" in capsys.readouterr().err
