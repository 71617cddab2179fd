# %% [markdown]
# # 3.1 Linear regression
#
# Linear regression predicts a number as a weighted sum of features. It is the simplest model that is trained like all
# the others. This section defines it, solves it in closed form, and takes one step of stochastic gradient descent. Then
# it shows why we compute with whole vectors, and why the loss is a square.
#
# [This section in the book](https://d2l.ai/chapter_linear-regression/linear-regression.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import data, losses, models, plots, train
from jaxd2l.types import Batch, TrainState

# %% [markdown]
# ## Model and loss
#
# For one example the prediction is $\hat{y} = \mathbf{w}^\top \mathbf{x} + b$. For $n$ examples in the rows of
# $\mathbf{X}$, the predictions and the loss are
#
# $$\hat{\mathbf{y}} = \mathbf{X} \mathbf{w} + b, \qquad
# L(\mathbf{w}, b) = \frac{1}{n} \sum_{i=1}^n \frac{1}{2} \left(\hat{y}^{(i)} - y^{(i)}\right)^2.$$
#
# A model is a pair of functions: `init` draws parameters, `apply` predicts with them. The parameters are a dictionary
# of arrays: $\mathbf{w}$ is called "kernel" and $b$ is called "bias".

# %%
model = models.linear_regression(2)
params = {"kernel": jnp.array([[2.0], [-3.4]]), "bias": jnp.array([4.2])}
x, y = jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([[6.0], [1.0]])
predictions = model.apply(params, x)
print(np.asarray(predictions).ravel().round(2), f"loss {losses.squared_loss(predictions, y):.3f}")

# %%
# %%torch
import torch

half_of_torch = torch.nn.functional.mse_loss(*(torch.tensor(np.asarray(a)) for a in (predictions, y))) / 2
print(f"torch's mean squared error has no half: {2 * half_of_torch:.3f} = 2 x {half_of_torch:.3f}")

# %% [markdown]
# ## The closed-form solution
#
# The loss is a bowl with one minimum, where the gradient is 0. If we treat the bias as one more weight, of a feature
# that is always 1, this condition reads $\mathbf{X}^\top \mathbf{X} \mathbf{w} = \mathbf{X}^\top \mathbf{y}$, and the
# book's answer is $\mathbf{w}^* = (\mathbf{X}^\top \mathbf{X})^{-1} \mathbf{X}^\top \mathbf{y}$. Our function computes
# the same solution with a singular value decomposition, `jnp.linalg.lstsq`. It subtracts the means first, so that the
# bias drops out. The package's `least_squares` gives the same values.


# %%
def least_squares(X, y):
    mean_x, mean_y = X.mean(0), y.mean(0)
    w = jnp.linalg.lstsq(X - mean_x, y - mean_y)[0]
    return {"kernel": w, "bias": mean_y - mean_x @ w}


true_w, true_b = np.array([2.0, -3.4]), 4.2
examples = data.synthetic_regression(jax.random.key(0), true_w, true_b, noise=0.01, n=1000).train
best = least_squares(*examples)
packaged = models.least_squares(*examples)
print("as in the package:", jax.tree.all(jax.tree.map(lambda a, b: jnp.allclose(a, b, rtol=1e-5), best, packaged)))
print("w:", np.asarray(best["kernel"]).ravel().round(2), "b:", np.asarray(best["bias"]).round(2))
with_ones = np.hstack([examples.inputs, np.ones((1000, 1), np.float32)])

# %%
# %%torch
by_torch = torch.linalg.lstsq(torch.tensor(with_ones), torch.tensor(examples.labels)).solution
print("torch.linalg.lstsq:", by_torch.numpy().ravel().round(2))

# %% [markdown]
# Why not use the formula? Because $\mathbf{X}^\top \mathbf{X}$ squares the condition number: if two features are nearly
# equal, all seven digits of float32 are lost. Here the second feature is the first plus 3/10 000 of another, and the
# targets are $x_1 + x_2$ without noise.

