# %% [markdown]
# # 5.2 Implementation of multilayer perceptrons
#
# This section builds a classifier for Fashion-MNIST with one hidden layer of 256 units: from scratch, with Flax, and in
# PyTorch for comparison. An image of 28 x 28 pixels is a row of 784 numbers. The model is
#
# $$\mathbf{H} = \mathrm{relu}(\mathbf{X} \mathbf{W}^{(1)} + \mathbf{b}^{(1)}), \qquad
# \mathbf{O} = \mathbf{H} \mathbf{W}^{(2)} + \mathbf{b}^{(2)},$$
#
# and $\mathbf{O}$ holds the logits of 10 classes. The loss and the training loop are those of softmax regression. Only
# the model is new.
#
# [This section in the book](https://d2l.ai/chapter_multilayer-perceptrons/mlp-implementation.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxd2l import activations, data, initializers, losses, models, parity, plots, train
from jaxd2l.train import sweep
from jaxd2l.types import Batch, Model

fashion = data.fashion_mnist()

# %% [markdown]
# ## From scratch
#
# The parameters are a tuple with two layers. The weights begin as samples of $\mathcal{N}(0, 0.01^2)$ and the biases
# begin at 0. The weights must not all begin at 0, because then all hidden units would stay equal for ever (section
# 5.4). The forward pass is the formula.


# %%
def init(key):
    hidden_key, output_key = jax.random.split(key)
    return (
        {"kernel": 0.01 * jax.random.normal(hidden_key, (784, 256)), "bias": jnp.zeros(256)},
        {"kernel": 0.01 * jax.random.normal(output_key, (256, 10)), "bias": jnp.zeros(10)},
    )


def relu(x):
    return jnp.where(x > 0, x, 0.0)


def apply(params, X, *, key=None):
    hidden, output = params
    H = relu(X.reshape(len(X), -1) @ hidden["kernel"] + hidden["bias"])
    return H @ output["kernel"] + output["bias"]


net = Model(init, apply)
# %% [markdown]
# The package's `models.mlp` is the same model for any number of hidden layers, with dropout if you ask for it. From the
# same key it draws the same parameters as our `init`, and it computes the same logits:

# %%
params = net.init(jax.random.key(0))
for i, layer in enumerate(params, 1):
    print(f"layer {i}:", {name: array.shape for name, array in layer.items()}, f"sd {layer['kernel'].std():.3f}")
print("parameters:", sum(array.size for array in jax.tree.leaves(params)))
X = data.to_float(jnp.asarray(fashion.train.inputs[:256]))
print(X.shape, "->", net.apply(params, X).shape)
packaged = models.mlp(784, 256, 10, init=initializers.normal(0.01))
print("same parameters:", jax.tree.all(jax.tree.map(jnp.array_equal, params, packaged.init(jax.random.key(0)))))
print("same logits:", bool(jnp.allclose(net.apply(params, X), packaged.apply(params, X), atol=1e-6)))

# %% [markdown]
# ## Training
#
# We train for ten epochs with minibatches of 256 and a learning rate of 0.1. `train.fit` works with any model.

# %%
tx = optax.sgd(0.1)
state, history = train.fit(
    net,
    losses.cross_entropy,
    tx,
    fashion,
    key=jax.random.key(1),
    epochs=10,
    batch_size=256,
    on_epoch=plots.live_curves(10, title="784-256-10, from scratch"),
)

# %%
print(f"train loss {history.train_loss[-1]:.2f}, test loss {history.test_loss[-1]:.2f}")
print(f"test accuracy {history.test_accuracy[-1]:.2f}")

# %% [markdown]
# In the book's from-scratch class, and in ours above, another layer means new lines of code. With `models.mlp` it is
# one more number:

# %%
for num_hiddens in (256, (256, 128), (256, 128, 64)):
    shapes = jax.eval_shape(models.mlp(784, num_hiddens, 10).init, jax.random.key(0))
    sizes = " -> ".join(["784", *(str(layer["bias"].shape[0]) for layer in shapes)])
    print(f"{sizes}: {sum(array.size for array in jax.tree.leaves(shapes))} parameters")

# %% [markdown]
# ## Concise, with Flax
#
# `models.flax_mlp` takes the same arguments and builds the model from a Flax module. From the same key it draws the
# same numbers, so this run repeats the one above. Its first two epochs are enough to see that.

