"""What `jaxd2l export` writes of a network loads into the book's own class, computes the same, and can be imported."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from jaxd2l import models
from jaxd2l.bench.torch_networks import LeNet, ResNet
from jaxd2l.cli import networks, run
from jaxd2l.cli.folders import PARAMS, RECORD
from jaxd2l.cli.runs import save_record, variables
from jaxd2l.train import predict
from jaxd2l.train.checkpoint import save_params
from jaxd2l.train.checkpoint._torch_networks import EXPORTED
from jaxd2l.types import Model, StatefulModel, TrainState
from parity_tests import book_networks


def drawn(model: Model | StatefulModel) -> TrainState:
    """Parameters and running averages none of which are equal or symmetric."""
    rng = np.random.default_rng(0)

    def draw(leaf: jax.ShapeDtypeStruct) -> jax.Array:
        is_kernel = len(leaf.shape) > 1
        numbers = (
            rng.normal(0, np.prod(leaf.shape[:-1]) ** -0.5, leaf.shape) if is_kernel else rng.uniform(size=leaf.shape)
        )
        return jnp.asarray(numbers.astype(np.float32))

    own = jax.eval_shape(model.init, jax.random.key(0))
    params, state = jax.tree.map(draw, own if isinstance(model, StatefulModel) else (own, ()))
    return TrainState(params, (), jnp.array(0), state)


def export(tmp_path: Path, name: str, state: TrainState) -> dict[str, torch.Tensor]:
    save_params(tmp_path / PARAMS, variables(state.params, state.model_state))
    save_record(tmp_path, {"arguments": {"model": name, "dataset": "fashion_mnist", "hidden": None}})
    assert run(["export", str(tmp_path), "--to", str(tmp_path / "net.safetensors")]) == 0
    return safetensors.torch.load_file(tmp_path / "net.safetensors")


class Book(nn.Module):
    """The book's classes of chapter 8: what they are is their `net`."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, X):
        return self.net(X)


NARROW = (4, 6, 6, 8, 5)
STAGES = ((1, 4), (1, 6), (2, 8), (2, 8), (2, 5))
RESIDUAL = ((2, 4), (2, 8), (1, 12), (1, 16))
REGNET = ((2, 16, 8, 1.0), (3, 24, 8, 1.0))
CASES = {
    "lenet": (28, models.lenet, LeNet),
    "alexnet": (
        96,
        partial(models.alexnet, channels=NARROW, num_hiddens=20),
        lambda: Book(book_networks.alexnet(NARROW, 20)),
    ),
    "vgg": (64, partial(models.vgg, arch=STAGES, num_hiddens=20), lambda: Book(book_networks.vgg(STAGES, 20))),
    "nin": (96, partial(models.nin, channels=(4, 6, 8)), lambda: Book(book_networks.nin((4, 6, 8)))),
    "googlenet": (32, partial(models.googlenet, width=0.1), lambda: Book(book_networks.googlenet(0.1))),
    "batch-norm-lenet": (28, models.batch_norm_lenet, lambda: Book(book_networks.bn_lenet())),
    "resnet18": (28, partial(models.resnet, RESIDUAL), lambda: ResNet(RESIDUAL)),
    "densenet": (32, partial(models.densenet, channels=8, growth=4), lambda: Book(book_networks.densenet(8, 4))),
    "regnet": (28, partial(models.anynet, 8, REGNET), lambda: Book(book_networks.anynet(8, REGNET))),
}
"""Images of which size, ours and the book's, with fewer channels where the book has many."""


@pytest.mark.parametrize(
    "name", [n if n == "batch-norm-lenet" else pytest.param(n, marks=pytest.mark.long) for n in CASES]
)
def test_the_book_s_class_loads_an_exported_network_and_computes_the_same(name, tmp_path) -> None:
    size, make, book = CASES[name]
    model = make((size, size, 1), num_classes=10)
    state, net = drawn(model), book()
    x = np.random.default_rng(0).uniform(size=(3, size, size, 1)).astype(np.float32)
    images = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    net.eval()(images)  # gives the lazy layers their shapes
    net.load_state_dict(export(tmp_path, name, state))
    ours = predict(model, state.params, x, model_state=state.model_state)
    with torch.no_grad():
        theirs = net.eval()(images).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=1e-5 * np.abs(theirs).max())
    assert np.ptp(theirs, axis=1).min() > 1e-3


@pytest.mark.parametrize("name", ["lenet", *(pytest.param(n, marks=pytest.mark.long) for n in CASES if n != "lenet")])
def test_the_book_s_class_is_imported_bit_for_bit(name, tmp_path, capsys) -> None:
    network = networks.NETWORKS[name]
    side = network.size or 28
    model = network.make((side, side, 1), num_classes=10)
    state = drawn(model)
    (tmp_path / "first").mkdir()
    export(tmp_path / "first", name, state)
    assert run(["import", str(tmp_path / "first" / "net.safetensors"), "--out", str(tmp_path / "second")]) == 0
    assert f"{name} for images of {side} x {side} for fashion_mnist" in " ".join(capsys.readouterr().out.split())
    assert (tmp_path / "first" / PARAMS).read_bytes() == (tmp_path / "second" / PARAMS).read_bytes()


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(
            lambda net: net.pop("net.0.bias"),
            "names are not those of one of the book's classes for lenet, alexnet",
            marks=pytest.mark.long,
        ),
        (lambda net: net.update({"net.0.weight": torch.ones(6, 1, 3, 3)}), r"must be float32 of shape (6, 1, 5, 5)"),
        (lambda net: net.update({"net.0.weight": torch.full((6, 1, 5, 5), torch.inf)}), "numbers that are not finite"),
        (lambda net: net.update({"net.0.weight": torch.ones(6, 1, 5, 5).double()}), "is float64 of shape (6, 1, 5, 5)"),
    ],
)
def test_what_is_not_the_book_s_class_is_not_imported(change, told, tmp_path, capsys) -> None:
    net = export(tmp_path, "lenet", drawn(models.lenet()))
    change(net)
    safetensors.torch.save_file(net, tmp_path / "other.safetensors")
    assert run(["import", str(tmp_path / "other.safetensors"), "--out", str(tmp_path / "out")]) == 1
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_every_network_of_the_command_line_can_be_exported() -> None:
    assert set(CASES) == set(EXPORTED) == set(networks.NETWORKS)


@pytest.mark.bad_input
def test_a_network_without_known_places_is_refused(tmp_path, capsys) -> None:
    save_params(tmp_path / PARAMS, {"w": jnp.zeros(1)})
    save_record(tmp_path, {"arguments": {"model": "capsnet", "dataset": "fashion_mnist", "hidden": None}})
    assert run(["export", str(tmp_path), "--to", str(tmp_path / "net.safetensors")]) != 0
    assert "capsnet" in capsys.readouterr().err
    assert not (tmp_path / "net.safetensors").exists()
    assert (tmp_path / RECORD).exists()
