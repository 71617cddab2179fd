# %% [markdown]
# # 2.4 Calculus
#
# Training makes a loss smaller by changing many numbers a little. Derivatives tell us which changes help. This section
# computes them as limits, as slopes of tangents, and by the rules for gradients, and uses JAX to check each rule.
#
# [This section in the book](https://d2l.ai/chapter_preliminaries/calculus.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l import plots
from jaxd2l.book import autodiff, tensors

# %% [markdown]
# ## The derivative is a limit
#
# $$f'(x) = \lim_{h \to 0} \frac{f(x + h) - f(x)}{h}$$
#
# The book's example is $f(x) = 3x^2 - 4x$ at $x = 1$. As $h$ shrinks, the difference quotient approaches 2.


# %%
def f(x):
    return 3 * x**2 - 4 * x


def difference_quotient(f, x, h):
    return (f(x + h) - f(x)) / h


for h in 10.0 ** np.arange(-1, -6, -1):
    quotients = difference_quotient(f, 1.0, h), autodiff.difference_quotient(f, 1.0, h)
    print(f"h = {h:.5f}, difference quotient = {quotients[0]:.5f}, by autodiff {quotients[1]:.5f}")

# %% [markdown]
# This is the formula as it stands, computed in Python's own numbers, which are float64. JAX uses float32 by default,
# and `autodiff.difference_quotient` switches to float64 for this one computation. Why?
#
# Two errors compete. First, we stop short of the limit: $f(1 + h) - f(1) = 2h + 3h^2$, so the quotient is wrong by
# $3h$. Second, $f(1 + h)$ and $f(1)$ are nearly equal, so few of their digits survive in the difference. That makes the
# quotient wrong by about $\varepsilon / h$, where $\varepsilon$ is the rounding error. In float32 the error never falls
# much below $10^{-4}$; in float64 it falls to $10^{-8}$.

# %%
steps = 10.0 ** np.arange(-1, -12.5, -0.5)


def quotient_float32(h):
    return float((f(jnp.float32(1 + h)) - f(jnp.float32(1))) / h)


errors = {
    "float64": [abs(autodiff.difference_quotient(f, 1.0, h) - 2) for h in steps],
    "float32": [abs(quotient_float32(h) - 2) for h in steps],
    "3h": 3 * steps,
}
plots.lines(steps, errors, xlabel="h", ylabel="error of the quotient", xscale="log", yscale="log")

# %%
print(f"h = 1e-6: float32 {quotient_float32(1e-6):.2f}, float64 {autodiff.difference_quotient(f, 1.0, 1e-6):.6f}")

# %% [markdown]
# ## The derivative is the slope of the tangent
#
# `jax.grad` takes a function and returns its derivative, which is a function too. It needs no $h$: it applies the rules
# of calculus to the operations of $f$ ([2.5](ch02_05_automatic_differentiation.ipynb)). The tangent at 1 is $2x - 3$.

# %%
derivative = jax.grad(f)
tangent = autodiff.tangent_line(f, 1.0)
print(derivative(1.0), tangent(jnp.array([0.0, 1.0, 2.0])))
x = jnp.arange(0, 3, 0.1)
plots.lines(x, {"f(x)": f(x), "tangent at x = 1": tangent(x)}, xlabel="x", ylabel="f(x)")

# %% [markdown]
# There are rules for sums, products and quotients: $(f + g)' = f' + g'$, $(fg)' = f'g + fg'$, $(f/g)' = (f'g -
# fg')/g^2$.

# %%
g, at = jnp.sin, 0.7
print(jnp.allclose(jax.grad(lambda x: f(x) + g(x))(at), derivative(at) + jax.grad(g)(at)))
print(jnp.allclose(jax.grad(lambda x: f(x) * g(x))(at), derivative(at) * g(at) + f(at) * jax.grad(g)(at)))
quotient_rule = (derivative(at) * g(at) - f(at) * jax.grad(g)(at)) / g(at) ** 2
print(jnp.allclose(jax.grad(lambda x: f(x) / g(x))(at), quotient_rule))

# %% [markdown]
# ## Partial derivatives and gradients
#
# A function of a vector has one derivative per element, all others held fixed: the partial derivatives
# $\partial f / \partial x_i$. Together they are the gradient,
#
# $$\nabla_{\mathbf{x}} f =
# \left[\frac{\partial f}{\partial x_1}, \ldots, \frac{\partial f}{\partial x_n}\right]^\top.$$
#
# `numerical_gradient` moves one element at a time, in both directions. `check_gradient` compares the result with
# `jax.grad` and raises an error if they disagree.


