"""What `parity.check` takes: several inputs and outputs, layouts, state, random draws, weights in any form."""

import flax.linen as fnn
import haiku as hk
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from torch import nn

from jaxd2l import losses, models, optim, parity
from jaxd2l.parity.weights import concatenate, stack, take
from jaxd2l.types import Model
from parity_tests.causes.families.training import NORMALISED, Normalised, normalised

RANDOM = np.random.default_rng(0)
X, Y = (3 * RANDOM.normal(size=(8, 6)) + 2).astype(np.float32), RANDOM.integers(0, 3, 8)
IDS, MASK = RANDOM.integers(0, 11, (8, 5)), RANDOM.random((8, 5)) > 0.3
CROSS_ENTROPY = (nn.functional.cross_entropy, losses.cross_entropy)
SGD = (lambda params: torch.optim.SGD(params, lr=0.1), optax.sgd(0.1))


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def causes(report: parity.Report) -> dict[str, str]:
    """The failures that follow from no other, with their hints."""
    return {row.quantity: row.hint for row in report.failures if row.level == "meaning" and not row.follows_from}


class Tokens(nn.Module):
    """Two inputs, a dictionary of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.e, self.l = nn.Embedding(11, 6), nn.Linear(6, 3)

    def forward(self, ids, mask):
        h = self.e(ids) * mask[..., None]
        return {"logits": self.l(h.mean(1)), "hidden": (h,)}


def tokens_port(scale: float = 1.0):
    def init(key):
        return {"e": {"embedding": jnp.zeros((11, 6))}, "l": {"kernel": jnp.zeros((6, 3)), "bias": jnp.zeros(3)}}

    def apply(params, ids, mask):
        h = params["e"]["embedding"][ids] * mask[..., None]
        return {"hidden": (h * scale,), "logits": h.mean(1) @ params["l"]["kernel"] + params["l"]["bias"]}

    return init, apply


@pytest.mark.parametrize("inputs", [(IDS, MASK), {"ids": IDS, "mask": MASK}], ids=["by position", "by keyword"])
def test_several_inputs_and_outputs_are_compared_leaf_by_leaf(inputs) -> None:
    loss = tuple(lambda o, y, f=f: f(o["logits"], y) for f in CROSS_ENTROPY)
    report = parity.check(Tokens(), tokens_port(), (inputs, Y), loss=loss, optim=SGD, steps=2)
    report.assert_ok()
    assert {"outputs.logits", "outputs.hidden[0]", "gradient of e.weight"} <= {row.quantity for row in report.rows}
    wrong = parity.check(Tokens(), tokens_port(2.0), (inputs, Y))
    assert causes(wrong) == {"outputs.hidden[0]": "ratio 2: is a factor 1/2 missing? (JAX's outputs)"}


def test_outputs_are_picked_by_functions_and_must_match_otherwise() -> None:
    port = Model(lambda key: {"kernel": jnp.zeros((6, 3)), "bias": jnp.zeros(3)}, lambda p, x, *, key=None: (
        x, x @ p["kernel"] + p["bias"]
    ))  # fmt: skip
    with pytest.raises(ValueError, match=r"choose what to compare with\s+outputs="):
        parity.check(nn.Linear(6, 3), port, (X, Y))
    parity.check(nn.Linear(6, 3), port, (X, Y), outputs=(lambda o: o, lambda o: o[1])).assert_ok()


def test_a_layout_turns_inputs_outputs_and_gradients() -> None:
    images = RANDOM.normal(size=(2, 2, 5, 7)).astype(np.float32)
    module = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU())
    port = fnn.Sequential([fnn.Conv(4, (3, 3), padding=1), fnn.relu])
    parity.check(module, port, (images, np.zeros(2)), to_jax="NCHW->NHWC").assert_ok()
    with pytest.raises(ValueError, match="to_jax must be a layout such as 'NCHW->NHWC'"):
        parity.check(module, port, (images, np.zeros(2)), to_jax="NCHW->NHW")


def test_evaluation_mode_says_what_it_did_not_look_at() -> None:
    report = parity.check(normalised(), Normalised(), (X, Y), weights=NORMALISED)
    report.assert_ok()
    assert [sentence.split(" (")[0] for sentence in report.unseen[:2]] == [
        "evaluation mode: batch statistics",
        "evaluation mode: dropout",
    ]
    assert "running averages are 0 and 1" in report.unseen[2]
    assert "not looked at" in report.summary()
    with pytest.raises(AssertionError, match="not looked at"):
        report.assert_ok(strict=True)


@pytest.mark.long
def test_training_mode_shares_one_dropout_mask_and_names_what_flax_averages_otherwise() -> None:
    batches = [(X, Y), (X[::-1] * 0.5, Y)]

    def check(port):
        return parity.check(
            normalised(), port, batches, weights=NORMALISED, loss=CROSS_ENTROPY, optim=SGD, steps=2, mode="train"
        )

    found = causes(check(Normalised()))
    assert list(found) == ["1.running_var updated"]
    assert "n/(n-1) with n = 8" in found["1.running_var updated"]
    assert "momentum convention" in causes(check(Normalised(momentum=0.1)))["1.running_mean updated"]
    assert "outputs" in causes(check(Normalised(rate=0.3)))
    assert causes(check(Normalised(rate=0.0)))["outputs"] == "layer 3 (Dropout) is missing"


class Fused(nn.Module):
    """Two products from one weight, and a weight used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.both, self.tied = nn.Linear(6, 8), nn.Parameter(torch.randn(4, 4))

    def forward(self, x):
        a, b = self.both(x).chunk(2, -1)
        return (a @ self.tied) * (b @ self.tied.T)


