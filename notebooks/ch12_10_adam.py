# %% [markdown]
# # 12.10 Adam
#
# Adam puts together what the sections before have found: momentum, a rate for every coordinate, and a correction for
# the start. You will write it in six lines, see what the correction does, what Yogi and AdamW change, and where float32
# gets in the way. [The book's section](https://d2l.ai/chapter_optimization/adam.html) has its history.

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
# \mathbf{v}_t &= \beta_1 \mathbf{v}_{t-1} + (1 - \beta_1)\, \mathbf{g}_t, &
# \hat{\mathbf{v}}_t &= \mathbf{v}_t / (1 - \beta_1^t), \\
# \mathbf{s}_t &= \beta_2 \mathbf{s}_{t-1} + (1 - \beta_2)\, \mathbf{g}_t^2, &
# \hat{\mathbf{s}}_t &= \mathbf{s}_t / (1 - \beta_2^t), \qquad
# \mathbf{x}_t = \mathbf{x}_{t-1} - \eta\, \hat{\mathbf{v}}_t / (\sqrt{\hat{\mathbf{s}}_t} + \epsilon).
# \end{aligned}$$
#
# Both means start from 0 and are too small at first. The weights in $\mathbf{v}_t$ sum to $1 - \beta_1^t$, and dividing
# by that makes them sum to 1.


# %%
def ravine(x):
    return 0.1 * x[0] ** 2 + 2 * x[1] ** 2


start = jnp.array([-5.0, -2.0])


def adam(x, learning_rate, beta1=0.9, beta2=0.999, eps=1e-6, steps=20):
    path, v, s = [x], jnp.zeros_like(x), jnp.zeros_like(x)
    for t in range(1, steps + 1):
        g = jax.grad(ravine)(x)
        v = beta1 * v + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * g**2
        v_hat, s_hat = v / (1 - beta1**t), s / (1 - beta2**t)
        x = x - learning_rate * v_hat / (jnp.sqrt(s_hat) + eps)
        path.append(x)
    return np.stack(path)


paths = {f"rate {rate}": adam(start, rate) for rate in (0.01, 0.4)}
for rate in (0.01, 0.4):
    packaged = descent.trajectory(ravine, start, optim.adam(rate, eps=1e-6), steps=20)
    ours = paths[f"rate {rate}"]
    print(f"rate {rate}: first step to {ours[1].round(3)}, last {ours[-1].round(3)};", end=" ")
    print("as in the package:", bool(jnp.allclose(ours, packaged, atol=1e-4)))
landscapes.contours(ravine, paths)

# %% [markdown]
# The first step is $\eta$ in each coordinate, and later ones are hardly longer: that makes the rate easy to choose.
# 0.01 is far too small for a start that is 5 away.
#
# Here is what happens without the correction. $\mathbf{v}$ is too small by a factor of $1 - 0.9$ and
# $\sqrt{\mathbf{s}}$ by $\sqrt{1 - 0.999}$, so the first step is $0.1 / 0.0316 = 3.2$ times too long.

# %%
steps = np.arange(1, 2001)
factor = (1 - 0.9**steps) / np.sqrt(1 - 0.999**steps)
plots.lines(steps, {"without / with": factor}, xlabel="step", ylabel="length of a step", xscale="log")

# %% [markdown]
# ## torch, optax and rounding
#
# All three have the same formula. But $1 - \beta_2^t$ for $t = 1$ is $1 - 0.999$, and in float32 0.999 is
# $0.99900001287$: the difference is off by $1.3 \cdot 10^{-5}$. torch computes it in float64, optax in float32.
# `optim.adam` computes $-\mathrm{expm1}(t \log \beta_2)$, in which nothing cancels.

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


print("after 20 steps: torch", torch_end(lambda x: torch.optim.Adam(x, 0.4, eps=1e-6)).round(4), end=", ")
print("here", descent.trajectory(ravine, start, optim.adam(0.4, eps=1e-6), steps=20)[-1])
w = torch.zeros(1, requires_grad=True)
optimizer = torch.optim.Adam([w], 1.0)
(w * 1.0).sum().backward()
optimizer.step()
print(f"first step for a gradient of 1: torch {w.item():.7f}", end=", ")

# %%
for name, tx in {"optim": optim.adam(1.0), "optax": optax.adam(1.0)}.items():
    update, _ = tx.update(jnp.ones(1), tx.init(jnp.zeros(1)))
    print(f"{name} {update[0]:.7f}", end=", " if name == "optim" else "\n")

# %% [markdown]
# ## Yogi
#
# $\mathbf{s}_t = \mathbf{s}_{t-1} + (1 - \beta_2) (\mathbf{g}_t^2 - \mathbf{s}_{t-1})$ is another way to write Adam's
# mean. When gradients become small, it forgets quickly, the rate jumps up, and Adam may diverge. Yogi takes only the
# sign of the difference:
#
# $$\mathbf{s}_t = \mathbf{s}_{t-1} + (1 - \beta_2)\,
# \mathrm{sgn}(\mathbf{g}_t^2 - \mathbf{s}_{t-1}) \odot \mathbf{g}_t^2.$$
#
# torch has none; `optax.yogi` starts both means from $10^{-6}$ where the book and `optim.yogi` start from 0.

