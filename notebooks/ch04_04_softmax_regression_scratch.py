# %% [markdown]
# # 4.4 Softmax regression from scratch
#
# Softmax regression has three parts: a linear layer $\mathbf{O} = \mathbf{X}\mathbf{W} + \mathbf{b}$, the softmax that
# turns its outputs into probabilities, and the cross-entropy loss. This section builds each part, trains the model on
# Fashion-MNIST, and looks at what it gets wrong.
#
# [This section in the book](https://d2l.ai/chapter_linear-classification/softmax-regression-scratch.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import activations, data, losses, models, plots, train
from jaxd2l.types import Model

# %% [markdown]
# ## The softmax
#
# $$\mathrm{softmax}(\mathbf{X})_{ij} = \frac{\exp(\mathbf{X}_{ij})}{\sum_k \exp(\mathbf{X}_{ik})}$$
#
# We need a sum along one axis that keeps this axis, so that the division broadcasts:

# %%
X = jnp.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
print(X.sum(0, keepdims=True))
print(X.sum(1, keepdims=True))

# %% [markdown]
# If we write the formula down as it stands, it fails where `exp` overflows, which in float32 happens from 89 on:
# $\infty / \infty$ is NaN. PyTorch uses the same number format and fails in the same way.


# %%
def naive_softmax(X):
    X_exp = jnp.exp(X)
    return X_exp / X_exp.sum(1, keepdims=True)


large = jnp.array([[100.0, 0.0]])

# %%
# %%torch
import torch

torch.set_num_threads(1)  # for batches this small, more threads cost more than they gain

X_exp = torch.exp(torch.tensor([[100.0, 0.0]]))
print("JAX:  ", naive_softmax(large))
print("torch:", (X_exp / X_exp.sum(1, keepdims=True)).numpy())

# %% [markdown]
# Subtracting a constant from all scores changes the numerator and the denominator by the same factor. We subtract the
# largest score, as `activations.softmax` does. Then no exponent is above 0, and one of them is 0:


# %%
def softmax(X):
    X_exp = jnp.exp(X - X.max(1, keepdims=True))
    return X_exp / X_exp.sum(1, keepdims=True)


print(softmax(large), " as in the package:", bool((softmax(large) == activations.softmax(large)).all()))
X = jax.random.uniform(jax.random.key(0), (2, 5))
X_prob = softmax(X)
print(np.asarray(X_prob).round(4))
print("rows sum to:", X_prob.sum(1).round(4), " as the naive one:", bool(jnp.allclose(X_prob, naive_softmax(X))))

# %% [markdown]
# ## The model
#
# We flatten each image into 784 features. There are ten classes, so $\mathbf{W}$ has the shape $(784, 10)$ and
# $\mathbf{b}$ has the shape $(10,)$. The weights are drawn from $\mathcal{N}(0, 0.01^2)$, and the biases are 0. In the
# book they are attributes of an object. Here `init` draws them from a key and returns a dictionary, and `apply` takes
# it as an argument. `apply` flattens the images, computes $\mathbf{X}\mathbf{W} + \mathbf{b}$ and applies the softmax.
# The two functions together are a `Model`:


# %%
def init(key):
    return {"kernel": 0.01 * jax.random.normal(key, (784, 10)), "bias": jnp.zeros(10)}


def apply(params, X, *, key=None):
    return softmax(X.reshape(-1, 784) @ params["kernel"] + params["bias"])


net = Model(init, apply)
params = net.init(jax.random.key(0))
for name, value in params.items():
    print(f"{name:7}{value.shape!s:10} standard deviation {value.std():.4f}")
dataset = data.fashion_mnist()
images = data.to_float(dataset.train.inputs[:256])
probabilities = net.apply(params, images)
print(probabilities.shape)

# %% [markdown]
# The package's `models.softmax_regression` has the same parameters, but it returns the scores. With our parameters, the
# softmax of its scores equals our output:

# %%
scores = models.softmax_regression(784, 10)
of_package = activations.softmax(scores.apply(params, images))
print("as in the package:", bool(jnp.allclose(probabilities, of_package, atol=1e-6)))

# %% [markdown]
# ## The cross-entropy
#
# The loss of an example is $-\log \hat{y}_y$, minus the logarithm of the probability of its true class. So we pick one
# probability from each row, by indexing with two arrays. The loss of a minibatch is the mean:


# %%
def cross_entropy(y_hat, y):
    return -jnp.log(y_hat[jnp.arange(len(y)), y]).mean()


y = jnp.array([0, 2])
y_hat = jnp.array([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]])
print("JAX:  ", y_hat[jnp.arange(2), y])

# %%
# %%torch
print("torch:", torch.tensor(np.asarray(y_hat))[[0, 1], torch.tensor([0, 2])].numpy())

# %%
of_package = losses.cross_entropy_from_probabilities(y_hat, y)
print(f"cross-entropy: {cross_entropy(y_hat, y):.4f}, of the package {of_package:.4f}")

# %% [markdown]
# In PyTorch, a label that is not one of the classes raises an `IndexError`. JAX silently replaces an index out of
# bounds by the nearest one, so with three classes label 3 would be trained as label 2. The package's losses check the
# labels. Inside `jit` they cannot look at the values, and return NaN for a wrong label instead:

