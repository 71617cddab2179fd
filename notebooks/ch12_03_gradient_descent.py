# %% [markdown]
# # 12.3 Gradient descent
#
# Take a step against the gradient, and again, and again. You will see in one and two dimensions what the learning rate
# does, what a minimum on the way does, and how second derivatives (Newton's method, preconditioning) choose the size of
# the step. [The book's section](https://d2l.ai/chapter_optimization/gd.html) derives each from Taylor's expansion.

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l.book import descent, landscapes

# %% [markdown]
# ## One dimension
#
# $f(x + \epsilon) \approx f(x) + \epsilon f'(x)$, so with $\epsilon = -\eta f'(x)$ the value falls by about $\eta
# f'(x)^2$, as long as the **learning rate** $\eta$ is small enough for the approximation. On $f(x) = x^2$ each step
# multiplies $x$ by $1 - 2 \eta$.


# %%
def gradient_descent(f, x, learning_rate, steps):
    path = [x]
    for _ in range(steps):
        x = x - learning_rate * jax.grad(f)(x)
        path.append(x)
    return jnp.stack(path)


for rate in (0.2, 0.05, 1.1):
    ours = gradient_descent(jnp.square, jnp.array(10.0), rate, 10)
    packaged = descent.gradient_descent(jnp.square, 10.0, learning_rate=rate, steps=10)
    print(f"rate {rate:4}: x = {ours[-1]:9.5f} = 10 (1 - 2 rate)^10; the package {packaged[-1]:9.5f}")

# %% [markdown]
# The package's `descent.gradient_descent` returns the whole path, computed in one compiled loop. A rate of 0.05 is
# slow, 0.2 is good, and from 1 on each step jumps over the minimum and lands farther away than it started.

# %%
landscapes.on_curve(
    jnp.square,
    {
        f"rate {rate}": descent.gradient_descent(jnp.square, 10.0, learning_rate=rate, steps=steps)
        for rate, steps in ((0.05, 10), (0.2, 10), (1.1, 2))
    },
    xlim=(-15, 15),
)

# %% [markdown]
# ### Local minima
#
# $x \cos(0.15 \pi x)$ has infinitely many minima. With a rate of 2, which is rather high, the run from 10 ends in one
# of the shallowest.


# %%
def wave(x):
    return x * jnp.cos(0.15 * jnp.pi * x)


path = descent.gradient_descent(wave, 10.0, learning_rate=2.0, steps=10)
print(f"ends at {path[-1]:.4f}, f = {wave(path[-1]):.4f}")
landscapes.on_curve(wave, {"rate 2": path}, xlim=(-15, 15))

# %% [markdown]
# ## Two dimensions
#
# With several variables, $\mathbf{x} \leftarrow \mathbf{x} - \eta \nabla f(\mathbf{x})$. The same function works. The
# book's example is $x_1^2 + 2 x_2^2$, from (-5, -2).


# %%
def bowl(x):
    return x[0] ** 2 + 2 * x[1] ** 2


start = jnp.array([-5.0, -2.0])
path = gradient_descent(bowl, start, 0.1, 20)
packaged = descent.gradient_descent(bowl, start, learning_rate=0.1, steps=20)
print("after 20 steps:", path[-1], "as in the package:", bool(jnp.allclose(path, packaged, atol=1e-6)))
landscapes.contours(bowl, {"rate 0.1": path})

# %% [markdown]
# ## Newton's method
#
# Up to second order, $f(\mathbf{x} + \boldsymbol\epsilon) \approx f(\mathbf{x}) + \boldsymbol\epsilon^\top \nabla f +
# \frac12 \boldsymbol\epsilon^\top \mathbf{H} \boldsymbol\epsilon$, which is lowest at $\boldsymbol\epsilon = -
# \mathbf{H}^{-1} \nabla f$. No learning rate is needed, and a quadratic is solved in one step. On $\cosh(x/2)$:


# %%
def newton(f, x, steps, learning_rate=1.0):
    path = [x]
    for _ in range(steps):
        x = x - learning_rate * jax.grad(f)(x) / jax.grad(jax.grad(f))(x)
        path.append(x)
    return jnp.stack(path)


def cosh(x):
    return jnp.cosh(0.5 * x)


ours, packaged = newton(cosh, jnp.array(10.0), 6), descent.newton(cosh, 10.0, steps=6)
print(ours, "as in the package:", bool(jnp.allclose(ours, packaged, atol=1e-5)))
landscapes.on_curve(cosh, {"Newton": packaged}, xlim=(-10, 10.5))

