"""What torch computes: outputs, loss, gradients, steps of its optimiser; in float32 and in float64."""

import copy
import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import jax
import numpy as np
import torch
from torch.utils._pytree import tree_map

from jaxd2l.parity.bridge import to_numpy, to_tensor
from jaxd2l.parity.draws import Draws
from jaxd2l.parity.leaves import named_arrays
from jaxd2l.parity.programs.torch_wide import wide
from jaxd2l.parity.quantities import LOSS, SAME_LOSS, Values, gradient_of, input_names, updated
from jaxd2l.parity.samples import Call, Sample

LossFunction = Callable[[Any, Any], Any]
"""`loss(outputs, labels)`, a scalar."""

OptimizerFactory = Callable[..., torch.optim.Optimizer]
"""`factory(parameters)` makes an optimiser."""

StepFunction = Callable[[torch.nn.Module, torch.optim.Optimizer, int], Any]
"""`torch_step(module, optimizer, step)`, what is done once the gradients are there; steps are counted from 0."""


class TorchSide(NamedTuple):
    """A module and its batches, ready to run: copies, in one dtype.

    module: in the mode in which it is compared.
    samples: tensors; floating-point ones in the dtype.
    loss: `loss(outputs, labels)`.
    dtype: float32 or float64.
    pick: `pick(outputs)`, what is compared of the outputs.
    draws: the random numbers that both sides draw in training mode; None in evaluation mode.
    """

    module: torch.nn.Module
    samples: tuple[Sample, ...]
    loss: LossFunction
    dtype: torch.dtype
    pick: Callable[[Any], Any]
    draws: Draws | None = None


class TorchStep(NamedTuple):
    """The parameters and buffers after a training step, and the loss before it."""

    parameters: Values
    loss: float


def torch_side(
    module: torch.nn.Module,
    samples: tuple[Sample, ...],
    loss: LossFunction,
    dtype: torch.dtype,
    pick: Callable[[Any], Any] = lambda outputs: outputs,
    draws: Draws | None = None,
) -> TorchSide:
    """Copies everything, so that the check changes nothing of the caller's."""
    if isinstance(loss, torch.nn.Module):
        loss = copied(loss).to(dtype)
    ready = jax.tree.map(lambda x: to_tensor(x, _torch_dtype(x, dtype)), samples)
    return TorchSide(in_mode(module, dtype, train=draws is not None), ready, loss, dtype, pick, draws)


def in_mode(module: torch.nn.Module, dtype: torch.dtype, *, train: bool = False) -> torch.nn.Module:
    """A copy in the given mode, in the given dtype."""
    converted = copied(module).to(dtype).train(train)
    return copied(converted) if isinstance(module, torch.jit.ScriptModule) else converted


def _torch_dtype(x: np.ndarray, dtype: torch.dtype) -> torch.dtype:
    return {"f": dtype, "b": torch.bool}.get(x.dtype.kind, torch.long)


def copied(module: torch.nn.Module) -> torch.nn.Module:
    """A deep copy. Tensors that the module computed and kept, such as an attention map, are copied as values."""
    if isinstance(module, torch.jit.ScriptModule):  # a deep copy keeps what autograd knows of the original's types
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # whoever has a scripted module has been told
            torch.jit.save(module, file)
            file.seek(0)
            return torch.jit.load(file)
    kept = [value for m in module.modules() for value in vars(m).values() if isinstance(value, torch.Tensor)]
    computed = {id(value): value.detach().clone() for value in kept if not value.is_leaf}
    return copy.deepcopy(module, computed)


@contextmanager
def running(side: TorchSide) -> Iterator[None]:
    """torch with gradients on, whatever the caller has switched off; in float64, nothing narrower on the way.

    In training mode it draws the numbers that JAX draws too, and what the module counts is put back afterwards.
    """
    draws = nullcontext() if side.draws is None else side.draws.in_torch()
    kept = [] if side.draws is None else [(buffer, buffer.clone()) for buffer in side.module.buffers()]
    try:
        with torch.enable_grad(), wide() if side.dtype is torch.float64 else nullcontext(), draws:
            yield
    finally:
        with torch.no_grad():
            for buffer, before in kept:
                buffer.copy_(before)


_SMALL = 1e8
"""Multiplications in one call below which threads wait for each other longer than they compute."""


@contextmanager
def fitting_threads(side: TorchSide) -> Iterator[None]:
    """While active, torch computes a small model in one thread; a large one in as many as the caller has set."""
    before = torch.get_num_threads()
    rows = max(
        x.numel() // (x.shape[-1] if x.is_floating_point() else 1) for x in jax.tree.leaves(side.samples[0].call)
    )
    if rows * sum(p.numel() for p in side.module.parameters()) < _SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def parameters(module: torch.nn.Module) -> Values:
    """Copies of the parameters."""
    return {name: to_numpy(p) for name, p in module.named_parameters()}


def buffers(module: torch.nn.Module) -> Values:
    """Copies of the buffers that hold real numbers: running averages, tables of positions."""
    return {name: to_numpy(b) for name, b in module.named_buffers() if b.is_floating_point()}


def set_parameters(module: torch.nn.Module, values: Values) -> None:
    """Overwrites the parameters and buffers whose names are given."""
    with torch.no_grad():
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if name in values:
                tensor.copy_(to_tensor(values[name], tensor.dtype))


