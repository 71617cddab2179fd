# %% [markdown]
# # 3.1 Linear regression
#
# A number is predicted as a weighted sum of features: the simplest model that is trained like all others. This section
# states it, solves it in closed form, takes one step of stochastic gradient descent, shows why code is written in
# vectors, and why the loss is a square.

# %%
# %matplotlib inline
import inspect
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from jaxd2l import data, losses, models, plots, train
from jaxd2l.models import linear
from jaxd2l.types import Batch, TrainState

# %% [markdown]
# ## Model and loss
#
# For one example $\hat{y} = \mathbf{w}^\top \mathbf{x} + b$, for $n$ of them in the rows of $\mathbf{X}$
#
# $$\hat{\mathbf{y}} = \mathbf{X} \mathbf{w} + b, \qquad
# L(\mathbf{w}, b) = \frac{1}{n} \sum_{i=1}^n \frac{1}{2} \left(\hat{y}^{(i)} - y^{(i)}\right)^2.$$
#
# A model is a pair of functions: `init` draws parameters, `apply` predicts with them. The parameters are a dictionary
# of arrays, $\mathbf{w}$ under "kernel".

# %%
model = models.linear_regression(2)
params = {"kernel": jnp.array([[2.0], [-3.4]]), "bias": jnp.array([4.2])}
x, y = jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([[6.0], [1.0]])
predictions = model.apply(params, x)
print(np.asarray(predictions).ravel().round(2), f"loss {losses.squared_loss(predictions, y):.3f}")
half_of_torch = torch.nn.functional.mse_loss(*(torch.tensor(np.asarray(a)) for a in (predictions, y))) / 2
print(f"torch's mean squared error has no half: {2 * half_of_torch:.3f} = 2 x {half_of_torch:.3f}")

# %% [markdown]
# ## The closed-form solution
#
# The loss is a bowl with one minimum, where the gradient is 0. With the bias as one more weight of a feature that is
# always 1, that is $\mathbf{X}^\top \mathbf{X} \mathbf{w} = \mathbf{X}^\top \mathbf{y}$, and the book's answer is
# $\mathbf{w}^* = (\mathbf{X}^\top \mathbf{X})^{-1} \mathbf{X}^\top \mathbf{y}$. The package computes the same by a
# singular value decomposition.

# %%
print(inspect.getsource(linear.least_squares))

# %%
true_w, true_b = np.array([2.0, -3.4]), 4.2
examples = data.synthetic_regression(jax.random.key(0), true_w, true_b, noise=0.01, n=1000).train
best = linear.least_squares(*examples)
print("w:", np.asarray(best["kernel"]).ravel().round(2), "b:", np.asarray(best["bias"]).round(2))
with_ones = np.hstack([examples.inputs, np.ones((1000, 1), np.float32)])
by_torch = torch.linalg.lstsq(torch.tensor(with_ones), torch.tensor(examples.labels)).solution
print("torch.linalg.lstsq:", by_torch.numpy().ravel().round(2))

# %% [markdown]
# Why not by the formula? $\mathbf{X}^\top \mathbf{X}$ squares the condition number: of features that are nearly equal,
# all seven digits of float32 are lost. Here the second feature is the first plus 3/10 000 of another, and the
# targets are $x_1 + x_2$ without noise.

# %%
a, b = jax.random.normal(jax.random.key(1), (2, 1000, 1))
X = jnp.hstack([a, a + 3e-4 * b])
targets = X @ jnp.ones((2, 1))
error_of_formula = jnp.abs(jnp.linalg.inv(X.T @ X) @ X.T @ targets - 1).max()
error_of_package = jnp.abs(linear.least_squares(X, targets)["kernel"] - 1).max()
condition = np.linalg.cond(np.asarray(X, np.float64))
print(f"condition number: {condition:.1e}, of X^T X: {condition**2:.1e}")
print("formula off by more than 1 %:", not error_of_formula <= 0.01)  # or it is NaN
print("package off by less than .1 %:", bool(error_of_package < 0.001))