def fused_port(params, x, *, key=None):
    a, b = (x @ p["kernel"] + p["bias"] for p in (params["a"], params["b"]))
    return (a @ params["first"]) * (b @ params["second"])


FUSED_LIKE = {name: {"kernel": jnp.zeros((6, 4)), "bias": jnp.zeros(4)} for name in "ab"}
FUSED_LIKE |= {"first": jnp.zeros((4, 4)), "second": jnp.zeros((4, 4))}
KERNELS, BIASES = take("both.weight").split(2), take("both.bias").split(2)
FUSED = {"a.kernel": KERNELS[0].T, "a.bias": BIASES[0], "b.kernel": KERNELS[1].T, "b.bias": BIASES[1]}
FUSED |= {"first": take("tied"), "second": take("tied").T}


def by_hand(arrays):
    kernels, biases = jnp.split(arrays["both.weight"], 2), jnp.split(arrays["both.bias"], 2)
    layers = {n: {"kernel": k.T, "bias": b} for n, k, b in zip("ab", kernels, biases, strict=True)}
    return layers | {"first": arrays["tied"], "second": arrays["tied"].T}


@pytest.mark.parametrize("weights", [FUSED, by_hand], ids=["algebra", "function"])
def test_split_and_tied_weights_have_gradients_under_torchs_names(weights) -> None:
    report = parity.check(Fused(), Model(lambda key: FUSED_LIKE, fused_port), (X, Y), weights=weights)
    report.assert_ok()
    assert {"gradient of both.weight", "gradient of tied"} <= {row.quantity for row in report.rows}
    swapped = FUSED | {"first": take("tied").T}
    assert not parity.check(Fused(), Model(lambda key: FUSED_LIKE, fused_port), (X, Y), weights=swapped).ok


def test_the_algebra_of_weights() -> None:
    arrays = {"w": jnp.arange(6.0).reshape(2, 3), "v": jnp.ones((2, 3))}
    for weight, expected in (
        (take("w").reshape(3, 2), arrays["w"].reshape(3, 2)),
        (take("w").flip(0, 1), arrays["w"][::-1, ::-1]),
        (take("w") + take("v"), arrays["w"] + 1),
        (take("w")[0], arrays["w"][0]),
        (take("w").transpose(1, 0), arrays["w"].T),
        (concatenate([take("w"), take("v")]), jnp.concatenate([arrays["w"], arrays["v"]])),
        (stack([take("w"), take("v")]), jnp.stack([arrays["w"], arrays["v"]])),
    ):
        np.testing.assert_array_equal(weight.compute(arrays), expected)


def test_wrong_weights_are_refused_by_name() -> None:
    port = Model(lambda key: FUSED_LIKE, fused_port)
    for weights, message in (
        (FUSED | {"a.bias": take("nobody")}, "'nobody'"),
        (FUSED | {"a.bias": take("tied")}, r"a.bias has shape \(4,\)"),
        (lambda arrays: {**by_hand(arrays), "first": arrays["both.bias"]}, r"first: expected \(4, 4\), got \(8,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            parity.check(Fused(), port, (X, Y), weights=weights)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (lambda p: torch.optim.Adam(p, lr=1e-3), optax.adam(1e-3)),
        (lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=1e-4), optax.adamw(1e-3)),
    ],
    ids=["adam", "adamw"],
)
def test_adam_is_right_and_what_optax_loses_is_named(theirs, ours) -> None:
    module = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    port = models.mlp(6, 5, 3, activation=jnp.tanh)
    report = parity.check(module, port, (X, Y), loss=CROSS_ENTROPY, optim=(theirs, ours), steps=2)
    report.assert_ok()
    named = {row.hint for row in report.rows if row.verdict == "known-difference"}
    assert all("1 - b^t in float32" in hint for hint in named)
    wrong = parity.check(module, port, (X, Y), loss=CROSS_ENTROPY, optim=(theirs, optax.adam(2e-3)), steps=1)
    assert not wrong.ok


