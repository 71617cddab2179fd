"""PyTorch's own test samples (OpInfo, ModuleInfo, OptimizerInfo), each with what of ours it is replayed on.

They live in a private module of torch, which needs `expecttest`; importing this file fails with ImportError if
either is gone.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from jaxd2l.parity.rule import Row
from jaxd2l.parity.suite import FunctionPair, compare, layers, tensors
from jaxd2l.parity.suite import activations as suite
from jaxd2l.parity.suite import dropout as dropout_suite
from jaxd2l.parity.suite import losses as loss_suite

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import module_db
    from torch.testing._internal.common_optimizers import optim_db

Sample = tuple[FunctionPair, list[torch.Tensor]]
"""What to compare, and on which inputs."""


class Given(NamedTuple):
    """The three fields of torch's SampleInput that are used here."""

    input: torch.Tensor
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}  # noqa: RUF012  # read only, and a NamedTuple's default


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


def spread(name: Any) -> Callable[[Any], Sample]:
    def replay(sample: Any) -> Sample:
        options = dict(sample.kwargs)
        unbiased = options.pop("unbiased", sample.args[0] if sample.args else True)
        correction = options.get("correction")
        ddof = int(unbiased) if correction is None else correction
        return tensors.spread(name, _axis(options), ddof, keepdims=options.get("keepdim", False)), [sample.input]

    return replay


def vector_norm(sample: Any) -> Sample:
    options = sample.kwargs
    return tensors.norm(options.get("ord", 2), _axis(options), keepdims=options.get("keepdim", False)), [sample.input]


def median(sample: Any) -> Sample:
    """Ours always drops the axis."""
    return tensors.median(sample.kwargs.get("dim")), [sample.input]


def at(sample: Any) -> Sample:
    (index,) = sample.args
    return tensors.at(_lists(index)), [sample.input]


def select(sample: Any) -> Sample:
    """One index, or several, along an axis."""
    axis, index = sample.args
    return tensors.at((*(slice(None),) * (axis % sample.input.ndim), _lists(index))), [sample.input]


def index_put(sample: Any) -> Sample:
    index, value = sample.args
    return tensors.set_at(_lists(index)), [sample.input, value]


def _lists(index: Any) -> Any:
    """The index with the tensors in it as lists, which belong to neither library."""
    if isinstance(index, tuple):
        return tuple(_lists(part) for part in index)
    return index.tolist() if isinstance(index, torch.Tensor) else index


def _axis(options: dict[str, Any]) -> Any:
    """No axes at all are all of them in torch."""
    return None if options.get("dim") == () else options.get("dim")


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
    "var": spread("var"),
    "std": spread("std"),
    "linalg.vector_norm": vector_norm,
    "median": median,
    "__getitem__": at,
    "select": select,
    "index_select": select,
    "index_put": index_put,
}
"""How a sample of torch's operation becomes a pair of ours and its inputs."""

ALONG_AN_AXIS = frozenset(("softmax", "log_softmax", "select", "index_select", "nn.Softmax", "nn.LogSoftmax"))
"""Operations and modules whose axis is no keyword."""

OPS = tuple(op for op in op_db if op.name in REPLAYS and op.variant_test_name != "complex")

NOT_OURS: dict[str, Callable[[Any], bool]] = {
    "linalg.vector_norm": lambda sample: sample.kwargs.get("ord", 2) < 1,
    "index_put": lambda sample: sample.kwargs["accumulate"],
}
"""Samples that ours refuses, or has no option for: below p = 1 there is no norm, and adding at an index is
`x.at[index].add` already. Besides, a scalar has no axis here, and one in torch."""


def is_ours(name: str, sample: Any) -> bool:
    """Whether a sample of an operation is one for us."""
    has_axis = "dim" in sample.kwargs or name in ALONG_AN_AXIS
    return bool(sample.input.ndim or not has_axis) and not NOT_OURS.get(name, lambda sample: False)(sample)


def _loss(replay: Callable[[Any], Sample]) -> Callable[..., Sample]:
    return lambda inputs, *_, **options: replay(Given(inputs[0], tuple(inputs[1:]), options))


def _linear_module(inputs: Any, *sizes: int, bias: bool = True) -> Sample:
    layer = torch.nn.Linear(*sizes, bias=bias)
    return linear(Given(inputs[0], tuple(layer.parameters())))


MODULES: dict[str, Callable[..., Sample]] = {
    "nn.CrossEntropyLoss": _loss(cross_entropy),
    "nn.NLLLoss": _loss(nll_loss),
    "nn.MSELoss": _loss(mse_loss),
    "nn.Linear": _linear_module,
    "nn.Softmax": lambda inputs, axis: softmax(Given(inputs[0], (axis,))),
    "nn.LogSoftmax": lambda inputs, axis: log_softmax(Given(inputs[0], (axis,))),
    "nn.ReLU": lambda inputs: (suite.ELEMENTWISE["relu"], inputs),
    "nn.LeakyReLU": lambda inputs, *slope: (suite.leaky_relu(*slope), inputs),
    "nn.PReLU": lambda inputs, channels=1: prelu(Given(inputs[0], (torch.full((channels,), 0.25),))),
    "nn.SiLU": lambda inputs: (suite.ELEMENTWISE["swish"], inputs),
    "nn.GELU": lambda inputs, way="none": gelu(Given(inputs[0], (), {"approximate": way})),
    "nn.Sigmoid": lambda inputs: (suite.ELEMENTWISE["sigmoid"], inputs),
    "nn.Tanh": lambda inputs: (suite.ELEMENTWISE["tanh"], inputs),
}
"""The same for torch's modules: from the inputs of forward and the arguments of the constructor."""

MODULE_INFOS = {info.name: info for info in module_db if info.name in MODULES}
SGD = next(info for info in optim_db if info.optim_cls is torch.optim.SGD)


def quietly(generate: Callable[[], Any]) -> list[Any]:
    """Samples as torch generates them, always the same ones."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(generate())


def op_samples(op: Any) -> list[Any]:
    """All of an operation's."""
    return quietly(lambda: op.sample_inputs("cpu", torch.float64, requires_grad=True))


def replays() -> Iterator[tuple[str, list[Sample]]]:
    """Every operation and module with its samples that are ours to judge."""
    for op in OPS:
        yield op.formatted_name, [REPLAYS[op.name](s) for s in op_samples(op) if is_ours(op.name, s)]
    for name, info in MODULE_INFOS.items():
        given = quietly(lambda info=info: info.module_inputs_func(info, "cpu", torch.float64, True, training=True))
        samples = []
        for each in given:
            inputs = [*each.forward_input.args, *each.forward_input.kwargs.values()]
            if inputs[0].ndim or name not in ALONG_AN_AXIS:
                constructor = each.constructor_input
                samples.append(MODULES[name](inputs, *constructor.args, **constructor.kwargs))
        yield name, samples


def rows(name: str, samples: list[Sample], chosen: Iterable[int]) -> list[Row]:
    """Values and gradients of the samples with these numbers, in both precisions."""
    rows = []
    for i in chosen:
        pair, inputs = samples[i]
        rows += compare(f"{name} sample {i + 1}", pair, [x.detach().numpy() for x in inputs], seed=i + 1)
    return rows
