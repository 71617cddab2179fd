# %% [markdown]
# # 2.3 Linear algebra
#
# Scalars, vectors, matrices, and what is done with them: elementwise arithmetic, sums, products, norms. In JAX nearly
# all of it is `jax.numpy`, which this section uses as it is. `tensors` adds the few functions whose *meaning* differs
# from PyTorch's.

# %%
# %matplotlib inline
import inspect

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import torch

from jaxd2l.book import tensors

# %% [markdown]
# ## Scalars, vectors, matrices
#
# A scalar is an array without axes, a vector $\mathbf{x} \in \mathbb{R}^n$ has one axis of length $n$, a matrix
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
# Of a symmetric matrix, $\mathbf{A} = \mathbf{A}^\top$, the transpose is the matrix itself. Matrices stacked along a
# new axis are a tensor: here 2 matrices of 3 rows and 4 columns.

# %%
S = jnp.array([[1, 2, 3], [2, 0, 4], [3, 4, 5]])
print(bool((S == S.T).all()))
X = jnp.arange(24).reshape(2, 3, 4)
print(X)

# %% [markdown]
# ## Arithmetic is elementwise
#
# `A * A` multiplies element by element, $\mathbf{A} \odot \mathbf{A}$, the Hadamard product. A scalar acts on every
# element.

# %%
A = jnp.arange(6, dtype=jnp.float32).reshape(2, 3)
B = A  # no copy: an array that nobody can change may be shared
print(A + B)
print(A * B)
print((2 + X).shape, (2 * X).sum())

# %% [markdown]
# ## Reduction
#
# A sum goes over all axes or over those named, which then disappear: axis 0 runs down the rows.

# %%
print(A.sum())
print(A.sum(axis=0), A.sum(axis=0).shape)
print(A.sum(axis=1), A.sum(axis=1).shape)
print(bool(A.sum(axis=(0, 1)) == A.sum()))
print(A.mean(), float(A.sum() / A.size))
print(A.mean(axis=0), A.sum(axis=0) / A.shape[0])

# %% [markdown]
# With `keepdims` the axis stays, with length 1, and the sums broadcast against the matrix: each row divided by its own
# sum. `cumsum` keeps all partial sums.

# %%
row_sums = A.sum(axis=1, keepdims=True)
print(row_sums)
print(np.asarray(A / row_sums).round(4))
print(A.cumsum(axis=0))

# %% [markdown]
# Three statistics mean something else in the two libraries. PyTorch's variance divides by $n - 1$ and JAX's by $n$. Of
# an even count PyTorch's median is the lower of the two middle numbers, JAX's is their mean. And PyTorch takes no mean
# of integers. `tensors.var`, `std` and `median` are PyTorch's.

# %%
v = jnp.array([1.0, 2.0, 3.0, 4.0])
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
# The dot product $\mathbf{x}^\top \mathbf{y} = \sum_i x_i y_i$; the matrix-vector product, a dot product with each row;
# the matrix-matrix product, one with each column. In all three the inner axes must have the same length. `@` is each of
# them.

# %%
x, y = jnp.arange(3, dtype=jnp.float32), jnp.ones(3)
print(jnp.dot(x, y), x @ y, jnp.sum(x * y))
print(A @ x)
print(A @ jnp.ones((3, 4)))

# %% [markdown]
# PyTorch asks for the function that fits the shapes, and for equal types; JAX converts an integer vector by itself. A
# shape that does not fit is an error in both.

# %%
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
# On GPUs and TPUs JAX multiplies float32 matrices with fewer digits than float32 has, unless it is asked for more:
# `jax.default_matmul_precision("highest")`. On a CPU the digits are all there.
#
# ## Norms
#
# How long is a vector? A norm $\|\cdot\|$ answers so that
#
# 1. $\|\alpha \mathbf{x}\| = |\alpha|\, \|\mathbf{x}\|$,
# 2. $\|\mathbf{x} + \mathbf{y}\| \le \|\mathbf{x}\| + \|\mathbf{y}\|$,
# 3. $\|\mathbf{x}\| > 0$ for all $\mathbf{x} \ne 0$.
#
# The $\ell_p$ norms are $\|\mathbf{x}\|_p = \left(\sum_i |x_i|^p\right)^{1/p}$. With $p = 2$ over all elements of a
# matrix it is the Frobenius norm.

# %%
u = jnp.array([3.0, -4.0])
print(tensors.norm(u), tensors.norm(u, 1), tensors.norm(u, jnp.inf))
print(tensors.norm(jnp.ones((4, 9))))
print(torch.tensor([3.0, -4.0]).norm().item(), torch.tensor([3.0, -4.0]).abs().sum().item())

# %%
print(inspect.getsource(tensors.norm))

