"""`parity.check` on kinds of models, kinds of defects, and wrong arguments."""

import json

import flax.linen as fnn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from flax import nnx
from torch import nn

from jaxd2l import losses, models, parity
from jaxd2l.types import Model

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(12, 6)).astype(np.float32), RANDOM.integers(0, 3, 12)
CROSS_ENTROPY = (nn.functional.cross_entropy, losses.cross_entropy)
SGD = (lambda params: torch.optim.SGD(params, lr=0.1), optax.sgd(0.1))
LINEAR = {"kernel": jnp.zeros((6, 3)), "bias": jnp.zeros(3)}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Threads cost more than they gain on arrays this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def linear(seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(6, 3)


def linear_model(apply) -> Model:
    return Model(lambda key: LINEAR, lambda params, x, *, key=None: apply(params, x))


def failed(report: parity.Report, level: str = "meaning") -> dict[str, tuple[str, str]]:
    return {row.quantity: (row.verdict, row.hint) for row in report.failures if row.level == level}


class FromScratch(nn.Module):
    """The book's MLP: plain parameters, no layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.W1, self.b1 = nn.Parameter(torch.randn(6, 8) * 0.3), nn.Parameter(torch.zeros(8))
        self.W2, self.b2 = nn.Parameter(torch.randn(8, 3) * 0.3), nn.Parameter(torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.max(x @ self.W1 + self.b1, torch.zeros_like(self.b1))
        return h @ self.W2 + self.b2


class LinenNorm(fnn.Module):
    epsilon: float = 1e-5

    @fnn.compact
    def __call__(self, x):
        return fnn.Dense(3)(fnn.Dropout(0.5, deterministic=True)(fnn.LayerNorm(epsilon=self.epsilon)(fnn.Dense(8)(x))))


class NNXNorm(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first, self.norm = nnx.Linear(6, 8, rngs=rngs), nnx.LayerNorm(8, epsilon=1e-5, rngs=rngs)
        self.dropout, self.last = nnx.Dropout(0.5, rngs=rngs), nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        return self.last(self.dropout(self.norm(self.first(x))))


def torch_norm() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Dropout(0.5), nn.Linear(8, 3))


@pytest.mark.parametrize(
    ("module", "port"),
    [
        (FromScratch(), models.mlp(6, 8, 3)),
        (torch_norm(), LinenNorm()),
        (torch_norm(), NNXNorm),
        (torch_norm(), NNXNorm(nnx.Rngs(3))),
    ],
    ids=["from scratch", "linen", "nnx function", "nnx instance"],
)
def test_right_ports_hold_at_every_level(module, port) -> None:
    report = parity.check(module, port, (X, Y), loss=CROSS_ENTROPY, optim=SGD, steps=3)
    report.assert_ok()
    quantities = {row.quantity for row in report.rows}
    assert {"weights", "outputs", "loss", "gradient of the inputs", "optimiser on given gradients"} <= quantities
    assert {"float64 free run", "float32 re-synchronised gradients", "float32 free run"} <= quantities
    for name, _ in module.named_parameters():
        assert {f"gradient of {name}", f"{name} after one step"} <= quantities
    assert all(row is not None and row.verdict in ("bitwise", "within-oracle") for _, row in report.layers)


def test_nothing_of_the_callers_is_changed() -> None:
    module = torch_norm()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    inputs = X.copy()
    parity.check(module, LinenNorm(), (X, Y), loss=CROSS_ENTROPY, optim=SGD, steps=2)
    assert module.training
    assert all(p.grad is None for p in module.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    np.testing.assert_array_equal(X, inputs)


@pytest.mark.parametrize(
    ("apply", "hint"),
    [
        (lambda p, x: x @ p["kernel"], "bias is missing or not used"),
        (lambda p, x: jax.nn.softmax(x @ p["kernel"] + p["bias"]), "JAX applies softmax to the outputs"),
        (lambda p, x: (x @ p["kernel"] + p["bias"]) / 12, "ratio 1/n = 1/12"),
    ],
)
def test_a_mismatch_of_the_outputs_is_named(apply, hint) -> None:
    report = parity.check(linear(), linear_model(apply), (X, Y), loss=CROSS_ENTROPY)
    verdict, found = failed(report)["outputs"]
    assert verdict == "semantic-mismatch"
    assert hint.split(" is missing")[0] in found
    assert hint in found.replace(" (bias)", "")


def test_an_unknown_mismatch_gets_a_layer_but_no_invented_hint() -> None:
    port = linear_model(lambda p, x: jnp.square(x @ p["kernel"]) + p["bias"])
    report = parity.check(linear(), port, (X, Y), loss=CROSS_ENTROPY)
    assert failed(report)["outputs"] == ("semantic-mismatch", "")
    assert report.first_diverging == "addmm"


def test_wrong_eps_and_a_missing_layer_are_named() -> None:
    report = parity.check(torch_norm(), LinenNorm(1e-6), (X, Y), loss=CROSS_ENTROPY)
    assert "eps=1e-06" in failed(report)["outputs"][1]
    assert report.first_diverging == "1 (LayerNorm)"
    module = nn.Sequential(linear(), nn.Tanh())
    report = parity.check(module, models.softmax_regression(6, 3), (X, Y), loss=CROSS_ENTROPY)
    assert failed(report)["outputs"][1] == "layer 1 (Tanh) is missing"


@pytest.mark.parametrize(
    ("jax_loss", "hint"),
    [
        (lambda o, y: losses.cross_entropy(o, y, reduction="sum"), "ratio n = 12: missing mean over the batch"),
        (lambda o, y: losses.cross_entropy(o, (y - 1) % 3), "label off by one: JAX takes labels smaller by 1"),
        (lambda o, y: losses.cross_entropy(jax.nn.softmax(o), y), "JAX applies softmax before the loss"),
        (lambda o, y: losses.cross_entropy(o, y) * 12 / 11, "ratio n/(n-1) with n = 12"),
    ],
)
def test_a_wrong_loss_is_named_and_the_outputs_are_not_blamed(jax_loss, hint) -> None:
    report = parity.check(linear(), models.softmax_regression(6, 3), (X, Y), loss=(CROSS_ENTROPY[0], jax_loss))
    assert hint in failed(report)["loss of the same outputs"][1]
    assert failed(report)["loss"][1] == "follows from: loss of the same outputs"
    assert "outputs" not in failed(report)


def test_a_gradient_that_is_cut_off_is_named() -> None:
    port = linear_model(lambda p, x: x @ p["kernel"] + jax.lax.stop_gradient(p["bias"]))
    report = parity.check(linear(), port, (X, Y), loss=CROSS_ENTROPY)
    assert list(failed(report)) == ["gradient of bias"]
    assert "stop_gradient" in failed(report)["gradient of bias"][1]


def test_a_parameter_that_torch_does_not_train_is_named() -> None:
    module = linear()
    module.bias.requires_grad_(False)
    report = parity.check(module, models.softmax_regression(6, 3), (X, Y), loss=CROSS_ENTROPY)
    assert report.unseen == ("torch does not train these, so they have no gradient to compare: bias",)
    with pytest.raises(AssertionError, match="not looked at: torch does not train"):
        report.assert_ok(strict=True)
    report = parity.check(module, models.softmax_regression(6, 3), (X, Y), loss=CROSS_ENTROPY, optim=SGD, steps=1)
    assert failed(report)["bias after one step"][1].startswith("torch does not train this parameter")


def test_whole_numbers_go_in_and_batches_of_torch_and_jax_too() -> None:
    torch.manual_seed(0)
    port = Model(lambda key: {"table": jnp.zeros((9, 3))}, lambda p, x, *, key=None: p["table"][x])
    tokens = torch.tensor(RANDOM.integers(0, 9, 12))
    parity.check(nn.Embedding(9, 3), port, (tokens, jnp.asarray(Y)), loss=CROSS_ENTROPY, optim=SGD, steps=2).assert_ok()


DECAY = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}
FROZEN_BIAS = optax.masked(optax.set_to_zero(), {"kernel": False, "bias": True})


@pytest.mark.parametrize(
    ("settings", "tx", "hint"),
    [
        (DECAY, optax.chain(optax.sgd(0.1, 0.9), optax.add_decayed_weights(0.01)), "decay after lr"),
        (DECAY, optax.sgd(0.1, 0.9), "weight decay is missing"),
        (DECAY, optax.chain(optax.add_decayed_weights(0.01), optax.sgd(0.1)), "momentum is missing"),
        ({"lr": 0.1, "momentum": 0.9, "nesterov": True}, optax.sgd(0.1, 0.9), "no nesterov"),
        ({"lr": 0.1}, optax.sgd(0.01), "0.1 times the learning rate"),
        ({"lr": 0.1}, optax.sgd(-0.1), "the other sign"),
        ({"lr": 0.1}, optax.chain(FROZEN_BIAS, optax.sgd(0.1)), "not updated in JAX: bias"),
    ],
)
def test_a_wrong_optimiser_is_named(settings, tx, hint) -> None:
    optim = (lambda params: torch.optim.SGD(params, **settings), tx)
    report = parity.check(linear(), models.softmax_regression(6, 3), (X, Y), loss=CROSS_ENTROPY, optim=optim, steps=2)
    assert hint in failed(report)["optimiser on given gradients"][1]
    assert "outputs" not in failed(report)
    assert "loss" not in failed(report)


def test_lost_digits_are_called_imprecise_not_another_function() -> None:
    module = linear()
    with torch.no_grad():
        module.bias += 1e6
    port = models.softmax_regression(6, 3)

    def naive(logits, labels):
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()  # log-sum-exp minus logit

    report = parity.check(module, port, (X, Y), loss=(CROSS_ENTROPY[0], naive))
    assert {row.verdict for row in report.failures} == {"precision-defect"}
    assert "loses digits" in failed(report, "accuracy")["loss of the same outputs"][1]
    parity.check(module, port, (X, Y), loss=CROSS_ENTROPY).assert_ok()


def test_float16_on_the_way_is_a_precision_defect_and_float32_is_none() -> None:
    def through(dtype):
        def apply(p, x):
            product = x.astype(dtype) @ p["kernel"].astype(dtype)
            return product.astype(jnp.float32) + p["bias"].astype(jnp.float32)

        return linear_model(apply)

    report = parity.check(linear(), through(jnp.float16), (X, Y), loss=CROSS_ENTROPY)
    assert {row.verdict for row in report.failures} == {"precision-defect"}
    assert "float16" in failed(report, "accuracy")["outputs"][1]
    assert not failed(report)  # in float64 throughout it is the same function
    parity.check(linear(), through(jnp.float32), (X, Y), loss=CROSS_ENTROPY, optim=SGD, steps=2).assert_ok()


class Kinked(nn.Module):
    """relu(x . w) v, summed in an order that loses nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, 2.0**-26, -1.0]))
        self.v = nn.Parameter(torch.tensor([2.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu((x[:, 0] * self.w[0] + x[:, 2] * self.w[2]) + x[:, 1] * self.w[1]) * self.v


def kinked(offset: float = 0.0) -> Model:
    """The same, summed so that 1 + 2^-26 - 1 is 0 in float32, where the relu is then off."""

    def apply(p, x, *, key=None):
        return jax.nn.relu(((x[:, 0] * p["w"][0] + x[:, 1] * p["w"][1]) + x[:, 2] * p["w"][2]) - offset) * p["v"]

    return Model(lambda key: {"w": jnp.zeros(3), "v": jnp.zeros(1)}, apply)


def test_a_relu_that_rounding_switches_is_a_kink_flip_and_no_failure() -> None:
    inputs = np.array([[1, 1, 1], [2, 1, 0.5], [3, 0, 1]], np.float32)
    batch, squared = (inputs, np.ones(3, np.float32)), (nn.functional.mse_loss, lambda o, y: jnp.mean((o - y) ** 2))
    report = parity.check(Kinked(), kinked(), batch, loss=squared, optim=SGD, steps=3)
    report.assert_ok()
    flipped = {row.quantity: row.hint for row in report.rows if row.verdict == "kink-flip"}
    assert {"gradient of w", "w after one step"} <= set(flipped)
    assert "max 0 takes another branch at (0,)" in flipped["gradient of w"]
    first = next(flip for flip in report.flips if flip.side == "JAX")
    assert (first.step, first.kink, first.index) == (0, "max 0", (0,))
    assert first.margin < 1

    report = parity.check(Kinked(), kinked(offset=1e-3), batch, loss=squared)
    assert failed(report)["gradient of w"][0] == "semantic-mismatch"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": (X[:0], Y[:0])}, "the batch is empty"),
        ({"batch": (X, Y[:-1])}, "12 inputs but 11 labels"),
        ({"batch": (X, Y + 1)}, "Target 3 is out of bounds"),
        ({"batch": (X, Y - 1)}, "Target -1 is out of bounds"),
        ({"batch": (X[:, :5], Y)}, "the module fails on the inputs"),
        ({"batch": (np.where(X[1, 2] == X, np.nan, X), Y)}, r"the inputs hold nan at index \(1, 2\)"),
        ({"batch": (X.astype(str), Y)}, "must be numbers"),
        ({"jax_model": models.softmax_regression(7, 3)}, "weight"),
        ({"jax_model": linear_model(lambda p, x: x @ x)}, "the JAX model cannot take the inputs"),
        ({"loss": (lambda o, y: o, CROSS_ENTROPY[1])}, "must be a scalar"),
        ({"loss": None, "optim": SGD}, "optim needs loss"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"oracle": "mpmath"}, "the oracle is 'float64'"),
        ({"weights": {"nobody": "kernel"}}, "'nobody'"),
        ({"weights": "manual"}, "weights must be 'auto' or a mapping"),
        ({"batch": X}, "the batch must be a pair"),
        ({"batch": (X, Y + 2**32)}, r"the labels hold \d+ at index \(0,\), outside of int32's range"),
        ({"batch": (X * np.float64(1e200), Y)}, "outside of float32's range"),
        ({"torch_module": torch.relu}, "torch_module must be a torch.nn.Module"),
        (
            {"torch_module": type("Two", (nn.Linear,), {"forward": lambda self, x: (x, x)})(6, 3)},
            "torch: the loss refuses the batch",
        ),
        ({"jax_model": linear_model(lambda p, x: (x, x))}, r"torch returns \['outputs'\] and JAX \['outputs\[0\]'"),
        ({"loss": CROSS_ENTROPY[0]}, r"loss must be \(torch_loss, jax_loss\), got function"),
        ({"optim": SGD[::-1]}, r"optim must be \(torch_factory, tx\)"),
        ({"steps": 2.5}, "steps must be a whole number"),
    ],
)
@pytest.mark.bad_input
def test_wrong_arguments_meet_clear_errors(change, message) -> None:
    right = {"torch_module": linear(), "jax_model": models.softmax_regression(6, 3), "batch": (X, Y)}
    with pytest.raises((ValueError, TypeError), match=message):
        parity.check(**{**right, "loss": CROSS_ENTROPY} | change)


