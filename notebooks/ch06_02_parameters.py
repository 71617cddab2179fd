# %% [markdown]
# # 6.2 Parameter management
#
# After training, the parameters are all that is left of a network. You will list them, read and replace one by its
# name, and share one set of parameters between two layers.
#
# [This section in the book](https://d2l.ai/chapter_builders-guide/parameters.html)

# %%
# %load_ext jaxd2l.parity.notebook
import jax
import jax.numpy as jnp

from jaxd2l import activations
from jaxd2l.models import layers

relu = layers.function(activations.relu)
net = layers.model(layers.sequential(layers.dense(8), relu, layers.dense(1)), (4,))
params = net.init(jax.random.key(0))
X = jax.random.uniform(jax.random.key(1), (2, 4))
print(net.apply(params, X).shape)

# %% [markdown]
# ## Access
#
# The parameters of a sequence are a tuple with one entry per layer, so indices reach them. Layer 1, the relu, has none.

# %%
print(params[1])
print(params[2]["bias"])

# %% [markdown]
# For all of them at once, JAX walks over any nested structure and gives the path of each array. The names below are
# made of these paths. The same names stand in checkpoint files and in the reports of `parity.check`.

# %%
for path, array in jax.tree_util.tree_leaves_with_path(params):
    print(jax.tree_util.keystr(path), array.shape)
named = layers.named(params)
print({name: array.shape for name, array in named.items()}, sum(array.size for array in named.values()), "in all")
print(named["2.bias"])

# %% [markdown]
# Arrays in JAX never change. To set a parameter is to make new parameters that share all the other arrays:

# %%
changed = layers.replaced(params, {"2.bias": 42.0})
print("new:", changed[2]["bias"], "old:", params[2]["bias"])
print("the others are the same:", bool(jnp.array_equal(changed[0]["kernel"], params[0]["kernel"])))

# %%
# %%torch
import torch
from torch import nn

torch_net = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(1))
torch_net(torch.rand(2, 4))
print([(name, tuple(p.shape)) for name, p in torch_net.named_parameters()])

# %% [markdown]
# Torch's names differ in one word, and its weight is the transpose of our kernel.
#
# ## Tied parameters
#
# The book uses one layer twice in a network of 4-8-8-8-1. From scratch: use the same entry twice.


# %%
def dense(p, x):
    return x @ p["kernel"] + p["bias"]


def tied_net(params, x):
    first, shared, last = params
    h = jax.nn.relu(dense(first, x))
    for _ in range(2):
        h = jax.nn.relu(dense(shared, h))
    return dense(last, h)


# %% [markdown]
# `layers.tied(2, layer)` does this for any layer that keeps the shape. There are 121 parameters, not the 193 of five
# separate layers:

# %%
hidden = layers.sequential(layers.dense(8), relu)
tied = layers.model(layers.sequential(layers.dense(8), relu, layers.tied(2, hidden), layers.dense(1)), (4,))
tied_params = tied.init(jax.random.key(2))
print(sum(array.size for array in jax.tree.leaves(tied_params)), "parameters")
ours = tied_net((tied_params[0], tied_params[2][0], tied_params[3]), X)
print("the same as from scratch:", bool(jnp.allclose(ours, tied.apply(tied_params, X), atol=1e-6)))

# %% [markdown]
# What is the gradient of a parameter that is used twice? The sum over its uses. With $f(w) = w \cdot 2w$ both factors
# contribute $2w$, so at $w = 3$ it is 12:

# %%
print(jax.grad(lambda w: w * (2 * w))(3.0))
gradients = jax.grad(lambda p: tied.apply(p, X).sum())(tied_params)
apart = layers.model(layers.sequential(layers.dense(8), relu, hidden, hidden, layers.dense(1)), (4,))
first, _, middle, last = tied_params
separate = jax.grad(lambda p: apart.apply(p, X).sum())((first, (), middle, middle, last))
both = separate[2][0]["kernel"] + separate[3][0]["kernel"]
print("the sum over both uses:", bool(jnp.allclose(gradients[2][0]["kernel"], both, atol=1e-6)))

# %% [markdown]
# ## Exercises
#
# **1. Access the parameters of the nested MLP of section 6.1.**

# %%
nested = layers.sequential(layers.sequential(layers.dense(64), relu, layers.dense(32), relu), layers.dense(16), relu)
print({name: a.shape for name, a in layers.named(layers.model(nested, (20,)).init(jax.random.key(3))).items()})

# %% [markdown]
# **2. Train a network with a tied layer and watch parameters and gradients.** A step of gradient descent moves the
# shared layer once, by the sum of both gradients, and both uses stay equal. If two *copies* were trained, they would
# part after the first step:

# %%
print("one gradient for both uses:", gradients[2][0]["kernel"].shape)
distance = jnp.abs(separate[2][0]["kernel"] - separate[3][0]["kernel"]).max()
print("the gradients of two copies differ:", bool(distance > 0))

# %% [markdown]
# **3. Why share parameters?** Fewer numbers to store and to learn, and the same rule at every place: a convolution
# (chapter 7) is a dense layer whose rows share their weights, and a recurrent network is one layer tied in time.
#
# ## Summary
#
# Parameters are a nested value with names. To change one is to make a new value. Tied layers are one entry that is used
# twice, and its gradient is the sum over the uses.
