# %% [markdown]
# # 12.6 Momentum
#
# In a narrow valley, gradient descent goes back and forth across and hardly along. Momentum averages over past
# gradients: what alternates cancels, what persists adds up. You will see the paths, learn from a 2 x 2 matrix when it
# converges, and try it on the airfoil data. [The book's section](https://d2l.ai/chapter_optimization/momentum.html) has
# more on the theory.

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l import data, losses, models, optim, plots
from jaxd2l.book import convergence, descent, landscapes
from jaxd2l.train.sweep import sweep

# %% [markdown]
# ## The ravine
#
# $f(\mathbf{x}) = 0.1 x_1^2 + 2 x_2^2$ is twenty times as steep across as along. A rate of 0.4 is slow along; 0.6 is
# too much across, for $1 - 0.6 \cdot 4 = -1.4$.


# %%
def ravine(x):
    return 0.1 * x[0] ** 2 + 2 * x[1] ** 2


start = jnp.array([-5.0, -2.0])
paths = {
    f"rate {rate}": descent.gradient_descent(ravine, start, learning_rate=rate, steps=steps)
    for rate, steps in ((0.4, 20), (0.6, 3))
}
for name, path in paths.items():
    print(f"{name}: x = ({path[-1][0]:.4f}, {path[-1][1]:.4f}) after {len(path) - 1} steps")
landscapes.contours(ravine, paths, ylim=(-6, 6))

# %% [markdown]
# ## Momentum
#
# $$\mathbf{v}_t = \beta \mathbf{v}_{t-1} + \mathbf{g}_t, \qquad \mathbf{x}_t = \mathbf{x}_{t-1} - \eta \mathbf{v}_t.$$
#
# $\mathbf{v}_t = \sum_\tau \beta^\tau \mathbf{g}_{t - \tau}$: a gradient goes on working after its step, with weights
# 1, $\beta$, $\beta^2$, ..., whose sum is $1 / (1 - \beta)$. In the package it is `optim.sgd(..., momentum=...)`.


# %%
def momentum(x, learning_rate, beta, steps=20):
    path, v = [x], jnp.zeros_like(x)
    for _ in range(steps):
        v = beta * v + jax.grad(ravine)(x)
        x = x - learning_rate * v
        path.append(x)
    return np.stack(path)


paths = {}
for beta in (0.5, 0.25):
    ours = momentum(start, 0.6, beta)
    packaged = descent.trajectory(ravine, start, optim.sgd(0.6, momentum=beta), steps=20)
    print(
        f"momentum {beta}: x = {ours[-1].round(4)}, as in the package: {bool(jnp.allclose(ours, packaged, atol=1e-5))}"
    )
    paths[f"rate 0.6, momentum {beta}"] = ours
landscapes.contours(ravine, paths)

# %% [markdown]
# The rate that made plain descent diverge converges now. PyTorch takes the same path. Its `nesterov=True` looks one
# step ahead; here the rate of 0.4, fine for either of the other two, is then too much.

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


print("torch, momentum 0.5:", torch_end(lambda x: torch.optim.SGD(x, 0.6, momentum=0.5)).round(4))
print("torch, Nesterov:    ", torch_end(lambda x: torch.optim.SGD(x, 0.4, momentum=0.5, nesterov=True)).round(3))

# %%
nesterov = descent.trajectory(ravine, start, optim.sgd(0.4, momentum=0.5, nesterov=True), steps=20)
print("optim.sgd, Nesterov:", np.asarray(nesterov[-1]).round(3))

# %% [markdown]
# ## How long does it remember?
#
# The weight $\beta^\tau$ has halved after $\log 0.5 / \log \beta$ steps: 6.6 for $\beta = 0.9$. The average age of the
# gradients in $\mathbf{v}$ is $\beta / (1 - \beta)$, which is 9, and the sum of the weights is 10.

# %%
ages = np.arange(40)
for beta in (0.6, 0.9, 0.95):
    print(f"momentum {beta}: half-life {np.log(0.5) / np.log(beta):.2f} steps, sum of weights {1 / (1 - beta):.1f}")
plots.lines(ages, {f"momentum {b}": b**ages for b in (0.95, 0.9, 0.6, 0.0)}, xlabel="age in steps", ylabel="weight")

# %% [markdown]
# ## When it converges
#
# On $\frac{\lambda}{2} x^2$, a step is linear in velocity and position:
#
# $$\begin{bmatrix} v_{t+1} \\ x_{t+1} \end{bmatrix} = \begin{bmatrix} \beta & \lambda \\
# -\eta \beta & 1 - \eta \lambda \end{bmatrix} \begin{bmatrix} v_t \\ x_t \end{bmatrix}.$$
#
# After many steps only the largest eigenvalue counts. Where its size is below 1 the run converges, and that is for $0 <
# \eta \lambda < 2 + 2 \beta$. Without momentum the limit is 2. `convergence.momentum_radius` computes that size; where
# the eigenvalues are complex it is $\sqrt{\beta}$, whatever the curvature. That is why momentum helps with ravines:
# steep and flat directions converge equally fast.


