# %% [markdown]
# # 3.3 Synthetic regression data
#
# Before we train a model on data whose true parameters nobody knows, we should train it on data whose parameters we
# chose. This section draws such data from a known line, looks at them, and deals them out in shuffled minibatches.
# Sections 3.4 and 3.5 then try to recover the line.
#
# [This section in the book](https://d2l.ai/chapter_linear-regression/synthetic-regression-data.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import matplotlib.pyplot as plt
import numpy as np

from jaxd2l import data

# %% [markdown]
# ## Generating the dataset
#
# The features $\mathbf{X} \in \mathbb{R}^{n \times d}$ are drawn from a standard normal distribution. The labels lie on
# the line, up to a small error:
#
# $$\mathbf{y} = \mathbf{X} \mathbf{w} + b + \boldsymbol{\epsilon}, \qquad \epsilon_i \sim \mathcal{N}(0, 0.01^2),$$
#
# with $\mathbf{w} = [2, -3.4]^\top$ and $b = 4.2$.


# %%
def synthetic_data(key, w, b, noise, n):
    inputs_key, noise_key = jax.random.split(key)
    X = jax.random.normal(inputs_key, (n, len(w)))
    errors = jax.random.normal(noise_key, (n, 1))
    return X, X @ w[:, None] + b + noise * errors


# %% [markdown]
# `data.synthetic_regression` does the same and splits the examples in two: here 1000 for training and 1000 for
# validation. They are NumPy arrays, because the training loop moves them to the device itself, all at once. Row $i$ of
# the inputs is an example, and row $i$ of the labels is its target, a vector of length 1.

# %%
w, b = np.array([2.0, -3.4]), 4.2
X, y = synthetic_data(jax.random.key(0), w, b, 0.01, n=2000)
dataset = data.synthetic_regression(jax.random.key(0), w, b, noise=0.01, n=1000)
for mine, packaged in zip((X, y), zip(*dataset[:2], strict=True), strict=True):
    print("as in the package:", np.allclose(mine, np.concatenate(packaged), atol=1e-5))
for name, part in (("train", dataset.train), ("validation", dataset.test)):
    print(f"{name}: inputs {part.inputs.shape}, labels {part.labels.shape}, {part.inputs.dtype}")
print("features:", dataset.train.inputs[0], "label:", dataset.train.labels[0])

# %% [markdown]
# We plot each feature against the label. The slope of the second is negative and steeper. The scatter around it is not
# the noise, which is far too small to see; it comes from the other feature.

# %%
figure, panels = plt.subplots(1, 2, figsize=(6, 2.6), sharey=True, layout="constrained")
for j, axes in enumerate(panels):
    axes.scatter(dataset.train.inputs[:, j], dataset.train.labels, s=4, color="#0072B2", alpha=0.5)
    axes.set(xlabel=f"feature $x_{j + 1}$")
    axes.grid(alpha=0.3)
panels[0].set_ylabel("label $y$")
plt.show()

# %% [markdown]
# The difference between the labels and the line is the noise. It has the standard deviation that we asked for.

# %%
errors = dataset.train.labels - (dataset.train.inputs @ w[:, None] + b)
print(f"mean {errors.mean():.4f}, standard deviation {errors.std():.4f}")

# %% [markdown]
# **Where torch differs.** `torch.randn` draws from one hidden generator, so the result of a call depends on every call
# before it. Here the data are a function of the key: the same key always gives the same data.

# %%
# %%torch
import torch

print("torch, the same call again:", bool((torch.randn(1000, 2) == torch.randn(1000, 2)).all()))

# %%
again = data.synthetic_regression(jax.random.key(0), w, b, noise=0.01, n=1000)
print("JAX, the same key:", all((x == y).all() for x, y in zip(dataset.train, again.train, strict=True)))
other = data.synthetic_regression(jax.random.key(1), w, b, noise=0.01, n=1000)
print("JAX, another key:", all((x == y).all() for x, y in zip(dataset.train, other.train, strict=True)))

# %% [markdown]
# ## Reading the dataset
#
# Minibatch SGD visits the examples in a random order, `batch_size` at a time. The book's generator shuffles with a
# global random state. Here the order of an epoch is a function of a key and of the number of the epoch.


# %%
def shuffled_batches(key, epoch, n, batch_size):
    order = jax.random.permutation(jax.random.fold_in(key, epoch), n)
    return np.split(np.asarray(order), range(batch_size, n, batch_size))


key = jax.random.key(1)
batches = shuffled_batches(key, epoch=0, n=1000, batch_size=32)
X, y = (part[batches[0]] for part in dataset.train)
print("X shape:", X.shape, "y shape:", y.shape)
print("batches:", len(batches), "examples in the last:", len(batches[-1]))

