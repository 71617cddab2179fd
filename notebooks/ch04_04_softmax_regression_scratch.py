# %% [markdown]
# # 4.4 Softmax regression from scratch
#
# Softmax regression has three parts: a linear layer $\mathbf{O} = \mathbf{X}\mathbf{W} + \mathbf{b}$, the softmax that
# makes probabilities of its outputs, and the cross-entropy of the labels. This section builds each, trains them on
# Fashion-MNIST, and looks at what the model gets wrong.

# %%
# %matplotlib inline
import inspect
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from jaxd2l import activations, data, losses, models, plots, train
from jaxd2l.types import Model

torch.set_num_threads(1)  # for batches this small more threads cost more than they bring

# %% [markdown]
# ## The softmax
#
# $$\mathrm{softmax}(\mathbf{X})_{ij} = \frac{\exp(\mathbf{X}_{ij})}{\sum_k \exp(\mathbf{X}_{ik})}$$
#
# It needs a sum along one axis that keeps this axis, so that the quotient broadcasts:

# %%
X = jnp.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
print(X.sum(0, keepdims=True))
print(X.sum(1, keepdims=True))

# %% [markdown]
# Written down as it stands, the formula fails where `exp` overflows, in float32 from 89 on: $\infty / \infty$ is NaN.
# PyTorch computes with the same numbers and fails in the same way.


# %%
def naive_softmax(X):
    X_exp = jnp.exp(X)
    return X_exp / X_exp.sum(1, keepdims=True)


large = jnp.array([[100.0, 0.0]])
X_exp = torch.exp(torch.tensor([[100.0, 0.0]]))
print("JAX:  ", naive_softmax(large))
print("torch:", (X_exp / X_exp.sum(1, keepdims=True)).numpy())

# %% [markdown]
# Subtracting a constant from all scores changes numerator and denominator by the same factor. `activations.softmax`
# subtracts the largest, so that no exponent is above 0 and one of them is 0:

# %%
print(inspect.getsource(activations.softmax))
print(inspect.getsource(activations._subtract_max))

# %%
print(activations.softmax(large))
X = jax.random.uniform(jax.random.key(0), (2, 5))
X_prob = activations.softmax(X)
print(np.asarray(X_prob).round(4))
print("rows sum to:", X_prob.sum(1).round(4), " as the naive one:", bool(jnp.allclose(X_prob, naive_softmax(X))))

# %% [markdown]
# ## The model
#
# Each image is flattened into 784 features; ten classes give $\mathbf{W}$ the shape $(784, 10)$ and $\mathbf{b}$ the
# shape $(10,)$. The weights are drawn from $\mathcal{N}(0, 0.01^2)$, the biases are 0. The book's class holds them as
# attributes; here they are a dictionary, which is drawn from a key and handed over. `apply` flattens and computes
# $\mathbf{X}\mathbf{W} + \mathbf{b}$.

# %%
scores = models.softmax_regression(784, 10)
params = scores.init(jax.random.key(0))
for name, value in params.items():
    print(f"{name:7}{value.shape!s:10} standard deviation {value.std():.4f}")
dataset = data.fashion_mnist()
images = data.to_float(dataset.train.inputs[:256])
by_hand = images.reshape(-1, 784) @ params["kernel"] + params["bias"]
print("X W + b:", bool(jnp.allclose(scores.apply(params, images), by_hand, atol=1e-5)))

# %% [markdown]
# `models.softmax_regression` ends with the scores. The book's model from scratch ends with probabilities, so the
# softmax goes on top. A `Model` is two functions, and the second one is put together from what we have:


# %%
def probabilities(params, inputs, *, key=None):
    return activations.softmax(scores.apply(params, inputs, key=key))


net = Model(scores.init, probabilities)
print(net.apply(params, images).shape)

# %% [markdown]
# ## The cross-entropy
#
# The loss of an example is $-\log \hat{y}_y$, minus the logarithm of the probability that its true class gets. So one
# probability of each row has to be picked, which indexing with two arrays does:

