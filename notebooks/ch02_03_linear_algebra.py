# %% [markdown]
# # 2.3 Linear algebra
#
# This section covers scalars, vectors and matrices, and what you can do with them: elementwise arithmetic, sums,
# products, norms. Nearly all of it is plain `jax.numpy`. `tensors` adds the few functions that mean something different
# in PyTorch.
#
# [This section in the book](https://d2l.ai/chapter_preliminaries/linear-algebra.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from jaxd2l.book import tensors

# %% [markdown]
# ## Scalars, vectors, matrices
#
# A scalar is an array without axes. A vector $\mathbf{x} \in \mathbb{R}^n$ has one axis of length $n$. A matrix
# $\mathbf{A} \in \mathbb{R}^{m \times n}$ has $m$ rows and $n$ columns.

# %%
x, y = jnp.array(3.0), jnp.array(2.0)
print(x + y, x * y, x / y, x**y)
x = jnp.arange(3)
print(x, x[2], len(x), x.shape)
A = jnp.arange(6).reshape(3, 2)
print(A)
print(A.T)

# %% [markdown]
# A symmetric matrix equals its own transpose, $\mathbf{A} = \mathbf{A}^\top$. Stacking matrices along a new axis gives
# a tensor, here 2 matrices of 3 rows and 4 columns.

# %%
S = jnp.array([[1, 2, 3], [2, 0, 4], [3, 4, 5]])
print(bool((S == S.T).all()))
X = jnp.arange(24).reshape(2, 3, 4)
print(X)

# %% [markdown]
# ## Arithmetic is elementwise
#
# `A * B` multiplies element by element. This is the Hadamard product, $\mathbf{A} \odot \mathbf{B}$. A scalar acts on
# every element.

# %%
A = jnp.arange(6, dtype=jnp.float32).reshape(2, 3)
B = A  # no copy: an array that nobody can change may be shared
print(A + B)
print(A * B)
print((2 + X).shape, (2 * X).sum())

# %% [markdown]
# ## Reduction
#
# A sum runs over all axes, or over the axes you name, which then disappear. Axis 0 runs down the rows.

# %%
print(A.sum())
print(A.sum(axis=0), A.sum(axis=0).shape)
print(A.sum(axis=1), A.sum(axis=1).shape)
print(bool(A.sum(axis=(0, 1)) == A.sum()))
print(A.mean(), float(A.sum() / A.size))
print(A.mean(axis=0), A.sum(axis=0) / A.shape[0])

# %% [markdown]
# With `keepdims` the axis stays, with length 1. The sums then broadcast against the matrix, so that we can divide each
# row by its own sum. `cumsum` keeps all partial sums.

# %%
row_sums = A.sum(axis=1, keepdims=True)
print(row_sums)
print(np.asarray(A / row_sums).round(4))
print(A.cumsum(axis=0))

# %% [markdown]
# Three statistics differ between the two libraries. PyTorch's variance divides by $n - 1$ and JAX's by $n$. For an even
# count, PyTorch's median is the lower of the two middle numbers, and JAX's is their mean. And PyTorch refuses to take
# the mean of integers. `tensors.var`, `std` and `median` follow PyTorch.

# %%
v = jnp.array([1.0, 2.0, 3.0, 4.0])

# %%
# %%torch
import torch

t = torch.tensor([1.0, 2.0, 3.0, 4.0])
print(f"variance  torch {float(t.var()):.4f}  jnp {jnp.var(v):.4f}  tensors {tensors.var(v):.4f}")
print(f"median    torch {float(t.median()):.4f}  jnp {jnp.median(v):.4f}  tensors {tensors.median(v):.4f}")
print("mean of integers, jnp:", jnp.arange(6).mean())
try:
    torch.arange(6).mean()
except RuntimeError:
    print("mean of integers, torch: RuntimeError")

