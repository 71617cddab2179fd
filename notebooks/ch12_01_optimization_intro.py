# %% [markdown]
# # 12.1 Optimisation and deep learning
#
# Training a network means making a number small: the loss on the training set. You will see why that is not quite
# the number that we care about, and the three obstacles on the way down: local minima, saddle points and gradients that
# vanish. The [book's section](https://d2l.ai/chapter_optimization/optimization-intro.html) says more about each.

# %%
# %matplotlib inline
import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l import models, plots
from jaxd2l.book import convexity, descent, landscapes

# %% [markdown]
# ## What we minimise is not what we want
#
# We want a model that does well on all data: a small **risk**. We can only compute the **empirical risk**, the mean
# loss on the examples that we have. The book's picture has $f(x) = x \cos(\pi x)$ as the risk, and $g(x) = f(x) + 0.2
# \cos(5 \pi x)$, which is bumpier, as the empirical risk. Their minima are near each other, but not at the same place.


# %%
def risk(x):
    return x * jnp.cos(jnp.pi * x)


def empirical_risk(x):
    return risk(x) + 0.2 * jnp.cos(5 * jnp.pi * x)


x = jnp.linspace(0.5, 1.5, 101)
plots.lines(x, {"risk": risk(x), "empirical risk": empirical_risk(x)}, xlabel="x", ylabel="risk")

# %% [markdown]
# To find a minimum between two points, look at the slope in the middle: if it falls there, the minimum is to the right,
# else to the left. Then halve again. The first function below does that; `descent.bisection` in the package is the
# same.


# %%
def bisection(f, low, high, steps=40):
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if jax.grad(f)(middle) < 0 else (low, middle)
    return middle


for name, f, low, high in (("risk", risk, 0.5, 1.5), ("empirical risk", empirical_risk, 0.95, 1.08)):
    ours, packaged = bisection(f, low, high), descent.bisection(f, low, high)
    print(f"{name}: lowest at {ours:.4f} ({packaged:.4f} by the package), where it is {f(ours):.4f}")

# %% [markdown]
# ## Local minima
#
# A **local minimum** is lower than everything near it, and perhaps higher than something far away. Gradient descent
# ends in whichever minimum lies downhill from the start. $x \cos(\pi x)$ has two between -1 and 2; the paths that start
# at 0.2 and at 0.6 end in different ones.

# %%
paths = {f"from {start}": descent.gradient_descent(risk, start, learning_rate=0.05, steps=40) for start in (0.2, 0.6)}
for name, path in paths.items():
    print(f"{name}: ends at {path[-1]:.3f}, f = {risk(path[-1]):.3f}")
landscapes.on_curve(risk, paths, xlim=(-1.0, 2.0))

# %% [markdown]
# Noise can help to get out of a shallow minimum. That is one good thing about minibatches (section 12.4).
#
# ## Saddle points
#
# At a **saddle point** the gradient is 0, and yet it is no minimum. $x^3$ has one at 0, and so has $x_1^2 - x_2^2$ at
# (0, 0): it is the lowest point in one direction and the highest in the other. The eigenvalues of the Hessian, the
# matrix of second derivatives, tell: all positive, a minimum; all negative, a maximum; both signs, a saddle. With
# thousands of parameters, it is unlikely that all have the same sign, so saddles are much more common than minima.


# %%
def saddle(x):
    return x[0] ** 2 - x[1] ** 2


hessian = jax.hessian(saddle)(jnp.zeros(2))
print("gradient:", jax.grad(saddle)(jnp.zeros(2)))
print("eigenvalues:", np.linalg.eigvalsh(hessian), convexity.curvatures(saddle, jnp.zeros(2)))
print("x^3 at 0: slope", jax.grad(lambda x: x**3)(0.0), "curvature", convexity.curvatures(lambda x: x**3, 0.0))

# %% [markdown]
# A run that starts exactly on the ridge, at $x_2 = 0$, stays on it for ever and ends in the saddle. One that starts the
# least bit beside it is slow for a while and then escapes.