# %%
def radius(rate, beta, curvature):
    matrix = np.array([[beta, curvature], [-rate * beta, 1 - rate * curvature]])
    return np.abs(np.linalg.eigvals(matrix)).max()


for beta in (0.0, 0.25, 0.5):
    print(f"{radius(0.6, beta, 4.0):.4f} {convergence.momentum_radius(0.6, beta, curvature=4.0):.4f}")
products = np.linspace(0.01, 4, 200)
plots.lines(
    products,
    {f"momentum {beta}": convergence.momentum_radius(products, beta) for beta in (0.0, 0.25, 0.5, 0.9)},
    xlabel="learning rate x curvature",
    ylabel="factor per step",
)

# %% [markdown]
# ## The airfoil data
#
# The linear model of section 12.5, with batches of 10. Since gradients add up, a larger momentum needs a smaller rate.
# A single program trains all settings from five seeds: `sweep` takes a function that makes an optimiser.

# %%
try:
    airfoil = data.airfoil()
    print("NASA's measurements")
except OSError:
    airfoil = data.made_up_airfoil(jax.random.key(0))
    print("made-up data of the same columns")
model = models.linear_regression(5)

for beta, rates in ((0.5, [0.02]), (0.9, [0.01, 0.005])):
    result = sweep(
        model,
        losses.squared_loss,
        lambda learning_rate, beta=beta: optim.sgd(learning_rate, momentum=beta),
        airfoil,
        seeds=list(range(5)),
        grid={"learning_rate": rates},
        epochs=2,
        batch_size=10,
    )
    for rate, loss in zip(rates, result.history.test_loss[..., -1].T, strict=True):
        print(f"momentum {beta}, rate {rate}: loss {loss.mean():.4f} ± {loss.std(ddof=1):.4f}")

# %% [markdown]
# ## Exercises
#
# **1. Try other momenta and rates.** The picture above says what to expect: with momentum 0.9 the product of rate and
# curvature may be as large as 3.8, but the run then shrinks by only $\sqrt{0.9} = 0.95$ per step.
#
# **2. Gradient descent and momentum for a quadratic with several eigenvalues.** Each eigenvector on its own behaves as
# above. With eigenvalues between $\lambda_1$ and $\lambda_n$ the best momentum and rate are $\beta = ((\sqrt{\kappa} -
# 1) / (\sqrt{\kappa} + 1))^2$, $\eta = (1 + \sqrt\beta)^2 / \lambda_n$ with $\kappa = \lambda_n / \lambda_1$: the
# number of steps grows with $\sqrt\kappa$ and not with $\kappa$. On the ravine, with eigenvalues 0.2 and 4:

# %%
root = np.sqrt(4 / 0.2)
beta = ((root - 1) / (root + 1)) ** 2
best = {"gradient descent": (2 / 4.2, 0.0), "momentum": ((1 + np.sqrt(beta)) ** 2 / 4, beta)}
for name, (rate, beta) in best.items():
    path = descent.trajectory(ravine, start, optim.sgd(float(rate), momentum=float(beta)), steps=40)
    print(f"{name:16} best rate {rate:.3f}, momentum {beta:.3f}: f = {ravine(path[-1]):.1e} after 40 steps")

# %% [markdown]
# **3. Where is the minimum of $h(\mathbf{x}) = \frac12 \mathbf{x}^\top \mathbf{Q} \mathbf{x} + \mathbf{x}^\top
# \mathbf{c} + b$?** At $-\mathbf{Q}^{-1} \mathbf{c}$, so in the shifted variable $\mathbf{x} + \mathbf{Q}^{-1}
# \mathbf{c}$ it is a pure quadratic.
#
# **4. What changes with noise?** Momentum averages the noise of several batches, but it also goes on with it. On
# $\lambda x^2 / 2$, with the rate multiplied by $1 - \beta$, the final spread is about that of plain descent:

# %%
for rate, beta in ((0.1, 0.0), (0.01, 0.9)):

    def noisy(carry, key, rate=rate, beta=beta):
        x, v = carry
        v = beta * v + x + jax.random.normal(key, x.shape)
        return (x - rate * v, v), None

    (x, _), _ = jax.lax.scan(noisy, (jnp.zeros(20_000), jnp.zeros(20_000)), jax.random.split(jax.random.key(0), 300))
    print(f"rate {rate}, momentum {beta}: spread {x.std():.2f}")

# %% [markdown]
# ## Summary
#
# Momentum averages gradients over about $1 / (1 - \beta)$ steps. It allows larger rates, and in a ravine it converges
# faster, because all directions shrink by the same factor.