# %% [markdown]
# ## Products
#
# There are three products. The dot product is $\mathbf{x}^\top \mathbf{y} = \sum_i x_i y_i$. The matrix-vector product
# takes the dot product of each row with a vector. The matrix-matrix product does so for each column of the second
# matrix. In all three the inner axes must have the same length, and `@` computes each of them.

# %%
x, y = jnp.arange(3, dtype=jnp.float32), jnp.ones(3)
print(jnp.dot(x, y), x @ y, jnp.sum(x * y))
print(A @ x)
print(A @ jnp.ones((3, 4)))

# %% [markdown]
# PyTorch has one function for each of the three, and wants both operands to have the same type. JAX converts an integer
# vector by itself. A shape that does not fit is an error in both.

# %%
# %%torch
for name, attempt in {
    "torch.dot of int64 and float32": lambda: torch.dot(torch.arange(3), torch.ones(3)),
    "jnp.dot of int32 and float32": lambda: jnp.dot(jnp.arange(3), y),
    "torch (2, 3) @ (2, 3)": lambda: torch.ones(2, 3) @ torch.ones(2, 3),
    "jnp (2, 3) @ (2, 3)": lambda: A @ A,
}.items():
    try:
        print(f"{name}: {attempt()}")
    except (RuntimeError, TypeError) as error:
        print(f"{name}: {type(error).__name__}")

# %% [markdown]
# On GPUs and TPUs, JAX by default multiplies float32 matrices with fewer digits than float32 has.
# `jax.default_matmul_precision("highest")` asks for all of them. A CPU always computes with all digits.
#
# ## Norms
#
# How long is a vector? A norm $\|\cdot\|$ measures that. It satisfies three conditions:
#
# 1. $\|\alpha \mathbf{x}\| = |\alpha|\, \|\mathbf{x}\|$,
# 2. $\|\mathbf{x} + \mathbf{y}\| \le \|\mathbf{x}\| + \|\mathbf{y}\|$,
# 3. $\|\mathbf{x}\| > 0$ for all $\mathbf{x} \ne 0$.
#
# The $\ell_p$ norms are $\|\mathbf{x}\|_p = \left(\sum_i |x_i|^p\right)^{1/p}$. With $p = 2$ over all elements of a
# matrix, this is the Frobenius norm.

# %%
u = jnp.array([3.0, -4.0])
print(tensors.norm(u), tensors.norm(u, 1), tensors.norm(u, jnp.inf))
print(tensors.norm(jnp.ones((4, 9))))

# %%
# %%torch
print(torch.tensor([3.0, -4.0]).norm().item(), torch.tensor([3.0, -4.0]).abs().sum().item())

# %% [markdown]
# Written down as the formula stands, it gives the same numbers as `tensors.norm`:


# %%
def lp_norm(x, p):
    return jnp.sum(jnp.abs(x) ** p) ** (1 / p)


for p in (1, 2, 3):
    print(f"p = {p}: {lp_norm(u, p):.4f} {tensors.norm(u, p):.4f}")
print("gradients at 0:", jax.grad(lp_norm)(jnp.zeros(2), 2), jax.grad(tensors.norm)(jnp.zeros(2)))

# %% [markdown]
# Why does the package need a `norm` of its own? Because of the gradient at 0. It is NaN for our formula and for
# `jnp.linalg.norm`, but 0 for PyTorch and for `tensors.norm`. [2.4 Calculus](ch02_04_calculus.ipynb) explains this.
#
# We check the three conditions on 1000 random pairs of vectors, up to rounding. For $p = \frac12$ the second condition
# fails, so `tensors.norm` refuses it.

# %%
first, second, third = jax.random.split(jax.random.key(0), 3)
xs, ys = jax.random.normal(first, (1000, 5)), jax.random.normal(second, (1000, 5))
alpha = jax.random.normal(third, (1000,))
for p in (1, 2, 3, jnp.inf):
    length = tensors.norm(xs, p, axis=1)
    scaled = jnp.allclose(tensors.norm(alpha[:, None] * xs, p, axis=1), jnp.abs(alpha) * length, rtol=1e-5)
    triangle = jnp.all(tensors.norm(xs + ys, p, axis=1) <= (length + tensors.norm(ys, p, axis=1)) * (1 + 1e-6))
    print(f"p = {p}: {bool(scaled)} {bool(triangle)} {bool(jnp.all(length > 0))}")
