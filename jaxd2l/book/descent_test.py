"""The paths of D2L 12.3, 12.4 and 12.6 to 12.10, in float64. Torch takes the same in parity_tests/descent_test.py."""

import math
from contextlib import ExitStack

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxd2l import optim, schedules
from jaxd2l.book.convergence import momentum_radius, noise_moments
from jaxd2l.book.descent import (
    bisection,
    gradient_descent,
    newton,
    preconditioned_descent,
    stochastic_descent,
    trajectory,
)


@pytest.fixture(autouse=True)
def _float64(request: pytest.FixtureRequest) -> None:
    stack = ExitStack()
    stack.enter_context(jax.enable_x64(True))
    stack.enter_context(jax.numpy_dtype_promotion("standard"))  # some of optax multiplies steps by rates
    request.addfinalizer(stack.close)  # noqa: PT021


def wave(x):
    return x * jnp.cos(0.15 * jnp.pi * x)


def bowl(x):
    return x[0] ** 2 + 2 * x[1] ** 2


def ravine(x):
    return 0.1 * x[0] ** 2 + 2 * x[1] ** 2


def turned(x):
    return 0.1 * (x[0] + x[1]) ** 2 + 2 * (x[0] - x[1]) ** 2


START = (-5.0, -2.0)


@pytest.mark.parametrize(
    ("f", "start", "rate", "steps", "last"),
    [
        (jnp.square, 10.0, 0.2, 10, 0.0604662),
        (jnp.square, 10.0, 0.05, 10, 3.486784),
        (jnp.square, 10.0, 1.1, 10, 61.917364),
        (wave, 10.0, 2.0, 10, -1.528166),
        (bowl, START, 0.1, 20, (-0.0576461, -7.31232e-5)),
        (ravine, START, 0.4, 20, (-0.943467, -7.31232e-5)),
        (ravine, START, 0.6, 20, (-0.387814, -1673.3651)),
    ],
)
def test_gradient_descent_of_the_book(f, start, rate, steps, last) -> None:
    path = gradient_descent(f, jnp.array(start), learning_rate=rate, steps=steps)
    np.testing.assert_array_equal(path[0], start)
    np.testing.assert_allclose(path[-1], last, rtol=2e-6)
    np.testing.assert_allclose(trajectory(f, jnp.array(start), optim.sgd(rate), steps=steps), path, rtol=1e-12)


def test_newton_of_the_book() -> None:
    path = newton(lambda x: jnp.cosh(0.5 * x), 10.0, steps=7)
    expected = [10, 8.00018, 6.00152, 4.01140, 2.08254, 0.525763, 0.0117856, 1.36416e-7]
    np.testing.assert_allclose(path, expected, rtol=4e-6)
    maximum = newton(wave, 10.0, steps=10)[-1]
    assert abs(maximum - 26.834133) < 1e-6
    assert jax.hessian(wave)(maximum) < 0
    minimum = newton(wave, 10.0, steps=10, learning_rate=0.5)[-1]
    assert abs(minimum - 7.269860) < 1e-6


def test_newton_jumps_to_the_minimum_of_any_quadratic() -> None:
    A = jnp.array([[3.0, 1.0, 0.5], [1.0, 2.0, 0.0], [0.5, 0.0, 1.0]])
    b = jnp.array([1.0, -2.0, 0.5])
    path = newton(lambda x: x @ A @ x / 2 - b @ x, jnp.ones(3), steps=1)
    np.testing.assert_allclose(A @ path[1], b, atol=1e-12)


def test_preconditioning_of_the_book() -> None:
    path = preconditioned_descent(ravine, jnp.array(START), learning_rate=0.4, steps=20)
    np.testing.assert_allclose(path[-1], (-1.82808e-4, -7.31232e-5), rtol=2e-6)
    # Where the ravine lies across the axes, the diagonal does not suffice.
    crossed = preconditioned_descent(turned, jnp.array(START), learning_rate=0.4, steps=20)
    assert turned(crossed[-1]) > 1e3 * ravine(path[-1])


def test_line_search_of_the_book() -> None:
    f = lambda x: jnp.logaddexp(x, -2 * x - 3)  # noqa: E731
    found = bisection(f, -5.0, 5.0)
    assert abs(found - -0.768951) < 1e-6
    assert abs(f(found) - -0.363486) < 1e-6
    assert bisection(jnp.square, 1.0, 2.0) == 1.0  # the lowest point is an end


