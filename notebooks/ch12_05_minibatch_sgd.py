# %% [markdown]
# # 12.5 Minibatch stochastic gradient descent
#
# One example at a time wastes the processor, and all examples at a time waste the data. You will measure on your own
# machine why vectors are faster than numbers, and then train a linear model on NASA's airfoil data with batches of
# several sizes, by loss per epoch and by loss per second.
# [The book's section](https://d2l.ai/chapter_optimization/minibatch-sgd.html) explains caches and bandwidth.

# %%
# %matplotlib inline
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import data, losses, models, optim, plots, train

# %% [markdown]
# ## Vectorisation
#
# A product of two 256 x 256 matrices takes 33.6 million additions and multiplications, however it is written down. We
# write it element by element, column by column, block by block and whole. The first calls
# the library 65,536 times, once per element, and these calls are nearly all of its time. (These are times, so yours
# differ.)

# %% tags=["timing"]
A, B = np.asarray(jax.random.normal(jax.random.key(0), (2, 256, 256)))


def seconds(f, repeats=5):
    """The least of a few times: what else the machine does can only add to it."""
    f()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        jax.block_until_ready(f())
        times.append(time.perf_counter() - begun)
    return min(times)


def by_element():
    C = np.empty((256, 256), np.float32)
    for i in range(256):
        for j in range(256):
            C[i, j] = A[i] @ B[:, j]
    return C


def by_column():
    C = np.empty((256, 256), np.float32)
    for j in range(256):
        C[:, j] = A @ B[:, j]
    return C


def by_block(size=64):
    C = np.empty((256, 256), np.float32)
    for i in range(0, 256, size):
        for j in range(0, 256, size):
            C[i : i + size, j : j + size] = A[i : i + size] @ B[:, j : j + size]
    return C


whole = jax.jit(jnp.matmul)
ways = {"element": by_element, "column": by_column, "block of 64": by_block, "whole": lambda: whole(A, B)}
for name, way in ways.items():
    took = seconds(way)
    print(f"{name:12} {1e3 * took:9.3f} ms, {2 * 256**3 / took / 1e9:7.2f} billion operations per second")

# %%
print("all the same:", all(np.allclose(way(), A @ B, atol=1e-4) for way in ways.values()))

# %% [markdown]
# ## Minibatches
#
# A batch $\mathcal{B}$ averages the gradients of several examples,
#
# $$\mathbf{g} = \frac{1}{|\mathcal{B}|} \sum_{i \in \mathcal{B}} \nabla f_i(\mathbf{w}),$$
#
# which divides the standard deviation of the noise by $\sqrt{|\mathcal{B}|}$, and turns many products of vectors into
# one product of matrices.
#
# ## The data
#
# NASA measured the noise of wings in a wind tunnel: 1503 rows of five features and the sound level. `data.airfoil`
# downloads the file, or reads it from the folder that `JAXD2L_DATA_DIR` names, and checks its SHA-1. As the book does,
# it scales every column to mean 0 and standard deviation 1 and takes the first 1500 rows. If the file cannot be had,
# this notebook uses `data.made_up_airfoil` and says so: random numbers in the same columns, with which the numbers
# below differ a little, but the pictures are alike.

# %%
try:
    airfoil = data.airfoil()
    print("NASA's measurements")
except OSError:
    airfoil = data.made_up_airfoil(jax.random.key(0))
    print("made-up data of the same columns")
print(airfoil.train.inputs.shape, airfoil.train.labels.shape)
print("first row:", airfoil.train.inputs[0].round(3), airfoil.train.labels[0].round(3))

# %% [markdown]
# ## From scratch
#
# A linear model, the loss $(\hat y - y)^2 / 2$, and gradient descent on batches.


# %%
def loss(params, X, y):
    return jnp.mean((X @ params["w"] + params["b"] - y) ** 2) / 2


@jax.jit
def step(params, X, y, learning_rate):
    gradient = jax.grad(loss)(params, X, y)
    return jax.tree.map(lambda p, g: p - learning_rate * g, params, gradient)


def train_scratch(learning_rate, batch_size, epochs, params=None):
    X, y = map(jnp.asarray, airfoil.train)
    params = params or {"w": jnp.zeros((5, 1)), "b": jnp.zeros(1)}
    curve = [float(loss(params, X, y))]
    for epoch in range(epochs):
        for batch in data.epoch_indices(jax.random.key(0), epoch, len(X), batch_size):
            params = step(params, X[batch], y[batch], learning_rate)
        curve.append(float(loss(params, X, y)))
    return curve


