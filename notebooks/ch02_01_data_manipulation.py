# %% [markdown]
# # 2.1 Data manipulation
#
# Deep learning keeps its data in arrays. This section creates arrays, reads and writes parts of them, computes with
# them, and passes them to other libraries. JAX arrays look like NumPy's, with one deep difference: **they never
# change**. Most of the differences from PyTorch below follow from that.
#
# [This section in the book](https://d2l.ai/chapter_preliminaries/ndarray.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l.book import tensors

# %% [markdown]
# ## Getting started
#
# An array is a grid of numbers of one type. `arange(12)` has 12 elements along one axis. `reshape` arranges the same
# elements along other axes, and works out the length of the axis that you give as -1.

# %%
x = jnp.arange(12, dtype=jnp.float32)
print(x)
print(x.size, x.shape, x.dtype)
print(jnp.arange(0, 12, 2))
X = x.reshape(3, 4)
print(X)
print(bool((x.reshape(-1, 4) == X).all()), bool((x.reshape(3, -1) == X).all()))

# %% [markdown]
# Arrays can also hold constants, literal values, or random numbers. JAX has no global random state: a sample is a
# function of a **key**, and the same key gives the same sample. New samples need new keys, which you get from
# `jax.random.split`.

# %%
print(jnp.zeros((2, 3, 4)).sum(), jnp.ones((2, 3, 4)).sum())
print(jnp.array([[2, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]]))
first, second = jax.random.split(jax.random.key(0))
sample = jax.random.normal(first, (3, 4))
print(sample)
print(bool((sample == jax.random.normal(first, (3, 4))).all()))
print(bool((sample == jax.random.normal(second, (3, 4))).all()))

# %% [markdown]
# ## Indexing and slicing
#
# Reading works as in NumPy. Writing returns a new array: where PyTorch has `x[i] = v`, JAX has `x.at[i].set(v)`.

# %%
print(X[-1])
print(X[1:3])
written = X.at[1, 2].set(17).at[:2, :].set(12)
print(written)
print(X[0])  # unchanged

# %% [markdown]
# JAX and PyTorch part ways when an index is out of bounds. A program running on an accelerator cannot raise an
# exception, so JAX reads the nearest element instead, and ignores a write. `tensors.at` and `tensors.set_at` check
# every index whose value is known, and outside `jit` that is all of them.

# %%
print("JAX reads X[7]:", X[7])
print("JAX drops the write:", bool((X.at[7].set(0) == X).all()))

# %%
# %%torch
import torch

for attempt in (
    lambda: torch.arange(12.0).reshape(3, 4)[7],
    lambda: tensors.at(X, 7),
    lambda: tensors.set_at(X, 7, 0.0),
):
    try:
        attempt()
    except IndexError as error:
        print("IndexError:", error)

# %% [markdown]
# ## Operations
#
# An elementwise function acts on each element. The arithmetic operators combine two arrays of the same shape element by
# element.

# %%
x, y = jnp.array([1.0, 2.0, 4.0, 8.0]), jnp.array([2.0, 2.0, 2.0, 2.0])
for name, value in {"+": x + y, "-": x - y, "*": x * y, "/": x / y, "**": x**y}.items():
    print(f"x {name:2} y =", value)

# %%
Y = jnp.array([[2.0, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]])
print(jnp.concatenate((X, Y), axis=0))
print(jnp.concatenate((X, Y), axis=1))
print(X == Y)
print(X.sum())

# %% [markdown]
# The book computes `exp(x)` after writing into `X`, which is `x` reshaped. In PyTorch `reshape` returns a **view**, so
# the write changes `x` as well. In JAX it cannot.

# %%
# %%torch
in_torch = torch.arange(12, dtype=torch.float32)
in_torch.reshape(3, 4)[:2, :] = 12
print("torch:", torch.exp(in_torch).numpy())

# %%
in_jax = jnp.arange(12, dtype=jnp.float32)
written = in_jax.reshape(3, 4).at[:2, :].set(12)
print("JAX x:", jnp.exp(in_jax))
print("JAX, the array written:", jnp.exp(written).ravel())

