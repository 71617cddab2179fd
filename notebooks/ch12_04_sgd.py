# %% [markdown]
# # 12.4 Stochastic gradient descent
#
# The gradient over all examples is expensive; that of one example is cheap and, on average, the same. You will see what
# its noise does to the path, why the learning rate must fall over time, and how fast. The noise has closed forms, so
# you can compare each experiment with what it should show. [The book's
# section](https://d2l.ai/chapter_optimization/sgd.html) proves convergence for convex losses.

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l import plots
from jaxd2l.book import convergence, descent, landscapes

# %% [markdown]
# ## Noisy gradients
#
# A loss is a mean over $n$ examples, $f(\mathbf{x}) = \frac1n \sum_i f_i(\mathbf{x})$. For an example $i$ drawn at
# random
#
# $$\mathbb{E}_i \nabla f_i(\mathbf{x}) = \nabla f(\mathbf{x}),$$
#
# so $\mathbf{x} \leftarrow \mathbf{x} - \eta \nabla f_i(\mathbf{x})$ goes the right way on average, at $1/n$ of the
# cost. As the book does, we imitate this by adding $\mathcal{N}(0, 1)$ noise to the gradient of $x_1^2 + 2 x_2^2$. The
# package has this as `descent.stochastic_descent`; the key decides the noise.


# %%
def bowl(x):
    return x[0] ** 2 + 2 * x[1] ** 2


def stochastic_descent(key, x, rate, steps):
    def step(x, t):
        noise = jax.random.normal(jax.random.fold_in(key, t), x.shape)
        x = x - rate(t) * (jax.grad(bowl)(x) + noise)
        return x, x

    return jnp.concatenate([x[None], jax.lax.scan(step, x, jnp.arange(steps))[1]])


def constant(t):
    return 0.1


start, key = jnp.array([-5.0, -2.0]), jax.random.key(0)
path = stochastic_descent(key, start, constant, 50)
packaged = descent.stochastic_descent(key, bowl, start, learning_rate=0.1, steps=50)
print("as in the package:", bool(jnp.allclose(path, packaged, atol=1e-6)))
landscapes.contours(
    bowl, {"noisy": path, "all examples": descent.gradient_descent(bowl, start, learning_rate=0.1, steps=50)}
)

# %% [markdown]
# The noisy path arrives near the minimum and then wanders about. It will do so for ever. One run says little, so we
# take 2000, all at once with `vmap`, and look at where they end. Since the gradient is linear, mean and variance of
# each coordinate follow from those of the step before,
#
# $$m \leftarrow (1 - \eta h)\, m, \qquad v \leftarrow (1 - \eta h)^2\, v + \eta^2,$$
#
# with $h = 2$ and $4$, the curvatures. `convergence.noise_moments` computes them: for ever, $v = \eta^2 / (1 - (1 -
# \eta h)^2)$.


# %%
def moments(rates, start, curvature):
    mean, variance = start, 0.0
    for rate in rates:
        mean, variance = (1 - rate * curvature) * mean, (1 - rate * curvature) ** 2 * variance + rate**2
    return mean, np.sqrt(variance)


keys = jax.random.split(jax.random.key(1), 2000)
ends = jax.vmap(lambda key: stochastic_descent(key, start, constant, 50)[-1])(keys)
for i, h in enumerate((2.0, 4.0)):
    by_hand = moments([0.1] * 50, float(start[i]), h)
    packaged = convergence.noise_moments(jnp.full(50, 0.1), start[i], curvature=h)
    print(
        f"x{i + 1}: spread of 2000 runs {ends[:, i].std():.3f}, by formula {by_hand[1]:.4f}, package {packaged.sd:.4f}"
    )

# %% [markdown]
# ## A learning rate that falls
#
# To come to rest, the rate must fall. But how fast? If it falls too fast, the run stops before it arrives: in total it
# can travel no farther than the sum of the rates allows. The book compares
#
# $$\eta(t) = \eta_0 e^{-\lambda t} \quad \text{(exponential)}, \qquad
# \eta(t) = \eta_0 (\beta t + 1)^{-\alpha} \quad \text{(polynomial)},$$
#
# with $\lambda = \beta = 0.1$ and $\alpha = 0.5$. In the book's code, which we follow here, the first step has $t = 2$.


# %%
def exponential(t):
    return 0.1 * jnp.exp(-0.1 * (t + 2))


def polynomial(t):
    return 0.1 * (0.1 * (t + 2) + 1) ** -0.5


schedules = {"constant": (constant, 50), "exponential": (exponential, 1000), "polynomial": (polynomial, 50)}
for name, (rate, steps) in schedules.items():
    rates = jnp.array([rate(t) for t in range(steps)])
    found = [convergence.noise_moments(rates, s, curvature=h) for s, h in zip(start, (2.0, 4.0), strict=True)]
    text = ", ".join(f"x{i + 1} = {m.mean:7.4f} ± {m.sd:.4f}" for i, m in enumerate(found))
    print(f"{name:12} after {steps:4} steps: {text}")

