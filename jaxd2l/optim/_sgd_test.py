"""SGD against torch's update rule written out in NumPy."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from jaxd2l.optim import sgd

STEPS = 12
NOISE = np.random.default_rng(0).normal(size=(STEPS, 3)).astype(np.float32)
START = np.array([1.0, -2.0, 0.5], np.float32)
COMBINATIONS = [
    {"momentum": m, "dampening": d, "nesterov": n, "weight_decay": w, "maximize": up}
    for m, d, n, w, up in itertools.product((0.0, 0.9), (0.0, 0.3), (False, True), (0.0, 0.1), (False, True))
    if not n or (m > 0 and d == 0)
]


def descend(tx: optax.GradientTransformation) -> jax.Array:
    """The parameters after each step on p^2 / 4 with noise in the gradient."""

    def step(carry, noise):
        params, state = carry
        updates, state = tx.update(params / 2 + noise, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    return lax.scan(step, (jnp.array(START), tx.init(jnp.array(START))), jnp.array(NOISE))[1]


def torchs_rule(lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False) -> np.ndarray:
    """The loop in the documentation of torch.optim.SGD, line by line, in float64."""
    p, path = START.astype(np.float64), []
    for t in range(1, STEPS + 1):
        g = p / 2 + NOISE[t - 1]
        g = -g if maximize else g
        if weight_decay != 0:
            g = g + weight_decay * p
        if momentum != 0:
            b = momentum * b + (1 - dampening) * g if t > 1 else g
            g = g + momentum * b if nesterov else b
        p = p - (lr(t - 1) if callable(lr) else lr) * g
        path.append(p)
    return np.array(path)


@pytest.mark.parametrize("options", COMBINATIONS, ids=lambda o: " ".join(k for k, v in o.items() if v) or "plain")
def test_every_combination_of_options_takes_torchs_steps(options) -> None:
    path = jax.jit(lambda: descend(sgd(0.1, **options)))()
    np.testing.assert_allclose(path, torchs_rule(0.1, **options), rtol=2e-5, atol=1e-6)


def test_learning_rate_alone_is_optax_sgd_bit_for_bit() -> None:
    ours, plain = jax.jit(lambda: (descend(sgd(0.1)), descend(optax.sgd(0.1))))()
    np.testing.assert_array_equal(ours, plain)
    assert jax.tree.leaves(sgd(0.1).init(START)) == []  # it remembers nothing


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_optax_momentum_bit_for_bit(nesterov) -> None:
    ours, theirs = jax.jit(
        lambda: (
            descend(sgd(0.1, momentum=0.9, nesterov=nesterov)),
            descend(optax.sgd(0.1, momentum=0.9, nesterov=nesterov)),
        )
    )()
    np.testing.assert_array_equal(ours, theirs)


def test_learning_rate_may_be_a_schedule_of_the_step() -> None:
    path = jax.jit(lambda: descend(sgd(optax.linear_schedule(0.2, 0.0, 20), momentum=0.9, dampening=0.3)))()
    np.testing.assert_allclose(path, torchs_rule(lambda t: 0.2 * (1 - t / 20), 0.9, 0.3), rtol=2e-5, atol=1e-6)


def test_hyperparameters_may_be_traced_and_zero_switches_them_off() -> None:
    grid = np.array(list(itertools.product((0.1, 0.01), (0.0, 0.9), (0.0, 0.3), (0.0, 0.1))), np.float32)
    with jax.checking_leaks():
        paths = jax.jit(jax.vmap(lambda h: descend(sgd(h[0], momentum=h[1], dampening=h[2], weight_decay=h[3]))))(
            jnp.array(grid)
        )
    for path, hyperparameters in zip(paths, grid.tolist(), strict=True):
        np.testing.assert_allclose(path, torchs_rule(*hyperparameters), rtol=2e-5, atol=1e-6, err_msg=hyperparameters)


def test_momentum_may_be_traced_with_nesterov() -> None:
    path = jax.jit(lambda momentum: descend(sgd(0.1, momentum=momentum, nesterov=True)))(0.9)
    np.testing.assert_allclose(path, torchs_rule(0.1, 0.9, nesterov=True), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_any_pytree_keeps_its_shape_and_dtype(dtype) -> None:
    params = {"layer": (jnp.ones((2, 3), dtype), jnp.ones(3, dtype)), "scalar": jnp.ones((), dtype)}
    tx = sgd(0.1, momentum=0.9, dampening=0.3, weight_decay=0.1)

    def step(params, state):
        updates, state = tx.update(params, state, params)
        return optax.apply_updates(params, updates), state

    state = tx.init(params)
    after = jax.eval_shape(step, params, state)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), after) == jax.tree.map(
        lambda x: (x.shape, x.dtype), (params, state)
    )


@pytest.mark.parametrize("name", ["learning_rate", "momentum", "weight_decay"])
@pytest.mark.parametrize("value", [-0.1, float("nan")])
def test_negative_numbers_are_refused(name, value) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 0, got {value}"):
        sgd(**{"learning_rate": 0.1, name: value})


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "dampening": 0.1}, {"dampening": 0.1}])
def test_nesterov_needs_momentum_and_no_dampening(options) -> None:
    with pytest.raises(ValueError, match="nesterov needs momentum > 0 and dampening = 0"):
        sgd(0.1, nesterov=True, **options)


@pytest.mark.bad_input
def test_options_of_the_wrong_type_and_nan_are_refused() -> None:
    with pytest.raises(TypeError, match="nesterov must be True or False, got 'no'"):
        sgd(0.1, momentum=0.9, nesterov="no")  # would count as true
    with pytest.raises(TypeError, match="momentum must be a real number"):
        sgd(0.1, momentum="0.9")
    with pytest.raises(ValueError, match="dampening must not be NaN"):
        sgd(0.1, momentum=0.9, dampening=float("nan"))