def test_nan_in_the_weights_and_shapes_of_outputs() -> None:
    module = linear()
    with torch.no_grad():
        module.bias[1] = torch.inf
    with pytest.raises(ValueError, match=r"bias holds inf at index \(1,\)"):
        parity.check(module, models.softmax_regression(6, 3), (X, Y))
    report = parity.check(linear(), linear_model(lambda p, x: (x @ p["kernel"] + p["bias"]).T), (X, Y))
    assert failed(report, "meaning")["outputs"][1].startswith("shapes differ")


def test_every_form_of_the_report_says_the_same(tmp_path) -> None:
    report = parity.check(
        linear(), models.softmax_regression(6, 3), (X, Y), loss=CROSS_ENTROPY, optim=(SGD[0], optax.sgd(0.2)), steps=3
    )
    report.to_json(tmp_path / "r.json")
    report.to_markdown(tmp_path / "r.md")
    report.to_html(tmp_path / "r.html")
    content = json.loads((tmp_path / "r.json").read_text())
    page, text = (tmp_path / "r.html").read_text(), (tmp_path / "r.md").read_text()
    assert content["ok"] is report.ok is False
    assert [row["quantity"] for row in content["rows"]] == [row.quantity for row in report.rows]
    assert content["context"]["torch"] == torch.__version__
    assert len(content["curves"]["distance, JAX float32"]) == 3
    for row in report.rows:
        assert row.quantity in page
        assert row.quantity in text
    assert "2 times the learning rate" in page
    assert page.count("<svg") == 3
    for curve in report.traces:
        assert f">{curve.run}<" in page
    for label in ("step", "relative L2 distance", "loss", "quantity"):
        assert f">{label}<" in page
    assert "http" not in page
    assert "<script" not in page
    report.to_html(tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == page