# %% [markdown]
# ## Minibatch stochastic gradient descent
#
# Most models have no closed form. A step takes a minibatch $\mathcal{B}$ of examples and moves against its gradient by
# the learning rate $\eta$:
#
# $$\mathbf{w} \leftarrow \mathbf{w} - \frac{\eta}{|\mathcal{B}|} \sum_{i \in \mathcal{B}} \mathbf{x}^{(i)}
# \left(\mathbf{w}^\top \mathbf{x}^{(i)} + b - y^{(i)}\right), \qquad
# b \leftarrow b - \frac{\eta}{|\mathcal{B}|} \sum_{i \in \mathcal{B}}
# \left(\mathbf{w}^\top \mathbf{x}^{(i)} + b - y^{(i)}\right).$$
#
# The factor $\frac12$ of the loss has cancelled against the 2 of its derivative. `train.make_train_step` gives the step
# for any model, loss and optimiser; the formulas above must agree.

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
# Two vectors of 10 000 elements are added one element at a time, and at once. The book measured 0.41876 s and 0.00027 s
# in PyTorch. In JAX the loop is slower still, since each `at[i].set` makes a new vector: only a tenth of it is run
# here. JAX returns before it has computed, and `block_until_ready` waits.

# %%
n = 10_000
ones, ones_in_torch = jnp.ones(n), torch.ones(n)


