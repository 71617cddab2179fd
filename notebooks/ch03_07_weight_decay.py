# %% [markdown]
# # 3.7 Weight decay
#
# More data cure overfitting, but data cost money. Weight decay is another cure. It makes large weights expensive, so
# that a weight is large only if the data demand it. This section trains 200 weights on 20 examples, with and without
# decay.
#
# [This section in the book](https://d2l.ai/chapter_linear-regression/weight-decay.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import data, initializers, losses, models, optim, plots, train
from jaxd2l.book import generalization
from jaxd2l.models import least_squares

# %% [markdown]
# ## Norms and weight decay
#
# A function is simple if it is close to $f = 0$. For a linear function we can measure that distance by the size of its
# weights. So we add a penalty to the loss:
#
# $$L(\mathbf{w}, b) + \frac{\lambda}{2} \|\mathbf{w}\|^2, \qquad
# \mathbf{w} \leftarrow (1 - \eta \lambda)\, \mathbf{w} - \eta\, \mathbf{g}.$$
#
# The gradient of the penalty is $\lambda \mathbf{w}$, so each step shrinks the weights by a constant factor, hence the
# name. The bias is not penalised: it only moves the output up or down, which does not make the function more complex.
# `generalization.l2_penalty` computes the penalty for the parameters of any model, by adding up the squares of all
# arrays called "kernel".


# %%
def l2_penalty(w):
    return jnp.sum(w**2) / 2


params = {"kernel": jnp.array([[3.0], [4.0]]), "bias": jnp.array([7.0])}
print("penalty:", l2_penalty(params["kernel"]), generalization.l2_penalty(params))
print("its gradient:", jax.tree.map(lambda g: g.ravel().tolist(), jax.grad(generalization.l2_penalty)(params)))

# %% [markdown]
# ## High-dimensional linear regression
#
# $$y = 0.05 + \sum_{i=1}^d 0.01 x_i + \epsilon, \qquad \epsilon \sim \mathcal{N}(0, 0.01^2),$$
#
# with $d = 200$, 20 examples for training and 100 for validation. There are ten times as many weights as examples, so
# many choices of the weights fit the training set perfectly, and overfitting is certain.

# %%
dataset = generalization.weight_decay_data(jax.random.key(0))
print(dataset.train.inputs.shape, dataset.train.labels.shape, dataset.test.inputs.shape)

# %% [markdown]
# ## From scratch: penalty or decay
#
# There are two ways to write it. The book's version from scratch adds the penalty to the loss. In its concise version
# the optimiser decays the weights. For SGD the two give the same step. `optim.sgd` takes PyTorch's arguments, and a
# mask that says which parameters decay. `optim.kernels` is the mask that selects the weight matrices.

# %%
key, rate = jax.random.key(1), 0.01
model = models.linear_regression(200)
params = model.init(key)
X, y = dataset.train


def penalised_loss(params, weight_decay):
    return losses.squared_loss(model.apply(params, X), y) + weight_decay * l2_penalty(params["kernel"])


by_penalty = jax.tree.map(lambda p, g: p - rate * g, params, jax.grad(penalised_loss)(params, 3.0))
tx = optim.sgd(rate, weight_decay=3.0, weight_decay_mask=optim.kernels)
updates, _ = tx.update(jax.grad(penalised_loss)(params, 0.0), tx.init(params), params)
by_decay = optax.apply_updates(params, updates)
print("the mask:", optim.kernels(params))
print("the same step:", jax.tree.map(lambda a, b: bool(jnp.allclose(a, b, atol=1e-6)), by_penalty, by_decay))

# %% [markdown]
# ## Training without regularisation
#
# We train with $\lambda = 0$ for 10 epochs, with batch size 5 and learning rate 0.01.

# %%


def run(weight_decay, title="", model=model):
    tx = optim.sgd(rate, weight_decay=weight_decay, weight_decay_mask=optim.kernels)
    draw = plots.live_curves(10, title=title) if title else None
    state, history = train.fit(model, losses.squared_loss, tx, dataset, key=key, epochs=10, batch_size=5, on_epoch=draw)
    print(f"||w||^2 = {2 * generalization.l2_penalty(state.params):.4f}")
    print(f"training loss {history.train_loss[-1]:.4f}, validation loss {history.test_loss[-1]:.4f}")
    return state


plain = run(0.0, "λ = 0")