RATES = {
    "constant": (lambda t: 0.1 + 0 * t, 50, (-7.1362e-5, -1.6e-11), (0.166667, 0.125)),
    "exponential": (lambda t: 0.1 * jnp.exp(-0.1 * (t + 2)), 1000, (-0.825737, -0.0450264), (0.0746861, 0.0399462)),
    "polynomial": (lambda t: 0.1 * (1 + 0.1 * (t + 2)) ** -0.5, 50, (-0.0124369, -5.0702e-6), (0.105341, 0.0750273)),
}


@pytest.mark.parametrize("name", RATES)
def test_noise_of_the_book_in_closed_form(name) -> None:
    rate, steps, mean, sd = RATES[name]
    rates = jnp.array([rate(t) for t in range(steps)])
    for i, (start, curvature) in enumerate(zip(START, (2.0, 4.0), strict=True)):
        found = noise_moments(rates, start, curvature=curvature)
        np.testing.assert_allclose(found, (mean[i], sd[i]), rtol=2e-2 if abs(mean[i]) < 1e-9 else 2e-5)


@pytest.mark.parametrize("name", RATES)
def test_noisy_runs_spread_as_the_closed_form_says(name) -> None:
    rate, steps, mean, sd = RATES[name]
    keys = jax.random.split(jax.random.key(0), 2000)
    run = lambda key: stochastic_descent(key, bowl, jnp.array(START), learning_rate=rate, steps=steps)[-1]  # noqa: E731
    ends = jax.jit(jax.vmap(run))(keys)
    # Five standard errors; that of a standard deviation is sd / sqrt(2 n).
    assert np.all(np.abs(ends.mean(0) - np.array(mean)) < 5 * np.array(sd) / math.sqrt(2000))
    assert np.all(np.abs(ends.std(0) / np.array(sd) - 1) < 5 / math.sqrt(4000))


def test_the_key_decides_the_noise() -> None:
    run = lambda seed, **options: stochastic_descent(  # noqa: E731
        jax.random.key(seed), bowl, jnp.array(START), learning_rate=0.1, steps=5, **options
    )
    np.testing.assert_array_equal(run(0), run(0))
    assert not np.allclose(run(0)[1:], run(1)[1:])
    np.testing.assert_array_equal(run(0)[:3], run(0)[:3])
    still = gradient_descent(bowl, jnp.array(START), learning_rate=0.1, steps=5)
    np.testing.assert_allclose(run(0, noise=0.0), still, rtol=1e-14)


def adagrad(rate):
    """The book's form, with eps under the root; `optim.adagrad` has torch's, outside."""
    return optax.chain(optax.scale_by_rss(0.0, 1e-6), optax.scale_by_learning_rate(rate))


@pytest.mark.parametrize(
    ("tx", "first", "last"),
    [
        (optim.sgd(0.6, momentum=0.5), (-4.4, 2.8), (0.00718787, 0.00255327)),
        (optim.sgd(0.6, momentum=0.25), (-4.4, 2.8), (-0.126340, -0.186632)),
        (optim.sgd(0.4, momentum=0.5, nesterov=True), None, (-0.109296, -44.663927)),
        (optax.sgd(0.4, momentum=0.5, nesterov=True), None, (-0.109296, -44.663927)),
        (optim.sgd(0.4, momentum=0.5), None, (-0.0628435, 0.00120234)),
        (adagrad(0.4), (-4.6, -1.6), (-2.382563, -0.158591)),
        (adagrad(2.0), (-3.0, 0.0), (-0.002295340, 0.0)),
        (optim.adagrad(0.4), None, (-2.382562, -0.158591)),
        (optax.adagrad(0.4), None, (-2.418646, -0.158821)),
        (optax.rmsprop(0.4, decay=0.9, eps=1e-6), (-3.735095, -0.735089), (-0.0105987, 1.04e-14)),
        (optim.rmsprop(0.4, alpha=0.9), None, (-0.0105980, 1.04e-14)),
        (optim.rmsprop(0.4), None, (-3.8e-15, -1.15e-7)),
        (optim.adadelta(1.0, rho=0.9, eps=1e-5), (-4.9900005, -1.9900000), (-4.782488, -1.787589)),
        (optim.adadelta(1.0), None, (-4.930470, -1.930986)),
        (optim.adam(0.01, eps=1e-6), (-4.99, -1.99), (-4.800485, -1.801256)),
        (optim.adam(0.4, eps=1e-6), (-4.6, -1.6), (0.996029, -0.212750)),
        (optim.yogi(0.01), (-4.990010, -1.990001), (-4.801161, -1.801760)),
        (optax.yogi(0.01), None, (-4.801179, -1.801760)),
        (optim.yogi(0.4), None, (0.982844, -0.207404)),
        (optim.adam(0.4, weight_decay=0.01), None, (0.996033, -0.212751)),
        (optim.adamw(0.4, weight_decay=0.01), None, (1.016371, -0.223987)),
    ],
)
def test_the_ravine_of_the_book(tx, first, last) -> None:
    path = trajectory(ravine, jnp.array(START), tx, steps=20)
    if first:
        np.testing.assert_allclose(path[1], first, atol=1e-6)
    np.testing.assert_allclose(path[-1], last, rtol=1e-6, atol=1e-6)
    both = jax.jit(lambda start: trajectory(ravine, start, tx, steps=20))
    np.testing.assert_allclose(both(jnp.array(START)), path, rtol=1e-12, atol=1e-14)
    both(jnp.array([1.0, 1.0]))
    assert both._cache_size() == 1


