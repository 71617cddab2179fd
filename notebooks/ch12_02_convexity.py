# %% [markdown]
# # 12.2 Convexity
#
# The loss of a network is not convex. Still, convex functions are where optimisers are understood, and an algorithm
# that fails on them is unlikely to do better elsewhere. You will learn three tests for convexity, by chords, by
# Jensen's inequality and by second derivatives, and how to stay inside a convex set. [The book's
# section](https://d2l.ai/chapter_optimization/convexity.html) has the proofs.

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l import plots
from jaxd2l.book import convexity, descent, landscapes

# %% [markdown]
# ## Chords
#
# A function is **convex** if it never rises above the chord between two of its points:
#
# $$f(\lambda x + (1 - \lambda) y) \le \lambda f(x) + (1 - \lambda) f(y) \qquad \text{for } \lambda \in [0, 1].$$
#
# We try many $\lambda$ and look at the largest difference. For a convex function it is 0, at the ends; the cosine rises
# above its chord. `convexity.chord_gap` is the same function.


# %%
def chord_gap(f, x, y):
    share = jnp.linspace(0, 1, 101)
    return jnp.max(f(share * x + (1 - share) * y) - (share * f(x) + (1 - share) * f(y)))


def parabola(x):
    return 0.5 * x**2


def cosine(x):
    return jnp.cos(jnp.pi * x)


def exponential(x):
    return jnp.exp(0.5 * x)


x, chord_x = jnp.linspace(-2, 2, 101), jnp.array([-1.5, 1.0])
for f in (parabola, cosine, exponential):
    ours, packaged = chord_gap(f, *chord_x), convexity.chord_gap(f, *chord_x)
    print(f"{f.__name__:12} above its chord by {ours:.4f} ({packaged:.4f} by the package)")

# %%
line = jnp.interp(x, chord_x, cosine(chord_x), left=jnp.nan, right=jnp.nan)
plots.lines(
    x,
    {"$x^2/2$": parabola(x), "cos πx": cosine(x), "its chord": line, "exp(x/2)": exponential(x)},
    xlabel="x",
    ylabel="f",
)

# %% [markdown]
# ## Jensen's inequality
#
# What holds for two points holds for any number of them, so for any random $X$: the mean of $f$ is at least $f$ of the
# mean,
#
# $$\mathbb{E}[f(X)] \ge f(\mathbb{E}[X]).$$
#
# For $f(x) = x^2$ the difference is the variance. For the logarithm, which is concave, the sign is the other one; that
# is why cross-entropy is at least entropy.

# %%
values, p = jnp.array([-1.0, 0.5, 2.0]), jnp.array([0.3, 0.5, 0.2])
mean = p @ values
print(f"x^2:     {p @ values**2 - mean**2:.4f}, the variance {p @ (values - mean) ** 2:.4f}")
print(f"package: {convexity.jensen_gap(jnp.square, values, p):.4f}")
print(f"exp:     {convexity.jensen_gap(jnp.exp, values, p):.4f}")
print(f"-exp:    {convexity.jensen_gap(lambda x: -jnp.exp(x), values, p):.4f}")

# %% [markdown]
# ## Local minima are global minima
#
# In a convex function, no minimum can be higher than another: the chord between the two would lie below the function.
# So wherever gradient descent starts, it ends at the same height. $\max(x^2, x + 1)$ is convex, being the larger of two
# convex functions, although it has a kink.


# %%
def larger(x):
    return jnp.maximum(x**2, x + 1)


paths = {f"from {start}": descent.gradient_descent(larger, start, learning_rate=0.2, steps=12) for start in (-2.0, 2.5)}
print(f"lowest value: {larger(descent.bisection(larger, -3.0, 3.0)):.4f}")
landscapes.on_curve(larger, paths, xlim=(-2.2, 2.7))

# %% [markdown]
# ## Second derivatives
#
# A function of one variable is convex if and only if $f'' \ge 0$; of several, if and only if no eigenvalue of the
# Hessian is negative anywhere. $\log \sum_i e^{x_i}$, the part of the cross-entropy loss that is not linear, passes:
# its Hessian is $\mathrm{diag}(p) - p p^\top$ with $p$ the softmax, a matrix of covariances. One eigenvalue is 0, for
# adding a constant to all $x_i$ moves it along a line.

# %%
for seed in range(3):
    point = jax.random.normal(jax.random.key(seed), (4,))
    p = jax.nn.softmax(point)
    by_hand = np.linalg.eigvalsh(jnp.diag(p) - jnp.outer(p, p))
    by_autodiff = convexity.curvatures(jax.nn.logsumexp, point)
    print(by_hand.round(4) + 0.0, "equal:", bool(np.allclose(by_hand, by_autodiff, atol=1e-6)))

# %% [markdown]
# ## Constraints: projections
#
# To keep parameters within a convex set $\mathcal{X}$, take a step and then go to the nearest point of the set,
#
# $$\mathrm{Proj}_\mathcal{X}(x) = \mathrm{argmin}_{x' \in \mathcal{X}} \|x - x'\|.$$
#
# The projection onto the ball of radius 1 is $x \min(1, 1 / \|x\|)$: it is how gradients are clipped. Onto the
# "diamond" $\sum_i |x_i| \le 1$, all sizes shrink by the same amount, and those that would go below 0 become exactly 0:
# it makes vectors sparse.


