# %% [markdown]
# # 12.8 RMSProp
#
# Adagrad's rate can only fall, because its sum of squares can only grow. RMSProp takes a running mean instead: old
# gradients are forgotten, and you set the rate yourself. You will see what that changes, and how torch's and optax's
# versions differ. [The book's section](https://d2l.ai/chapter_optimization/rmsprop.html) compares it with Adagrad.

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
# $$\mathbf{s}_t = \gamma \mathbf{s}_{t-1} + (1 - \gamma)\, \mathbf{g}_t^2, \qquad
# \mathbf{x}_t = \mathbf{x}_{t-1} - \frac{\eta}{\sqrt{\mathbf{s}_t + \epsilon}} \odot \mathbf{g}_t.$$
#
# Written out, $\mathbf{s}_t = (1 - \gamma) (\mathbf{g}_t^2 + \gamma \mathbf{g}_{t-1}^2 + \gamma^2 \mathbf{g}_{t-2}^2 +
# \ldots)$: weights that sum to 1.


# %%
def ravine(x):
    return 0.1 * x[0] ** 2 + 2 * x[1] ** 2


start = jnp.array([-5.0, -2.0])


def rmsprop(x, learning_rate, gamma, steps=20, eps=1e-6):
    path, s = [x], jnp.zeros_like(x)
    for _ in range(steps):
        g = jax.grad(ravine)(x)
        s = gamma * s + (1 - gamma) * g**2
        x = x - learning_rate / jnp.sqrt(s + eps) * g
        path.append(x)
    return np.stack(path)


ours = rmsprop(start, 0.4, 0.9)
print("first step to", ours[1].round(4), "and after 20:", ours[-1].round(5) + 0.0)
adagrad = descent.trajectory(ravine, start, optim.adagrad(0.4), steps=20)
landscapes.contours(ravine, {"RMSProp": ours, "Adagrad": adagrad})

# %% [markdown]
# With the same rate of 0.4 RMSProp arrives where Adagrad gives up. Its first step has the size $\eta / \sqrt{1 -
# \gamma}$ in every coordinate, here $0.4 / \sqrt{0.1} = 1.26$, since $\mathbf{s}$ starts from 0 and is too small at
# first. (Adam corrects that, section 12.10.)

# %%
ages = np.arange(21)
plots.lines(
    ages,
    {f"gamma {gamma}": (1 - gamma) * gamma**ages for gamma in (0.95, 0.9, 0.8, 0.7)},
    xlabel="age in steps",
    ylabel="weight of a squared gradient",
)

# %% [markdown]
# ## Three libraries, three defaults
#
# `optim.rmsprop` does what `torch.optim.RMSprop` does: it adds $\epsilon = 10^{-8}$ to the root, and keeps 0.99 by
# default. `optax.rmsprop` adds it under the root, and keeps 0.9. If you port a model, give all of them.

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
    "from scratch": ours[-1],
    "torch, alpha 0.9": torch_end(lambda x: torch.optim.RMSprop(x, 0.4, alpha=0.9)),
    "optim, alpha 0.9": descent.trajectory(ravine, start, optim.rmsprop(0.4, alpha=0.9), steps=20)[-1],
    "torch's defaults": torch_end(lambda x: torch.optim.RMSprop(x, 0.4)),
    "optim's defaults": descent.trajectory(ravine, start, optim.rmsprop(0.4), steps=20)[-1],
    "optax's defaults": descent.trajectory(ravine, start, optax.rmsprop(0.4), steps=20)[-1],
}
for name, x in ends.items():
    print(f"{name}: x1 = {x[0]:9.1e}, x2 = {x[1]:9.1e}")

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

rates = [0.003, 0.01, 0.03]
result = sweep(
    model,
    losses.squared_loss,
    lambda learning_rate: optim.rmsprop(learning_rate, alpha=0.9),
    airfoil,
    seeds=list(range(5)),
    grid={"learning_rate": rates},
    epochs=6,
    batch_size=10,
)
for rate, loss in zip(rates, result.history.test_loss[..., 1].T, strict=True):
    print(f"rate {rate}: loss after 2 epochs {loss.mean():.4f} ± {loss.std(ddof=1):.4f}")
plots.lines(
    np.arange(1, 7),
    {f"rate {rate}": curve for rate, curve in zip(rates, result.history.test_loss.mean(0), strict=True)},
    xlabel="epoch",
    ylabel="loss on all examples, mean of 5 seeds",
)

# %% [markdown]
# ## Exercises
#
# **1. What happens with $\gamma = 1$?** $\mathbf{s}$ stays 0, and a step is $\eta / \sqrt\epsilon$ times the gradient:
# plain descent with a rate a thousand times as large.
#
# **2. Turn the ravine, $0.1 (x_1 + x_2)^2 + 2 (x_1 - x_2)^2$.** As with Adagrad, the axes look alike, and the rate of
# each is set by the steep direction:


# %%
def turned(x):
    return 0.1 * (x[0] + x[1]) ** 2 + 2 * (x[0] - x[1]) ** 2


path = descent.trajectory(turned, start, optim.rmsprop(0.4, alpha=0.9), steps=20)
print(f"f = {turned(path[-1]):.3f} at", np.asarray(path[-1]).round(3))
landscapes.contours(turned, {"RMSProp, rate 0.4": path})

# %% [markdown]
# **3. Must $\gamma$ change during training?** The rate must, in the end: near a minimum RMSProp's steps do not shrink
# with the gradient, because it divides by the gradient's own size. With a constant rate it goes on jumping to and fro
# by about $\eta$, as with 0.03 above.
#
# ## Summary
#
# RMSProp forgets old squares. It does not slow down by itself, so its rate needs a schedule. $\gamma$ is how long it
# remembers, and $\epsilon$ in the root or beside it is one of the differences between libraries.
