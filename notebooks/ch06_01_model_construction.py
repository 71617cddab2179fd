# %% [markdown]
# # 6.1 Layers and modules
#
# A network consists of layers, and a part of a network is again a layer. In PyTorch a layer is a class with parameters
# inside. Here it is a pair of pure functions: one that draws parameters, and one that uses them. You will write such
# pairs by hand, put them together, and run a forward pass with a loop in it, which PyTorch can differentiate as it
# stands and JAX cannot.
#
# [This section in the book](https://d2l.ai/chapter_builders-guide/model-construction.html)

# %%
# %load_ext jaxd2l.parity.notebook
import jax
import jax.numpy as jnp

from jaxd2l import activations, models
from jaxd2l.book import builders
from jaxd2l.models import layers

X = jax.random.uniform(jax.random.key(0), (2, 20))

# %% [markdown]
# ## A module of one's own
#
# The book's `MLP` has a hidden layer of 256 units and an output layer of 10. As functions:


# %%
def dense_init(key, num_inputs, num_outputs):
    bound = num_inputs**-0.5
    return {
        "kernel": jax.random.uniform(key, (num_inputs, num_outputs), minval=-bound, maxval=bound),
        "bias": jnp.zeros(num_outputs),
    }


def dense(params, x):
    return x @ params["kernel"] + params["bias"]


def mlp_init(key):
    hidden_key, output_key = jax.random.split(key)
    return {"hidden": dense_init(hidden_key, 20, 256), "output": dense_init(output_key, 256, 10)}


def mlp(params, x):
    return dense(params["output"], jax.nn.relu(dense(params["hidden"], x)))


params = mlp_init(jax.random.key(1))
print(mlp(params, X).shape, "and", sum(p.size for p in jax.tree.leaves(params)), "parameters")

# %% [markdown]
# Nothing is hidden: the parameters are a value that we pass, so we can copy, print, save or differentiate them like any
# other. What a class adds in PyTorch (registering parameters, walking over submodules) a nested dictionary does here.
#
# ## The sequential module
#
# `nn.Sequential` calls its parts in turn. From scratch that is a loop:


# %%
def sequential(*functions):
    def apply(params, x):
        for f, p in zip(functions, params, strict=True):
            x = f(p, x)
        return x

    return apply


def relu(params, x):
    return jax.nn.relu(x)


net = sequential(dense, relu, dense)
print("the same as mlp:", bool(jnp.array_equal(net((params["hidden"], (), params["output"]), X), mlp(params, X))))

# %% [markdown]
# `layers.sequential` is this loop, and `layers.dense(256)` is the pair `(dense_init, dense)`. The number of inputs need
# not be given: it follows from the input shape when the layers become a model (section 6.4). `layers.parallel` gives
# all its parts the same inputs and joins the outputs, and `layers.repeat` takes a part several times over.

# %%
block = layers.sequential(
    layers.dense(64), layers.function(activations.relu), layers.dense(32), layers.function(activations.relu)
)
nested = layers.sequential(block, layers.dense(16), layers.function(activations.relu))
print(layers.summary(nested, (20,), depth=2))

# %% [markdown]
# ## Code in the forward pass
#
# The book's `FixedHiddenMLP` has a weight that is never learnt, uses one layer twice, and halves its result until it is
# small. The constant is just a variable that the function sees. It is no parameter, so no optimiser finds it. In
# PyTorch it must be a *buffer*, or it is left behind when the model moves to a GPU or to a file.
#
# The loop is the hard part. PyTorch records what ran, loop or not. JAX compiles the function for all inputs, and a loop
# of unknown length keeps no record that could be run backwards:


# %%
def halve(x):
    return jax.lax.while_loop(lambda x: jnp.abs(x).sum() > 1, lambda x: x / 2, x)


x = jnp.array([1.0, 2.0, 4.0])
print(halve(x))
try:
    jax.grad(lambda x: halve(x).sum())(x)
except ValueError as error:
    print("ValueError:", str(error).split(".")[0])

# %% [markdown]
# The way out: the *number* of halvings is a whole number and has no gradient anyway. We count first, then divide once,
# and what is differentiated has no loop in it. `builders.halved` does this; it runs under `jit`, too.


# %%
def halved(x):
    size = jax.lax.stop_gradient(jnp.abs(x).sum())
    times = jnp.ceil(jnp.log2(jnp.maximum(size, 1)))
    return x / 2**times


for f in (halved, builders.halved, jax.jit(builders.halved)):
    value, gradient = jax.value_and_grad(lambda x, f=f: f(x).sum())(x)
    print(f(x), "sum", value, "gradient", gradient)

# %%
# %%torch
import torch

z = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
y = z
while y.abs().sum() > 1:
    y = y / 2
y.sum().backward()
print(y.detach(), "gradient", z.grad)

# %% [markdown]
# Now the whole module, with the constant and the layer that is used twice:

# %%
constant = jax.random.uniform(jax.random.key(2), (20, 20))


def fixed_hidden_mlp(params, x):
    h = dense(params, x)
    h = jax.nn.relu(h @ constant + 1)
    h = dense(params, h)
    return builders.halved(h).sum()


shared = dense_init(jax.random.key(3), 20, 20)
value, gradients = jax.jit(jax.value_and_grad(fixed_hidden_mlp))(shared, X)
print(f"{value:.4f}", {name: gradient.shape for name, gradient in gradients.items()})

# %% [markdown]
# ## Exercises
#
# **1. What goes wrong if modules are kept in a Python list?** In PyTorch their parameters are not registered: the
# optimiser does not see them, and they are in no `state_dict`. Here a list is a pytree like any other.
#
# **2. A module with two networks side by side, whose outputs are joined.** That is `layers.parallel`:

# %%
two = layers.model(layers.parallel(layers.dense(3), layers.sequential(layers.dense(8), layers.dense(2))), (20,))
print(two.apply(two.init(jax.random.key(4)), X).shape)

# %% [markdown]
# **3. Many instances of one module in a row.** `layers.repeat` gives each its own parameters; section 6.2 ties them.

# %%
deep = layers.model(layers.repeat(3, layers.dense(20)), (20,))
deep_params = deep.init(jax.random.key(5))
print(len(deep_params), "layers; equal parameters:", bool(jnp.array_equal(*[p["kernel"] for p in deep_params[:2]])))
print("models.linear is the same function:", bool(jnp.allclose(models.linear(shared, X), dense(shared, X), atol=1e-6)))

# %% [markdown]
# ## Summary
#
# A layer is two pure functions, and layers of layers are again such pairs. What PyTorch keeps in objects is here a
# value that travels. Loops over data are differentiated after what decides them has been computed.
