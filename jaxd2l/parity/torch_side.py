"""What torch computes: outputs, loss, gradients, steps of its optimiser; in float32 and in float64."""

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from jaxd2l.parity.bridge import to_numpy, to_tensor

Values = dict[str, np.ndarray]
"""Quantities by name. Parameters and gradients have torch's names, shapes and orientation."""

LossFunction = Callable[[Any, Any], Any]
"""`loss(outputs, labels)`, a scalar."""

OptimizerFactory = Callable[..., torch.optim.Optimizer]
"""`factory(parameters)` makes an optimiser."""

OUTPUTS, SAME_LOSS, LOSS = "outputs", "loss of the same outputs", "loss"
INPUT_GRADIENT = "gradient of the inputs"


class TorchSide(NamedTuple):
    """A module and one batch, ready to run: copies, in evaluation mode, in one dtype."""

    module: torch.nn.Module
    inputs: torch.Tensor
    labels: torch.Tensor
    loss: LossFunction


class TorchStep(NamedTuple):
    """The parameters after a training step, and the loss before it."""

    parameters: Values
    loss: float


def torch_side(
    module: torch.nn.Module, batch: tuple[np.ndarray, np.ndarray], loss: LossFunction, dtype: torch.dtype
) -> TorchSide:
    """Copies everything, so that the check changes nothing of the caller's."""
    inputs, labels = (to_tensor(x, dtype if x.dtype.kind == "f" else torch.long) for x in batch)
    if isinstance(loss, torch.nn.Module):
        loss = copy.deepcopy(loss).to(dtype)
    return TorchSide(evaluated(module, dtype), inputs, labels, loss)


def evaluated(module: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
    """A copy in evaluation mode, in the given dtype."""
    return copy.deepcopy(module).to(dtype).eval()


def parameters(module: torch.nn.Module) -> Values:
    """Copies of the parameters."""
    return {name: to_numpy(p) for name, p in module.named_parameters()}


def set_parameters(module: torch.nn.Module, values: Values) -> None:
    """Overwrites the parameters whose names are given."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name in values:
                parameter.copy_(to_tensor(values[name], parameter.dtype))


def outputs_of(side: TorchSide) -> np.ndarray:
    """The outputs alone."""
    with torch.no_grad():
        outputs = side.module(side.inputs)
    if not isinstance(outputs, torch.Tensor):
        raise TypeError(f"it must give one tensor, got {type(outputs).__name__}")
    return to_numpy(outputs)


def torch_values(side: TorchSide, same_outputs: np.ndarray | None = None) -> Values:
    """Outputs, loss, and the gradient of every parameter and of the inputs.

    Args:
      side: what to run.
      same_outputs: if given, their loss is computed as well.
    """
    inputs = side.inputs.clone().requires_grad_(side.inputs.is_floating_point())
    side.module.zero_grad(set_to_none=True)
    outputs = side.module(inputs)
    loss = side.loss(outputs, side.labels)
    loss.backward()
    values = {OUTPUTS: to_numpy(outputs)}
    if same_outputs is not None:
        with torch.no_grad():
            values[SAME_LOSS] = to_numpy(side.loss(to_tensor(same_outputs, outputs.dtype), side.labels))
    values[LOSS] = to_numpy(loss)
    values |= {
        gradient_of(name): to_numpy(torch.zeros_like(p) if p.grad is None else p.grad)
        for name, p in side.module.named_parameters()
    }
    if inputs.grad is not None:
        values[INPUT_GRADIENT] = to_numpy(inputs.grad)
    return values


def gradient_of(name: str) -> str:
    """The quantity's name."""
    return f"gradient of {name}"


def torch_steps(side: TorchSide, factory: OptimizerFactory) -> Iterator[TorchStep]:
    """Trains a copy, step after step without end."""
    module = copy.deepcopy(side.module)
    optimizer = factory(module.parameters())
    while True:
        optimizer.zero_grad()
        loss = side.loss(module(side.inputs), side.labels)
        loss.backward()
        optimizer.step()
        yield TorchStep(parameters(module), loss.item())


def torch_path(
    factory: OptimizerFactory,
    start: Values,
    gradients: list[Values],
    tweak: dict[str, Any] | None = None,
    after: Callable[[torch.optim.Optimizer, torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
) -> list[Values]:
    """The parameters after each of the given gradients: the optimiser on its own, without the model.

    Args:
      factory: makes the optimiser from a list of parameters.
      start: the initial parameters.
      gradients: one set per step.
      tweak: hyperparameters that replace those set by the factory.
      after: `after(optimizer, old, new) -> newer`, applied to each parameter after each step.
    """
    tensors = {name: to_tensor(value, torch.float64).requires_grad_() for name, value in start.items()}
    optimizer = factory(list(tensors.values()))
    for group in optimizer.param_groups:
        group.update({k: v for k, v in (tweak or {}).items() if k in group})
    path = []
    for step in gradients:
        old = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        for name, tensor in tensors.items():
            tensor.grad = to_tensor(step[name], torch.float64)
        optimizer.step()
        if after is not None:
            with torch.no_grad():
                for name, tensor in tensors.items():
                    tensor.copy_(after(optimizer, old[name], tensor.detach().clone()))
        path.append({name: to_numpy(tensor) for name, tensor in tensors.items()})
    return path