# %% [markdown]
# After 1000 steps the exponential schedule is still 0.83 away from the minimum in $x_1$, and further steps would not
# help. The polynomial one has arrived after 50, and its spread keeps falling.

# %%
landscapes.contours(bowl, {name: stochastic_descent(key, start, *schedule) for name, schedule in schedules.items()})

# %% [markdown]
# Here is the expected squared distance to the minimum, $m^2 + v$ in both coordinates, as it goes on.

# %%
every = np.unique(np.geomspace(1, 1000, 25).astype(int))
distances = {}
for name, (rate, _) in schedules.items():
    rates = jnp.array([rate(t) for t in range(1000)])
    found = [
        [convergence.noise_moments(rates[:n], s, curvature=h) for n in every] for s, h in ((-5.0, 2.0), (-2.0, 4.0))
    ]
    distances[name] = np.sum([[m.mean**2 + m.sd**2 for m in row] for row in found], axis=0)
plots.lines(every, distances, xlabel="steps", ylabel="expected squared distance", xscale="log", yscale="log")

# %% [markdown]
# ## Finite data
#
# In practice each epoch visits every example once, in random order: **without replacement**. Drawn with replacement, an
# example is seen at least once in $n$ draws with probability $1 - (1 - 1/n)^n \approx 1 - 1/e = 0.632$, and exactly
# once with probability about $1/e = 0.368$. That loses a third of the data in every epoch.

# %%
n = 1500
draws = jax.random.randint(jax.random.key(2), (200, n), 0, n)
seen = np.array([np.bincount(row, minlength=n) for row in np.asarray(draws)])
print(f"seen:         {(seen > 0).mean():.3f}, expected {1 - (1 - 1 / n) ** n:.4f}")
print(f"exactly once: {(seen == 1).mean():.3f}, expected {(1 - 1 / n) ** (n - 1):.4f}")

# %% [markdown]
# ## Exercises
#
# **1. Try other schedules.** With $\eta_0 (\beta t + 1)^{-\alpha}$ the sum of all rates is infinite if and only if
# $\alpha \le 1$, so that any start can be overcome; the sum of their squares is finite if and only if $\alpha > 1/2$,
# so that the noise dies. Between the two is where to be:

# %%
for alpha in (0.25, 0.5, 0.75, 1.0, 2.0):
    rates = 0.1 * (0.1 * jnp.arange(2, 20_002) + 1.0) ** -alpha
    found = convergence.noise_moments(rates, -5.0, curvature=2.0)
    print(f"alpha = {alpha}: after 20,000 steps x1 = {found.mean:7.4f} ± {found.sd:.4f}")

# %% [markdown]
# **2. $f(\mathbf{x}, \mathbf{w}) = (x_1 - w_1)^2 + 2 (x_2 - w_2)^2$ with normal $\mathbf{w}$: show that the minimum of
# the mean is at the mean of $\mathbf{w}$, and that the gradient for one $\mathbf{w}$ is the gradient of the mean plus
# noise.** The gradient is $(2 (x_1 - w_1), 4 (x_2 - w_2))$: that for $\mathbb{E} \mathbf{w}$ plus $(-2, -4)$ times
# $\mathbf{w} - \mathbb{E} \mathbf{w}$, which is normal with mean 0.
#
# **3. Compare sampling with and without replacement.** For a mean, as an example, $x \leftarrow x - \eta (x - w_i)$
# with $\eta = 1 / t$ gives after one epoch the average of what was drawn. Without replacement that is the mean of the
# data exactly; with replacement it is off by the standard error:

# %%
w = jax.random.normal(jax.random.key(3), (1000,))
orders = {
    "with replacement": jax.random.randint(jax.random.key(4), (100, 1000), 0, 1000),
    "without": jax.vmap(lambda key: jax.random.permutation(key, 1000))(jax.random.split(jax.random.key(5), 100)),
}
for name, order in orders.items():
    error = jnp.sqrt(jnp.mean((jnp.mean(w[order], 1) - w.mean()) ** 2))
    print(f"{name:16} error {error:.4f}")

# %% [markdown]
# **4. Some coordinates of the gradient are always larger than others. What would you do?** Give each its own rate, in
# proportion to what its gradients have been: Adagrad, section 12.7.
#
# **5. How many minima has $f(x) = x^2 (1 + \sin x)$? Change it such that all of them have to be visited.** It is 0 at
# $x = 0$ and wherever $\sin x = -1$, and nowhere negative: infinitely many minima of the same height. Lower each by an
# amount of its own that cannot be guessed from the others; then only those who have looked at all know which is the
# lowest.
#
# ## Summary
#
# One example's gradient is right on average. A constant rate goes on shaking, with a variance in proportion to the
# rate; a rate that falls exponentially may stop too early; a polynomial one works. Sample without replacement.