# %% [markdown]
# Far away it moves by 2 at a time, and near the minimum the number of right digits doubles or trebles with each step.
#
# Newton's method looks for a point without slope, whether that is a minimum or not. On the wave, whose curvature is
# negative at the start, it goes up to a **maximum**. Half of each step is luckier: it ends in a minimum. Taking $|f''|$
# instead of $f''$ would be a remedy that does not depend on luck.

# %%
paths = {
    name: descent.newton(wave, 10.0, steps=10, learning_rate=rate)
    for name, rate in (("full steps", 1.0), ("half steps", 0.5))
}
for name, path in paths.items():
    curvature = jax.grad(jax.grad(wave))(path[-1])
    print(f"{name}: ends at {path[-1]:.4f}, a {'minimum' if curvature > 0 else 'maximum'}")
landscapes.on_curve(wave, paths, xlim=(-2, 32))

# %% [markdown]
# ## Preconditioning
#
# The Hessian of a network with $n$ parameters has $n^2$ entries. Its diagonal has only $n$, and using that alone, $x_i
# \leftarrow x_i - \eta \, (\partial_i f) / H_{ii}$, is like measuring each variable in its own unit: millimetres or
# kilometres no longer matter. On a ravine, $0.1 x_1^2 + 2 x_2^2$, plain descent is held up by the steep direction.


# %%
def ravine(x):
    return 0.1 * x[0] ** 2 + 2 * x[1] ** 2


paths = {
    "gradient descent": descent.gradient_descent(ravine, start, learning_rate=0.4, steps=20),
    "preconditioned": descent.preconditioned_descent(ravine, start, learning_rate=0.4, steps=20),
}
for name, path in paths.items():
    print(f"{name:17} f = {ravine(path[-1]):.2e} after 20 steps")
landscapes.contours(ravine, paths)

# %% [markdown]
# ## Exercises
#
# **1. Experiment with rates and functions.** Above. On $a x^2$ a step multiplies $x$ by $1 - 2 a \eta$, so it converges
# for $0 < \eta < 1 / a$.
#
# **2. Line search.** Choose the rate anew in each step, such that $f$ is lowest along the line. To find it between two
# ends needs only the sign of the derivative in the middle. *Is that enough?* Yes, for a convex function. *How fast?*
# Each halving leaves half of the interval: exponentially. *Apply it to $\log(e^x + e^{-2x - 3})$:*

# %%
f = lambda x: jnp.logaddexp(x, -2 * x - 3)  # noqa: E731
found = descent.bisection(f, -5.0, 5.0)
exact = (np.log(2) - 3) / 3
print(f"lowest at {found:.5f}, exactly (log 2 - 3) / 3 = {exact:.5f}; there it is {f(found):.5f}")

# %% [markdown]
# **3. A function of two variables on which descent is very slow.** Scale one of them: $x_1^2 + 1000 x_2^2$. The rate
# must be below 1/1000 for the second, and then the first needs thousands of steps.

# %%
scaled = lambda x: x[0] ** 2 + 1000 * x[1] ** 2  # noqa: E731
for rate in (9e-4, 1.1e-3):
    path = descent.gradient_descent(scaled, start, learning_rate=rate, steps=200)
    print(f"rate {rate}: after 200 steps f = {scaled(path[-1]):.1e}")

# %% [markdown]
# **4. A light Newton's method: precondition by the diagonal. Turn the coordinates by 45 degrees.** On an upright ravine
# it is as good as Newton's method, as above. On one that lies across the axes it is no help, for both diagonal entries
# are the same; Newton's method does not care.


# %%
def turned(x):
    return 0.1 * (x[0] + x[1]) ** 2 + 2 * (x[0] - x[1]) ** 2


paths = {
    "preconditioned": descent.preconditioned_descent(turned, start, learning_rate=0.4, steps=20),
    "Newton": descent.newton(turned, start, steps=20, learning_rate=0.4),
}
for name, path in paths.items():
    print(f"{name:14} f = {turned(path[-1]):.1e} after 20 steps")
landscapes.contours(turned, paths)

# %% [markdown]
# ## Summary
#
# The learning rate must suit the steepest direction, so the flattest decides how long it takes. Second derivatives cure
# that where they can be had, but Newton's method climbs where the curvature is negative.