# %%
a, b = jax.random.normal(jax.random.key(1), (2, 1000, 1))
X = jnp.hstack([a, a + 3e-4 * b])
targets = X @ jnp.ones((2, 1))
error_of_formula = jnp.abs(jnp.linalg.inv(X.T @ X) @ X.T @ targets - 1).max()
error_of_package = jnp.abs(models.least_squares(X, targets)["kernel"] - 1).max()
condition = np.linalg.cond(np.asarray(X, np.float64))
print(f"condition number: {condition:.1e}, of X^T X: {condition**2:.1e}")
print("formula off by more than 1 %:", not error_of_formula <= 0.01)  # or it is NaN
print("package off by less than 0.1 %:", bool(error_of_package < 0.001))

# %% [markdown]
# ## Minibatch stochastic gradient descent
#
# Most models have no closed-form solution. Instead we take steps. Each step computes the gradient on a minibatch
# $\mathcal{B}$ of examples and moves against it, scaled by the learning rate $\eta$:
#
# $$\mathbf{w} \leftarrow \mathbf{w} - \frac{\eta}{|\mathcal{B}|} \sum_{i \in \mathcal{B}} \mathbf{x}^{(i)}
# \left(\mathbf{w}^\top \mathbf{x}^{(i)} + b - y^{(i)}\right), \qquad
# b \leftarrow b - \frac{\eta}{|\mathcal{B}|} \sum_{i \in \mathcal{B}}
# \left(\mathbf{w}^\top \mathbf{x}^{(i)} + b - y^{(i)}\right).$$
#
# The factor $\frac12$ of the loss cancels the 2 that comes from the derivative of the square. `train.make_train_step`
# returns the step for any model, loss and optimiser. Here it must agree with the formulas above.

# %%
rate, tx = 0.03, optax.sgd(0.03)
step = train.make_train_step(model, losses.squared_loss, tx)
start = {"kernel": jnp.array([[0.5], [0.5]]), "bias": jnp.array([0.0])}
batch = Batch(*(jnp.asarray(array[:32]) for array in examples))
state, loss_before = step(TrainState(start, tx.init(start), jnp.array(0)), batch)

errors = batch.inputs @ start["kernel"] + start["bias"] - batch.labels
print(jnp.allclose(state.params["kernel"], start["kernel"] - rate * batch.inputs.T @ errors / 32, atol=1e-6))
print(jnp.allclose(state.params["bias"], start["bias"] - rate * errors.mean(0), atol=1e-6))
loss_after = losses.squared_loss(model.apply(state.params, batch.inputs), batch.labels)
print("lower after the step:", bool(loss_after < loss_before))

# %% [markdown]
# ## Vectorisation for speed
#
# We add two vectors of 10 000 elements, first one element at a time and then all at once. The book measured 0.41876 s
# and 0.00027 s in PyTorch. In JAX the loop is slower still, since each `at[i].set` makes a new vector, so we run only a
# tenth of it. JAX returns before the result is ready; `block_until_ready` waits for it.

# %%
n = 10_000

# %%
# %%torch
ones, ones_in_torch = jnp.ones(n), torch.ones(n)


def loop_jax():
    total = jnp.zeros(n)
    for i in range(n // 100):
        total = total.at[i].set(ones[i] + ones[i])
    return total.block_until_ready()


def loop_torch():
    total = torch.zeros(n)
    for i in range(n):
        total[i] = ones_in_torch[i] + ones_in_torch[i]
    return total


def seconds(function, times):
    begun = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - begun) / times


def at_once():
    return (ones + ones).block_until_ready()


# %% tags=["timing"]
# %%torch
at_once()  # compiles
print(f"loop in torch          {seconds(loop_torch, 1):.6f} s")
print(f"a hundredth, in JAX    {seconds(loop_jax, 1):.6f} s")
print(f"at once in torch       {seconds(lambda: ones_in_torch + ones_in_torch, 1000):.6f} s")
print(f"at once in JAX         {seconds(at_once, 1000):.6f} s")

# %% [markdown]
# ## The normal distribution and the squared loss
#
# $$p(x) = \frac{1}{\sqrt{2 \pi \sigma^2}} \exp\left(-\frac{(x - \mu)^2}{2 \sigma^2}\right)$$
#
# The mean moves this curve. The standard deviation stretches it and lowers its peak.

# %%
x = jnp.arange(-7, 7, 0.01)
curves = {f"mean {mean}, sd {sd}": jax.scipy.stats.norm.pdf(x, mean, sd) for mean, sd in ((0, 1), (0, 2), (3, 1))}
print([f"{curve.max():.5f}" for curve in curves.values()])
plots.lines(x, curves, xlabel="x", ylabel="p(x)")

