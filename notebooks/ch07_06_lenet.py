# %% [markdown]
# # 7.6 Convolutional neural networks (LeNet)
#
# LeNet read the digits on cheques in the 1990s. You will write it from scratch with the functions of this chapter,
# train it on Fashion-MNIST in one compiled program, see what its first kernels look for, and prove that it computes
# what the book's PyTorch class computes.
#
# [This section in the book](https://d2l.ai/chapter_convolutional-neural-networks/lenet.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l import activations, data, initializers, losses, models, optim, plots, train
from jaxd2l.models import layers
from jaxd2l.types import Batch, Model

fashion = data.fashion_mnist()

# %% [markdown]
# ## From scratch
#
# Two convolutions, each with a sigmoid and mean pooling, then three dense layers. The weights begin with Xavier's
# uniform distribution. (The biases begin at 0; in the book they keep PyTorch's small random numbers.)


# %%
def xavier(key, fan_in, fan_out, shape):
    bound = (6 / (fan_in + fan_out)) ** 0.5
    return {"kernel": jax.random.uniform(key, shape, minval=-bound, maxval=bound), "bias": jnp.zeros(shape[-1])}


def init(key):
    keys = jax.random.split(key, 5)
    return (
        xavier(keys[0], 25 * 1, 25 * 6, (5, 5, 1, 6)),
        xavier(keys[1], 25 * 6, 25 * 16, (5, 5, 6, 16)),
        xavier(keys[2], 400, 120, (400, 120)),
        xavier(keys[3], 120, 84, (120, 84)),
        xavier(keys[4], 84, 10, (84, 10)),
    )


def apply(params, x, *, key=None):
    conv1, conv2, dense1, dense2, output = params
    x = jax.nn.sigmoid(models.conv2d(x, conv1["kernel"], padding=2) + conv1["bias"])
    x = models.mean_pool(x, 2)
    x = jax.nn.sigmoid(models.conv2d(x, conv2["kernel"]) + conv2["bias"])
    x = models.mean_pool(x, 2)
    x = x.reshape(len(x), -1)
    for layer in (dense1, dense2):
        x = jax.nn.sigmoid(x @ layer["kernel"] + layer["bias"])
    return x @ output["kernel"] + output["bias"]


scratch = Model(init, apply)
print(scratch)

# %% [markdown]
# `models.lenet` is the same network, made of layers; `models.flax_lenet` is made of `nnx.Conv` and `nnx.Linear`. From
# our parameters all three compute the same:

# %%
lenet = models.lenet()
print(layers.summary(lenet))
params = scratch.init(jax.random.key(0))
X = data.to_float(jnp.asarray(fashion.test.inputs[:4]))
given = iter(params)
as_layers = tuple(next(given) if layer else () for layer in lenet.init(jax.random.key(0)))
flax = {"layers": dict(enumerate(params))}
for name, outputs in {
    "models.lenet": lenet.apply(as_layers, X),
    "models.flax_lenet": models.flax_lenet().apply(flax, X),
}.items():
    print(f"{name:18} the same logits:", bool(jnp.allclose(outputs, scratch.apply(params, X), atol=1e-5)))

# %% [markdown]
# ## Training
#
# With the book's gradient descent at a rate of 0.1, ten epochs reach about 0.74, and for the first two nothing happens:
# the sigmoids flatten the signal, and the gradients are tiny. Adam (section 12.10) gets there in two epochs of half of
# the images. An epoch is one compiled program.

# %%
some = fashion._replace(
    train=Batch(*(array[:30_000] for array in fashion.train)), test=Batch(*(array[:2000] for array in fashion.test))
)


def fit(model, **options):
    return train.fit(
        model, losses.cross_entropy, optim.adam(0.006), some, key=jax.random.key(1), epochs=2, batch_size=128, **options
    )


state, history = fit(lenet, on_epoch=plots.live_curves(2, title="LeNet, sigmoids and means"))

# %%
print("more than 0.65 of the test images are classified correctly:", bool(history.test_accuracy[-1] > 0.65))