# %%
def loss(x):
    return 3 * x[0] ** 2 + 5 * jnp.exp(x[1])


point = jnp.array([2.0, 0.0])
print("by jax.grad:", jax.grad(loss)(point), " by moving:", autodiff.numerical_gradient(loss, point).round(5))
print("they agree:", autodiff.check_gradient(loss, point) < 1e-8)

# %% [markdown]
# The book has rules for gradients of matrix expressions. $\mathbf{A}\mathbf{x}$ and $\mathbf{x}^\top\mathbf{A}$ are
# vectors. The book writes their derivatives as $\mathbf{A}^\top$ and $\mathbf{A}$, with one column per output.
# `jax.jacobian` returns the transpose, with one **row** per output, so for $\mathbf{A}\mathbf{x}$ it gives
# $\mathbf{A}$.

# %%
keys = jax.random.split(jax.random.key(0), 3)
A, S, x = jax.random.normal(keys[0], (2, 3)), jax.random.normal(keys[1], (3, 3)), jax.random.normal(keys[2], (3,))
rules = {
    "A x:      A^T": (jax.jacobian(lambda x: A @ x)(x).T, A.T),
    "x^T S:    S": (jax.jacobian(lambda x: x @ S)(x).T, S),
    "x^T S x:  (S + S^T) x": (jax.grad(lambda x: x @ S @ x)(x), (S + S.T) @ x),
    "||x||^2:  2 x": (jax.grad(lambda x: x @ x)(x), 2 * x),
}
for rule, (by_jax, by_rule) in rules.items():
    print(f"{rule:24}{jnp.allclose(by_jax, by_rule, atol=1e-5)}")

# %% [markdown]
# The last rule holds for a matrix as well: $\nabla_{\mathbf{X}} \|\mathbf{X}\|_F^2 = 2\mathbf{X}$.

# %%
print(jnp.allclose(jax.grad(lambda X: jnp.sum(X**2))(A), 2 * A))

# %% [markdown]
# ## The chain rule
#
# For $y = f(\mathbf{u})$ and $\mathbf{u} = g(\mathbf{x})$,
#
# $$\frac{\partial y}{\partial x_i} = \sum_j \frac{\partial y}{\partial u_j} \frac{\partial u_j}{\partial x_i},
# \qquad \nabla_{\mathbf{x}} y = \mathbf{A} \nabla_{\mathbf{u}} y,$$
#
# where column $j$ of $\mathbf{A}$ is the gradient of $u_j$, so $\mathbf{A}$ is the transpose of the Jacobian.

# %%
inner = lambda x: jnp.tanh(A @ x)  # noqa: E731
outer = lambda u: jnp.sum(u**3)  # noqa: E731
chained = jax.jacobian(inner)(x).T @ jax.grad(outer)(inner(x))
print(jnp.allclose(chained, jax.grad(lambda x: outer(inner(x)))(x), atol=1e-6))

# %% [markdown]
# ## Where there is no derivative
#
# $\|\mathbf{x}\|_2$ has a tip at $\mathbf{x} = \mathbf{0}$: its slope is 1 in every direction, and no vector is its
# gradient. PyTorch returns 0, which is a subgradient and lets training go on. JAX multiplies the infinite slope of the
# root by 0 and gets NaN, which spreads to every parameter. `tensors.norm` returns 0, as PyTorch does.

# %%
# %%torch
import torch

zero = torch.zeros(2, requires_grad=True)
zero.norm().backward()
print("torch:          ", zero.grad.numpy())

# %%
print("jnp.linalg.norm:", jax.grad(jnp.linalg.norm)(jnp.zeros(2)))
print("tensors.norm:   ", jax.grad(tensors.norm)(jnp.zeros(2)))

# %% [markdown]
# The remedy is worth knowing. `jnp.where(x == 0, 0, sqrt(x))` is not enough: JAX also computes the derivative of the
# branch that was not chosen, and 0 times infinity is NaN. The argument of the root must be safe as well.

# %%
print(jax.grad(lambda x: jnp.where(x == 0, 0.0, jnp.sqrt(x)))(0.0))
print(jax.grad(lambda x: jnp.where(x == 0, 0.0, jnp.sqrt(jnp.where(x == 0, 1.0, x))))(0.0))