def loop_jax():
    total = jnp.zeros(n)
    for i in range(n // 10):
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
at_once()  # compiles
print(f"loop in torch          {seconds(loop_torch, 1):.6f} s")
print(f"a tenth of it in JAX   {seconds(loop_jax, 1):.6f} s")
print(f"at once in torch       {seconds(lambda: ones_in_torch + ones_in_torch, 1000):.6f} s")
print(f"at once in JAX         {seconds(at_once, 1000):.6f} s")

# %% [markdown]
# ## The normal distribution and the squared loss
#
# $$p(x) = \frac{1}{\sqrt{2 \pi \sigma^2}} \exp\left(-\frac{(x - \mu)^2}{2 \sigma^2}\right)$$
#
# The mean moves the curve, the standard deviation stretches it and lowers its peak.

# %%
x = jnp.arange(-7, 7, 0.01)
curves = {f"mean {mean}, sd {sd}": jax.scipy.stats.norm.pdf(x, mean, sd) for mean, sd in ((0, 1), (0, 2), (3, 1))}
print([f"{curve.max():.5f}" for curve in curves.values()])
plots.lines(x, curves, xlabel="x", ylabel="p(x)")

# %% [markdown]
# Suppose that targets are $y = \mathbf{w}^\top \mathbf{x} + b + \epsilon$ with noise $\epsilon \sim \mathcal{N}(0,
# \sigma^2)$. The parameters under which the data are most likely make the negative log-likelihood smallest:
#
# $$-\log P(\mathbf{y} \mid \mathbf{X}) = \sum_{i=1}^n \frac{1}{2} \log(2 \pi \sigma^2) +
# \frac{1}{2 \sigma^2} \left(y^{(i)} - \mathbf{w}^\top \mathbf{x}^{(i)} - b\right)^2.$$
#
# Only the square depends on $\mathbf{w}$ and $b$: so this is the squared loss, scaled and shifted. Summed over
# examples, with $\sigma = 0.5$:

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
# | closed form | `torch.linalg.lstsq` | `models.linear.least_squares`, bias included |
# | time something | call it | call it and `block_until_ready()` |
#
# ## Exercises
#
# **1. Which constant $b$ makes $\sum_i (x_i - b)^2$ smallest, and which $\sum_i |x_i - b|$?** The derivative $-2 \sum_i
# (x_i - b)$ is 0 at the **mean**, the most likely centre of a normal distribution. The derivative of $|x_i - b|$ is
# $\pm 1$, which adds up to 0 when as many numbers lie to the left as to the right: at the **median**, which an outlier
# does not move. The same `least_squares`, without features:

# %%
numbers = jnp.array([1.0, 2.0, 3.0, 4.0, 90.0])
candidates = jnp.arange(0, 100, 0.5)[:, None]
print("square:  ", candidates[jnp.sum((numbers - candidates) ** 2, 1).argmin()], "mean", numbers.mean())
print("absolute:", candidates[jnp.sum(jnp.abs(numbers - candidates), 1).argmin()], "median", jnp.median(numbers))
print("least_squares:", linear.least_squares(jnp.zeros((5, 1)), numbers[:, None])["bias"])

# %% [markdown]
# **2. Affine functions of $\mathbf{x}$ are linear functions of $(\mathbf{x}, 1)$.** $\mathbf{x}^\top \mathbf{w} + b =
# (\mathbf{x}, 1)^\top (\mathbf{w}, b)$, and read from right to left every linear function of $(\mathbf{x}, 1)$ is such
# a sum. The closed form above made use of it.
#
# **3. Quadratic functions, $b + \sum_i w_i x_i + \sum_{j \le i} w_{ij} x_i x_j$?** They are linear in their weights:
# a first layer computes the products, a second, linear one weighs them. For $1 + 2 x_1 - x_1 x_2$:

# %%
x = jax.random.normal(jax.random.key(3), (100, 2))
products = jnp.stack([x[:, 0], x[:, 1], x[:, 0] ** 2, x[:, 0] * x[:, 1], x[:, 1] ** 2], axis=1)
found = linear.least_squares(products, 1 + 2 * x[:, :1] - x[:, :1] * x[:, 1:])
print("w:", (np.asarray(found["kernel"]).ravel().round(3) + 0.0).tolist(), "b:", np.asarray(found["bias"]).round(3))

# %% [markdown]
# **4. What if $\mathbf{X}^\top \mathbf{X}$ has not full rank?** Then there is no inverse, and many $\mathbf{w}$ are
# equally good. `least_squares` takes the shortest. A little independent noise on $\mathbf{X}$, of variance $s^2$, turns
# $\mathbf{X}^\top \mathbf{X}$ into $\mathbf{X}^\top \mathbf{X} + n s^2 \mathbf{I}$ on average, which is invertible: it
# acts as a penalty on $\|\mathbf{w}\|^2$ (section 3.7). Gradient descent from $\mathbf{w} =
# \mathbf{0}$ goes to the shortest solution too, since every gradient is a combination of examples. With the same
# feature twice, and $y = 2 x_1$:

# %%
X, twice = jnp.hstack([a, a]), 2 * a
print("shortest:", np.asarray(linear.least_squares(X, twice)["kernel"]).ravel().round(3))
centred = X - X.mean(0)
w = jnp.zeros((2, 1))
for _ in range(100):
    w = w - 0.1 * centred.T @ (centred @ w - (twice - twice.mean())) / 1000
print("descent: ", np.asarray(w).ravel().round(3))
noisy = X + 0.1 * jax.random.normal(jax.random.key(2), X.shape)
expected = X.T @ X + 1000 * 0.1**2 * jnp.eye(2)
print("X^T X with noise, near its expectation:", bool(jnp.allclose(noisy.T @ noisy, expected, rtol=0.02)))

# %% [markdown]
# **5. Noise with density $\frac12 e^{-|\epsilon|}$.** The negative log-likelihood is
# $n \log 2 + \sum_i |y^{(i)} - \mathbf{w}^\top \mathbf{x}^{(i)} - b|$. It has no closed solution. Its gradient does not
# shrink near the minimum, it only changes sign, so that steps of constant size jump to and fro; a rate that decays lets
# them settle.


# %%
def descend(schedule):
    centre, path = 0.3, []
    for t in range(200):
        centre -= schedule(t) * float(jnp.sign(centre - 1.0))
        path.append(abs(centre - 1.0))
    return max(path[-10:])


print(f"constant rate .2: off by {descend(lambda t: 0.2):.2f} for ever")
print(f"rate .2 / (1 + t / 10): off by at most {descend(lambda t: 0.2 / (1 + t / 10)):.2f} at the end")

# %% [markdown]
# **6. Why not two linear layers in a row?** $(\mathbf{X} \mathbf{W}_1 + \mathbf{b}_1) \mathbf{W}_2 + \mathbf{b}_2$ is
# $\mathbf{X} (\mathbf{W}_1 \mathbf{W}_2) + (\mathbf{b}_1 \mathbf{W}_2 + \mathbf{b}_2)$: one linear layer. Something
# that is not linear must stand between ([5.1](ch05_01_multilayer_perceptrons.ipynb)).
#
# **7., 8. Prices and counts.** Gaussian noise allows negative prices and has the same width for a hut and a mansion;
# the logarithm of the price has neither fault. But the price of a cheap stock moves in whole cents: at 2 cents the next
# prices are half as much again and half, and no smooth density describes that. Counts of apples are whole numbers, too.
# The Poisson distribution $\lambda^k e^{-\lambda} / k!$ has the mean $\sum_k k \lambda^k e^{-\lambda} / k! = \lambda
# \sum_k \lambda^{k - 1} e^{-\lambda} / (k - 1)! = \lambda$. With it and a model of $\log \lambda$, which may be any
# number, the loss is $\lambda - k \log \lambda$ up to a constant; its derivative by $\log \lambda$ is $\lambda - k$,
# again the plain error.

# %%
log_rate, count = 0.7, 3
print(f"{jax.grad(lambda r: -jax.scipy.stats.poisson.logpmf(count, jnp.exp(r)))(log_rate):.4f}", end=" ")
print(f"{np.exp(log_rate) - count:.4f}")

# %% [markdown]
# ## Summary
#
# Linear regression is a weighted sum, a squared loss that follows from Gaussian noise, and a closed-form solution that
# other models lack. What they share with it is the step of stochastic gradient descent, written for a whole batch at
# once.