# %% [markdown]
# Why not `jnp.linalg.norm`? The numbers are the same, the derivative at 0 is not: NaN there, 0 here and in PyTorch.
# [2.4 Calculus](ch02_04_calculus.ipynb) has more about it.
#
# The three conditions on 1000 random pairs of vectors, up to rounding. For $p = \frac12$ the second one fails, so
# `tensors.norm` refuses it.

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
# All vectors of length 1 in the plane, drawn by dividing vectors of all directions by their norms: for $p = 1$ a square
# on its corner, for $p = 2$ the circle, for $p = \infty$ an upright square.

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
# \mathbf{B})^\top$. Is $\mathbf{A} + \mathbf{A}^\top$ symmetric?** The element in row $i$ and column $j$ of
# $(\mathbf{A}^\top)^\top$ is that in row $j$ and column $i$ of $\mathbf{A}^\top$, which is $a_{ij}$. In the sum it is
# $a_{ji} + b_{ji}$ on both sides. With both, $(\mathbf{A} + \mathbf{A}^\top)^\top = \mathbf{A}^\top +
# (\mathbf{A}^\top)^\top = \mathbf{A} + \mathbf{A}^\top$: yes, for every square matrix.
#
# **4., 5. and 8. `len(X)` of shape (2, 3, 4), and the shapes of its sums?** `len` is the length of axis 0. A sum over
# an axis leaves the other two.

# %%
print(len(X), [X.sum(axis=axis).shape for axis in range(3)])

# %% [markdown]
# **6. `A / A.sum(axis=1)`?** Shapes (2, 3) and (2,): counted from the last axis, 3 meets 2, and nothing fits. A square
# matrix would be worse: it divides column $j$ by the sum of row $j$ and says nothing. Hence `keepdims`.

# %%
try:
    A / A.sum(axis=1)
except (TypeError, ValueError) as error:
    print(f"{type(error).__name__}: {error}")
square = jnp.array([[1.0, 3.0], [5.0, 5.0]])
print((square / square.sum(axis=1)).sum(axis=1), (square / square.sum(axis=1, keepdims=True)).sum(axis=1))

# %% [markdown]
# **7. How far is it from one corner of Manhattan to another?** Nobody can walk diagonally through the blocks, so the
# avenues and the streets to cross add up: the $\ell_1$ norm of the difference. The $\ell_2$ norm is the way of a
# bird, and never longer. For 3 avenues and 4 streets:

# %%
print("on foot:", tensors.norm(u, 1), "as a bird:", tensors.norm(u))

# %% [markdown]
# **9. The norm of a tensor with three axes?** That of all its elements as one vector, in both libraries.

# %%
ones = jnp.ones((2, 3, 4))
print(f"{tensors.norm(ones):.4f} {float(torch.ones(2, 3, 4).norm()):.4f} {jnp.sqrt(24.0):.4f}")

# %% [markdown]
# **10. $\mathbf{A} \in \mathbb{R}^{2^{10} \times 2^{16}}$, $\mathbf{B} \in \mathbb{R}^{2^{16} \times 2^{5}}$,
# $\mathbf{C} \in \mathbb{R}^{2^{5} \times 2^{14}}$: $(\mathbf{AB})\mathbf{C}$ or $\mathbf{A}(\mathbf{BC})$?** A product
# of $n \times k$ by $k \times m$ takes $nkm$ multiplications. $\mathbf{AB}$ is small and $\mathbf{BC}$ has $2^{30}$
# elements, 4 GiB. XLA counts the operations of a program without running it; no matrix is made here.

# %%
shapes = [(2**10, 2**16), (2**16, 2**5), (2**5, 2**14)]
specs = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
for name, product in {"(AB)C": lambda A, B, C: (A @ B) @ C, "A(BC)": lambda A, B, C: A @ (B @ C)}.items():
    print(f"{name}: {jax.jit(product).lower(*specs).cost_analysis()['flops']:.1e} operations")

# %% [markdown]
# **11. With $\mathbf{C} \in \mathbb{R}^{2^{5} \times 2^{16}}$: $\mathbf{AB}$ or $\mathbf{A}\mathbf{C}^\top$? And if
# $\mathbf{C} = \mathbf{B}^\top$ shares its memory?** The operations are equally many. Memory is read in another order:
# stored by rows, a row of $\mathbf{C}$ lies in one piece and a column of $\mathbf{B}$ does not, so that the sum over
# $2^{16}$ products is read in sequence. (Libraries copy blocks into the order they like best, which leaves little of
# the difference.) In PyTorch `B.T` is a view of the same memory, and $\mathbf{A}\mathbf{C}^\top$ is then $\mathbf{AB}$
# itself. In JAX a compiled program only says which axes are summed, and `C.T` inside it moves nothing.

# %%
A_like, B_like = specs[:2]
C_like = jax.ShapeDtypeStruct((2**5, 2**16), jnp.float32)
for name, product, other in (("AB", lambda A, B: A @ B, B_like), ("AC^T", lambda A, C: A @ C.T, C_like)):
    print(f"{name}: {jax.jit(product).lower(A_like, other).cost_analysis()['flops']:.1e} operations")

# %% [markdown]
# **12. Stack three matrices of shape (100, 200) and get the second one back.** The new axis comes first unless `axis`
# says otherwise; with `axis=2` it is the third, as the exercise has it.

# %%
matrices = jax.random.normal(jax.random.key(1), (3, 100, 200))
stacked = jnp.stack(list(matrices), axis=2)
print(stacked.shape, bool((stacked[:, :, 1] == matrices[1]).all()))

# %% [markdown]
# ## Summary
#
# Arithmetic is elementwise, reductions name the axes that disappear, `@` multiplies, and a norm measures length. JAX
# and PyTorch agree on all of it but for variance, median, the mean of integers, and the gradient of a norm at 0.
