# %% [markdown]
# # 12.7 Adagrad
#
# Some features are rare, and so are their gradients. A rate that falls with time falls too fast for them. Adagrad gives
# every coordinate a rate of its own, which falls with what its gradients have added up to. You will see how this levels
# a ravine, and where it fails. [The book's section](https://d2l.ai/chapter_optimization/adagrad.html) tells its story.

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import data, losses, models, optim, plots, train
from jaxd2l.book import descent, landscapes
from jaxd2l.train.sweep import sweep
from jaxd2l.types import Batch, Dataset

# %% [markdown]
# ## The algorithm
#
# $$\mathbf{s}_t = \mathbf{s}_{t-1} + \mathbf{g}_t^2, \qquad
# \mathbf{x}_t = \mathbf{x}_{t-1} - \frac{\eta}{\sqrt{\mathbf{s}_t + \epsilon}} \odot \mathbf{g}_t,$$
#
# with all operations element by element. In the first step, $\mathbf{g} / \sqrt{\mathbf{g}^2}$ is $\pm 1$: every
# coordinate moves by $\eta$, however steep it is.


# %%
def ravine(x):
    return 0.1 * x[0] ** 2 + 2 * x[1] ** 2


start = jnp.array([-5.0, -2.0])


def adagrad(x, learning_rate, steps=20, eps=1e-6):
    path, s = [x], jnp.zeros_like(x)
    for _ in range(steps):
        g = jax.grad(ravine)(x)
        s = s + g**2
        x = x - learning_rate / jnp.sqrt(s + eps) * g
        path.append(x)
    return np.stack(path)


paths = {f"rate {rate}": adagrad(start, rate) for rate in (0.4, 2.0)}
for name, path in paths.items():
    print(f"{name}: first step to {np.asarray(path[1]).round(3)}, last {np.asarray(path[-1]).round(4)}")
landscapes.contours(ravine, paths)

# %% [markdown]
# With 0.4 it moves smoothly and slows down: the sum of squares only grows. So Adagrad can do with a large rate; with 2
# it is nearly there after 20 steps.
#
# `optim.adagrad` does what `torch.optim.Adagrad` does, with $\epsilon = 10^{-10}$ outside the root, which matters only
# for tiny gradients. `optax.adagrad` starts with $\mathbf{s}_0 = 0.1$ and therefore ends elsewhere.

# %%
# %%torch
import torch


def torch_end(make, steps=20):
    x = torch.tensor([-5.0, -2.0], requires_grad=True)
    optimizer = make([x])
    for _ in range(steps):
        optimizer.zero_grad()
        ravine(x).backward()
        optimizer.step()
    return x.detach().numpy()


packaged = descent.trajectory(ravine, start, optim.adagrad(0.4), steps=20)[-1]
print("from scratch: ", paths["rate 0.4"][-1])
print("optim.adagrad:", packaged)
print("torch:        ", torch_end(lambda x: torch.optim.Adagrad(x, 0.4)))

# %%
print("optax.adagrad:", descent.trajectory(ravine, start, optax.adagrad(0.4), steps=20)[-1])

# %% [markdown]
# ## Sparse features
#
# What Adagrad was made for: features that are rarely there. Feature $i$ is 1 in a share $2^{-i}$ of the examples and 0
# elsewhere, and all true weights are 1. With one rate for all, rare features get few and late steps; with Adagrad their
# rate is still high when they come.

# %%
x_key, noise_key = jax.random.split(jax.random.key(0))
shares = 2.0 ** -jnp.arange(1, 9)
sparse = (jax.random.uniform(x_key, (4000, 8)) < shares).astype(jnp.float32)
targets = jnp.sum(sparse, 1, keepdims=True) + 0.1 * jax.random.normal(noise_key, (4000, 1))
examples = Dataset(Batch(sparse, targets), Batch(sparse, targets))
weights = {}
for name, tx in {"SGD, rate 0.1": optim.sgd(0.1), "Adagrad, rate 0.3": optim.adagrad(0.3)}.items():
    state, _ = train.fit(
        models.linear_regression(8), losses.squared_loss, tx, examples, key=jax.random.key(1), epochs=1, batch_size=10
    )
    weights[name] = state.params["kernel"][:, 0]
    print(f"{name}: weights", np.asarray(weights[name]).round(2))
plots.lines(
    np.arange(1, 9), weights, xlabel="feature, in a share $2^{-i}$ of the examples", ylabel="weight after one epoch"
)

# %% [markdown]
# ## The airfoil data

# %%
try:
    airfoil = data.airfoil()
    print("NASA's measurements")
except OSError:
    airfoil = data.made_up_airfoil(jax.random.key(0))
    print("made-up data of the same columns")
model = models.linear_regression(5)

result = sweep(
    model,
    losses.squared_loss,
    optim.adagrad,
    airfoil,
    seeds=list(range(5)),
    grid={"learning_rate": [0.01, 0.1, 1.0]},
    epochs=6,
    batch_size=10,
)
curves = result.history.test_loss.mean(0)
for rate, loss in zip((0.01, 0.1, 1.0), result.history.test_loss[..., 1].T, strict=True):
    print(f"rate {rate}: loss after 2 epochs {loss.mean():.4f} ± {loss.std(ddof=1):.4f}")
plots.lines(
    np.arange(1, 7),
    {f"rate {rate}": curve for rate, curve in zip((0.01, 0.1, 1.0), curves, strict=True)},
    xlabel="epoch",
    ylabel="loss on all examples, mean of 5 seeds",
)

# %% [markdown]
# ## Exercises
#
# **1. For an orthogonal $\mathbf{U}$, $\|\mathbf{c} - \boldsymbol\delta\|_2 = \|\mathbf{U} \mathbf{c} - \mathbf{U}
# \boldsymbol\delta\|_2$. Why does that matter?** $(\mathbf{U} \mathbf{z})^\top (\mathbf{U} \mathbf{z}) =
# \mathbf{z}^\top \mathbf{z}$. So a loss turned to other axes is as hard for gradient descent as before, while Adagrad
# works axis by axis and is not the same after turning.
#
# **2. Try Adagrad on $0.1 (x_1 + x_2)^2 + 2 (x_1 - x_2)^2$, the ravine turned by 45 degrees.** It no longer sees that
# one direction is steep and the other flat, for both axes are equally steep:


# %%
def turned(x):
    return 0.1 * (x[0] + x[1]) ** 2 + 2 * (x[0] - x[1]) ** 2


path = descent.trajectory(turned, start, optim.adagrad(0.4), steps=20)
print("ends at", np.asarray(path[-1]).round(4))
landscapes.contours(turned, {"Adagrad, rate 0.4": path}, xlim=(-6, 1), ylim=(-6, 1))

# %% [markdown]
# **3. Gershgorin's theorem: each eigenvalue of a matrix lies within $\sum_{k \ne j} |M_{jk}|$ of a diagonal entry
# $M_{jj}$. What does it say about a diagonally preconditioned matrix?** If the rest of each row is small beside the
# diagonal, dividing by the diagonal brings all eigenvalues near 1, so that one rate suits all.
#
# **4. How can Adagrad be made less aggressive?** Forget old squares: RMSProp, section 12.8.
#
# ## Summary
#
# Adagrad divides each coordinate's step by the root of its summed squares. It needs little tuning and suits sparse
# features; its rate always falls, about like $1/\sqrt{t}$, which is too fast for some problems.