# %%
concise = models.flax_mlp(784, 256, 10)
_, with_flax = train.fit(concise, losses.cross_entropy, tx, fashion, key=jax.random.key(1), epochs=2, batch_size=256)
for name, run in {"from scratch": history, "with Flax": with_flax}.items():
    print(f"{name:12} train loss by epoch:", ", ".join(f"{loss:.2f}" for loss in run.train_loss[:2]))

# %% [markdown]
# `models.from_flax` turns your own Flax module into a model. Here is the comparison with PyTorch:
#
# | | PyTorch | Flax |
# |---|---|---|
# | flatten | `nn.Flatten()` | `x.reshape(len(x), -1)` |
# | hidden layer | `nn.Linear(784, 256)` | `nnx.Linear(784, 256, rngs=rngs)` |
# | activation | `nn.ReLU()` | `nnx.relu` |
# | output layer | `nn.Linear(256, 10)` | `nnx.Linear(256, 10, rngs=rngs)` |
# | weight | (out, in) | (in, out) |
# | first weights | U($-1/\sqrt{in}$, $1/\sqrt{in}$), biases too | truncated normal of variance $1/in$, biases 0 |
#
# So the two libraries do **not** begin with the same distribution unless you say so. In `models` both forms use
# `initializers.normal`.


# %%
def in_flax(rngs):
    return nnx.Sequential(
        lambda x: x.reshape(len(x), -1), nnx.Linear(784, 256, rngs=rngs), nnx.relu, nnx.Linear(256, 10, rngs=rngs)
    )


sequential = models.from_flax(in_flax)

# %%
# %%torch
import torch

in_torch = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
print("names in Flax: ", sequential.init(jax.random.key(0))["layers"].keys())
print("names in torch:", sorted(in_torch.state_dict()))

# %% [markdown]
# Do all of them compute the same? `parity.from_torch` converts PyTorch's weights to JAX, transposed where necessary,
# and it converts PyTorch's gradients in the same way. (`parity.check` makes the full comparison of any two models,
# including training.)

# %%
y = fashion.train.labels[:256]

# %%
# %%torch
logits = in_torch(torch.tensor(np.asarray(X)))
torch.nn.functional.cross_entropy(logits, torch.tensor(y).long()).backward()
torch_grads = {name: p.grad for name, p in in_torch.named_parameters()}
for name, model in {"from scratch": net, "flax_mlp": concise, "own module": sequential}.items():
    like = jax.eval_shape(model.init, jax.random.key(0))
    carried, expected = parity.from_torch(in_torch.state_dict(), like), parity.from_torch(torch_grads, like)
    grads = jax.grad(lambda p, model=model: losses.cross_entropy(model.apply(p, X), y))(carried)
    same_logits = np.allclose(model.apply(carried, X), logits.detach().numpy(), atol=1e-5)
    same_grads = all(jax.tree.leaves(jax.tree.map(lambda a, b: np.allclose(a, b, atol=1e-5), grads, expected)))
    print(f"{name:13} logits as in torch: {same_logits}, gradients as in torch: {same_grads}")

# %% [markdown]
# ## Exercises
#
# To save time, these use only 10000 of the 60000 training images, and 2000 of the test images.

# %%
fewer = fashion._replace(
    train=Batch(*(array[:10_000] for array in fashion.train)), test=Batch(*(array[:2000] for array in fashion.test))
)


def last_accuracy(model):
    """Test accuracy after a short run."""
    _, run = train.fit(model, losses.cross_entropy, tx, fewer, key=jax.random.key(2), epochs=5, batch_size=256)
    return run.test_accuracy[-1]


# %% [markdown]
# **1. and 3. Change the number of hidden units. Why is a layer of a single unit a bad idea?** A wider layer helps, but
# less and less, while the number of parameters and the work grow in proportion. A layer with a single unit passes on
# one number per image, which is hardly enough to distinguish ten classes.

# %%
for width in (1, 64):
    print(f"{width:2} hidden units: test accuracy {last_accuracy(models.mlp(784, width, 10)):.2f}")

# %% [markdown]
# **2. Add hidden layers. What happens?** With $\mathcal{N}(0, 0.01^2)$ each further layer shrinks the signal, until the
# network learns nothing in the given time. The depth is not to blame: with Kaiming's initialisation (section 5.4) the
# same network learns.

