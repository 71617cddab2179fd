"""PyTorch's own test samples (OpInfo, ModuleInfo, OptimizerInfo) replayed: values, gradients, and wrong input.

The samples live in a private module of torch. Should it go, these tests are skipped, visibly.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional

from jaxd2l import activations, losses, optim
from jaxd2l.parity.rule import Row, compare_accuracy, compare_meaning, require
from jaxd2l.parity.suite import Pair, compare, layers
from jaxd2l.parity.suite import activations as suite
from jaxd2l.parity.suite import dropout as dropout_suite
from jaxd2l.parity.suite import losses as loss_suite
from jaxd2l.parity.suite import optim as sgd_suite

pytest.importorskip("expecttest", reason="torch's own samples need the package expecttest")
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
        from torch.testing._internal.common_modules import module_db
        from torch.testing._internal.common_optimizers import optim_db
except ImportError as error:
    pytest.skip(f"torch's private module of samples is gone: {error}", allow_module_level=True)

Sample = tuple[Pair, list[np.ndarray]]
"""What to compare, and on which inputs."""


def softmax(sample: Any) -> Sample:
    return suite.softmax(sample.args[0]), [sample.input]


def log_softmax(sample: Any) -> Sample:
    return suite.log_softmax(sample.args[0]), [sample.input]


def cross_entropy(sample: Any) -> Sample:
    (target,) = sample.args
    weight = sample.kwargs.get("weight")
    options = loss_suite.Options(**sample.kwargs | {"weight": None if weight is None else weight.detach().numpy()})
    logits = classes_last(sample.input)
    if target.is_floating_point():
        return loss_suite.cross_entropy_soft(options), [logits, classes_last(target)]
    return loss_suite.cross_entropy(target.numpy(), options), [logits]


def nll_loss(sample: Any) -> Sample:
    """Ours is one with the softmax: the input is taken for logits."""
    pair, inputs = cross_entropy(sample)
    weight, target = sample.kwargs.get("weight"), sample.args[0]

    def theirs(x: torch.Tensor) -> torch.Tensor:
        options = sample.kwargs | {"weight": None if weight is None else weight.detach().to(x.dtype)}
        axis = min(1, x.ndim - 1)
        return functional.nll_loss(torch.log_softmax(x.movedim(-1, axis), axis), target, **options)

    return pair._replace(torch=theirs), inputs


def mse_loss(sample: Any) -> Sample:
    """Ours has the book's half."""
    pair = loss_suite.squared_loss(sample.kwargs.get("reduction", "mean"))
    theirs = lambda x, y: functional.mse_loss(x, y, **sample.kwargs) / 2  # noqa: E731
    return pair._replace(torch=theirs), [sample.input, sample.args[0]]


def linear(sample: Any) -> Sample:
    """Ours takes a batch of vectors: other axes are folded into it; without a bias it gets zeros."""
    x, weight, *bias = sample.input, *sample.args
    inputs = [x.reshape(-1, x.shape[-1]), weight, bias[0] if bias else torch.zeros(len(weight))]
    return layers.perceptron(tuple(weight.shape[::-1])), inputs


def prelu(sample: Any) -> Sample:
    """Ours has the channels last."""
    weight = sample.args[0] if sample.args else sample.kwargs["weight"]
    x = sample.input.reshape(1, -1) if sample.input.ndim < 2 else classes_last(sample.input)
    return suite.PRELU, [x, weight.reshape(-1)]


def dropout(sample: Any) -> Sample:
    """With the same noise on both sides; not training is a rate of 0."""
    training = sample.kwargs.get("training", True)
    return dropout_suite.dropout(sample.kwargs.get("p", 0.5) if training else 0.0), [sample.input]


def gelu(sample: Any) -> Sample:
    return suite.ELEMENTWISE["gelu tanh" if sample.kwargs.get("approximate") == "tanh" else "gelu"], [sample.input]


def elementwise(name: str) -> Callable[[Any], Sample]:
    return lambda sample: (suite.ELEMENTWISE[name], [sample.input])


def classes_last(x: torch.Tensor) -> torch.Tensor:
    return x.movedim(1, -1) if x.ndim > 1 else x


REPLAYS: dict[str, Callable[[Any], Sample]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "nn.functional.cross_entropy": cross_entropy,
    "nn.functional.nll_loss": nll_loss,
    "nn.functional.mse_loss": mse_loss,
    "nn.functional.relu": elementwise("relu"),
    "nn.functional.leaky_relu": elementwise("leaky_relu"),
    "nn.functional.prelu": prelu,
    "nn.functional.silu": elementwise("swish"),
    "nn.functional.gelu": gelu,
    "nn.functional.linear": linear,
    "nn.functional.dropout": dropout,
    "sigmoid": elementwise("sigmoid"),
    "tanh": elementwise("tanh"),
}
OPS = [op for op in op_db if op.name in REPLAYS and op.variant_test_name != "complex"]


