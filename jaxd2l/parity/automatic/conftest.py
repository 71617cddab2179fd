"""What the tests here share: a torch module and its JAX port, compared through the weights that were found."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxd2l.parity.assignment import Assignment, assignment
from jaxd2l.parity.frameworks import as_port
from jaxd2l.parity.jax_side import compiled, precision
from jaxd2l.parity.samples import Call


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    """In float64 and in evaluation mode, with random weights and with averages that are not neutral."""
    generator = torch.Generator().manual_seed(0)
    module = module.double().eval()
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype) + 0.1)
    return module


def found(module: torch.nn.Module, jax_model: Any, *inputs: Any, weights: Any = "auto") -> Assignment:
    """The weights of the JAX model, as `check` finds them."""
    with precision(np.float32):
        port = as_port(jax_model, Call(inputs))
        like = jax.eval_shape(port.init, jax.random.key(0))
    trained = {name: tuple(x.shape) for name, x in module.named_parameters()}
    buffers = {name: tuple(x.shape) for name, x in module.named_buffers() if x.is_floating_point()}
    return assignment(trained, buffers, like, weights, module, port.framework)


def compare(
    module: torch.nn.Module,
    jax_model: Any,
    inputs: np.ndarray,
    *,
    to_jax: Callable[[Any], Any] = lambda x: x,
    to_torch: Callable[[Any], Any] = lambda x: x,
    forward: Callable[[Any, Any], Any] = lambda module, x: module(x),
    weights: Any = "auto",
) -> Assignment:
    """Compares outputs and gradients in float64, the gradients of every parameter under torch's name."""
    module = randomised(module)
    theirs = forward(module, torch.tensor(inputs))
    probe = np.random.default_rng(1).normal(size=theirs.shape)
    parameters = dict(module.named_parameters())
    gradients = torch.autograd.grad((theirs * torch.tensor(probe)).sum(), list(parameters.values()))
    given = np.asarray(to_jax(inputs))
    single = given.astype(np.float32) if given.dtype == np.float64 else given
    of = found(module, jax_model, single, weights=weights)
    port = as_port(jax_model, Call((single,)))
    arrays = {n: x.detach().numpy() for n, x in (*parameters.items(), *module.named_buffers()) if x.is_floating_point()}

    def loss(trained: Any, rest: Any, probe: Any, call: Call) -> Any:
        outputs, _ = port.run(of.variables({**rest, **trained}), call, train=False, key=jax.random.key(0))
        outputs = to_torch(outputs)
        return jnp.sum(outputs * probe), outputs

    trained = {name: arrays.pop(name) for name in parameters}
    with precision(np.float64):
        program = compiled(np.float64, jax.value_and_grad(loss, has_aux=True))
        (_, ours), found_gradients = program(trained, arrays, probe, Call((given,)))
    np.testing.assert_allclose(ours, theirs.detach(), rtol=1e-9, atol=1e-9)
    for name, gradient in zip(parameters, gradients, strict=True):
        np.testing.assert_allclose(found_gradients[name], gradient, rtol=1e-8, atol=1e-8, err_msg=name)
    return of


@pytest.fixture
def agrees() -> Callable[..., Assignment]:
    return compare


@pytest.fixture
def weights_of() -> Callable[..., Assignment]:
    return found