# %% [markdown]
# `data.epoch_indices` works like this function, with a faster shuffle of its own, and returns exactly the batches that
# `train.fit` draws from the same key. (`fit` makes them inside its compiled program, so that nothing is copied to the
# host and back.) Every example comes once per epoch, and the next epoch has another order.

# %%
batches = data.epoch_indices(key, epoch=0, n=1000, batch_size=32)
following = data.epoch_indices(key, epoch=1, n=1000, batch_size=32)
print("each once:", bool((np.sort(np.concatenate(batches)) == np.arange(1000)).all()))
print("first of epoch 0:", batches[0][:6])
print("first of epoch 1:", following[0][:6])

# %% [markdown]
# We do not shuffle the validation set, because its mean loss does not depend on the order.
#
# ## Concise implementation of the data loader
#
# In PyTorch a `DataLoader` makes shuffled batches. Its length is the number of batches.

# %%
# %%torch
tensors = torch.utils.data.TensorDataset(*(torch.tensor(part) for part in dataset.train))
loader = torch.utils.data.DataLoader(tensors, batch_size=32, shuffle=True)
X_torch, y_torch = next(iter(loader))
print("X shape:", tuple(X_torch.shape), "y shape:", tuple(y_torch.shape), "batches:", len(loader))

# %% [markdown]
# The loader also takes a list of batches. With ours, PyTorch sees exactly the same examples in the same order as
# `train.fit`. The parity tests rely on this: you can compare two training runs only if both see the same batches.

# %%
# %%torch
loader = torch.utils.data.DataLoader(tensors, batch_sampler=batches)
pairs = zip(loader, batches, strict=True)
print("equal batches:", all((X.numpy() == dataset.train.inputs[indices]).all() for (X, _), indices in pairs))

# %% [markdown]
# ## Side by side
#
# | | PyTorch | JAX, here |
# |---|---|---|
# | sample | `torch.randn(n, d)`, hidden generator | `jax.random.normal(key, (n, d))` |
# | data | tensors inside a `DataModule` | a `Dataset` of NumPy arrays |
# | shuffled batches | `DataLoader(shuffle=True)` | `data.epoch_indices(key, epoch, n, batch_size)` |
# | the last, short batch | kept (`drop_last=False`) | kept |
# | reproduce one epoch | set the seed and repeat all earlier draws | the same key and epoch |
#
# ## Exercises
#
# **1. What happens if the number of examples cannot be divided by the batch size?** The last batch is short: 1000 is 31
# times 32, plus 8. If all batches must have the same size, PyTorch's `drop_last=True` leaves out 8 examples, different
# ones in each epoch. Here the short batch is a step like the others, and its loss is the mean over its own 8 examples.

# %%
print([len(batch) for batch in batches[-3:]], sum(len(batch) for batch in batches))

# %%
# %%torch
print("with drop_last:", len(torch.utils.data.DataLoader(tensors, batch_size=32, drop_last=True)))

# %% [markdown]
# **2. How would you shuffle data on a disk that does not fit into memory, without reading rows at random?** Use two
# passes. First read the rows in sequence and deal them at random to several files, so many that each file fits into
# memory. Then load one file after the other and shuffle it in memory. Both passes read and write in sequence, and every
# order is equally likely. We check this by counting, with 3 rows and 2 files: in 6000 trials each of the 6 orders
# should occur about 1000 times, with a standard deviation of 29.

# %%
rng = np.random.default_rng(0)


def two_passes(rows, num_files):
    dealt = rng.integers(num_files, size=len(rows))
    return np.concatenate([rng.permutation(rows[dealt == file]) for file in range(num_files)])


orders, counts = np.unique([two_passes(np.arange(3), 2) for _ in range(6000)], axis=0, return_counts=True)
print("orders:", len(orders), "each within three standard deviations:", bool((abs(counts - 1000) < 3 * 29).all()))

# %% [markdown]
# **3. A generator that makes new data each time it is called.** Give each call its own key, folded from one key and a
# counter. You need not store anything, and no example comes twice.

# %%


def stream(key, batch_size):
    step = 0
    while True:
        yield data.synthetic_regression(jax.random.fold_in(key, step), w, b, n=batch_size, num_test=1).train
        step += 1


endless = stream(jax.random.key(2), batch_size=2)
for _ in range(2):
    print(next(endless).labels.ravel())

# %% [markdown]
# **4. A generator that makes the same data each time it is called.** Leave the counter out, or start again from the
# same key: a call has no state to change.

# %%
first, second = (next(stream(jax.random.key(2), batch_size=2)) for _ in range(2))
print("the same data:", bool((first.inputs == second.inputs).all() and (first.labels == second.labels).all()))

# %% [markdown]
# ## Summary
#
# Data from a known line show whether training works. The key determines the data. The key and the number of the epoch
# determine the order. Neither depends on what ran before, and JAX and PyTorch can use the same list of batches.
