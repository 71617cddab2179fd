"""Every optimiser: golden paths of the book, types, traced options, groups, and refusals. Torch: parity_tests."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxd2l import optim

MAKERS = {
    "sgd": lambda rate, **options: optim.sgd(rate, momentum=0.9, dampening=0.1, **options),
    "adagrad": optim.adagrad,
    "rmsprop": lambda rate, **options: optim.rmsprop(rate, momentum=0.9, centered=True, **options),
    "adadelta": optim.adadelta,
    "adam": lambda rate, **options: optim.adam(rate, amsgrad=True, **options),
    "adamw": optim.adamw,
    "adamax": optim.adamax,
    "nadam": optim.nadam,
    "radam": optim.radam,
    "yogi": optim.yogi,
}
ALL = MAKERS | {"rprop": optim.rprop}


def descend(tx, start, steps=20):
    """The book's ravine .1 x1^2 + 2 x2^2, downhill."""

    def step(carry, _):
        x, state = carry
        updates, state = tx.update(x * jnp.array([0.2, 4.0], x.dtype), state, x)
        x = optax.apply_updates(x, updates)
        return (x, state), x

    return jax.lax.scan(step, (start, tx.init(start)), length=steps)[1]


@pytest.mark.parametrize(
    ("tx", "first", "last"),
    [
        (lambda: optim.adadelta(1.0, rho=0.9, eps=1e-5), (-4.9900005, -1.9900000), (-4.782488, -1.787589)),
        (lambda: optim.adam(0.01, eps=1e-6), (-4.99, -1.99), (-4.800485, -1.801256)),
        (lambda: optim.adam(0.4, eps=1e-6), (-4.6, -1.6), (0.996029, -0.212750)),
        (lambda: optim.yogi(0.01), (-4.990010, -1.990001), (-4.801161, -1.801760)),
        (lambda: optim.yogi(0.4), (-4.600399, -1.600050), (0.982844, -0.207404)),
    ],
    ids=["adadelta", "adam", "adam, fast", "yogi", "yogi, fast"],
)
def test_the_books_ravine(tx, first, last):
    with jax.enable_x64(True):
        path = descend(tx(), jnp.array([-5.0, -2.0]))
        np.testing.assert_allclose(path[0], first, atol=2e-6)
        np.testing.assert_allclose(path[-1], last, atol=2e-6)


@pytest.mark.parametrize("name", ALL)
def test_compiled_once_whatever_the_step(name):
    tx = ALL[name](0.01)
    params = {"kernel": jnp.ones((2, 3)), "rest": (jnp.ones(3), jnp.ones(()))}

    @jax.jit
    def step(params, state):
        updates, state = tx.update(jax.tree.map(jnp.cos, params), state, params)
        return optax.apply_updates(params, updates), state

    now, state = step(params, tx.init(params))
    for _ in range(2):
        now, state = step(now, state)
    assert step._cache_size() == 1
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a != b).all()), params, now)))


@pytest.mark.parametrize("name", ALL)
def test_numbers_of_16_bits_stay_so_and_are_computed_with_in_float32(name):
    tx, start = ALL[name](0.125), np.array([-5.0, -2.0])
    narrow, wide = (descend(tx, jnp.array(start, dtype), 5) for dtype in (jnp.bfloat16, jnp.float32))
    assert narrow.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(narrow), wide, rtol=0.1, atol=0.1)
    state = tx.init(jnp.array(start, jnp.bfloat16))
    _, state = tx.update(jnp.ones(2, jnp.bfloat16), state, jnp.array(start, jnp.bfloat16))
    assert {x.dtype for x in jax.tree.leaves(state) if x.ndim} <= {jnp.dtype(jnp.bfloat16)}