def test_adagrad_cannot_see_a_ravine_across_the_axes() -> None:
    path = trajectory(turned, jnp.array(START), optim.adagrad(0.4), steps=20)
    np.testing.assert_allclose(path[-1], (-3.180865, -3.062780), atol=1e-6)


def test_a_schedule_drives_a_trajectory() -> None:
    path = trajectory(jnp.square, 1.0, optim.sgd(schedules.factor(0.25, 0.5)), steps=2)
    np.testing.assert_allclose(path, [1, 0.5, 0.375])


def test_momentum_of_the_book() -> None:
    found = momentum_radius(0.6, jnp.array([0.0, 0.25, 0.5]), curvature=4.0)
    np.testing.assert_allclose(found, [1.4, 0.858945, 0.707107], atol=1e-6)
    assert abs(math.log(0.5) / math.log(0.9) - 6.58) < 0.005


@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("rate", [0.01, 0.5, 1.9, 2.1, 3.0, 4.0])
def test_momentum_converges_where_the_matrix_and_the_run_say_so(rate, momentum) -> None:
    matrix = np.array([[momentum, 1.0], [-rate * momentum, 1 - rate]])
    radius = float(momentum_radius(rate, momentum))
    assert abs(radius - np.abs(np.linalg.eigvals(matrix)).max()) < 1e-9
    assert (radius < 1) == (rate < 2 + 2 * momentum)
    path = trajectory(lambda x: x**2 / 2, 1.0, optim.sgd(rate, momentum=momentum), steps=2000)
    assert (abs(path[-1]) < 1e-3) == (radius < 1)


def test_paths_keep_the_dtype_and_are_compiled_once() -> None:
    assert gradient_descent(bowl, jnp.ones(2, jnp.bfloat16), learning_rate=0.1, steps=2).dtype == jnp.bfloat16
    descend = jax.jit(lambda start, rate: gradient_descent(bowl, start, learning_rate=rate, steps=3))
    for rate in (0.1, 0.2):
        descend(jnp.ones(2), rate)
    assert descend._cache_size() == 1
    assert gradient_descent(bowl, jnp.ones(2), learning_rate=0.1, steps=0).shape == (1, 2)


@pytest.mark.bad_input
def test_what_is_refused() -> None:
    with pytest.raises(TypeError, match="f must be a function"):
        gradient_descent("x^2", 1.0, learning_rate=0.1, steps=1)
    with pytest.raises(TypeError, match="start must be floating point"):
        newton(bowl, jnp.array([1, 2]), steps=1)
    with pytest.raises(ValueError, match="steps must be at least 0"):
        trajectory(bowl, jnp.ones(2), optim.sgd(0.1), steps=-1)
    with pytest.raises(TypeError, match="tx must be an optax transformation"):
        trajectory(bowl, jnp.ones(2), optim.sgd, steps=1)
    with pytest.raises(TypeError, match="key must be a random key"):
        stochastic_descent(0, bowl, jnp.ones(2), learning_rate=0.1, steps=1)
    with pytest.raises(ValueError, match="the upper end must be at least"):
        bisection(jnp.square, 1.0, 0.0)
