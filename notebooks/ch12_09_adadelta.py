# %% [markdown]
# # 12.9 Adadelta
#
# Adadelta has no learning rate: the size of its steps comes from the size of the steps before. You will see that it
# needs a long time to get going, what $\epsilon$ has to do with that, and that a rate is hidden in it after all. [The
# book's section](https://d2l.ai/chapter_optimization/adadelta.html) derives it from Adagrad.

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import data, losses, models, optim, plots
from jaxd2l.book import descent, landscapes
from jaxd2l.train.sweep import sweep

# %% [markdown]
# ## The algorithm
#
# $$\begin{aligned}
# \mathbf{s}_t &= \rho\, \mathbf{s}_{t-1} + (1 - \rho)\, \mathbf{g}_t^2 \\
# \mathbf{d}_t &= \frac{\sqrt{\mathbf{u}_{t-1} + \epsilon}}{\sqrt{\mathbf{s}_t + \epsilon}} \odot \mathbf{g}_t, \qquad
# \mathbf{x}_t = \mathbf{x}_{t-1} - \mathbf{d}_t \\
# \mathbf{u}_t &= \rho\, \mathbf{u}_{t-1} + (1 - \rho)\, \mathbf{d}_t^2.
# \end{aligned}$$
#
# $\mathbf{d}$ has the unit of $\mathbf{x}$, where RMSProp's $\mathbf{g} / \sqrt{\mathbf{s}}$ has none.


# %%
def ravine(x):
    return 0.1 * x[0] ** 2 + 2 * x[1] ** 2


start = jnp.array([-5.0, -2.0])


def adadelta(x, rho, eps, steps=20):
    path, s, u = [x], jnp.zeros_like(x), jnp.zeros_like(x)
    for _ in range(steps):
        g = jax.grad(ravine)(x)
        s = rho * s + (1 - rho) * g**2
        d = jnp.sqrt(u + eps) / jnp.sqrt(s + eps) * g
        u = rho * u + (1 - rho) * d**2
        x = x - d
        path.append(x)
    return np.stack(path)


ours = adadelta(start, 0.9, 1e-5)
packaged = descent.trajectory(ravine, start, optim.adadelta(1.0, rho=0.9, eps=1e-5), steps=20)
print("first step to", ours[1].round(4), "and after 20:", ours[-1].round(4))
print("as in the package:", bool(jnp.allclose(ours, packaged, atol=1e-6)))

# %% [markdown]
# After 20 steps it has hardly left. $\mathbf{u}$ starts from 0, so the first step is $\sqrt{\epsilon / (1 - \rho)}$
# long, 0.01 here, and then grows by itself. $\epsilon$ is no safeguard against dividing by 0 but sets how fast it
# starts:

# %%
paths = {
    f"eps = {eps:g}": descent.trajectory(ravine, start, optim.adadelta(1.0, eps=eps), steps=150)
    for eps in (1e-5, 1e-3, 1e-2)
}
for name, path in paths.items():
    print(f"{name}: f = {ravine(path[-1]):.4f} after 150 steps")
landscapes.contours(ravine, {name: path[::5] for name, path in paths.items()})

# %% [markdown]
# (Every fifth step is drawn.) With 0.01 it starts at once, and then overshoots.
#
# ## torch and optax
#
# Both multiply $\mathbf{d}$ by a learning rate. In torch it is 1 by default, and so must it be here and in optax:
# **without a rate, `optax.adadelta()` returns $+\mathbf{d}$ and climbs.**

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


ends = {
    "torch": torch_end(lambda x: torch.optim.Adadelta(x)),
    "optim.adadelta(1.0)": descent.trajectory(ravine, start, optim.adadelta(1.0), steps=20)[-1],
    "optax.adadelta(1.0)": descent.trajectory(ravine, start, optax.adadelta(1.0), steps=20)[-1],
    "optax.adadelta()": descent.trajectory(ravine, start, optax.adadelta(), steps=20)[-1],
}
for name, x in ends.items():
    print(f"{name:20} x = ({x[0]:.5f}, {x[1]:.5f}), f = {ravine(x):.4f}; at the start {ravine(start):.4f}")

# %% [markdown]
# ## The airfoil data
#
# With 300 steps there is time enough to get going. The book takes $\rho = 0.9$ and $\epsilon = 10^{-5}$.

# %%
try:
    airfoil = data.airfoil()
    print("NASA's measurements")
except OSError:
    airfoil = data.made_up_airfoil(jax.random.key(0))
    print("made-up data of the same columns")
model = models.linear_regression(5)

rhos = [0.8, 0.9, 0.99]
result = sweep(
    model,
    losses.squared_loss,
    lambda rho: optim.adadelta(1.0, rho=rho, eps=1e-5),
    airfoil,
    seeds=list(range(5)),
    grid={"rho": rhos},
    epochs=6,
    batch_size=10,
)
for rho, loss in zip(rhos, result.history.test_loss[..., 1].T, strict=True):
    print(f"rho {rho}: loss after 2 epochs {loss.mean():.4f} ± {loss.std(ddof=1):.4f}")
plots.lines(
    np.arange(1, 7),
    {f"rho {rho}": curve for rho, curve in zip(rhos, result.history.test_loss.mean(0), strict=True)},
    xlabel="epoch",
    ylabel="loss on all examples, mean of 5 seeds",
)

# %% [markdown]
# ## Exercises
#
# **1. Change $\rho$.** Above: the longer the memory, the longer the start.
#
# **2. Write the algorithm without $\mathbf{d}$.** $\mathbf{d}_t^2 = \mathbf{g}_t^2 \odot (\mathbf{u}_{t-1} + \epsilon)
# / (\mathbf{s}_t + \epsilon)$ can be put in directly; it is then computed twice.
#
# **3. Is Adadelta really free of a learning rate?** No: $\epsilon$ sets the scale of the steps at the start, and both
# libraries have a factor. Here are the lengths of the steps along the run for two $\epsilon$ a hundred times apart:

# %%
steps = np.arange(1, 151)
lengths = {}
for name in ("eps = 1e-05", "eps = 0.001"):
    lengths[name] = jnp.linalg.norm(jnp.diff(paths[name], axis=0), axis=1)
plots.lines(steps, lengths, xlabel="step", ylabel="length of the step", yscale="log")

# %% [markdown]
# **4. Compare with Adagrad and RMSProp.** After 150 steps on the ravine:

# %%
for name, tx in {
    "Adagrad": optim.adagrad(0.4),
    "RMSProp": optim.rmsprop(0.1, alpha=0.9),
    "Adadelta": optim.adadelta(1.0, eps=1e-3),
}.items():
    path = descent.trajectory(ravine, start, tx, steps=150)
    print(f"{name:9} f = {ravine(path[-1]):.4f}")

# %% [markdown]
# ## Summary
#
# Adadelta scales each step by the size of the steps before it, so that nothing has to be set but $\rho$ and, more than
# one would think, $\epsilon$. It starts slowly.
