"""What `jaxd2l export` writes of a network loads into the book's own class, and computes the same there."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from jaxd2l.bench.torch_networks import LeNet, ResNet
from jaxd2l.cli import networks, run
from jaxd2l.cli.folders import PARAMS, RECORD
from jaxd2l.cli.runs import save_record, variables
from jaxd2l.models import resnet
from jaxd2l.train import predict
from jaxd2l.train.checkpoint import save_params
from jaxd2l.train.checkpoint._torch_networks import EXPORTED
from jaxd2l.types import Model, StatefulModel, TrainState


class BNLeNet(nn.Module):
    """D2L 8.5.4, as the book writes it."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *(nn.LazyConv2d(6, kernel_size=5), nn.LazyBatchNorm2d(), nn.Sigmoid()),
            nn.AvgPool2d(kernel_size=2, stride=2),
            *(nn.LazyConv2d(16, kernel_size=5), nn.LazyBatchNorm2d(), nn.Sigmoid()),
            *(nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten()),
            *(nn.LazyLinear(120), nn.LazyBatchNorm1d(), nn.Sigmoid()),
            *(nn.LazyLinear(84), nn.LazyBatchNorm1d(), nn.Sigmoid(), nn.LazyLinear(num_classes)),
        )

    def forward(self, X):
        return self.net(X)


def drawn(model: Model | StatefulModel) -> TrainState:
    """Parameters and running averages none of which are equal or symmetric."""

    def draw(leaf: jax.Array) -> jax.Array:
        return jnp.asarray(np.random.default_rng(leaf.size).uniform(0.1, 0.4, leaf.shape).astype(np.float32) / 4)

    own = model.init(jax.random.key(0))
    params, state = own if isinstance(model, StatefulModel) else (own, ())
    params = jax.tree.map(lambda leaf: leaf + draw(leaf), params)
    return TrainState(params, (), jnp.array(0), jax.tree.map(draw, state))


def export(tmp_path: Path, name: str, state: TrainState) -> dict[str, torch.Tensor]:
    save_params(tmp_path / PARAMS, variables(state.params, state.model_state))
    save_record(tmp_path, {"arguments": {"model": name, "dataset": "fashion_mnist", "hidden": None}})
    assert run(["export", str(tmp_path), "--to", str(tmp_path / "net.safetensors")]) == 0
    return safetensors.torch.load_file(tmp_path / "net.safetensors")


def small_resnet(shape, *, num_classes):
    return resnet(((2, 4), (2, 8), (1, 12), (1, 16)), shape, num_classes=num_classes)


@pytest.mark.parametrize(
    ("name", "book"),
    [
        pytest.param("lenet", LeNet, marks=pytest.mark.long),
        ("batch-norm-lenet", BNLeNet),
        pytest.param("resnet18", ResNet, marks=pytest.mark.long),
    ],
)
def test_the_book_s_class_loads_an_exported_network_and_computes_the_same(name, book, tmp_path) -> None:
    make = networks.NETWORKS[name].make
    if name == "resnet18":  # the same stages with fewer channels
        make, book = small_resnet, lambda: ResNet(((2, 4), (2, 8), (1, 12), (1, 16)))
    model = make((28, 28, 1), num_classes=10)
    state, net = drawn(model), book()
    x = np.random.default_rng(0).uniform(size=(3, 28, 28, 1)).astype(np.float32)
    images = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    net.eval()(images)  # gives the lazy layers their shapes
    net.load_state_dict(export(tmp_path, name, state))
    ours = predict(model, state.params, x, model_state=state.model_state)
    with torch.no_grad():
        theirs = net.eval()(images).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=1e-5 * np.abs(theirs).max())
    assert np.ptp(theirs, axis=1).min() > 1e-3


@pytest.mark.bad_input
def test_a_network_without_known_places_is_refused(tmp_path, capsys) -> None:
    save_params(tmp_path / PARAMS, {"w": jnp.zeros(1)})
    save_record(tmp_path, {"arguments": {"model": "nin", "dataset": "fashion_mnist", "hidden": None}})
    assert run(["export", str(tmp_path), "--to", str(tmp_path / "net.safetensors")]) != 0
    assert "nin cannot be exported yet; lenet" in capsys.readouterr().err
    assert not (tmp_path / "net.safetensors").exists()
    assert set(networks.NETWORKS) >= set(EXPORTED)
    assert (tmp_path / RECORD).exists()