half = lambda x: float(jnp.sum(jnp.sqrt(jnp.abs(x))) ** 2)  # noqa: E731
print("p = 1/2:", half(jnp.array([1.0, 1.0])), "<=", half(jnp.array([1.0, 0.0])) + half(jnp.array([0.0, 1.0])), "fails")
try:
    tensors.norm(u, 0.5)
except ValueError as error:
    print("ValueError:", error)

# %% [markdown]
# The picture shows all vectors of length 1 in the plane. To draw them, we divide vectors of all directions by their
# norms. For $p = 1$ they form a square standing on its corner, for $p = 2$ a circle, and for $p = \infty$ an upright
# square.

# %%
angle = jnp.linspace(0, 2 * jnp.pi, 361)
directions = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
for p, color, style in ((1, "#0072B2", "-"), (2, "#D55E00", "--"), (jnp.inf, "#000000", ":")):
    points = directions / tensors.norm(directions, p, axis=1, keepdims=True)
    axes.plot(points[:, 0], points[:, 1], color=color, linestyle=style, label=f"p = {p}".replace("inf", "∞"))
axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
legend = figure.legend(loc="outside right center", frameon=False)

# %% [markdown]
# ## Side by side
#
# | | PyTorch | JAX |
# |---|---|---|
# | copy before a change | `A.clone()` | not needed: nothing changes |
# | variance, standard deviation | divides by $n - 1$ | `jnp`: by $n$; `tensors.var`, `std`: by $n - 1$ |
# | median of an even count | the lower one | `jnp`: the mean of both; `tensors.median`: the lower one |
# | mean of integers | `RuntimeError` | float32 |
# | dot product | `torch.dot`, equal types | `@`, types are promoted |
# | matrix-vector, matrix-matrix | `torch.mv`, `torch.mm`, `@` | `@` |
# | norm at 0 | gradient 0 | `jnp.linalg.norm`: NaN; `tensors.norm`: 0 |
#
# ## Exercises
#
# **1. to 3. $(\mathbf{A}^\top)^\top = \mathbf{A}$, and $\mathbf{A}^\top + \mathbf{B}^\top = (\mathbf{A} +
# \mathbf{B})^\top$. Is $\mathbf{A} + \mathbf{A}^\top$ symmetric?** Element $(i, j)$ of $(\mathbf{A}^\top)^\top$ is
# element $(j, i)$ of $\mathbf{A}^\top$, which is $a_{ij}$. Element $(i, j)$ of either sum is $a_{ji} + b_{ji}$. The two
# rules together give $(\mathbf{A} + \mathbf{A}^\top)^\top = \mathbf{A}^\top + (\mathbf{A}^\top)^\top = \mathbf{A} +
# \mathbf{A}^\top$, so the answer is yes, for every square matrix.
#
# **4., 5. and 8. What is `len(X)` for shape (2, 3, 4), and what shapes do its sums have?** `len` is the length of
# axis 0. A sum over one axis leaves the other two.

# %%
print(len(X), [X.sum(axis=axis).shape for axis in range(3)])

# %% [markdown]
# **6. What happens with `A / A.sum(axis=1)`?** The shapes are (2, 3) and (2,). Counted from the last axis, 3 meets 2,
# which is an error. With a square matrix it would be worse: column $j$ is divided by the sum of row $j$, and no error
# tells you. That is what `keepdims` is for.

# %%
try:
    A / A.sum(axis=1)
except (TypeError, ValueError) as error:
    print(f"{type(error).__name__}: {error}")
square = jnp.array([[1.0, 3.0], [5.0, 5.0]])
print((square / square.sum(axis=1)).sum(axis=1), (square / square.sum(axis=1, keepdims=True)).sum(axis=1))