def quietly(generate: Callable[[], Any]) -> list[Any]:
    """Samples as torch generates them, always the same ones."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(generate())


def op_samples(op: Any) -> list[Any]:
    return quietly(lambda: op.sample_inputs("cpu", torch.float64, requires_grad=True))


def replay(name: str, samples: Iterator[Sample] | list[Sample], record: Callable[[str, Any], None]) -> None:
    """Compares all samples; says how many they were."""
    rows: list[Row] = []
    count = 0
    for count, (pair, inputs) in enumerate(samples, 1):
        rows += compare(f"{name} sample {count}", pair, [x.detach().numpy() for x in inputs], seed=count)
    record("samples", count)
    print(f"{name}: {count} samples, {len(rows)} comparisons")
    assert count
    require(rows)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.formatted_name)
def test_op_samples(op, record_property):
    samples = [s for s in op_samples(op) if s.input.ndim or "softmax" not in op.name]
    replay(op.formatted_name, [REPLAYS[op.name](sample) for sample in samples], record_property)


@pytest.mark.bad_input
@pytest.mark.parametrize("function", [activations.softmax, activations.log_softmax])
def test_softmax_of_a_scalar_is_refused(function):
    """torch lets a scalar pass for one class; here it has no axis to go along."""
    with pytest.raises(ValueError, match="there is no axis 0"):
        function(jnp.array(1.0), 0)


def test_cross_entropy_module_samples(record_property):
    (module,) = (m for m in module_db if m.name == "nn.CrossEntropyLoss")
    inputs = quietly(lambda: module.module_inputs_func(module, "cpu", torch.float64, True, training=True))
    samples = []
    for each in inputs:
        given = each.forward_input
        samples.append(cross_entropy(_Sample(given.args[0], given.args[1:], each.constructor_input.kwargs)))
    replay("nn.CrossEntropyLoss", samples, record_property)


class _Sample:
    """The three fields of torch's SampleInput that are used here."""

    def __init__(self, input: torch.Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:  # noqa: A002
        self.input, self.args, self.kwargs = input, args, kwargs


@pytest.mark.bad_input
def test_cross_entropy_module_refuses_what_torch_refuses(record_property):
    (module,) = (m for m in module_db if m.name == "nn.CrossEntropyLoss")
    errors = quietly(lambda: module.module_error_inputs_func(module, "cpu", torch.float64, True, training=True))
    record_property("samples", len(errors))
    for error in errors:
        given = error.module_error_input
        x, target = (t.detach().numpy() for t in given.forward_input.args)
        target = np.float32(target) if target.dtype == np.float64 else np.int32(target)
        options = {k: v.numpy() if torch.is_tensor(v) else v for k, v in given.constructor_input.kwargs.items()}
        with pytest.raises((ValueError, TypeError)):
            losses.cross_entropy(jnp.array(x, jnp.float32), target, **options)
    assert len(errors) >= 7


@pytest.mark.bad_input
def test_ops_refuse_what_torch_refuses(record_property):
    calls = {
        "nn.functional.prelu": lambda s: activations.prelu(_ours(classes_last(s.input)), _ours(s.kwargs["weight"])),
        "nn.functional.gelu": lambda s: activations.gelu(_ours(s.input), **s.kwargs),
    }
    count = 0
    for op in OPS:
        if op.error_inputs_func is None:
            continue
        for error in quietly(lambda op=op: op.error_inputs("cpu")):
            count += 1
            with pytest.raises((ValueError, TypeError)):
                calls[op.name](error.sample_input)
    record_property("samples", count)
    assert count >= 4


def _ours(x: torch.Tensor) -> Any:
    return jnp.array(x.detach().numpy())


SGD = next(info for info in optim_db if info.optim_cls is torch.optim.SGD)


def test_sgd_samples(record_property):
    rng = np.random.default_rng(0)
    start, grads = {"p": np.float32(rng.standard_normal(5))}, {"p": np.float32(rng.standard_normal((100, 5)))}
    inputs = quietly(lambda: SGD.optim_inputs_func("cpu"))
    rows = []
    for each in inputs:
        options = dict(each.kwargs)
        learning_rate = float(options.pop("lr", 1e-3))
        rates = np.full(100, learning_rate)
        theirs32, oracle = (
            sgd_suite.torch_trajectory(start, grads, rates, options, dtype)["p"]
            for dtype in (torch.float32, torch.float64)
        )
        tx = optim.sgd(learning_rate, **options)
        ours32, ours64 = (sgd_suite.jax_trajectory(start, grads, tx, dtype)["p"] for dtype in (np.float32, np.float64))
        scale = sgd_suite.majorant(start["p"], grads["p"], rates, options)
        rows.append(compare_accuracy(f"SGD {each.desc}", theirs32, ours32, oracle, scale))
        rows.append(compare_meaning(f"SGD {each.desc}", oracle, ours64, scale))
    record_property("samples", len(inputs))
    print(f"SGD: {len(inputs)} samples, {len(rows)} comparisons")
    assert len(inputs) >= 9
    require(rows)


@pytest.mark.bad_input
def test_sgd_refuses_what_torch_refuses():
    """Only options can be wrong here: no parameters are handed over when it is made."""
    errors = quietly(lambda: SGD.optim_error_inputs_func("cpu", torch.float64))
    refused = [e.optimizer_error_input.kwargs for e in errors if e.optimizer_error_input.kwargs]
    assert len(refused) >= 2
    for kwargs in refused:
        options = {k: v.numpy() if torch.is_tensor(v) else v for k, v in kwargs.items()}
        with pytest.raises((ValueError, TypeError)):
            optim.sgd(options.pop("lr"), **options)
