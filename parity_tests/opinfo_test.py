"""PyTorch's own test samples (OpInfo, ModuleInfo, OptimizerInfo) replayed: values, gradients, and wrong input.

The samples live in a private module of torch. Should it go, these tests are skipped, visibly.
"""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxd2l import activations, losses, optim
from jaxd2l.book import tensors
from jaxd2l.parity.rule import compare_accuracy, compare_meaning, require
from jaxd2l.parity.suite import optim as sgd_suite

pytest.importorskip("expecttest", reason="torch's own samples need the package expecttest")
samples = pytest.importorskip("parity_tests.torch_samples", reason="torch's private module of samples is gone")

REPLAYS = dict(samples.replays())


def numbers(few: bool) -> list[Any]:
    """Names of operations and modules, each with the number of one sample, or of all others."""
    split = []
    for name, all_samples in REPLAYS.items():
        middle = len(all_samples) // 2
        split.append((name, [i for i in range(len(all_samples)) if (i == middle) == few]))
    return [pytest.param(name, chosen, id=name) for name, chosen in split if chosen]


@pytest.mark.parametrize(("name", "chosen"), numbers(few=True))
def test_a_sample_of_each(name, chosen, record_property):
    """Values and gradients of each operation and each module."""
    replay(name, chosen, record_property)


@pytest.mark.long
@pytest.mark.parametrize(("name", "chosen"), numbers(few=False))
def test_the_other_samples(name, chosen, record_property):
    """All but that one."""
    replay(name, chosen, record_property)


def replay(name, chosen, record_property):
    rows = samples.rows(name, REPLAYS[name], chosen)
    record_property("samples", len(chosen))
    print(f"{name}: {len(chosen)} samples, {len(rows)} comparisons")
    assert rows
    require(rows)


def test_all_that_is_replayed_is_there():
    """An operation that torch renames must not fall silent."""
    assert {op.name for op in samples.OPS} == set(samples.REPLAYS)
    assert set(samples.MODULE_INFOS) == set(samples.MODULES)


@pytest.mark.bad_input
def test_below_one_there_is_no_norm():
    """torch calls them norms; these are the samples left out."""
    (op,) = (op for op in samples.OPS if op.name == "linalg.vector_norm")
    orders = {sample.kwargs["ord"] for sample in samples.op_samples(op) if samples.NOT_OURS[op.name](sample)}
    assert len(orders) >= 4
    for p in orders:
        with pytest.raises(ValueError, match="p must be at least 1"):
            tensors.norm(jnp.ones(2), p)


@pytest.mark.bad_input
@pytest.mark.parametrize("function", [activations.softmax, activations.log_softmax])
def test_softmax_of_a_scalar_is_refused(function):
    """torch lets a scalar pass for one class; here it has no axis to go along."""
    with pytest.raises(ValueError, match="there is no axis 0"):
        function(jnp.array(1.0), 0)


@pytest.mark.bad_input
def test_cross_entropy_module_refuses_what_torch_refuses(record_property):
    module = samples.MODULE_INFOS["nn.CrossEntropyLoss"]
    errors = samples.quietly(lambda: module.module_error_inputs_func(module, "cpu", torch.float64, True, training=True))
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
        "nn.functional.prelu": lambda s: activations.prelu(
            _ours(samples.classes_last(s.input)), _ours(s.kwargs["weight"])
        ),
        "nn.functional.gelu": lambda s: activations.gelu(_ours(s.input), **s.kwargs),
    }
    count = 0
    for op in samples.OPS:
        if op.error_inputs_func is None or op.name == "index_select":  # torch's only asks for memory to write into
            continue
        for error in samples.quietly(lambda op=op: op.error_inputs("cpu")):
            count += 1
            with pytest.raises((ValueError, TypeError)):
                calls[op.name](error.sample_input)
    record_property("samples", count)
    assert count >= 4


def _ours(x: torch.Tensor) -> Any:
    return jnp.array(x.detach().numpy())


def test_sgd_samples(record_property):
    rng = np.random.default_rng(0)
    start, grads = {"p": np.float32(rng.standard_normal(5))}, {"p": np.float32(rng.standard_normal((100, 5)))}
    inputs = samples.quietly(lambda: samples.SGD.optim_inputs_func("cpu"))
    rows = []
    for each in inputs:
        options = dict(each.kwargs)
        learning_rate = float(options.pop("lr", 1e-3))
        rates = np.full(100, learning_rate)
        run = sgd_suite.TorchRun(partial(torch.optim.SGD, lr=learning_rate, **options))
        theirs32, oracle = (
            sgd_suite.torch_trajectory(run, start, grads, dtype)["p"] for dtype in (torch.float32, torch.float64)
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
    errors = samples.quietly(lambda: samples.SGD.optim_error_inputs_func("cpu", torch.float64))
    refused = [e.optimizer_error_input.kwargs for e in errors if e.optimizer_error_input.kwargs]
    assert len(refused) >= 2
    for kwargs in refused:
        options = {k: v.numpy() if torch.is_tensor(v) else v for k, v in kwargs.items()}
        with pytest.raises((ValueError, TypeError)):
            optim.sgd(options.pop("lr"), **options)