# %%
def project_l2(x):
    return x * jnp.minimum(1, 1 / jnp.linalg.norm(x))


def project_l1(x):
    sizes = jnp.sort(jnp.abs(x))[::-1]
    shrink = jnp.max((jnp.cumsum(sizes) - 1) / jnp.arange(1.0, len(x) + 1))  # with the right number of sizes left
    return jnp.sign(x) * jnp.maximum(jnp.abs(x) - jnp.maximum(shrink, 0), 0)


for point in (jnp.array([3.0, 4.0]), jnp.array([1.0, 0.5]), jnp.array([0.2, -0.3])):
    print(point, "-> ball", project_l2(point), "diamond", project_l1(point))
    assert jnp.allclose(project_l2(point), convexity.project_l2(point))
    assert jnp.allclose(project_l1(point), convexity.project_l1(point))

# %% [markdown]
# **Projected gradient descent** on $(x_1 - 2)^2 + (x_2 - 0.5)^2$, whose minimum lies outside both sets:


# %%
def target(x):
    return (x[0] - 2) ** 2 + (x[1] - 0.5) ** 2


def projected(project):
    x = jnp.array([-0.6, 0.3])
    path = [x]
    for _ in range(20):
        x = project(x - 0.1 * jax.grad(target)(x))
        path.append(x)
    return jnp.stack(path)


paths = {"free": descent.gradient_descent(target, jnp.array([-0.6, 0.3]), learning_rate=0.1, steps=20)}
paths |= {"in the ball": projected(convexity.project_l2), "in the diamond": projected(convexity.project_l1)}
print({name: np.asarray(path[-1]).round(3).tolist() for name, path in paths.items()})
landscapes.contours(target, paths, xlim=(-1, 2.3), ylim=(-0.6, 1.2))

# %% [markdown]
# ## Exercises
#
# **1. The set of points that a line segment between any two points never leaves: how do you test it with lines between
# boundary points only?** If a segment leaves the set, it crosses the boundary, and the part between the two crossings
# lies outside: a segment between boundary points. So it suffices to try those.
#
# **2. The ball $\{x : \|x - c\|_p \le r\}$ is convex for $p \ge 1$.** By the triangle inequality $\|\lambda x + (1 -
# \lambda) y\|_p \le \lambda \|x\|_p + (1 - \lambda) \|y\|_p \le r$. For $p = 1/2$ that fails:

# %%
for p in (0.5, 1.0, 2.0):
    size = lambda x, p=p: jnp.sum(jnp.abs(x) ** p) ** (1 / p)  # noqa: E731
    print(f"p = {p}: the middle of (1, 0) and (0, 1) has size {size(jnp.array([0.5, 0.5])):.2f}")

# %% [markdown]
# **3. $\max(f, g)$ of convex functions is convex; $\min(f, g)$ need not be.** $\max(f, g)(\lambda x + (1 - \lambda) y)$
# is $f$ or $g$ of it, hence below that function's chord, hence below the chord of the maximum. For the minimum take two
# parabolas side by side:


# %%
def smaller(x):
    return jnp.minimum((x - 1) ** 2, (x + 1) ** 2)


print(f"above the chord from -1 to 1 by {convexity.chord_gap(smaller, jnp.array(-1.0), jnp.array(1.0)):.2f}")

# %% [markdown]
# **4. The logarithm of the softmax's denominator is convex.** Shown above: its Hessian is a matrix of covariances.
#
# **5. Linear subspaces are convex.** $W(\lambda x + (1 - \lambda) y) = \lambda b + (1 - \lambda) b = b$.
#
# **6. The projection onto a linear subspace is $Mx$ for a matrix $M$.** With an orthonormal basis as the columns of
# $U$, $M = U U^\top$; and projecting twice is projecting once, $M^2 = M$.

# %%
U, _ = np.linalg.qr(jax.random.normal(jax.random.key(0), (4, 2)))
M = U @ U.T
print("M M = M:", bool(np.allclose(M @ M, M, atol=1e-6)))

# %% [markdown]
# **7. Projections onto convex sets never increase distances: $\|\mathrm{Proj}(x) - \mathrm{Proj}(y)\| \le \|x - y\|$.**
# Seen from $\mathrm{Proj}(x)$, the set lies entirely on the other side than $x$, and the same for $y$. For a thousand
# pairs:

# %%
x, y = jax.random.normal(jax.random.key(1), (2, 1000, 3)) * 2
for project in (convexity.project_l2, convexity.project_l1):
    after = jnp.linalg.norm(jax.vmap(project)(x) - jax.vmap(project)(y), axis=1)
    print(bool(jnp.all(after <= jnp.linalg.norm(x - y, axis=1) + 1e-6)))

# %% [markdown]
# ## Summary
#
# Convex functions lie below their chords, have no negative curvature, and any minimum is the lowest. Constraints can be
# kept by projecting after each step; projections never make things worse.