def call(side: TorchSide, sample: Sample) -> Any:
    """What the module returns. It gets copies: it may change what it is given."""
    args, kwargs = jax.tree.map(torch.clone, (sample.call.args, sample.call.kwargs))
    return side.module(*args, **kwargs)


def batch_size(side: TorchSide) -> int:
    """How many examples the first batch has."""
    return len(first_input(side))


def first_input(side: TorchSide) -> torch.Tensor:
    """The first input of the first batch."""
    sample = side.samples[0]
    return jax.tree.leaves((sample.call.args, sample.call.kwargs))[0]


def outputs_of(side: TorchSide, batch: int = 0) -> Values:
    """The outputs alone, by name."""
    with running(side), torch.no_grad():
        return {name: to_numpy(x) for name, x in named_arrays(side.pick(call(side, side.samples[batch])))}


def torch_values(side: TorchSide, same_outputs: Any = None, batch: int = 0) -> Values:
    """Outputs, loss, the gradients of parameters and inputs, and in training mode the buffers afterwards.

    Args:
      side: what to run.
      same_outputs: outputs, structured like the module's; if given, their loss is computed as well.
      batch: which of the batches.
    """
    sample = side.samples[batch]
    leaves, structure = jax.tree.flatten((sample.call.args, sample.call.kwargs))
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in leaves]
    args, kwargs = jax.tree.unflatten(structure, leaves)
    named = {name: p for name, p in side.module.named_parameters() if p.requires_grad}
    of_inputs = {name: x for name, x in zip(input_names(sample.call), leaves, strict=True) if x.requires_grad}
    values: Values = {}
    with running(side):
        outputs = call(side, Sample(Call(args, kwargs), sample.labels))
        loss = side.loss(outputs, sample.labels)
        wanted = {**{gradient_of(name): p for name, p in named.items()}, **of_inputs}
        found = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True) if loss.requires_grad else ()
        values |= {name: to_numpy(x) for name, x in named_arrays(side.pick(outputs))}
        if same_outputs is not None:
            with torch.no_grad():
                values[SAME_LOSS] = to_numpy(side.loss(in_dtype(same_outputs, side.dtype), sample.labels))
        values[LOSS] = to_numpy(loss)
        if side.draws is not None:
            values |= {updated(name): value for name, value in buffers(side.module).items()}
    gradients = dict(zip(wanted, found or [None] * len(wanted), strict=True))
    zero = {name: torch.zeros_like(x) for name, x in wanted.items()}
    return values | {n: to_numpy(zero[n] if gradient is None else gradient) for n, gradient in gradients.items()}


def in_dtype(outputs: Any, dtype: torch.dtype) -> Any:
    """Outputs of any structure with their floating-point tensors in another type."""

    def cast(x: Any) -> Any:
        return x.to(dtype) if isinstance(x, torch.Tensor) and x.is_floating_point() else x

    return tree_map(cast, outputs)


def plain_step(module: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """What most training loops do with their gradients."""
    optimizer.step()


class TorchTraining(NamedTuple):
    """How torch trains: what makes the optimiser, and what a step does with it."""

    factory: OptimizerFactory
    step: StepFunction = plain_step


def torch_steps(side: TorchSide, training: TorchTraining) -> Iterator[TorchStep]:
    """Trains a copy on the batches in turn, step after step without end."""
    module = copied(side.module)
    side = side._replace(module=module)
    optimizer = training.factory(list(module.parameters()))
    step = 0
    while True:
        sample = side.samples[step % len(side.samples)]
        with running(side):  # not across a yield: the caller has settings of its own
            optimizer.zero_grad()
            loss = side.loss(call(side, sample), sample.labels)
            loss.backward()
            training.step(module, optimizer, step)
            after = {**parameters(module), **buffers(module)}
        set_parameters(module, buffers_of(after, module))
        yield TorchStep(after, loss.item())
        step += 1


def buffers_of(values: Values, module: torch.nn.Module) -> Values:
    """Those of the values that are buffers."""
    return {name: values[name] for name, _ in module.named_buffers() if name in values}


def torch_path(
    training: TorchTraining,
    module: torch.nn.Module,
    gradients: list[Values],
    tweak: dict[str, Any] | None = None,
    after: Callable[[torch.optim.Optimizer, torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
) -> list[Values]:
    """The parameters after each of the given gradients: the optimiser on its own, without the model.

    Args:
      training: makes the optimiser from a list of parameters, and steps.
      module: has the initial parameters; it is copied.
      gradients: one set per step; a parameter without one is frozen.
      tweak: hyperparameters that replace those set by the factory.
      after: `after(optimizer, old, new) -> newer`, applied to each parameter after each step.
    """
    module = copied(module)
    tensors = dict(module.named_parameters())
    for name, tensor in tensors.items():
        tensor.requires_grad_(name in gradients[0])
    optimizer = training.factory(list(tensors.values()))
    for group in optimizer.param_groups:
        group.update({k: v for k, v in (tweak or {}).items() if k in group})
    path = []
    for step, given in enumerate(gradients):
        old = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        for name, gradient in given.items():
            tensors[name].grad = to_tensor(gradient, tensors[name].dtype)
        with wide():  # NAdam, for one, keeps a number in torch's default type
            training.step(module, optimizer, step)
        if after is not None:
            with torch.no_grad():
                for name, tensor in tensors.items():
                    tensor.copy_(after(optimizer, old[name], tensor.detach().clone()))
        path.append({name: to_numpy(tensor) for name, tensor in tensors.items()})
    return path
