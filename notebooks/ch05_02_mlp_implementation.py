# %% [markdown]
# # 5.2 Implementation of multilayer perceptrons
#
# A classifier of Fashion-MNIST with one hidden layer of 256 relus: from scratch, with Flax, and beside PyTorch. An
# image of 28 x 28 pixels is a row of 784 numbers,
#
# $$\mathbf{H} = \mathrm{relu}(\mathbf{X} \mathbf{W}^{(1)} + \mathbf{b}^{(1)}), \qquad
# \mathbf{O} = \mathbf{H} \mathbf{W}^{(2)} + \mathbf{b}^{(2)},$$
#
# and $\mathbf{O}$ holds the logits of 10 classes. Loss and training loop are those of softmax regression; only the
# model is new.

# %%
# %matplotlib inline
import inspect
import time

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from jaxd2l import activations, data, initializers, losses, models, parity, plots, train
from jaxd2l.train import sweep
from jaxd2l.types import Batch

fashion = data.fashion_mnist()

# %% [markdown]
# ## From scratch
#
# The package's `models.mlp` is this section's from-scratch code: parameters are a tuple of layers, and a forward pass
# walks them. (The lines about dropout belong to section 5.6, and do nothing here.)

# %%
print(inspect.getsource(models.mlp))

# %%
print(inspect.getsource(models.linear.linear))
print(inspect.getsource(models.linear.init_layers))

# %% [markdown]
# Weights begin as samples of $\mathcal{N}(0, 0.01^2)$ and biases at 0. The weights cannot begin at 0 too: then all
# hidden units would stay alike for ever (section 5.4).

# %%
net = models.mlp(784, 256, 10, init=initializers.normal(0.01))
params = net.init(jax.random.key(0))
for i, layer in enumerate(params, 1):
    print(f"layer {i}:", {name: array.shape for name, array in layer.items()}, f"sd {layer['kernel'].std():.3f}")
print("parameters:", sum(array.size for array in jax.tree.leaves(params)))
X = data.to_float(jnp.asarray(fashion.train.inputs[:256]))
print(X.shape, "->", net.apply(params, X).shape)

# %% [markdown]
# ## Training
#
# Ten epochs of minibatches of 256 at a learning rate of 0.1. Nothing in `train.fit` knows which model it trains.

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
# In the book's from-scratch class another layer means new attributes and new lines. Here it is one more number:

# %%
for num_hiddens in (256, (256, 128), (256, 128, 64)):
    shapes = jax.eval_shape(models.mlp(784, num_hiddens, 10).init, jax.random.key(0))
    sizes = " -> ".join(["784", *(str(layer["bias"].shape[0]) for layer in shapes)])
    print(f"{sizes}: {sum(array.size for array in jax.tree.leaves(shapes))} parameters")

# %% [markdown]
# ## Concise, with Flax
#
# `models.flax_mlp` takes the same arguments and makes a Flax module. From one key both draw the same numbers, so this
# run is the one above once more; its first two epochs will do.

# %%
concise = models.flax_mlp(784, 256, 10)
_, with_flax = train.fit(concise, losses.cross_entropy, tx, fashion, key=jax.random.key(1), epochs=2, batch_size=256)
for name, run in {"from scratch": history, "with Flax": with_flax}.items():
    print(f"{name:12} train loss by epoch:", ", ".join(f"{loss:.2f}" for loss in run.train_loss[:2]))

# %% [markdown]
# A module of your own goes through `models.from_flax`. Beside it, the same model in PyTorch:
#
# | | PyTorch | Flax |
# |---|---|---|
# | flatten | `nn.Flatten()` | `x.reshape(len(x), -1)` |
# | hidden layer | `nn.LazyLinear(256)` | `nn.Dense(256)` |
# | activation | `nn.ReLU()` | `nn.relu` |
# | output layer | `nn.LazyLinear(10)` | `nn.Dense(10)` |
# | number of inputs | from the first batch | from the example handed to `init` |
# | weight | (out, in) | (in, out) |
# | first weights | U($-1/\sqrt{in}$, $1/\sqrt{in}$), biases too | truncated normal of variance $1/in$, biases 0 |
#
# So the two libraries do **not** begin alike unless told to: here `initializers.normal` in both `models`.

# %%
sequential = models.from_flax(
    nn.Sequential([lambda x: x.reshape(len(x), -1), nn.Dense(256), nn.relu, nn.Dense(10)]), jnp.zeros((1, 28, 28, 1))
)
in_torch = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
print("names in Flax: ", sorted(sequential.init(jax.random.key(0))["params"]))
print("names in torch:", sorted(in_torch.state_dict()))