# %% [markdown]
# Suppose that the targets are $y = \mathbf{w}^\top \mathbf{x} + b + \epsilon$ with noise $\epsilon \sim \mathcal{N}(0,
# \sigma^2)$. The parameters that make the data most likely are those that minimise the negative log-likelihood:
#
# $$-\log P(\mathbf{y} \mid \mathbf{X}) = \sum_{i=1}^n \frac{1}{2} \log(2 \pi \sigma^2) +
# \frac{1}{2 \sigma^2} \left(y^{(i)} - \mathbf{w}^\top \mathbf{x}^{(i)} - b\right)^2.$$
#
# Only the square depends on $\mathbf{w}$ and $b$, so this is the squared loss, scaled and shifted. For the sum over a
# batch, with $\sigma = 0.5$:

# %%
sigma = 0.5
predictions = model.apply(start, batch.inputs)
likelihood = -jnp.sum(jax.scipy.stats.norm.logpdf(batch.labels, predictions, sigma))
square = losses.squared_loss(predictions, batch.labels, reduction="sum")
print(f"{likelihood:.2f} = {32 / 2 * np.log(2 * np.pi * sigma**2) + square / sigma**2:.2f}")

# %% [markdown]
# ## Side by side
#
# | | PyTorch | this package |
# |---|---|---|
# | layer | `nn.Linear(2, 1)`, weight (1, 2) | `models.linear_regression(2)`, kernel (2, 1) |
# | loss | `mse_loss`: no $\frac12$ | `losses.squared_loss`: with $\frac12$, as in the book |
# | closed form | `torch.linalg.lstsq` | `models.least_squares`, bias included |
# | time something | call it | call it and `block_until_ready()` |
#
# ## Exercises
#
# **1. Which constant $b$ minimises $\sum_i (x_i - b)^2$, and which one minimises $\sum_i |x_i - b|$?** The derivative
# $-2 \sum_i (x_i - b)$ is 0 at the **mean**, which is the most likely centre of a normal distribution. The derivative
# of $|x_i - b|$ is $\pm 1$. The sum of these is 0 when as many numbers lie to the left as to the right, which is at the
# **median**; an outlier does not move it. `least_squares` finds the mean if its only feature is 0:

# %%
numbers = jnp.array([1.0, 2.0, 3.0, 4.0, 90.0])
candidates = jnp.arange(0, 100, 0.5)[:, None]
print("square:  ", candidates[jnp.sum((numbers - candidates) ** 2, 1).argmin()], "mean", numbers.mean())
print("absolute:", candidates[jnp.sum(jnp.abs(numbers - candidates), 1).argmin()], "median", jnp.median(numbers))
print("least_squares:", models.least_squares(jnp.zeros((5, 1)), numbers[:, None])["bias"])

# %% [markdown]
# **2. Affine functions of $\mathbf{x}$ are linear functions of $(\mathbf{x}, 1)$.** $\mathbf{x}^\top \mathbf{w} + b =
# (\mathbf{x}, 1)^\top (\mathbf{w}, b)$, and read from right to left, this says that every linear function of
# $(\mathbf{x}, 1)$ is an affine function of $\mathbf{x}$. The closed form above uses this.
#
# **3. How would you fit a quadratic function, $b + \sum_i w_i x_i + \sum_{j \le i} w_{ij} x_i x_j$?** It is linear in
# its weights. So a first layer computes the products, and a second, linear layer weights them. For $1 + 2 x_1 - x_1
# x_2$:

# %%
x = jax.random.normal(jax.random.key(3), (100, 2))
products = jnp.stack([x[:, 0], x[:, 1], x[:, 0] ** 2, x[:, 0] * x[:, 1], x[:, 1] ** 2], axis=1)
found = models.least_squares(products, 1 + 2 * x[:, :1] - x[:, :1] * x[:, 1:])
print("w:", (np.asarray(found["kernel"]).ravel().round(3) + 0.0).tolist(), "b:", np.asarray(found["bias"]).round(3))