# %%
paths = {
    "Adam": descent.trajectory(ravine, start, optim.adam(0.4), steps=40),
    "Yogi": descent.trajectory(ravine, start, optim.yogi(0.4), steps=40),
}
for name, path in paths.items():
    print(f"{name}: x = {np.asarray(path[20]).round(3)} after 20 steps")
landscapes.contours(ravine, paths)

# %% [markdown]
# ## Weight decay: AdamW
#
# A penalty on the weights added to the *gradient* is divided by $\sqrt{\mathbf{s}}$ like everything else, so that it
# hardly does anything: here it only rescales the gradient, and Adam does not care about scale. AdamW shrinks the
# *weights* by $\eta \lambda$ instead.

# %%
# %%torch
for name, tx in {
    "Adam": optim.adam(0.4),
    "Adam, decay 0.01": optim.adam(0.4, weight_decay=0.01),
    "AdamW, decay 0.01": optim.adamw(0.4, weight_decay=0.01),
}.items():
    x = descent.trajectory(ravine, start, tx, steps=20)[-1]
    print(f"{name:18} x = ({x[0]:.4f}, {x[1]:.4f})")

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

curves = {}
for name, make_tx in {"Adam": optim.adam, "Yogi": optim.yogi}.items():
    result = sweep(
        model,
        losses.squared_loss,
        make_tx,
        airfoil,
        seeds=list(range(5)),
        grid={"learning_rate": [0.01]},
        epochs=6,
        batch_size=10,
    )
    loss = result.history.test_loss[:, 0]
    curves[name] = loss.mean(0)
    print(f"{name}: loss after 2 epochs {loss[:, 1].mean():.4f} ± {loss[:, 1].std(ddof=1):.4f}")
plots.lines(np.arange(1, 7), curves, xlabel="epoch", ylabel="loss on all examples, mean of 5 seeds")

# %% [markdown]
# ## Exercises
#
# **1. Change the learning rate.** On the airfoil data, from five seeds, after two epochs:

# %%
rates = [0.001, 0.003, 0.01, 0.03, 0.1]
result = sweep(
    model,
    losses.squared_loss,
    optim.adam,
    airfoil,
    seeds=list(range(5)),
    grid={"learning_rate": rates},
    epochs=2,
    batch_size=10,
)
for rate, loss in zip(rates, result.history.test_loss[..., -1].T, strict=True):
    print(f"rate {rate}: {loss.mean():.4f} ± {loss.std(ddof=1):.4f}")

# %% [markdown]
# **2. Rewrite momentum and squares such that no correction is needed.** Let the weights of the mean depend on $t$:
# $\mathbf{v}_t = \mathbf{v}_{t-1} + \alpha_t (\mathbf{g}_t - \mathbf{v}_{t-1})$ with $\alpha_t = (1 - \beta) / (1 -
# \beta^t)$. In the first step $\alpha_1 = 1$, so the start at 0 is forgotten at once.

# %%
gradients, v, corrected = [3.0, -1.0, 2.0, 0.5], 0.0, 0.0
for t, g in enumerate(gradients, 1):
    v = 0.9 * v + 0.1 * g
    corrected += 0.1 / (1 - 0.9**t) * (g - corrected)
    print(f"{v / (1 - 0.9**t):.6f} {corrected:.6f}")

# %% [markdown]
# **3. Why must the rate fall as we converge?** Adam divides by the size of the gradients. If they become small all
# together, the steps do not, as with RMSProp.
#
# **4. Construct a case in which Adam diverges and Yogi converges.** Rare large gradients in the right direction and
# many small ones in the wrong one: Adam has forgotten the large one's size when it has to weigh the small ones. The
# classic example has, for $x \in [-1, 1]$, the gradient $C = 4$ in every third step and $-1$ otherwise: the mean is
# positive, so the best $x$ is $-1$. With a short memory ($\beta_1 = 0$, $\beta_2 = 1 / (1 + C^2)$) Adam goes to $+1$:

# %%
gradients = jnp.where(jnp.arange(3000) % 3 == 0, 4.0, -1.0)
short = {"betas": (0.0, 1 / 17), "eps": 1e-8}
for name, tx in {
    "Adam": optim.adam(0.01, **short),
    "Yogi": optim.yogi(0.01, **short),
    "AMSGrad": optim.adam(0.01, amsgrad=True, **short),
}.items():

    def step(carry, g, tx=tx):
        x, state = carry
        update, state = tx.update(g, state, x)
        return (jnp.clip(x + update, -1, 1), state), None

    (x, _), _ = jax.lax.scan(step, (jnp.array(0.0), tx.init(jnp.array(0.0))), gradients)
    print(f"{name:8} ends at {x:.2f}")

# %% [markdown]
# ## Summary
#
# Adam is momentum, divided by the root of a mean of squares, both corrected for their start. Its steps have about the
# size of the rate. Yogi lets the mean of squares fall more slowly; AdamW shrinks the weights and not the gradient.