# %% [markdown]
# ## Broadcasting
#
# Compare two shapes axis by axis, starting from the last. They are compatible if each pair of lengths is equal or
# contains a 1. An axis of length 1 is repeated to match the other, without copying any data.

# %%
a, b = jnp.arange(3).reshape(3, 1), jnp.arange(2).reshape(1, 2)
print(a + b)
print((jnp.ones((2, 1, 3)) + jnp.ones((1, 4, 3))).shape)

# %%
# %%torch
for attempt in (lambda: jnp.ones((2, 3)) + jnp.ones(2), lambda: torch.ones(2, 3) + torch.ones(2)):
    try:
        attempt()
    except (ValueError, RuntimeError) as error:
        print(f"{type(error).__name__}: {error}")

# %% [markdown]
# ## Saving memory
#
# PyTorch saves memory by overwriting (`X += Y`). JAX's answer is **donation**: a compiled function may reuse the memory
# of an argument for its result. The argument is gone afterwards, and using it is an error. This is how `train.fit`
# updates parameters without keeping a second copy of them.

# %%
add = jax.jit(lambda x, y: x + y, donate_argnums=0)
x = jnp.zeros(1000)
address = x.unsafe_buffer_pointer()
result = add(x, jnp.ones(1000))
print("same memory:", result.unsafe_buffer_pointer() == address)
print("x is deleted:", x.is_deleted())
try:
    x + 1
except RuntimeError as error:
    print("RuntimeError:", str(error).splitlines()[0])

# %% [markdown]
# ## Conversion to other libraries
#
# Arrays can be converted to NumPy and to PyTorch, and back. Copying is the safe way. If the two libraries share memory
# (through DLPack), a write in PyTorch changes an array that JAX believes to be constant. `tensors.copy_from` makes a
# copy.

# %%
array = np.asarray(X)
print(type(array).__name__, type(jnp.asarray(array)).__name__)

# %%
# %%torch
to_torch = torch.tensor(array)  # copies, too; torch.from_numpy would not
print(type(to_torch).__name__, bool((tensors.copy_from(to_torch) == X).all()))
tensor = torch.arange(3.0)
copied, shared = tensors.copy_from(tensor), jnp.from_dlpack(tensor)
tensor[0] = 99
print("copied:", copied)
print("shared:", shared)

# %%
number = jnp.array([3.5])
print(number.item(), float(number[0]), int(number[0]))

# %% [markdown]
# ## Side by side
#
# | | PyTorch | JAX |
# |---|---|---|
# | write one element | `X[1, 2] = 17` | `X = X.at[1, 2].set(17)` |
# | index out of bounds | `IndexError` | reads the nearest, drops writes; `tensors.at` raises |
# | `reshape` | a view: writes go through | a value: there are no writes |
# | random numbers | a hidden generator | a key that you pass |
# | `arange(12)` | int64 | int32 |
# | size-1 array to a number | `float(x)` | `x.item()`; `float(x)` wants shape `()` |
# | saving memory | overwrite | donate to a compiled function |
#
# ## Exercises
#
# **1. Replace `X == Y` by `X < Y` or `X > Y`. What do you get?** Again an array of truth values, one per element:

# %%
print(X < Y)
print(X > Y)

# %% [markdown]
# **2. Broadcast two arrays of three axes. Is the result what you expect?** Yes. Shapes (2, 1, 3) and (1, 4, 1) give (2,
# 4, 3): each axis takes the longer length. Element (i, j, k) is `a[i, 0, k] + b[0, j, 0]`.

# %%
a, b = jnp.arange(6).reshape(2, 1, 3), 10 * jnp.arange(4).reshape(1, 4, 1)
total = a + b
print(total.shape)
print(all(total[i, j, k] == a[i, 0, k] + b[0, j, 0] for i in range(2) for j in range(4) for k in range(3)))

# %% [markdown]
# ## Summary
#
# JAX arrays are values: writing makes a new array, there are no views, and donation saves memory. Random numbers are
# functions of keys. Where JAX silently accepts an index out of bounds, `tensors` raises an error.
