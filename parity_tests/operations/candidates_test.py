"""Whatever torch calls, what is tried in its place can be listed: no family of changes stumbles over an argument."""

import warnings
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
import torch

pytest.importorskip("expecttest", reason="torch's own samples need the package expecttest")
samples = pytest.importorskip("parity_tests.operations.samples", reason="torch's private module of samples is gone")

from jaxd2l.parity.replacements import OF_GRADIENTS, OF_VALUES, candidates, changed, record  # noqa: E402
from parity_tests.operations.modules import MODULE_INFOS  # noqa: E402

QUICK = ("nn_functional_conv2d", "nn_functional_adaptive_avg_pool1d", "cumsum", "nn_functional_smooth_l1_loss")
_MOST = 5


def programs(name: str) -> Iterator[Any]:
    """Calls of an operation on the first of torch's samples."""
    operation = samples.OPERATIONS[name]
    samples.set_rng_seed(0)
    given = operation.sample_inputs("cpu", torch.float64, requires_grad=False, set_seed=False)
    for sample in islice(given, _MOST):
        yield lambda sample=sample: operation.op(sample.input, *sample.args, **sample.kwargs)


def list_candidates(compute: Any, module: torch.nn.Module) -> int:
    """How many changes are tried; errors of the families come through."""
    program = record(compute, module)
    return len(list(candidates(program, (*OF_VALUES, *OF_GRADIENTS))))


def names() -> list[Any]:
    """Of all operations but the compilers of torch that need a GPU."""
    listed = [name for name in samples.OPERATIONS if not name.startswith("jiterator")]
    return [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.long]) for n in listed]


@pytest.mark.parametrize("name", names())
def test_changes_of_an_operation_can_be_listed(name) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch warns of what it means to remove
        for compute in programs(name):
            list_candidates(compute, torch.nn.Module())


@pytest.mark.long
@pytest.mark.parametrize("name", MODULE_INFOS)
def test_changes_of_a_module_can_be_listed(name) -> None:
    info = MODULE_INFOS[name]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        for sample in info.module_inputs_func(info, "cpu", torch.float64, False, training=False):
            made, given = sample.constructor_input, sample.forward_input
            module = info.module_cls(*made.args, **made.kwargs).double().eval()
            list_candidates(lambda: module(*given.args, **given.kwargs), module)  # noqa: B023


def test_the_formula_of_attention_gives_what_the_function_gives() -> None:
    operation = samples.OPERATIONS["nn_functional_multi_head_attention_forward"]
    seen = 0
    for sample in operation.sample_inputs("cpu", torch.float64, requires_grad=False):
        if sample.kwargs.get("training") and sample.args[9]:  # drops at random
            continue
        seen += 1

        def compute(sample: Any = sample) -> Any:
            return operation.op(sample.input, *sample.args, **sample.kwargs)

        for spelled_out, fused in zip(changed(compute, {}), compute(), strict=True):
            assert (spelled_out is None) == (fused is None)
            if fused is not None:
                torch.testing.assert_close(spelled_out, fused, equal_nan=True)
    assert seen > 10


def test_a_linear_layer_has_candidates() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
    assert list_candidates(lambda: module(torch.ones(2, 3)), module) > 10


def test_a_call_by_keyword_is_seen_like_one_by_position() -> None:
    x = torch.ones(2, 3)
    by_position, by_keyword = (
        list_candidates(compute, torch.nn.Module())
        for compute in (lambda: torch.mean(x, dim=1), lambda: torch.mean(input=x, dim=1))
    )
    assert by_position == by_keyword > 0