@pytest.mark.parametrize("name", MAKERS)
def test_the_rate_and_the_decay_may_be_traced(name):
    def last(rate, decay):
        return descend(MAKERS[name](rate, weight_decay=decay), jnp.array([-5.0, -2.0]), 8)[-1]

    rates, decays = jnp.array([0.01, 0.1, 0.1]), jnp.array([0.0, 0.0, 0.2])
    together = jax.vmap(last)(rates, decays)
    for ours, rate, decay in zip(together, rates, decays, strict=True):
        np.testing.assert_allclose(ours, last(float(rate), float(decay)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MAKERS)
def test_only_masked_parameters_decay(name):
    params = {"kernel": jnp.full((2, 2), 3.0), "bias": jnp.full(2, 3.0)}
    zero = jax.tree.map(jnp.zeros_like, params)
    tx = MAKERS[name](0.1, weight_decay=0.1, weight_decay_mask=optim.kernels)
    updates, _ = tx.update(zero, tx.init(params), params)
    assert np.all(updates["kernel"] < 0)
    assert np.all(updates["bias"] == 0)


@pytest.mark.parametrize("name", ALL)
def test_maximize_goes_the_other_way(name):
    start = jnp.array([-5.0, -2.0])
    options = {"weight_decay": 0.0} if name == "adamw" else {}  # whose decay has no other sign
    up, down = (descend(ALL[name](0.01, maximize=flag, **options), start, 1)[0] - start for flag in (True, False))
    np.testing.assert_allclose(up, -down, rtol=0, atol=1e-6)
    assert np.all(down > 0)


def test_what_is_remembered_has_torchs_names():
    slots = optim.adam(0.1, amsgrad=True).init(jnp.zeros(2))[0].slots
    assert set(slots) == {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}


def test_adams_bias_correction_keeps_its_digits():
    """optax's first step of a unit gradient is .99999332 long."""
    with jax.numpy_dtype_promotion("standard"):  # optax's own arithmetic needs it
        ours, theirs = (tx.update(jnp.ones(()), tx.init(jnp.ones(())))[0] for tx in (optim.adam(1.0), optax.adam(1.0)))
    assert abs(-float(ours) - 1) < 3e-7 < abs(-float(theirs) - 1)


def test_radam_starts_to_adapt_at_the_sixth_step_and_agrees_far_beyond_its_table():
    with jax.enable_x64(True):
        path = -jnp.diff(descend(optim.radam(1e-9), jnp.array([-5.0, -2.0]), 1200), axis=0)
    sizes = np.abs(path[:, 1])
    assert sizes[5] < 0.1 * sizes[3]  # adapted from the sixth step on, to a tenth of its size
    np.testing.assert_allclose(sizes[998:1003] / sizes[998], 1.0, rtol=1e-2)  # and nothing jumps where the table ends


def test_clipping_leaves_short_gradients_and_shortens_long_ones():
    tx = optim.clip_grad_norm(1.0)
    gradients = {"a": jnp.array([3.0]), "b": jnp.array([[4.0]])}
    clipped, _ = tx.update(gradients, tx.init(gradients))
    assert math.hypot(*(x.item() for x in clipped.values())) == pytest.approx(5 / 5.000001, rel=1e-6)
    short = jax.tree.map(lambda g: g / 10, gradients)
    kept, _ = tx.update(short, tx.init(short))
    assert all(np.array_equal(kept[name], short[name]) for name in short)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: optim.adam(-0.1), "learning_rate must be at least 0"),
        (lambda: optim.adam(0.1, betas=(0.9, 1.0)), r"betas\[1\] must lie in \[0, 1\)"),
        (lambda: optim.adam(0.1, betas=0.9), "betas must be a list or a tuple"),
        (lambda: optim.adamw(0.1, eps=math.nan), "eps must"),
        (lambda: optim.rmsprop(0.1, momentum="0.9"), "momentum must be a real number"),
        (lambda: optim.adadelta(0.1, rho=1.5), "rho must lie in"),
        (lambda: optim.adagrad(0.1, maximize=1), "maximize must be"),
        (lambda: optim.rprop(0.1, etas=(1.2, 0.5)), r"etas\[0\] must lie in"),
        (lambda: optim.rprop(0.1, step_sizes=(2.0, 1.0)), "step_sizes must be"),
        (lambda: optim.rprop(optax.constant_schedule(0.1)), "learning_rate must be a real number"),
        (lambda: optim.clip_grad_norm(-1.0), "max_norm must"),
        (lambda: optim.clip_grad_norm(1.0, norm_type=0.0), "norm_type must be positive"),
    ],
)
@pytest.mark.bad_input
def test_a_wrong_option_is_named(make, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        make()


def test_one_of_takes_the_steps_of_the_one_with_the_number() -> None:
    makers = [optim.sgd, optim.adam, lambda rate: optim.rmsprop(rate, momentum=0.9)]
    start = jnp.array([-5.0, -2.0])

    @jax.jit
    def chosen(which):
        return descend(optim.one_of(which, [make(0.1) for make in makers]), start)

    for which, make in enumerate(makers):
        np.testing.assert_allclose(chosen(which), descend(make(0.1), start), rtol=1e-6)
    assert chosen._cache_size() == 1
    lanes = jax.vmap(lambda which: descend(optim.one_of(which, [make(0.1) for make in makers]), start))(jnp.arange(3.0))
    np.testing.assert_allclose(lanes[1], chosen(1), rtol=1e-6)


@pytest.mark.parametrize(
    ("which", "transformations", "error"),
    [(2, [optim.sgd(0.1)] * 2, ValueError), (0.5, [optim.sgd(0.1)], TypeError), (0, [], ValueError)],
)
def test_one_of_refuses_numbers_without_an_optimiser(which, transformations, error) -> None:
    with pytest.raises(error):
        optim.one_of(which, transformations)
