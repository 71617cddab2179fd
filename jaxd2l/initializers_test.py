"""Initialisers against the variances and bounds they promise."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l import initializers as ini

IN, OUT = 600, 300

# initialiser, promised standard deviation of the kernel
NORMALS = {
    "normal": (ini.normal(), 0.01),
    "normal 3": (ini.normal(3.0), 3.0),
    "xavier": (ini.xavier_normal(), math.sqrt(2 / (IN + OUT))),
    "xavier gain": (ini.xavier_normal(5 / 3), 5 / 3 * math.sqrt(2 / (IN + OUT))),
    "kaiming": (ini.kaiming_normal(), math.sqrt(2 / IN)),
    "kaiming fan_out": (ini.kaiming_normal(1.0, mode="fan_out"), math.sqrt(1 / OUT)),
}
# initialiser, promised bound of the kernel
UNIFORMS = {
    "xavier": (ini.xavier_uniform(), math.sqrt(6 / (IN + OUT))),
    "xavier gain": (ini.xavier_uniform(0.5), 0.5 * math.sqrt(6 / (IN + OUT))),
    "kaiming": (ini.kaiming_uniform(), math.sqrt(6 / IN)),
    "kaiming fan_out": (ini.kaiming_uniform(1.0, mode="fan_out"), math.sqrt(3 / OUT)),
    "torch": (ini.torch_linear(), 1 / math.sqrt(IN)),
}
EVERY = {**NORMALS, **UNIFORMS, "flax": (ini.flax_linear(), math.sqrt(1 / IN))}


def kernel(init: ini.LinearInit, seed: int = 0) -> np.ndarray:
    return np.asarray(init(jax.random.key(seed), IN, OUT)["kernel"], np.float64)


@pytest.mark.parametrize(("init", "stddev"), NORMALS.values(), ids=NORMALS)
def test_normal_kernels_have_their_variance_and_their_tails(init, stddev) -> None:
    z = kernel(init) / stddev
    n = z.size
    assert abs(z.mean()) < 4 / math.sqrt(n)
    assert abs(z.var() - 1) < 4 * math.sqrt(2 / n)
    assert abs((z**4).mean() - 3) < 4 * math.sqrt(96 / n)  # a uniform kernel would have 1.8
    assert np.abs(z).max() > 4  # a truncated one ends at 2.3


@pytest.mark.parametrize(("init", "bound"), UNIFORMS.values(), ids=UNIFORMS)
def test_uniform_kernels_fill_their_bounds_evenly(init, bound) -> None:
    u = kernel(init) / bound
    assert 0.999 < np.abs(u).max() <= 1 + 1e-6
    shares, _ = np.histogram(u, 10, (-1, 1))
    np.testing.assert_allclose(shares / u.size, 0.1, atol=5 * math.sqrt(0.09 / u.size))


@pytest.mark.parametrize(("init", "_"), EVERY.values(), ids=EVERY)
def test_layers_are_float32_pairs_that_depend_on_the_key_alone(init, _) -> None:
    layer = init(jax.random.key(0), IN, OUT)
    assert {name: (leaf.shape, leaf.dtype) for name, leaf in layer.items()} == {
        "kernel": ((IN, OUT), jnp.float32),
        "bias": ((OUT,), jnp.float32),
    }
    np.testing.assert_array_equal(layer["kernel"], kernel(init))
    assert (kernel(init, 1) != kernel(init)).mean() > 0.99


@pytest.mark.parametrize("name", sorted(EVERY.keys() - {"torch"}))
def test_biases_are_zero(name) -> None:
    np.testing.assert_array_equal(EVERY[name][0](jax.random.key(0), IN, OUT)["bias"], 0)


def test_only_torchs_bias_is_drawn_and_within_the_bound_of_its_inputs() -> None:
    bias = np.asarray(ini.torch_linear()(jax.random.key(0), 25, 4000)["bias"]) / 0.2
    assert 0.99 < np.abs(bias).max() <= 1
    shares, _ = np.histogram(bias, 10, (-1, 1))
    np.testing.assert_allclose(shares / bias.size, 0.1, atol=0.025)
    kernel_too = np.asarray(ini.torch_linear()(jax.random.key(0), 4000, 4000)["kernel"])[0] * math.sqrt(4000)
    assert abs(np.corrcoef(kernel_too, bias)[0, 1]) < 0.1  # drawn from another key


def test_flax_linear_draws_like_a_dense_layer() -> None:
    z = kernel(ini.flax_linear()) * math.sqrt(IN)
    assert abs(z.var() - 1) < 0.02
    assert np.abs(z).max() < 2 / 0.87  # truncated at two of its own standard deviations
    scope = nn.Dense(OUT).init(jax.random.key(0), jnp.zeros((1, IN)))["params"]["kernel"]
    np.testing.assert_allclose(np.abs(scope).max(), np.abs(kernel(ini.flax_linear())).max(), rtol=1e-3)


def test_a_window_makes_the_kernel_of_a_convolution_and_multiplies_both_fans() -> None:
    for init, bound in ((ini.xavier_uniform(), 0.185164), (ini.torch_linear(), 0.2)):  # 5 x 5, from 1 channel to 6
        layers = [init(jax.random.key(seed), 1, 6, window=(5, 5)) for seed in range(20)]
        assert layers[0]["kernel"].shape == (5, 5, 1, 6)
        assert layers[0]["bias"].shape == (6,)
        assert 0.995 * bound < max(float(jnp.abs(layer["kernel"]).max()) for layer in layers) <= bound * 1.00001
    draws = np.asarray(ini.kaiming_normal(1.0, mode="fan_out")(jax.random.key(0), 64, 16, window=(3, 3))["kernel"])
    assert abs(draws.std() * math.sqrt(3 * 3 * 16) - 1) < 0.02
    assert abs(float(ini.flax_linear()(jax.random.key(0), 64, 64, window=(3, 3))["kernel"].std()) * 24 - 1) < 0.02


def test_a_window_of_one_pixel_draws_the_numbers_of_a_dense_layer() -> None:
    for init, _ in EVERY.values():
        dense, pixel = init(jax.random.key(0), 4, 3), init(jax.random.key(0), 4, 3, window=(1, 1))
        np.testing.assert_array_equal(pixel["kernel"][0, 0], dense["kernel"])
        np.testing.assert_array_equal(pixel["bias"], dense["bias"])


def test_variance_survives_many_layers_as_xavier_and_kaiming_promise() -> None:
    x = jax.random.normal(jax.random.key(0), (64, 256))
    keys = jax.random.split(jax.random.key(1), 10)
    for key in keys:
        x = jax.nn.relu(x @ ini.kaiming_normal()(key, 256, 256)["kernel"])
    assert 0.5 < jnp.mean(x**2) < 2  # the gain sqrt(2) makes up for the half that relu cuts off


def test_initialisers_work_under_jit_and_vmap() -> None:
    init = ini.xavier_uniform()
    with jax.checking_leaks():
        layers = jax.jit(jax.vmap(lambda seed: init(jax.random.key(seed), 4, 2)))(jnp.arange(3))
    assert layers["kernel"].shape == (3, 4, 2)
    np.testing.assert_array_equal(layers["kernel"][1], init(jax.random.key(1), 4, 2)["kernel"])


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_scales_must_be_positive_numbers(value) -> None:
    if value != 0:
        with pytest.raises(ValueError, match="stddev must not be negative, infinite or NaN"):
            ini.normal(value)
    for make in (ini.xavier_normal, ini.xavier_uniform, ini.kaiming_normal, ini.kaiming_uniform):
        with pytest.raises(ValueError, match="gain must be positive and finite"):
            make(value)


def test_a_stddev_of_0_makes_every_parameter_0() -> None:
    layer = ini.normal(0.0)(jax.random.key(0), 3, 2)
    assert not jnp.any(layer["kernel"])
    assert not jnp.any(layer["bias"])


@pytest.mark.bad_input
def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="mode must be 'fan_in' or 'fan_out', got 'fan_avg'"):
        ini.kaiming_normal(mode="fan_avg")


@pytest.mark.bad_input
@pytest.mark.parametrize(
    "make",
    [ini.kaiming_normal, ini.xavier_uniform, ini.torch_linear, ini.flax_linear],
)
def test_layers_without_units_are_refused(make) -> None:
    with pytest.raises(ValueError, match="num_inputs must be at least 1, got 0"):
        make()(jax.random.key(0), 0, 3)  # would divide by zero
    with pytest.raises(ValueError, match="num_outputs must be at least 1, got -1"):
        make()(jax.random.key(0), 3, -1)
    with pytest.raises(ValueError, match=r"window\[1\] must be at least 1, got 0"):
        make()(jax.random.key(0), 3, 3, window=(5, 0))