# %% [markdown]
# Do all of them compute the same? `parity.from_torch` carries PyTorch's weights across, turned as JAX wants them, and
# PyTorch's gradients just as well. (`parity.check` makes the full comparison, training included, of any two models.)

# %%
y = fashion.train.labels[:256]
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
# To be quick, these run on 10000 of the 60000 training images, and 2000 of the test images.

# %%
fewer = fashion._replace(
    train=Batch(*(array[:10_000] for array in fashion.train)), test=Batch(*(array[:2000] for array in fashion.test))
)


def last_accuracy(model):
    """Test accuracy after a short run."""
    _, run = train.fit(model, losses.cross_entropy, tx, fewer, key=jax.random.key(2), epochs=5, batch_size=256)
    return run.test_accuracy[-1]


# %% [markdown]
# **1. and 3. Change the number of hidden units. Why is a layer of a single unit a bad idea?** Wider helps, less and
# less, while parameters and arithmetic grow in proportion. A single unit lets through one number per image, which can
# hardly tell ten classes apart.

# %%
for width in (1, 64):
    print(f"{width:2} hidden units: test accuracy {last_accuracy(models.mlp(784, width, 10)):.2f}")

# %% [markdown]
# **2. Add hidden layers. What happens?** With $\mathcal{N}(0, 0.01^2)$ each further layer shrinks the signal, until
# nothing is learnt in the time given. The depth is not at fault: with Kaiming's initialisation (section 5.4) the same
# network learns.

# %%
for name, init in {"N(0, 0.01^2)": initializers.normal(0.01), "Kaiming": initializers.kaiming_normal()}.items():
    print(f"three hidden layers, {name:12}: {last_accuracy(models.mlp(784, (64, 64, 64), 10, init=init)):.1f}")

# %% [markdown]
# **4. Change the learning rate. Which is best, for which number of epochs?** `sweep.sweep` trains all of them at once,
# as one program. Too small a rate learns slowly, too large a one not at all; longer training forgives a smaller rate.

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
# **5. Optimise all of them together: rate, epochs, layers and units. Why is that so much harder?** A grid of 5 values
# each for 4 numbers has 625 points, and each point is a training. What is best for one depends on the others, and the
# best of many validation accuracies is too good to be true (section 4.6), so that a third set must judge it. Random
# points are better than a grid, for each of them tries a new value of the number that matters. Runs that begin badly
# are stopped early. What can share a compiled program, as rates and seeds do in `sweep.sweep`, is cheap.
#
# **6. How fast are the two implementations?** The same: both are traced into nearly the same program, whatever the
# Python around it looks like. Deeper networks change nothing about it. An epoch of 10000 images, compiled before:


# %% tags=["timing"]
def seconds_per_epoch(model):
    train.fit(model, losses.cross_entropy, tx, fewer, key=jax.random.key(2), epochs=1, batch_size=256)
    begun = time.perf_counter()
    train.fit(model, losses.cross_entropy, tx, fewer, key=jax.random.key(2), epochs=5, batch_size=256)
    return (time.perf_counter() - begun) / 5


for num_hiddens in (256, (256, 256)):
    for name, make in {"from scratch": models.mlp, "with Flax": models.flax_mlp}.items():
        print(f"{num_hiddens!s:10} {name:12} {1000 * seconds_per_epoch(make(784, num_hiddens, 10)):.0f} ms")

# %% [markdown]
# **7. Are products of well-aligned matrices faster?** A vector register takes 8 or 16 numbers of float32 at once, and
# what is left over at the end of a row takes a step of its own. Against 1024 products this is little on a CPU, and
# more on a GPU, whose units multiply whole tiles. Best of 5:


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
# **8. and 9. Which activation function works best, and does the initialisation matter?** The initialisation does, by
# exercise 2. The activations differ less, if each begins with weights that suit it:

# %%
for activation in (activations.relu, activations.tanh, activations.sigmoid):
    init = initializers.kaiming_normal() if activation is activations.relu else initializers.xavier_normal()
    accuracy = last_accuracy(models.mlp(784, 64, 10, activation=activation, init=init))
    print(f"{activation.__name__:8} test accuracy {accuracy:.1f}")

# %% [markdown]
# ## Summary
#
# An MLP is a few lines more than softmax regression, with the same training loop. `models.mlp` has any number of
# layers. From the same weights, the Flax form and PyTorch compute the same; left alone, they begin differently.