# %% [markdown]
# The training loss vanishes, and the validation loss hardly moves. This is overfitting in its purest form.
#
# ## Using weight decay
#
# With $\lambda = 3$ the training loss is higher and the validation loss is lower.

# %%
decayed = run(3.0, "λ = 3")

# %% [markdown]
# What did the decay remove? 20 examples span only 20 of the 200 dimensions. No gradient ever points into the other 180,
# so without decay the random initial weights stay there for good. (The squared norm of all initial weights is about
# $200 \cdot 0.01^2 = 0.02$.) Only the decay reaches these directions. If the weights start at zero, training without
# decay does just as well.

# %%
run(0.0, model=models.linear_regression(200, init=initializers.normal(0.0)))
basis = np.linalg.svd(np.asarray(X, np.float64), full_matrices=False)[2].T  # the 20 directions of the examples
start = np.asarray(train.create_state(key, model, tx).params["kernel"], np.float64)
for name, weights in (("start", start), ("λ = 0", plain.params["kernel"]), ("λ = 3", decayed.params["kernel"])):
    outside = weights - basis @ (basis.T @ np.asarray(weights, np.float64))
    print(f"{name}: ||w||^2 outside the span of the examples {np.sum(outside**2):.4f}")

# %% [markdown]
# ## Concise implementation, in PyTorch and here
#
# In PyTorch each group of parameters has its own decay; a single `weight_decay` for all would decay the biases too.
# With the same batches, both arrive at the same weights.

# %%
# %%torch
import torch

net = torch.nn.Sequential(torch.nn.Linear(200, 1))
net.load_state_dict({"0.weight": torch.tensor(start.T, dtype=torch.float32), "0.bias": torch.zeros(1)})
groups = [{"params": net[0].weight, "weight_decay": 3.0}, {"params": net[0].bias}]
optimizer = torch.optim.SGD(groups, lr=rate)
for epoch in range(10):
    for indices in data.epoch_indices(key, epoch, n=20, batch_size=5):
        inputs, targets = (torch.tensor(part[indices]) for part in dataset.train)
        optimizer.zero_grad()
        (torch.nn.functional.mse_loss(net(inputs), targets) / 2).backward()
        optimizer.step()
print("equal:", np.allclose(net[0].weight.detach().numpy().T, decayed.params["kernel"], atol=1e-5))

# %% [markdown]
# Note the half in the loss. The book's concise version uses `MSELoss`, which lacks it. There the gradients are twice as
# long but the decay is not, so $\lambda = 3$ there corresponds to 1.5 here.
#
# **The book's JAX tab decays the bias as well.** To see the effect, we raise all labels by 5, which is a task for the
# bias. With decay, the bias stays far too small. The weights fit the 20 labels in its place, at the cost of a large
# error on new data.

# %%
raised = dataset._replace(
    train=dataset.train._replace(labels=dataset.train.labels + 5),
    test=dataset.test._replace(labels=dataset.test.labels + 5),
)
for name, mask in (("weights alone", optim.kernels), ("bias too", None)):
    tx = optim.sgd(rate, weight_decay=3.0, weight_decay_mask=mask)
    state, history = train.fit(model, losses.squared_loss, tx, raised, key=key, epochs=200, batch_size=5)
    print(f"decay of {name:13}: bias {state.params['bias'][0]:.1f}, validation loss {history.test_loss[-1]:.2f}")

# %% [markdown]
# | | PyTorch | JAX, here |
# |---|---|---|
# | penalty in the loss | `(w**2).sum() / 2` | `generalization.l2_penalty(params)` |
# | decay in the optimiser | `SGD([{"params": w, "weight_decay": 3}, ...])` | `optim.sgd(lr, weight_decay=3)`, masked |
# | a single decay for all | decays biases too | without a mask, decays biases too |
#
# ## Exercises
#
# **1. Plot training and validation loss as functions of $\lambda$.** `vmap` over a whole training run trains with
# twelve values of $\lambda$ at once.

# %%
lambdas = np.logspace(-2, 1.5, 12)


# %%
# %%torch
def train_with(weight_decay):
    tx = optim.sgd(rate, weight_decay=weight_decay, weight_decay_mask=optim.kernels)

    def epoch(state, _):
        return train.train_epoch(key, state, dataset.train, model=model, loss=losses.squared_loss, tx=tx, batch_size=5)

    state, _ = jax.lax.scan(epoch, train.create_state(key, model, tx), length=20)
    return [losses.squared_loss(model.apply(state.params, part.inputs), part.labels) for part in dataset[:2]]


