# %% [markdown]
# # 6.5 Custom layers
#
# Sooner or later you need a layer that no library has. You will write layers without and with parameters, put them into
# networks beside built-in ones, and see a mistake in the book's own example that keeps a layer from learning.
#
# [This section in the book](https://d2l.ai/chapter_builders-guide/custom-layer.html)

# %%
# %load_ext jaxd2l.parity.notebook
import jax
import jax.numpy as jnp
import optax

from jaxd2l import activations
from jaxd2l.book import builders
from jaxd2l.models import layers

# %% [markdown]
# ## Layers without parameters
#
# A function is enough. `layers.function` makes a layer of it:

# %%
centred = layers.function(lambda x: x - x.mean(), name="centred")
print(layers.model(centred, (5,)).apply((), jnp.array([[1.0, 2.0, 3.0, 4.0, 5.0]])))
net = layers.model(layers.sequential(layers.dense(128), centred), (8,))
Y = net.apply(net.init(jax.random.key(0)), jax.random.uniform(jax.random.key(1), (4, 8)))
print("mean of the outputs is 0 up to rounding:", bool(jnp.abs(Y.mean()) < 1e-6))

# %% [markdown]
# ## Layers with parameters
#
# A layer is a `Layer(init, apply, name)`. `init(key, input_shape)` returns parameters and state (which ours does not
# have), `apply` takes both. Here is the book's `MyLinear`, a dense layer with a relu:


# %%
def my_dense(num_outputs):
    def init(key, input_shape):
        (num_inputs,) = input_shape
        kernel = jax.random.normal(key, (num_inputs, num_outputs)) / jnp.sqrt(num_inputs)
        return {"kernel": kernel, "bias": jnp.zeros(num_outputs)}, ()

    def apply(params, state, x, *, train=False, key=None):
        return jax.nn.relu(x @ params["kernel"] + params["bias"]), state

    return layers.Layer(init, apply, f"my dense {num_outputs}")


alone = layers.model(my_dense(3), (5,))
params = alone.init(jax.random.key(2))
print({name: p.shape for name, p in params.items()})
print(alone.apply(params, jnp.ones((2, 5))).shape)

# %%
network = layers.sequential(my_dense(8), my_dense(1))
print(layers.summary(network, (64,)))

# %% [markdown]
# ## A layer that cannot learn
#
# The book's class computes with `self.weight.data`, and `.data` cuts the weight off from the gradient:

# %%
# %%torch
import torch
from torch import nn


class MyLinear(nn.Module):
    def __init__(self, in_units, units, *, cut):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(in_units, units))
        self.cut = cut

    def forward(self, X):
        return X @ (self.weight.data if self.cut else self.weight)


for cut in (True, False):
    layer = MyLinear(2, 1, cut=cut)
    out = layer(torch.ones(1, 2, requires_grad=True)).sum()
    out.backward()
    print("with .data: " if cut else "without:    ", "gradient", layer.weight.grad)

# %% [markdown]
# Pure functions have nothing to cut by accident; you would have to write `jax.lax.stop_gradient`. Ours learns:

# %%
X = jax.random.normal(jax.random.key(3), (64, 5))
target = jax.nn.relu(X @ jnp.array([[1.0], [2.0], [0.0], [-1.0], [3.0]]))
learner = layers.model(my_dense(1), (5,))
params, tx = learner.init(jax.random.key(4)), optax.adam(0.05)
state = tx.init(params)


@jax.jit
def step(params, state):
    loss, grads = jax.value_and_grad(lambda p: jnp.mean((learner.apply(p, X) - target) ** 2))(params)
    updates, state = tx.update(grads, state)
    return optax.apply_updates(params, updates), state, loss


for i in range(301):
    params, state, loss = step(params, state)
    if i % 100 == 0:
        print(f"step {i:3}: loss {loss:.3f}")

# %% [markdown]
# ## Exercises
#
# **1. A layer that computes $y_k = \sum_{i, j} W_{ijk} x_i x_j$.** One `einsum`; `builders.tensor_reduction` is the
# same. As a layer:


# %%
def quadratic(num_outputs):
    def init(key, input_shape):
        (n,) = input_shape
        return {"W": jax.random.normal(key, (n, n, num_outputs)) / n}, ()

    def apply(params, state, x, *, train=False, key=None):
        return jnp.einsum("ijk,ni,nj->nk", params["W"], x, x), state

    return layers.Layer(init, apply, "quadratic")


form = layers.model(layers.sequential(quadratic(3), layers.function(activations.relu), layers.dense(1)), (4,))
params = form.init(jax.random.key(5))
x = jax.random.normal(jax.random.key(6), (2, 4))
print(form.apply(params, x).shape)
ours, theirs = jnp.einsum("ijk,ni,nj->nk", params[0]["W"], x, x), builders.tensor_reduction(params[0]["W"], x)
print("as builders.tensor_reduction:", bool(jnp.allclose(ours, theirs)))

# %% [markdown]
# **2. A layer that returns the leading half of the Fourier coefficients.** A function, again:

# %%
fourier = layers.function(lambda x: jnp.fft.fft(x)[:, : -(-x.shape[1] // 2)], name="fourier")
print(layers.model(fourier, (4,)).apply((), jnp.array([[1.0, 2.0, 3.0, 4.0]])))
print(builders.leading_fourier(jnp.array([1.0, 2.0, 3.0, 4.0])))

# %% [markdown]
# ## Summary
#
# A function is a layer without parameters. A layer with parameters is two functions and a name. Both stand in networks
# beside the built-in ones, with shapes and summaries for free.