# %%
y = jnp.array([0, 2])
y_hat = jnp.array([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]])
print("JAX:  ", y_hat[jnp.array([0, 1]), y])
print("torch:", torch.tensor(np.asarray(y_hat))[[0, 1], torch.tensor([0, 2])].numpy())
print(f"cross-entropy of the two: {losses.cross_entropy_from_probabilities(y_hat, y):.4f}")

# %% [markdown]
# A label that is no class raises an `IndexError` in PyTorch. In JAX an index out of bounds is moved to the nearest
# element in silence: label 3 of three classes would be trained as label 2. The package's losses check, and
# they pick by comparing with all classes, so that inside `jit`, where no label can be looked at, a wrong one gives NaN.

# %%
print(inspect.getsource(losses.cross_entropy_from_probabilities))
print(inspect.getsource(losses._pick))

# %%
print("indexing:", y_hat[jnp.array([0, 1]), jnp.array([0, 3])])
try:
    losses.cross_entropy_from_probabilities(y_hat, jnp.array([0, 3]))
except ValueError as error:
    print("ValueError:", error)

# %% [markdown]
# ## Training
#
# Minibatches of 256, a learning rate of 0.1, ten epochs. Each epoch is one compiled program that shuffles, steps and
# reports; the picture is drawn between epochs.

# %%
state, history = train.fit(
    net,
    losses.cross_entropy_from_probabilities,
    optax.sgd(0.1),
    dataset,
    key=jax.random.key(0),
    epochs=10,
    batch_size=256,
    on_epoch=plots.live_curves(10, title="Softmax regression from scratch"),
)
print(f"test loss {history.test_loss[-1]:.2f}, test accuracy {history.test_accuracy[-1]:.2f}")

# %% [markdown]
# The same first fifty steps in PyTorch, written as in the book, from the same weights and on the same minibatches.
# Every loss agrees:

# %%
start = train.create_state(jax.random.key(0), net, optax.sgd(0.1)).params
W = torch.tensor(np.asarray(start["kernel"]), requires_grad=True)
b = torch.tensor(np.asarray(start["bias"]), requires_grad=True)
optimizer = torch.optim.SGD([W, b], lr=0.1)
losses_in_torch = []
for i in data.epoch_indices(jax.random.key(0), epoch=0, n=60000, batch_size=256)[:50]:
    X = torch.tensor(dataset.train.inputs[i]).float().div(255).reshape(-1, 784)
    y = torch.tensor(dataset.train.labels[i]).long()
    o = X @ W + b
    o_exp = torch.exp(o - o.max(1, keepdim=True).values)
    y_hat_torch = o_exp / o_exp.sum(1, keepdim=True)
    loss = -torch.log(y_hat_torch[torch.arange(len(y)), y]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses_in_torch.append(loss.item())
print(f"torch: {losses_in_torch[0]:.4f} ... {losses_in_torch[-1]:.4f}")
print(f"JAX:   {history.step_loss[0, 0]:.4f} ... {history.step_loss[0, 49]:.4f}")
print("all agree:", np.allclose(losses_in_torch, history.step_loss[0, :50], atol=1e-5))

# %% [markdown]
# ## Prediction
#
# The prediction is the class of the largest probability, which is that of the largest score. Some images that the model
# gets wrong; the first line is the true class, the second the predicted one:

# %%
X, y = dataset.test.inputs[:256], dataset.test.labels[:256]
preds = train.predict(net, state.params, X).argmax(1)
print(preds.shape)
wrong = np.flatnonzero(np.asarray(preds) != y)[:8]
titles = [f"{dataset.class_names[y[i]]}\n{dataset.class_names[preds[i]]}" for i in wrong]
plots.image_grid(X[wrong], titles)

# %% [markdown]
# ## Exercises
#
# **1. What does softmax make of an input of 100? Of inputs that are all below -100?** Above, 100 overflowed. Far below
# 0 every exponential rounds to 0, and 0/0 is NaN as well. Relative to the largest entry both are harmless:

# %%
small = jnp.array([[-110.0, -111.0]])
print("naive: ", naive_softmax(small))
print("stable:", np.asarray(activations.softmax(small)).round(4))

# %% [markdown]
# **2. Write the cross-entropy by its definition, $-\sum_i y_i \log \hat{y}_i$. Is it slower? When would one use it?**
# It takes logarithms of all $C$ probabilities and multiplies them by zeros, where picking takes one. With thousands of
# classes that counts:


# %%
def by_definition(probabilities, labels):
    one_hot = jax.nn.one_hot(labels, probabilities.shape[-1])
    return -(one_hot * jnp.log(probabilities)).sum(-1).mean()


def by_picking(probabilities, labels):
    return -jnp.log(jnp.take_along_axis(probabilities, labels[:, None], axis=-1)).mean()


print(f"{by_definition(y_hat, jnp.array([0, 2])):.4f} {by_picking(y_hat, jnp.array([0, 2])):.4f}")

# %% tags=["timing"]
many = activations.softmax(jax.random.normal(jax.random.key(1), (256, 10000)))
classes = jnp.arange(256)
for function in (by_definition, by_picking):
    compiled = jax.jit(function)
    compiled(many, classes).block_until_ready()
    begun = time.perf_counter()
    for _ in range(20):
        compiled(many, classes).block_until_ready()
    print(f"{function.__name__:14} {1000 * (time.perf_counter() - begun) / 20:.2f} ms")

# %% [markdown]
# The definition is right for **soft** labels, where several $y_i$ are above 0; `losses.cross_entropy` accepts those.
# What to be careful of is the logarithm: a probability of 0 that nobody asks for gives $0 \cdot \infty$. From scores
# no logarithm of 0 is ever taken (section 4.5).

# %%
certain = jnp.array([[1.0, 0.0]])
print("by definition:", by_definition(certain, jnp.array([0])))
print("picked:       ", losses.cross_entropy_from_probabilities(certain, jnp.array([0])))
print("from scores:  ", losses.cross_entropy(jnp.array([[0.0, -200.0]]), jnp.array([[1.0, 0.0]])))

# %% [markdown]
# **3. Is it always good to return the most likely class?** No: if an unseen illness costs more than a false alarm, a
# less likely class can be the better answer. Section 4.3, exercise 3, computes it.
#
# **4. What is hard about predicting the next word out of a large vocabulary?** Each step computes, normalises and
# differentiates one score per word, and $\mathbf{W}$ has a column per word: with 512 features and 100000 words 51
# million numbers, most of whose words hardly ever occur in the data. Words get cut into pieces that occur more often,
# or the sum is estimated from a sample of words.

# %%
wide = jax.eval_shape(models.softmax_regression(512, 100_000).init, jax.random.key(0))
print("parameters:", sum(leaf.size for leaf in jax.tree.leaves(wide)))

# %% [markdown]
# **5. How does the validation loss depend on the learning rate, and on the size of the minibatches?** After three
# epochs each. A rate that is too small has not got far, one that is too large jumps about. (`inject_hyperparams` keeps
# the rate in the optimiser's state, so that one compiled program serves all rates.)

# %%
tx = optax.inject_hyperparams(optax.sgd)(learning_rate=0.1)


def test_loss(lr, batch_size):
    start = train.create_state(jax.random.key(0), scores, tx)
    opt_state = start.opt_state._replace(hyperparams={"learning_rate": jnp.float32(lr)})
    _, history = train.fit(
        scores,
        losses.cross_entropy,
        tx,
        dataset,
        key=jax.random.key(0),
        epochs=3,
        batch_size=batch_size,
        state=start._replace(opt_state=opt_state),
    )
    return history.test_loss[-1]


rates = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
plots.lines(
    rates,
    {"test loss": [test_loss(lr, batch_size=256) for lr in rates]},
    xlabel="learning rate",
    ylabel="test loss after 3 epochs",
    xscale="log",
)

# %% [markdown]
# With a fixed rate, larger minibatches mean fewer steps in an epoch, hence less progress:

# %%
for batch_size in (64, 1024):
    print(f"minibatches of {batch_size:4}: {test_loss(0.1, batch_size):.2f}")

# %% [markdown]
# ## Summary
#
# A linear layer, a softmax and a cross-entropy make a classifier that is right on five of six test images. The
# softmax has to be computed relative to the largest score; and in JAX a wrong label has to be looked for, because
# indexing does not complain.