def test_groups_of_parameters_and_frozen_ones_are_trained_as_torch_does() -> None:
    def groups(params):
        decayed, plain = ([p for p in params if (p.ndim > 1) == is_kernel] for is_kernel in (True, False))
        return torch.optim.SGD([{"params": decayed, "weight_decay": 0.1}, {"params": plain}], lr=0.1)

    port = models.softmax_regression(6, 3)

    def check(tx):
        return parity.check(nn.Linear(6, 3), port, (X, Y), loss=CROSS_ENTROPY, optim=(groups, tx), steps=2)

    check(optim.sgd(0.1, weight_decay=0.1, weight_decay_mask=optim.kernels)).assert_ok()
    assert (
        "JAX decays all parameters" in causes(check(optim.sgd(0.1, weight_decay=0.1)))["optimiser on given gradients"]
    )


class Keeps(nn.Module):
    """Keeps an activation, changes its input, and works on any type of number."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x):
        x -= x.mean(-1, keepdim=True)
        self.kept = self.layer(x)
        return self.kept.float().to(x.dtype)


def test_modules_that_keep_change_and_cast_are_copied_whole() -> None:
    module = Keeps()
    module(torch.tensor(X))
    port = Model(lambda key: {"kernel": jnp.zeros((6, 3)), "bias": jnp.zeros(3)}, lambda p, x, *, key=None: (
        (x - x.mean(-1, keepdims=True)) @ p["kernel"] + p["bias"]
    ))  # fmt: skip
    with torch.no_grad():
        parity.check(module, port, (X, Y), loss=CROSS_ENTROPY, optim=SGD, steps=1).assert_ok()
    parity.check(module.double(), port, (X, Y)).assert_ok()
    parity.check(module.bfloat16(), port, (torch.tensor(X).bfloat16(), Y)).assert_ok()


@pytest.mark.filterwarnings("ignore:.*torch.jit.:DeprecationWarning")
def test_scripted_modules_are_compared_as_others() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)))
    port = models.mlp(6, 5, 3, activation=jnp.tanh)
    parity.check(scripted, port, (X, Y), loss=CROSS_ENTROPY, optim=SGD, steps=2).assert_ok()


def test_a_module_that_draws_in_evaluation_mode_is_told_apart() -> None:
    class Draws(nn.Linear):
        def forward(self, x):
            return super().forward(nn.functional.dropout(x, 0.5))

    with pytest.raises(ValueError, match="draws at random although it is in evaluation mode"):
        parity.check(Draws(6, 3), models.softmax_regression(6, 3), (X, Y))


class Turned(nn.Module):
    """A table of frequencies that torch keeps in float32, as rotary positions have."""

    def __init__(self) -> None:
        super().__init__()
        self.l = nn.Linear(6, 3)
        self.register_buffer("frequencies", 10000.0 ** (-torch.arange(6) / 8), persistent=False)

    def forward(self, x):
        return self.l(x * torch.cos(7 * self.frequencies))


def turned_port(base: float):
    def apply(params, x):
        frequencies = base ** (-jnp.arange(6) / 8)
        return x * jnp.cos(7 * frequencies) @ params["l"]["kernel"] + params["l"]["bias"]

    return lambda key: {"l": {"kernel": jnp.zeros((6, 3)), "bias": jnp.zeros(3)}}, apply


def test_a_table_that_torch_holds_in_float32_and_jax_computes_is_no_other_function() -> None:
    report = parity.check(Turned(), turned_port(10000.0), (X, Y))
    report.assert_ok()
    assert "torch holds frequencies in float32" in " ".join(row.hint for row in report.rows)
    assert not parity.check(Turned(), turned_port(9999.0), (X, Y)).ok


def test_a_haiku_model_without_a_key_is_taken() -> None:
    port = hk.without_apply_rng(hk.transform(lambda x: hk.Linear(3)(x)))
    parity.check(nn.Linear(6, 3), port, (X, Y)).assert_ok()


class Signs(nn.Module):
    """Its gradient is a tensor of nothing but zeros, which torch keeps as a promise."""

    def forward(self, x):
        return torch.sgn(x)


def test_gradients_that_torch_only_promises() -> None:
    signs = (lambda key: {}), (lambda params, x: jnp.sign(x))
    parity.check(Signs(), signs, (X, Y)).assert_ok()


def test_outputs_of_zeros_are_a_warning() -> None:
    """Here every relu is off, so the port without the product agrees."""
    module = nn.Sequential(nn.Linear(6, 3), nn.ReLU())
    nn.init.constant_(module[0].bias, -1e3)
    init = lambda key: {"0": {"kernel": jnp.zeros((6, 3)), "bias": jnp.zeros(3)}}  # noqa: E731
    report = parity.check(module, (init, lambda params, x: jnp.zeros((len(x), 3)) * params["0"]["bias"]), (X, Y))
    assert report.ok
    assert report.unseen[0].startswith("torch gives nothing but 0 here")
    with pytest.raises(AssertionError, match="nothing but 0"):
        report.assert_ok(strict=True)