X, y = np.float64(airfoil.train.inputs), np.float64(airfoil.train.labels)
X = np.c_[X, np.ones(len(X))]
lowest = np.mean((X @ np.linalg.lstsq(X, y, rcond=None)[0] - y) ** 2) / 2
steepest = np.linalg.eigvalsh(X.T @ X / len(X))[-1]
print(f"the lowest loss that a linear model can have is {lowest:.4f}")
print(f"the largest curvature is {steepest:.3f}, so a rate must be below 2 / {steepest:.3f} = {2 / steepest:.3f}")

# %% [markdown]
# Now all 1500 examples in each step, as in the book, with a rate of 1. That is above the limit: for six steps the loss
# falls, and then it **diverges**, slowly, along the steepest direction. (The book says that it stalls.) With 0.9 it
# does not.

# %%
for rate in (1.0, 0.9, 0.5):
    print(f"rate {rate}:", " ".join(f"{value:.4f}" for value in train_scratch(rate, 1500, 10)))

# %% [markdown]
# ## Batches of several sizes
#
# `train.fit` does the same in one compiled program per epoch. One pass over the data means 1500 steps with batches of
# 1, and a single step with batches of 1500. By epochs, small batches win. The rates are the book's, but for 0.9 in
# place of 1.

# %%
model = models.linear_regression(5)
settings = {"1": (0.005, 1), "10": (0.05, 10), "100": (0.4, 100), "1500": (0.9, 1500)}


def run(tx, batch_size, epochs, seed=0):
    return train.fit(
        model, losses.squared_loss, tx, airfoil, key=jax.random.key(seed), epochs=epochs, batch_size=batch_size
    )


curves = {}
for name, (rate, batch_size) in settings.items():
    curves[f"batch size {name}"] = run(optim.sgd(rate), batch_size, 6)[1].test_loss
    print(
        f"batch size {name:>4}, rate {rate}: loss after 1, 2 and 6 epochs",
        curves[f"batch size {name}"][[0, 1, 5]].round(4),
    )
plots.lines(np.arange(1, 7), curves, xlabel="epoch", ylabel="loss on all examples")

# %% [markdown]
# And the time? Called from Python, as in `train_scratch`, every step costs about the same, however little it has to do.
# So an epoch of single examples takes hundreds of times as long as one of all examples at once. `train.fit` compiles
# the epoch as a whole: nothing is left to be called 1500 times, and for a model as small as this one all batch sizes
# take about the same time. Milliseconds per epoch, without compilation:

# %% tags=["timing"]
for name, (rate, batch_size) in settings.items():
    tx = optim.sgd(rate)
    epoch = jax.jit(
        lambda state, tx=tx, n=batch_size: train.train_epoch(
            jax.random.key(0), state, airfoil.train, model=model, loss=losses.squared_loss, tx=tx, batch_size=n
        )
    )
    state = train.create_state(jax.random.key(0), model, tx)
    from_python = seconds(lambda rate=rate, n=batch_size: train_scratch(rate, n, 1))
    compiled = seconds(lambda epoch=epoch, state=state: epoch(state)[0].params)
    print(f"batch size {name:>4}: steps from Python {1e3 * from_python:8.2f} ms, one program {1e3 * compiled:5.2f} ms")

# %% [markdown]
# ## Concise
#
# The optimiser may be `optim.sgd`, which takes the steps of `torch.optim.SGD`, or `optax.sgd`: without momentum they
# are the same.

# %%
ours, by_optax = (run(tx, 10, 2)[1].test_loss for tx in (optim.sgd(0.05), optax.sgd(0.05)))
print("optim.sgd:", ours.round(4), " optax.sgd:", by_optax.round(4))

# %% [markdown]
# ## Exercises
#
# **1. Change batch size and learning rate. How do loss and time change?** Above. Smaller batches need smaller rates:
# their noise leaves the parameters with a variance in proportion to the rate (section 12.4).
#
# **2. Let the learning rate fall to 1/10 after each epoch.** The noise of the constant rate is gone:

# %%
falling = optax.piecewise_constant_schedule(0.05, {150: 0.1, 300: 0.1})
for name, tx in {"constant": optim.sgd(0.05), "falling": optim.sgd(falling)}.items():
    history = run(tx, 10, 3)[1]
    print(f"{name:9}", history.test_loss.round(4), f"above the lowest by {history.test_loss[-1] - lowest:.4f}")

# %% [markdown]
# **3. Compare with sampling with replacement.** A third of the examples is not seen in an epoch, and others are seen
# twice; see section 12.4. Here the order is always a permutation.
#
# **4. An evil genie copies every example, so that the data have twice the rows. What happens to each method?** A pass
# over the data costs twice as much and tells nothing new. Full-batch descent takes the same steps, each at twice the
# cost. Stochastic descent, per step, notices nothing.
#
# ## Summary
#
# Work in batches: a processor is fast at products of matrices, and a step called from Python costs as much for one
# example as for a hundred. The noise falls with the root of the batch size, so the best size lies in between.