# %%
wrong_label = jnp.array([0, 3])
print("ours:", cross_entropy(y_hat, wrong_label), "- as with label 2:", cross_entropy(y_hat, jnp.array([0, 2])))
try:
    losses.cross_entropy_from_probabilities(y_hat, wrong_label)
except ValueError as error:
    print("ValueError:", error)
print("under jit:", jax.jit(losses.cross_entropy_from_probabilities)(y_hat, wrong_label))

# %% [markdown]
# ## Training
#
# We train with minibatches of 256 and a learning rate of 0.1 for ten epochs. From here on we use the package's loss,
# which computes the same as ours and also checks the labels. Each epoch is one compiled program that shuffles the
# examples, takes the steps and returns their losses; `live_curves` draws between epochs.

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
# We take the first fifty steps again in PyTorch, written as in the book, from the same weights and with the same
# minibatches. Every loss agrees:

# %%
start = train.create_state(jax.random.key(0), net, optax.sgd(0.1)).params

# %%
# %%torch
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
# We predict the class with the largest probability, which is also the one with the largest score. Here are some images
# that the model gets wrong. The first line is the true class, and the second line is the prediction:

# %%
X, y = dataset.test.inputs[:256], dataset.test.labels[:256]
preds = train.predict(net, state.params, X).argmax(1)
print(preds.shape)
wrong = np.flatnonzero(np.asarray(preds) != y)[:8]
titles = [f"{dataset.class_names[y[i]]}\n{dataset.class_names[preds[i]]}" for i in wrong]
plots.image_grid(X[wrong], titles=titles)

# %% [markdown]
# ## Exercises
#
# **1. What does the naive softmax return for an input of 100? For inputs that are all below -100?** As shown above, 100
# overflows. Far below 0, every exponential rounds to 0, and 0/0 is NaN as well. If we subtract the largest entry first,
# both are harmless:

# %%
small = jnp.array([[-110.0, -111.0]])
print("naive: ", naive_softmax(small))
print("stable:", np.asarray(activations.softmax(small)).round(4))

# %% [markdown]
# **2. Write the cross-entropy by its definition, $-\sum_i y_i \log \hat{y}_i$. Is it slower? When would you use it?**
# It takes the logarithms of all $C$ probabilities and multiplies most of them by zero, whereas picking takes only one
# logarithm. With thousands of classes that matters:


# %%
def by_definition(probabilities, labels):
    one_hot = jax.nn.one_hot(labels, probabilities.shape[-1])
    return -(one_hot * jnp.log(probabilities)).sum(-1).mean()


print(f"{by_definition(y_hat, jnp.array([0, 2])):.4f} {cross_entropy(y_hat, jnp.array([0, 2])):.4f}")

# %% tags=["timing"]
many = activations.softmax(jax.random.normal(jax.random.key(1), (256, 10000)))
classes = jnp.arange(256)
for function in (by_definition, cross_entropy):
    compiled = jax.jit(function)
    compiled(many, classes).block_until_ready()
    begun = time.perf_counter()
    for _ in range(20):
        compiled(many, classes).block_until_ready()
    print(f"{function.__name__:14} {1000 * (time.perf_counter() - begun) / 20:.2f} ms")

# %% [markdown]
# You need the definition for **soft** labels, where several $y_i$ are above 0; `losses.cross_entropy` accepts those. Be
# careful with the logarithm: if a class with $y_i = 0$ has probability 0, its term is $0 \cdot \infty$, which is NaN. A
# loss that takes scores never computes the logarithm of 0 (section 4.5).

# %%
certain = jnp.array([[1.0, 0.0]])
print("by definition:", by_definition(certain, jnp.array([0])))
print("picked:       ", losses.cross_entropy_from_probabilities(certain, jnp.array([0])))
print("from scores:  ", losses.cross_entropy(jnp.array([[0.0, -200.0]]), jnp.array([[1.0, 0.0]])))

# %% [markdown]
# **3. Is it always good to return the most likely class?** No. If missing an illness costs more than a false alarm, a
# less likely class can be the better answer. Exercise 3 of section 4.3 computes an example.
#
# **4. What is hard about predicting the next word from a large vocabulary?** Each step computes, normalises and
# differentiates one score per word, and $\mathbf{W}$ has a column per word. With 512 features and 100000 words it has
# 51 million numbers, and most of the words hardly ever occur in the data. One remedy is to split words into pieces that
# occur more often. Another is to estimate the sum from a sample of words.

# %%
wide = jax.eval_shape(models.softmax_regression(512, 100_000).init, jax.random.key(0))
print("parameters:", sum(leaf.size for leaf in jax.tree.leaves(wide)))

# %% [markdown]
# **5. How does the validation loss depend on the learning rate, and on the size of the minibatches?** We train for
# three epochs each time. If the rate is too small, training does not get far; if it is too large, the loss jumps up and
# down. (`inject_hyperparams` keeps the rate in the optimiser's state, so that one compiled program serves all rates.)

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
# With a fixed rate, larger minibatches mean fewer steps per epoch and so less progress:

# %%
for batch_size in (64, 1024):
    print(f"minibatches of {batch_size:4}: {test_loss(0.1, batch_size):.2f}")

# %% [markdown]
# ## Summary
#
# A linear layer, a softmax and a cross-entropy loss make a classifier that is right on five of six test images.
# Subtract the largest score before you compute the softmax. And in JAX, check the labels, because indexing does not
# complain about a wrong one.