# %% [markdown]
# **7. How far is it from one corner of Manhattan to another?** You cannot walk diagonally through the blocks, so you
# add the avenues and the streets: the distance is the $\ell_1$ norm of the difference. The $\ell_2$ norm is the
# distance as the crow flies, which is never longer. For 3 avenues and 4 streets:

# %%
print("on foot:", tensors.norm(u, 1), "as the crow flies:", tensors.norm(u))

# %% [markdown]
# **9. What is the norm of a tensor with three axes?** Both libraries take the norm of all its elements as one vector.

# %%
ones = jnp.ones((2, 3, 4))

# %%
# %%torch
print(f"{tensors.norm(ones):.4f} {float(torch.ones(2, 3, 4).norm()):.4f} {jnp.sqrt(24.0):.4f}")

# %% [markdown]
# **10. $\mathbf{A} \in \mathbb{R}^{2^{10} \times 2^{16}}$, $\mathbf{B} \in \mathbb{R}^{2^{16} \times 2^{5}}$,
# $\mathbf{C} \in \mathbb{R}^{2^{5} \times 2^{14}}$: is $(\mathbf{AB})\mathbf{C}$ or $\mathbf{A}(\mathbf{BC})$ better?**
# The product of an $n \times k$ and a $k \times m$ matrix takes $nkm$ multiplications. $\mathbf{AB}$ is small, whereas
# $\mathbf{BC}$ has $2^{30}$ elements, which take 4 GiB. XLA can count the operations of a program without running it,
# so the cell below creates no matrix.

# %%
shapes = [(2**10, 2**16), (2**16, 2**5), (2**5, 2**14)]
specs = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
for name, product in {"(AB)C": lambda A, B, C: (A @ B) @ C, "A(BC)": lambda A, B, C: A @ (B @ C)}.items():
    print(f"{name}: {jax.jit(product).lower(*specs).cost_analysis()['flops']:.1e} operations")

# %% [markdown]
# **11. With $\mathbf{C} \in \mathbb{R}^{2^{5} \times 2^{16}}$, is $\mathbf{AB}$ or $\mathbf{A}\mathbf{C}^\top$ faster?
# And if $\mathbf{C} = \mathbf{B}^\top$ shares its memory?** Both take the same number of operations, but they read
# memory in a different order. A matrix is stored row by row, so a row of $\mathbf{C}$ lies in one piece and a column of
# $\mathbf{B}$ does not. For $\mathbf{A}\mathbf{C}^\top$, each sum over $2^{16}$ products reads its numbers in sequence.
# (Libraries copy blocks into the order they like best, so little of the difference remains.) In PyTorch `B.T` is a view
# of the same memory, so $\mathbf{A}\mathbf{C}^\top$ is then the same computation as $\mathbf{AB}$. A compiled JAX
# program only states which axes to sum over, so `C.T` inside it moves no data.

# %%
A_like, B_like = specs[:2]
C_like = jax.ShapeDtypeStruct((2**5, 2**16), jnp.float32)
for name, product, other in (("AB", lambda A, B: A @ B, B_like), ("AC^T", lambda A, C: A @ C.T, C_like)):
    print(f"{name}: {jax.jit(product).lower(A_like, other).cost_analysis()['flops']:.1e} operations")

# %% [markdown]
# **12. Stack three matrices of shape (100, 200) and get the second one back.** By default the new axis comes first.
# With `axis=2` it is the third one, as the exercise asks.

# %%
matrices = jax.random.normal(jax.random.key(1), (3, 100, 200))
stacked = jnp.stack(list(matrices), axis=2)
print(stacked.shape, bool((stacked[:, :, 1] == matrices[1]).all()))

# %% [markdown]
# ## Summary
#
# Arithmetic is elementwise, a reduction removes the axes you name, `@` multiplies vectors and matrices, and a norm
# measures length. JAX and PyTorch agree on all of it except the variance, the median, the mean of integers, and the
# gradient of a norm at 0.
