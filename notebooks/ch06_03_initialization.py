# %% [markdown]
# # 6.3 Parameter initialization
#
# Where training begins decides whether it gets anywhere (section 5.4). You will draw parameters from the usual
# distributions, give each layer its own, write an initialiser, and see how the defaults of PyTorch and Flax differ.
#
# [This section in the book](https://d2l.ai/chapter_builders-guide/init-param.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l import activations, initializers, plots
from jaxd2l.models import layers

relu = layers.function(activations.relu)
net = layers.model(layers.sequential(layers.dense(8), relu, layers.dense(1)), (4,))
params = net.init(jax.random.key(0))

# %% [markdown]
# ## Built-in initialisation
#
# An initialiser is a function of a key and a shape. From scratch, the book's normal distribution with constant biases:


# %%
def normal(key, shape):
    return 0.01 * jax.random.normal(key, shape)


def zeros(key, shape):
    return jnp.zeros(shape)


# %% [markdown]
# In PyTorch, `net.apply(init_normal)` walks over the modules and overwrites their weights. Here `layers.redrawn` walks
# over the names, and rules say which parameter is drawn how. A rule's name may be a pattern; the last one that matches
# holds, and every parameter gets a key of its own.

# %%
drawn = layers.redrawn(jax.random.key(1), params, {"*.kernel": normal, "*.bias": zeros})
print(drawn[0]["kernel"][:2].round(3), drawn[0]["bias"])
constant = layers.redrawn(jax.random.key(1), params, {"*.kernel": jax.nn.initializers.constant(1.0), "*.bias": zeros})
print(constant[0]["kernel"][:2])

# %% [markdown]
# (All weights equal is a bad idea: the hidden units would stay equal for ever, section 5.4.) Different layers may
# have different rules, as in the book: Xavier for the first, the number 42 for the second.

# %%
mixed = layers.redrawn(
    jax.random.key(1),
    params,
    {"0.kernel": jax.nn.initializers.glorot_uniform(), "2.kernel": jax.nn.initializers.constant(42.0)},
)
print(f"largest of the first: {jnp.abs(mixed[0]['kernel']).max():.3f}, bound {math.sqrt(6 / 12):.3f}")
print("second:", mixed[2]["kernel"].ravel())

# %% [markdown]
# Most often each layer gets its initialiser when it is made: `layers.dense(8, init=initializers.xavier_uniform())`.
#
# ## An initialiser of one's own
#
# The book draws weights from
#
# $$w \sim \begin{cases} U(5, 10) & \text{with probability } 1/4 \\ 0 & \text{with probability } 1/2 \\
# U(-10, -5) & \text{with probability } 1/4: \end{cases}$$


# %%
def my_init(key, shape):
    w = jax.random.uniform(key, shape, minval=-10, maxval=10)
    return jnp.where(jnp.abs(w) >= 5, w, 0.0)


print(layers.redrawn(jax.random.key(2), params, {"0.kernel": my_init})[0]["kernel"][:2].round(2))
many = np.asarray(my_init(jax.random.key(3), (1_000_000,)))
print(f"share of zeros {np.mean(many == 0):.3f}, standard deviation {many.std():.3f}")
print(f"expected: .500 and sqrt((10^3 - 5^3) / (3 * 5) / 2) = {math.sqrt((1000 - 125) / 15 / 2):.4f}")

# %% [markdown]
# ## The defaults differ
#
# If you say nothing, PyTorch draws weights *and* biases from $U(-1/\sqrt{n}, 1/\sqrt{n})$, where $n$ is the number of
# numbers that a unit sees; for a convolution of 5 x 5 pixels of one channel, $n = 25$ and the bound is 0.2. Flax draws
# from a truncated normal distribution of variance $1/n$ and begins with zero biases. Here you say which:

# %%
shares = {}
edges = np.linspace(-0.5, 0.5, 41)
for name, init in {
    "torch's default": initializers.torch_linear(),
    "Flax's default": initializers.flax_linear(),
    "Xavier, uniform": initializers.xavier_uniform(),
}.items():
    kernel = np.asarray(init(jax.random.key(4), 1, 6, window=(5, 5))["kernel"])
    many = np.asarray(init(jax.random.key(4), 25, 4000)["kernel"])
    shares[name] = np.histogram(many, edges)[0] / many.size
    print(f"{name:16} kernel {kernel.shape}, largest {np.abs(kernel).max():.4f}")
print(f"bounds: torch {1 / math.sqrt(25):.4f}, Xavier {math.sqrt(6 / (25 * 1 + 25 * 6)):.6f} for 5 x 5, 1 -> 6")
plots.lines((edges[1:] + edges[:-1]) / 2, shares, xlabel="weight of a layer 25-4000", ylabel="share")

# %%
# %%torch
import torch

torch.manual_seed(0)
conv = torch.nn.Conv2d(1, 1000, 5)
print(f"torch's largest weight {conv.weight.abs().max():.4f}, largest bias {conv.bias.abs().max():.4f}")
torch.nn.init.xavier_uniform_(first := torch.empty(6, 1, 5, 5))
print(f"Xavier: largest {first.abs().max():.4f} of at most {math.sqrt(6 / 175):.4f}")

# %% [markdown]
# ## Exercise
#
# **Look up the built-in initialisers.** `jaxd2l.initializers` has the book's and the defaults of both libraries; every
# function of `jax.nn.initializers` can be a rule of `layers.redrawn`. An orthogonal one, for example:

# %%
square = layers.redrawn(jax.random.key(5), {"w": jnp.zeros((4, 4))}, {"w": jax.nn.initializers.orthogonal()})["w"]
print("orthogonal:", bool(jnp.allclose(square @ square.T, jnp.eye(4), atol=1e-6)))

# %% [markdown]
# ## Summary
#
# An initialiser is a function of a key and a shape. Rules by name replace walking over modules. The defaults of PyTorch
# and Flax are different distributions, so say which you want before you compare two runs.