# %% [markdown]
# **4. What if $\mathbf{X}^\top \mathbf{X}$ does not have full rank?** Then it has no inverse, and many $\mathbf{w}$ are
# equally good. `least_squares` takes the shortest. You can also add a little independent noise of variance $s^2$ to
# $\mathbf{X}$. On average this turns $\mathbf{X}^\top \mathbf{X}$ into $\mathbf{X}^\top \mathbf{X} + n s^2 \mathbf{I}$,
# which is invertible. The noise acts as a penalty on $\|\mathbf{w}\|^2$ ([3.7](ch03_07_weight_decay.ipynb)). Gradient
# descent from $\mathbf{w} = \mathbf{0}$ also finds the shortest solution, since every gradient is a combination of
# examples. Here the same feature appears twice, and $y = 2 x_1$:

# %%
X, twice = jnp.hstack([a, a]), 2 * a
print("shortest:", np.asarray(models.least_squares(X, twice)["kernel"]).ravel().round(3))
centred = X - X.mean(0)
w = jnp.zeros((2, 1))
for _ in range(100):
    w = w - 0.1 * centred.T @ (centred @ w - (twice - twice.mean())) / 1000
print("descent: ", np.asarray(w).ravel().round(3))
noisy = X + 0.1 * jax.random.normal(jax.random.key(2), X.shape)
expected = X.T @ X + 1000 * 0.1**2 * jnp.eye(2)
print("X^T X with noise, near its expectation:", bool(jnp.allclose(noisy.T @ noisy, expected, rtol=0.02)))

# %% [markdown]
# **5. Noise with density $\frac12 e^{-|\epsilon|}$.** The negative log-likelihood is $n \log 2 + \sum_i |y^{(i)} -
# \mathbf{w}^\top \mathbf{x}^{(i)} - b|$. Minimising it has no closed-form solution. Near the minimum its gradient does
# not shrink but only changes sign, so with a constant learning rate the steps jump back and forth. With a learning rate
# that decays they settle.


# %%
def descend(schedule):
    centre, path = 0.3, []
    for t in range(200):
        centre -= schedule(t) * float(jnp.sign(centre - 1.0))
        path.append(abs(centre - 1.0))
    return max(path[-10:])


print(f"constant rate 0.2: off by {descend(lambda t: 0.2):.2f} for ever")
print(f"rate 0.2 / (1 + t / 10): off by at most {descend(lambda t: 0.2 / (1 + t / 10)):.2f} at the end")

# %% [markdown]
# **6. Why not two linear layers in a row?** $(\mathbf{X} \mathbf{W}_1 + \mathbf{b}_1) \mathbf{W}_2 + \mathbf{b}_2$
# equals $\mathbf{X} (\mathbf{W}_1 \mathbf{W}_2) + (\mathbf{b}_1 \mathbf{W}_2 + \mathbf{b}_2)$, which is one linear
# layer. There must be something nonlinear between the two ([5.1](ch05_01_multilayer_perceptrons.ipynb)).
#
# **7., 8. Prices and counts.** Gaussian noise allows negative prices, and has the same width for a hut and a mansion.
# Modelling the logarithm of the price avoids both problems. But the price of a cheap stock moves in whole cents: next
# to 2 cents come 3 cents, which is half as much again, and 1 cent, which is half. No smooth density describes that.
# Counts of apples are whole numbers too. The Poisson distribution $\lambda^k e^{-\lambda} / k!$ has the mean $\sum_k k
# \lambda^k e^{-\lambda} / k! = \lambda \sum_k \lambda^{k - 1} e^{-\lambda} / (k - 1)! = \lambda$. Let the model predict
# $\log \lambda$, which may be any number. Then the loss is $\lambda - k \log \lambda$ up to a constant, and its
# derivative with respect to $\log \lambda$ is $\lambda - k$, again the plain error.

# %%
log_rate, count = 0.7, 3
print(f"{jax.grad(lambda r: -jax.scipy.stats.poisson.logpmf(count, jnp.exp(r)))(log_rate):.4f}", end=" ")
print(f"{np.exp(log_rate) - count:.4f}")

# %% [markdown]
# ## Summary
#
# Linear regression predicts a weighted sum. Gaussian noise leads to its squared loss, and unlike other models it has a
# closed-form solution. What it shares with them is the step of stochastic gradient descent, computed for a whole batch
# at once.