# %% [markdown]
# ## Exercises
#
# **1. Derivatives of $c$, $x^n$, $e^x$ and $\log x$ from the definition.** For a constant, the difference $c - c$ is 0
# for every $h$, so the derivative is 0. For the power, $(x + h)^n = x^n + n x^{n-1} h + h^2(\ldots)$: subtract $x^n$,
# divide by $h$ and let $h \to 0$, and $n x^{n-1}$ remains. For the logarithm, $\frac1h \log\frac{x + h}{x} = \frac1x
# \log (1 + t)^{1/t}$ with $t = h/x$; since $(1 + t)^{1/t} \to e$, the derivative is $\frac1x$. Read backwards, the same
# limit says that $e^h \approx 1 + h$, so for the exponential $\frac1h (e^{x + h} - e^x) = e^x \frac{e^h - 1}{h} \to
# e^x$.
#
# **2. The rules for sums, products and quotients from the definition.** The difference quotient
# of a sum is the sum of the difference quotients. For a product, add and subtract $f(x) g(x + h)$:
#
# $$\frac{f(x + h) g(x + h) - f(x) g(x)}{h} = \frac{f(x + h) - f(x)}{h}\, g(x + h) + f(x)\, \frac{g(x + h) - g(x)}{h}
# \to f' g + f g'.$$
#
# And $\frac1h \left(\frac{1}{g(x + h)} - \frac{1}{g(x)}\right) = -\frac{g(x + h) - g(x)}{h} \cdot \frac{1}{g(x) g(x +
# h)} \to -g' / g^2$, so the product rule for $f \cdot \frac1g$ gives $(f' g - f g') / g^2$.
#
# **3. The rule for constant multiples.** Use the product rule with $g = c$, whose derivative is 0: $(c f)' = c f'$.
#
# **4. The derivative of $x^x$.** Since $x^x = e^{x \log x}$, the chain rule gives $x^x (\log x + 1)$.

# %%
for value in (0.5, 1.0, 2.0):
    print(f"{jax.grad(lambda x: x**x)(value):.4f} {value**value * (np.log(value) + 1):.4f}")

# %% [markdown]
# **5. What does $f'(x) = 0$ mean?** The tangent is level. The point is a minimum, a maximum, or neither, as for $x^3$
# at 0. Our $f$ has its minimum where $6x - 4 = 0$.

# %%
print(f"{abs(derivative(2 / 3)):.4f}", bool(jnp.all(f(jnp.linspace(-1, 2, 301)) >= f(2 / 3) - 1e-6)))

# %% [markdown]
# **6. Plot $x^3 - \frac1x$ and its tangent at $x = 1$.** At 1 the slope is $3 + 1 = 4$ and the value is 0, so the
# tangent is $4x - 4$.


# %%
def cubic(x):
    return x**3 - 1 / x


x = jnp.linspace(0.3, 2, 100)
plots.lines(
    x,
    {"x³ - 1/x": cubic(x), "tangent at x = 1": autodiff.tangent_line(cubic, 1.0)(x)},
    xlabel="x",
    ylabel="f(x)",
)

# %% [markdown]
# **7. The gradient of $3x_1^2 + 5e^{x_2}$** is $[6x_1, 5e^{x_2}]$, which is [12, 5] at (2, 0), as printed above.
#
# **8. The gradient of $\|\mathbf{x}\|_2$** is $\mathbf{x} / \|\mathbf{x}\|_2$: the direction of $\mathbf{x}$, as a
# vector of length 1.

# %%
u = jnp.array([3.0, -4.0])
print(jax.grad(tensors.norm)(u), u / tensors.norm(u))

# %% [markdown]
# **9. The chain rule for $u = f(x, y, z)$ where $x$, $y$ and $z$ are functions of $a$ and $b$.** $\frac{\partial
# u}{\partial a} = \frac{\partial u}{\partial x}\frac{\partial x}{\partial a} + \frac{\partial u}{\partial
# y}\frac{\partial y}{\partial a} + \frac{\partial u}{\partial z}\frac{\partial z}{\partial a}$, and the same with $b$.
#
# **10. The derivative of an inverse.** Differentiating $f^{-1}(f(x)) = x$ gives $(f^{-1})'(f(x)) \cdot f'(x) = 1$, so
# one slope is the reciprocal of the other. For $f = \exp$, whose inverse is $\log$:

# %%
print(f"{jax.grad(jnp.log)(jnp.exp(1.5)):.4f} {1 / jax.grad(jnp.exp)(1.5):.4f}")

# %% [markdown]
# ## Summary
#
# A derivative is the limit of difference quotients, which are accurate only in float64. A gradient collects the partial
# derivatives, the chain rule composes them, and `jax.grad` applies the rules exactly. Where a function has no
# derivative, JAX and PyTorch may return different values.
