"""Activations exchanged, alone and in the middle of a network, by their names and by formulas."""

import jax
import jax.numpy as jnp
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from parity_tests.causes.settings import Setting, normal, of_function, plant

X = 3 * normal(4, 6)


def mlp(activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), activation, nn.Linear(8, 8), type(activation)(), nn.Linear(8, 3))


def mlp_port(default):
    def port(p, x, first=default, second=default):
        x = first(x @ p["0.weight"].T + p["0.bias"])
        x = second(x @ p["2.weight"].T + p["2.bias"])
        return x @ p["4.weight"].T + p["4.bias"]

    return port


SILU = Setting(lambda: mlp(nn.SiLU()), mlp_port(jax.nn.silu), X)
GELU = Setting(lambda: mlp(nn.GELU()), mlp_port(lambda x: jax.nn.gelu(x, approximate=False)), X)
RELU = Setting(lambda: mlp(nn.ReLU()), mlp_port(jax.nn.relu), X)


def tanh_gelu(x):
    return jax.nn.gelu(x, approximate=True)


def exact_gelu(x):
    return jax.nn.gelu(x, approximate=False)


def by_hand(x):  # GPT-2's
    return 0.5 * x * (1 + torch.tanh(0.7978845608028654 * (x + 0.044715 * x**3)))


NEW_GELU = of_function(by_hand, lambda x, f=tanh_gelu: f(x), X)
SWISH = of_function(lambda x: x * torch.sigmoid(x), lambda x, f=jax.nn.silu: f(x), X)
HARDSWISH = of_function(F.hardswish, lambda x, f=jax.nn.hard_swish: f(x), X)
SOFTPLUS = of_function(lambda x: F.softplus(x, beta=2), lambda x, f=lambda x: jax.nn.softplus(2 * x) / 2: f(x), X)
# Far below 0 JAX's gradient of elu, expm1(x) + 1, cancels, and `check` says so.
ELU = of_function(lambda x: F.elu(x / 4, 0.5), lambda x, f=lambda x: jax.nn.elu(x, 0.5): f(x / 4), X)
LEAKY = of_function(lambda x: F.leaky_relu(x, 0.2), lambda x, f=lambda x: jax.nn.leaky_relu(x, 0.2): f(x), X)
GLU = of_function(lambda x: F.glu(x, -1), lambda x, f=jax.nn.sigmoid, first=False: (
    f(x[:, :3]) * x[:, 3:] if first else x[:, :3] * f(x[:, 3:])
), X)  # fmt: skip
RELU6 = of_function(lambda x: F.relu6(3 * x), lambda x, f=jax.nn.relu6: f(3 * x), X)
SHRINK = of_function(lambda x: F.softshrink(x, 0.5), lambda x, lam=0.5: jnp.sign(x) * jax.nn.relu(abs(x) - lam), X)
PRELU = Setting(lambda: nn.PReLU(6), lambda p, x, slope=None: (
    jnp.where(x > 0, x, x * (p["weight"] if slope is None else slope))
), X)  # fmt: skip

DEFECTS = [
    *plant("activations", SILU, {
        "relu for silu in one layer": ("relu&silu", {"second": jax.nn.relu}),
        "gelu for silu in all layers": ("gelu&silu", {"first": tanh_gelu, "second": tanh_gelu}),
        "no activation": ("silu&missing", {"first": lambda x: x}),
        "mish for silu": ("mish&silu", {"first": lambda x: x * jnp.tanh(jax.nn.softplus(x))}),
    }),
    *plant("activations", GELU, {
        "gelu by tanh in all layers": ("approximate=True", {"first": tanh_gelu, "second": tanh_gelu}),
        "x sigmoid(1.702 x) for gelu": ("1.702", {"first": lambda x: x * jax.nn.sigmoid(1.702 * x)}),
    }),
    *plant("activations", RELU, {
        "leaky_relu for relu": ("leaky_relu", {"first": jax.nn.leaky_relu}),
        "elu for relu in the second layer": ("elu", {"second": jax.nn.elu}),
        "tanh for relu": ("tanh", {"first": jnp.tanh, "second": jnp.tanh}),
    }),
    *plant("activations", NEW_GELU, {"exact gelu for GPT-2's formula": ("gelu (exact)", {"f": exact_gelu})}),
    *plant("activations", SWISH, {"gelu for x sigmoid(x)": ("gelu", {"f": tanh_gelu})}),
    *plant("activations", HARDSWISH, {"silu for hardswish": ("silu&hardswish", {"f": jax.nn.silu})}),
    *plant("activations", SOFTPLUS, {
        "beta missing": ("softplus&beta=1", {"f": jax.nn.softplus}),
        "not divided by beta": ("softplus&beta", {"f": lambda x: jax.nn.softplus(2 * x)}),
    }),
    *plant("activations", ELU, {"alpha 1": ("elu&alpha=1", {"f": jax.nn.elu})}),
    *plant("activations", LEAKY, {"JAX's default slope": ("slope=0.01", {"f": jax.nn.leaky_relu})}),
    *plant("activations", GLU, {
        "gate from the first half": ("halves", {"first": True}),
        "GEGLU for GLU": ("gelu", {"f": tanh_gelu}),
    }),
    *plant("activations", RELU6, {"relu for relu6": ("relu", {"f": jax.nn.relu})}),
    *plant("activations", SHRINK, {"lambd 0.25": ("softshrink&lambd=0.25", {"lam": 0.25})}),
    *plant("activations", PRELU, {"slope 0.25 for the weight": ("prelu&0.25", {"slope": 0.25})}),
]  # fmt: skip