# %%
for name, init in {"N(0, 0.01^2)": initializers.normal(0.01), "Kaiming": initializers.kaiming_normal()}.items():
    print(f"three hidden layers, {name:12}: {last_accuracy(models.mlp(784, (64, 64, 64), 10, init=init)):.1f}")

# %% [markdown]
# **4. Change the learning rate. Which one is best, and for how many epochs?** `sweep.sweep` trains with all of them at
# once, in one program. If the rate is too small, the network learns slowly; if it is too large, it does not learn at
# all. With more epochs, a smaller rate catches up.

# %%
rates = (0.001, 0.01, 0.1, 0.5, 5.0)
tried = sweep.sweep(
    models.mlp(784, 64, 10),
    losses.cross_entropy,
    optax.sgd,
    fewer,
    seeds=[2],
    grid={"learning_rate": rates},
    epochs=10,
    batch_size=256,
)
for rate, accuracy in zip(rates, tried.history.test_accuracy[0], strict=True):
    print(f"learning rate {rate:5}: test accuracy {accuracy[1]:.1f} after 2 epochs, {accuracy[-1]:.1f} after 10")

# %% [markdown]
# **5. Optimise all of them together: the learning rate, the number of epochs, layers and units. Why is that so much
# harder?** A grid of 5 values each for 4 hyperparameters has 625 points, and each point is a training run. The best
# value of one depends on the others. And the best of many validation accuracies is too optimistic (section 4.6), so a
# third set must judge it. Random points are better than a grid, because each of them tries a new value of the
# hyperparameter that matters. You can also stop runs early that begin badly. Runs that share a compiled program are
# cheap, as the rates and seeds in `sweep.sweep` do.
#
# **6. How fast are the two implementations?** They are equally fast, because JAX traces both into nearly the same
# program, no matter how the Python code looks. This holds for deeper networks as well. We time an epoch of 10000
# images, after compilation:


# %% tags=["timing"]
def seconds_per_epoch(model):
    train.fit(model, losses.cross_entropy, tx, fewer, key=jax.random.key(2), epochs=1, batch_size=256)
    begun = time.perf_counter()
    train.fit(model, losses.cross_entropy, tx, fewer, key=jax.random.key(2), epochs=3, batch_size=256)
    return (time.perf_counter() - begun) / 3


for num_hiddens in (256, (256, 256)):
    for name, make in {"from scratch": models.mlp, "with Flax": models.flax_mlp}.items():
        print(f"{num_hiddens!s:10} {name:12} {1000 * seconds_per_epoch(make(784, num_hiddens, 10)):.0f} ms")

# %% [markdown]
# **7. Are products of well-aligned matrices faster?** A vector register holds 8 or 16 float32 numbers, and the numbers
# left over at the end of a row take an extra step. On a CPU this is little compared with 1024 products. On a GPU, whose
# units multiply whole tiles, it is more. We take the best of 5 runs:


# %% tags=["timing"]
def milliseconds(n):
    square = jax.random.normal(jax.random.key(0), (n, n))
    product = jax.jit(jnp.matmul)
    product(square, square).block_until_ready()
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        product(square, square).block_until_ready()
        times.append(time.perf_counter() - begun)
    return 1000 * min(times)


print(", ".join(f"{n}: {milliseconds(n):.1f} ms" for n in (1024, 1025, 1026, 1028, 1032)))

# %% [markdown]
# **8. and 9. Which activation function works best, and does the initialisation matter?** The initialisation matters, as
# exercise 2 shows. The activations differ less if each begins with suitable weights:

# %%
for activation in (activations.relu, activations.tanh, activations.sigmoid):
    init = initializers.kaiming_normal() if activation is activations.relu else initializers.xavier_normal()
    accuracy = last_accuracy(models.mlp(784, 64, 10, activation=activation, init=init))
    print(f"{activation.__name__:8} test accuracy {accuracy:.1f}")

# %% [markdown]
# ## Summary
#
# An MLP takes a few more lines than softmax regression and uses the same training loop. `models.mlp` has any number of
# layers. With the same weights, the Flax form and PyTorch compute the same, but by default they begin with different
# weights.