# %% [markdown]
# With relus and maxima, from PyTorch's first weights (section 12.11), the same network does better after one epoch than
# this one after two:

# %%
modern = models.lenet(activation=activations.relu, pool=models.max_pool, init=initializers.torch_linear())
modern_state, modern_history = fit(modern)
print("better:", bool(modern_history.test_accuracy[0] > history.test_accuracy[-1]))

# %% [markdown]
# ## What it looks for
#
# The six kernels of the first layer, and what they make of a sneaker:

# %%
kernels = np.asarray(modern_state.params[0]["kernel"]).transpose(3, 0, 1, 2)
sneaker = X[2:3] if fashion.test.labels[2] == 7 else data.to_float(jnp.asarray(fashion.test.inputs[9:10]))
maps = activations.relu(
    models.conv2d(sneaker, modern_state.params[0]["kernel"], padding=2) + modern_state.params[0]["bias"]
)
maps = np.asarray(maps).transpose(3, 1, 2, 0)
scaled = [(k - k.min()) / np.ptp(k) for k in kernels]
plots.image_grid(np.stack(scaled), titles=[f"kernel {i}" for i in range(6)], columns=6)

# %%
plots.image_grid(maps / maps.max(), titles=[f"map {i}" for i in range(6)], columns=6)

# %% [markdown]
# ## The proof
#
# The book's class in PyTorch, with its own weights, against `models.lenet`: outputs, loss and gradients. One
# thing is easily forgotten. PyTorch flattens by channels first, we by channels last; so the rows of the first dense
# kernel must be put in another order. Without that all shapes fit and the numbers are wrong.

# %%
# %%torch
from torch import nn

from jaxd2l import parity

book = nn.Sequential(
    nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
    nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten(),
    nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
)  # fmt: skip
weights = {f"{i}.kernel": parity.take(f"{i}.weight").T for i in (0, 3, 7, 9, 11)}
weights |= {f"{i}.bias": parity.take(f"{i}.bias") for i in (0, 3, 7, 9, 11)}
weights["7.kernel"] = parity.take("7.weight").reshape(120, 16, 5, 5).transpose(2, 3, 1, 0).reshape(400, 120)
batch = np.asarray(X).transpose(0, 3, 1, 2), np.array(fashion.test.labels[:4])
report = parity.check(
    book,
    lenet,
    batch,
    weights=weights,
    to_jax="NCHW->NHWC",
    loss=(nn.functional.cross_entropy, losses.cross_entropy),
)
print(report)

# %% [markdown]
# ## Exercises
#
# **1. Modern parts.** Maxima for means and relus for sigmoids: see above, they help more than anything else. (The book
# says softmax, and means the sigmoid.)
#
# **2. Change kernel size, channels, layers, rate.** A layer is a line of `layers.sequential`, and `summary` says what
# it costs before you train it:


# %%
def network(channels, size):
    relu = layers.function(activations.relu)
    return layers.sequential(
        layers.conv(channels, size, padding=size // 2), relu, layers.max_pool(2),
        layers.conv(2 * channels, size, padding=size // 2), relu, layers.max_pool(2),
        layers.flatten(), layers.dense(64), relu, layers.dense(10),
    )  # fmt: skip


for channels, size in ((4, 3), (12, 3), (6, 5), (12, 5)):
    cost = layers.summary(network(channels, size), (28, 28, 1))
    print(f"{channels:2} channels, {size} x {size}: {cost.parameters:7,} parameters, {cost.multiply_adds:9,} products")

# %% [markdown]
# **3. MNIST's digits** are easier: with the same network, 0.99. **4. Activations** for different inputs: see the maps
# above. **5. Noise as an input?** The network has no class for "none of these", so it calls noise a bag or a shirt, and
# is often sure of it.
#
# ## Summary
#
# LeNet alternates convolutions and pooling until the image is small, and ends in dense layers. Of its 61,706 parameters
# only 2572 are in the convolutions, which do 86 percent of the work.
