"""A run that torch began goes on in JAX, and the other way round, as if nothing had happened."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from jaxd2l import optim, parity

T = torch.optim
PAIRS = {
    "sgd": (lambda ps: T.SGD(ps, 0.1, momentum=0.9), optim.sgd(0.1, momentum=0.9)),
    "sgd, dampened": (lambda ps: T.SGD(ps, 0.1, 0.9, dampening=0.3), optim.sgd(0.1, momentum=0.9, dampening=0.3)),
    "adagrad": (lambda ps: T.Adagrad(ps, 0.1, lr_decay=0.1), optim.adagrad(0.1, lr_decay=0.1)),
    "rmsprop": (
        lambda ps: T.RMSprop(ps, 0.01, momentum=0.9, centered=True),
        optim.rmsprop(0.01, momentum=0.9, centered=True),
    ),
    "adadelta": (lambda ps: T.Adadelta(ps, 1.0), optim.adadelta(1.0)),
    "adam": (lambda ps: T.Adam(ps, 0.01, amsgrad=True), optim.adam(0.01, amsgrad=True)),
    "adamw": (lambda ps: T.AdamW(ps, 0.01), optim.adamw(0.01)),
    "adamax": (lambda ps: T.Adamax(ps, 0.01), optim.adamax(0.01)),
    "nadam": (lambda ps: T.NAdam(ps, 0.01), optim.nadam(0.01)),
    "radam": (lambda ps: T.RAdam(ps, 0.01), optim.radam(0.01)),
    "rprop": (lambda ps: T.Rprop(ps, 0.01), optim.rprop(0.01)),
    "optax.sgd": (lambda ps: T.SGD(ps, 0.1, momentum=0.9), optax.sgd(0.1, 0.9)),
    "optax.adam": (lambda ps: T.Adam(ps, 0.01), optax.adam(optax.constant_schedule(0.01))),
    "optax.adamax": (lambda ps: T.Adamax(ps, 0.01), optax.adamax(0.01)),
    "in groups": (
        lambda ps: T.AdamW([{"params": [ps[0]]}, {"params": [ps[1]], "weight_decay": 0.0}], 0.01),
        optax.partition({True: optim.adamw(0.01), False: optim.adamw(0.01, weight_decay=0.0)}, optim.kernels),
    ),
}
GRADIENTS = np.random.default_rng(0).normal(size=(6, 4, 3)).astype(np.float32)
BIAS_GRADIENTS = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)


def torch_steps(module, optimizer, steps):
    for step in steps:
        module.weight.grad = torch.tensor(GRADIENTS[step])
        module.bias.grad = torch.tensor(BIAS_GRADIENTS[step])
        optimizer.step()


def jax_steps(params, state, tx, steps):
    with jax.numpy_dtype_promotion("standard"):  # optax's own arithmetic needs it
        for step in steps:
            gradients = {"kernel": jnp.array(GRADIENTS[step].T), "bias": jnp.array(BIAS_GRADIENTS[step])}
            updates, state = tx.update(gradients, state, params)
            params = optax.apply_updates(params, updates)
    return params, state


@pytest.mark.parametrize("name", PAIRS)
def test_a_run_of_torchs_goes_on_in_jax_and_back(name):
    factory, tx = PAIRS[name]
    torch.manual_seed(0)
    module = torch.nn.Linear(3, 4)
    optimizer = factory(list(module.parameters()))
    torch_steps(module, optimizer, range(3))
    like = {"kernel": jnp.zeros((3, 4)), "bias": jnp.zeros(4)}
    params = parity.from_torch(module.state_dict(), like)
    state = parity.optimizer_from_torch(optimizer, tx.init(params), params, module=module)
    assert jax.tree.structure(state) == jax.tree.structure(tx.init(params))
    jax_params, jax_state = jax_steps(params, state, tx, range(3, 5))

    torch_steps(module, optimizer, range(3, 5))
    np.testing.assert_allclose(jax_params["kernel"].T, module.weight.detach(), rtol=2e-5, atol=2e-6)

    if name == "in groups":
        with pytest.raises(ValueError, match="a part of the parameters"):
            parity.optimizer_to_torch(jax_state, optimizer, params, module=module)
        return
    again = torch.nn.Linear(3, 4)
    fresh = factory(list(again.parameters()))
    again.load_state_dict(parity.to_torch(jax_params, again.state_dict()))
    fresh.load_state_dict(parity.optimizer_to_torch(jax_state, fresh, jax_params, module=again))
    torch_steps(again, fresh, [5])
    torch_steps(module, optimizer, [5])
    np.testing.assert_allclose(again.weight.detach(), module.weight.detach(), rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(again.bias.detach(), module.bias.detach(), rtol=2e-5, atol=2e-6)


def test_an_optimiser_that_remembers_something_else_is_refused():
    module, params = torch.nn.Linear(3, 4), {"kernel": jnp.zeros((3, 4)), "bias": jnp.zeros(4)}
    adam = torch.optim.Adam(module.parameters())
    with pytest.raises(ValueError, match="remembers no exp_avg; it has nothing yet"):
        parity.optimizer_from_torch(adam, optim.adam(0.1).init(params), params, module=module)
    torch_steps(module, adam, [0])
    with pytest.raises(ValueError, match="remembers no momentum_buffer; it has exp_avg, exp_avg_sq"):
        parity.optimizer_from_torch(adam, optax.sgd(0.1, 0.9).init(params), params, module=module)
    with pytest.raises(ValueError, match="not known"):
        parity.optimizer_from_torch(adam, optax.lbfgs().init(params), params, module=module)
