# %% [markdown]
# # 6.4 Lazy initialization
#
# How can a layer be defined without saying how many inputs it gets? Its sizes follow from the data. You will see how
# JAX works out every shape without computing anything, and use it to look at networks that fit into no memory.
#
# [This section in the book](https://d2l.ai/chapter_builders-guide/lazy-init.html)

# %%
# %load_ext jaxd2l.parity.notebook
import jax
import jax.numpy as jnp

from jaxd2l import activations, models
from jaxd2l.models import layers

# %% [markdown]
# ## From the first batch
#
# PyTorch's `LazyLinear` waits for the first batch, and then it makes its weights. So a layer *changes* when it is first
# used; before that it has no parameters to initialise. From scratch, without change: a layer is a function that gets
# the input shape and returns its parameters *and* the shape of its outputs, which the next layer gets.


# %%
def dense(num_outputs):
    def init(key, input_shape):
        (num_inputs,) = input_shape
        return jax.random.normal(key, (num_inputs, num_outputs)), (num_outputs,)

    return init


def init_all(key, input_shape, inits):
    params, shape = [], input_shape
    for i, init in enumerate(inits):
        weight, shape = init(jax.random.fold_in(key, i), shape)
        params.append(weight)
    return params


weights = init_all(jax.random.key(0), (20,), [dense(256), dense(10)])
print([weight.shape for weight in weights])

# %% [markdown]
# `layers` works this way. A layer has no size of its inputs; `layers.model(layer, input_shape)` gives it one.

# %%
net = layers.sequential(layers.dense(256), layers.function(activations.relu), layers.dense(10))
for num_inputs in (20, 784):
    params = layers.model(net, (num_inputs,)).init(jax.random.key(0))
    print(num_inputs, "inputs:", params[0]["kernel"].shape, params[2]["kernel"].shape)

# %%
# %%torch
import torch

lazy = torch.nn.Sequential(torch.nn.LazyLinear(256), torch.nn.ReLU(), torch.nn.LazyLinear(10))
print("before:", lazy[0].weight)
lazy(torch.rand(2, 20))
print("after: ", tuple(lazy[0].weight.shape))

# %% [markdown]
# ## Shapes without numbers
#
# How does `layers` know the shape of the outputs of *any* layer, a function of yours included? It does not compute
# them. `jax.eval_shape` runs a function with stand-ins that have a shape and a dtype, and no numbers:

# %%
stand_in = jax.ShapeDtypeStruct((32, 28, 28, 1), jnp.float32)
print(jax.eval_shape(lambda x: x.reshape(len(x), -1) @ jnp.ones((784, 10)), stand_in))
lenet = models.lenet()
print(jax.eval_shape(lenet.init, jax.random.key(0))[7]["kernel"])

# %% [markdown]
# So a summary of a network costs nothing, not even for one whose parameters would fill half a billion laptops:

# %%
print(layers.summary(lenet))
print()
print(layers.summary(layers.sequential(layers.dense(10**9), layers.dense(10**9)), (10**9,)))

# %% [markdown]
# ## A misfit has a name
#
# Because all shapes are known when the model is made, an error comes before the first batch, and it says which layer
# got what:

# %%
for wrong, shape in (
    (layers.sequential(layers.flatten(), layers.dense(4), layers.conv(6, 5)), (28, 28, 1)),
    (layers.sequential(layers.conv(6, 5), layers.max_pool(2), layers.conv(16, 5)), (12, 12, 1)),
):
    try:
        layers.model(wrong, shape)
    except ValueError as error:
        print(error)

# %% [markdown]
# ## Exercises
#
# **1. What if the input size of the first layer is given, but not those of the others?** In PyTorch the first has its
# weights at once, the others at the first batch. Here all get them from `init`.
#
# **2. What if the sizes do not fit?** See above. In PyTorch, two lazy layers always fit, and the error comes with the
# second batch of another size.
#
# **3. What would you need for inputs of different sizes?** Layers whose parameters do not depend on them: convolutions
# and means over the whole image, as in chapter 8. The same parameters then take images of any size:

# %%
anywhere = layers.model(layers.sequential(layers.conv(4, 3), layers.global_mean_pool(), layers.dense(2)), (28, 28, 1))
params = anywhere.init(jax.random.key(1))
for size in (28, 50):
    print(size, "->", anywhere.apply(params, jnp.ones((1, size, size, 1))).shape)

# %% [markdown]
# ## Summary
#
# Sizes follow from the shape of the inputs. Nothing has to be computed for it: shapes are traced. Misfits show before
# training, with the name of the layer.