# %%
landscapes.contours(
    saddle,
    {
        "on the ridge": descent.gradient_descent(saddle, jnp.array([-1.0, 0.0]), learning_rate=0.1, steps=20),
        "beside it": descent.gradient_descent(saddle, jnp.array([-1.0, 0.02]), learning_rate=0.1, steps=20),
    },
    xlim=(-1.2, 0.6),
    ylim=(-0.9, 0.9),
)

# %% [markdown]
# ## Vanishing gradients
#
# Where a function is flat, the gradient says nothing about where to go. $\tanh$ at 4 has slope $1 - \tanh^2 4 =
# 0.0013$: a run that begins there takes hundreds of steps to get anywhere, although the rate is 1. That is one reason
# why ReLU replaced it.

# %%
path = descent.gradient_descent(lambda x: jnp.tanh(x), 4.0, learning_rate=1.0, steps=400)
print(f"slope at 4: {jax.grad(jnp.tanh)(4.0):.5f}")
print("x after 0, 100, 200, 300 and 400 steps:", [round(float(path[i]), 2) for i in range(0, 401, 100)])
x = jnp.linspace(-2, 5, 100)
plots.lines(x, {"tanh(x)": jnp.tanh(x), "slope": 1 - jnp.tanh(x) ** 2}, xlabel="x", ylabel="tanh")

# %% [markdown]
# ## Exercises
#
# **1. An MLP with one hidden layer of $d$ units: show that each minimum has at least $d!$ equals.** Exchange two hidden
# units, along with their weights, and the function stays the same (section 5.4). There are $d!$ orders. With tanh you
# can also change the signs of the weights before and after a unit: another factor of $2^d$.

# %%
hidden, output = models.mlp(4, 5, 1).init(jax.random.key(0))
order = jnp.array([2, 0, 4, 1, 3])
moved = ({name: part[..., order] for name, part in hidden.items()}, {**output, "kernel": output["kernel"][order]})
inputs = jax.random.normal(jax.random.key(1), (20, 4))
apply = models.mlp(4, 5, 1).apply
print("same outputs:", bool(jnp.allclose(apply((hidden, output), inputs), apply(moved, inputs), atol=1e-6)))
print("orders of 5 units:", math.factorial(5))

# %% [markdown]
# **2. A symmetric random matrix whose entries are as likely positive as negative: why is the distribution of its
# eigenvalues symmetric? Why does that not mean that each is positive with probability 1/2?** $-M$ is as likely as $M$,
# and its eigenvalues are those of $M$ with the other sign, so the *set* of eigenvalues is symmetric in distribution.
# But the eigenvalues of one matrix push each other apart: they are not independent. All of them positive, a minimum, is
# therefore rarer still than $2^{-n}$:

# %%
for n in (2, 3, 4, 5):
    M = jax.random.normal(jax.random.key(n), (100_000, n, n))
    eigenvalues = np.linalg.eigvalsh(M + jnp.swapaxes(M, 1, 2))
    share, all_positive = (eigenvalues > 0).mean(), (eigenvalues > 0).all(1).mean()
    print(f"n = {n}: positive {share:.2f}, all positive {all_positive:.4f}, 2^-n {2.0**-n:.4f}")

# %% [markdown]
# **3. What other challenges are there?** Steep walls beside flat ground, at which a step of the right size for the flat
# is far too long (clipping, section 12.11, helps); directions of very different curvature (12.6); noise (12.4); and
# everything in parallel on many devices.
#
# **4. A ball on a saddle: why is it hard to balance, and how can optimisation use that?** Any displacement along the
# direction of negative curvature grows exponentially, by a factor of $1 + 2\eta$ per step in our example. So a little
# noise is enough to leave a saddle.
#
# ## Summary
#
# A small training loss is a means to an end. Local minima and, more often, saddle points have no gradient; flat regions
# have almost none. We need not find the best minimum: a good one will do.