training, validation = jax.jit(jax.vmap(train_with))(jnp.array(lambdas))
plots.lines(
    lambdas,
    {"training": training, "validation": validation},
    xlabel="λ",
    ylabel="loss after 20 epochs",
    xscale="log",
    yscale="log",
)

# %% [markdown]
# **2. Find the best $\lambda$ on the validation set. Is it really the best, and does it matter?** It is the best for
# these 100 examples. With another validation set the winner might be different, so the loss of the winner is a little
# too optimistic; you need a third set to judge it. The exact value matters little where the curve is flat, as it is
# here above 3.

# %%
# %%torch
best = int(np.argmin(validation))
print(f"lowest loss at λ above 3: {bool(lambdas[best] > 3)}")
near = np.asarray(validation)[lambdas > 3]
print(f"above 3 the losses differ by less than a fifth: {bool(near.max() < 1.2 * near.min())}")

# %% [markdown]
# **3. What does the update look like with the penalty $\lambda \sum_i |w_i|$?** Its gradient is $\lambda\,
# \mathrm{sign}(w_i)$: each step takes the same amount from every weight until the weight is 0. If the features are
# uncorrelated and have variance 1, there is a formula for the solution. The squared penalty scales each weight by $1 /
# (1 + \lambda)$. The absolute penalty moves each weight towards 0 by $\lambda$, but not beyond 0. So it selects
# features, whereas decay only makes weights small.

# %%
fitted = np.linspace(-3, 3, 61)
plots.lines(
    fitted,
    {
        "no penalty": fitted,
        "$\\lambda w^2 / 2$": fitted / 2,
        "$\\lambda |w|$": np.sign(fitted) * np.maximum(np.abs(fitted) - 1, 0),
    },
    xlabel="weight without penalty",
    ylabel="weight with $\\lambda$ = 1",
)

# %% [markdown]
# **4. $\|\mathbf{w}\|^2 = \mathbf{w}^\top \mathbf{w}$. What is the equivalent for matrices?** The squared Frobenius
# norm, $\mathrm{tr}(\mathbf{W}^\top \mathbf{W})$, which is the sum of the squares of all elements. `l2_penalty` adds it
# up over all layers.

# %%
layers = models.mlp(4, 3, 2).init(jax.random.key(0))
by_trace = sum(jnp.trace(layer["kernel"].T @ layer["kernel"]) for layer in layers)
print(bool(jnp.allclose(2 * generalization.l2_penalty(layers), by_trace)))

# %% [markdown]
# **5. What else helps against overfitting?** More data, or variants of the data you have, such as shifted or mirrored
# images. Dropout (section 5.6) and other noise during training. Early stopping (section 5.5). Averaging several models
# (section 5.7). Sharing weights, as convolutions do.
#
# **6. What is weight decay to a Bayesian?** It is a prior, $\mathbf{w} \sim \mathcal{N}(0, s^2)$. With noise of
# variance $\sigma^2$ the negative log-posterior is, up to constants, $n / \sigma^2$ times
#
# $$\frac{1}{2n} \sum_i (\hat{y}^{(i)} - y^{(i)})^2 + \frac{\lambda}{2} \|\mathbf{w}\|^2,
# \qquad \lambda = \frac{\sigma^2}{n s^2}.$$
#
# So if the weights do come from the prior, one $\lambda$ is best on average. With $\sigma = 0.1$, $s = 0.1$ and $n =
# 20$ it is 0.05. We check this by fitting 1000 draws of weights and data in closed form:

# %%
w_key, x_key, noise_key = jax.random.split(jax.random.key(2), 3)
w = 0.1 * jax.random.normal(w_key, (1000, 10, 1))
X = jax.random.normal(x_key, (1000, 20, 10))
y = X @ w + 0.1 * jax.random.normal(noise_key, (1000, 20, 1))
for weight_decay in (0.005, 0.05, 0.5):
    fits = jax.jit(jax.vmap(partial(least_squares, weight_decay=weight_decay)))(X, y)
    squared_error = jnp.sum((fits["kernel"] - w) ** 2, axis=(1, 2))
    print(f"λ = {weight_decay:5}: mean squared error in w {squared_error.mean():.4f}")

# %% [markdown]
# ## Summary
#
# A penalty on the squared weights shrinks them at each step. It gives up a little training loss to gain validation
# loss. It belongs on the weights, not on the biases. In this example it does most of its work in the directions about
# which the data tell nothing: it removes the random initial weights.
