# %% [markdown]
# # 2.1 Data manipulation
#
# Data comes in arrays. This section makes them, reads and writes parts of them, computes with them, and hands them to
# other libraries. JAX arrays look like NumPy's, with one deep difference: **they never change**. Everything below that
# differs from PyTorch follows from that.

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxd2l.book import tensors

# %% [markdown]
# ## Getting started
#
# An array is a grid of numbers of one type. `arange(12)` has 12 elements along one axis; `reshape` arranges the same
# elements along others, and -1 stands for the length that is left over.

# %%
x = jnp.arange(12, dtype=jnp.float32)
print(x)
print(x.size, x.shape, x.dtype)
print(jnp.arange(0, 12, 2))
X = x.reshape(3, 4)
print(X)
print(bool((x.reshape(-1, 4) == X).all()), bool((x.reshape(3, -1) == X).all()))

# %% [markdown]
# Constants, literals, and random numbers. JAX has no global random state: a sample is a function of a **key**, and the
# same key gives the same sample. New samples need new keys, which `jax.random.split` makes.

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
# Reading works as in NumPy. Writing returns a new array: `x.at[i].set(v)` where PyTorch has `x[i] = v`.

# %%
print(X[-1])
print(X[1:3])
written = X.at[1, 2].set(17).at[:2, :].set(12)
print(written)
print(X[0])  # as it was

# %% [markdown]
# An index out of bounds is where JAX and PyTorch part ways. On an accelerator nothing can raise, so JAX reads the
# nearest element and drops the write. `tensors.at` and `tensors.set_at` check the index where it is known, which is
# everywhere outside `jit`.

# %%
print("JAX reads X[7]:", X[7])
print("JAX drops the write:", bool((X.at[7].set(0) == X).all()))
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
# Elementwise functions apply to every element; the operators do the same for two arrays of one shape.

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
# The book computes `exp(x)` after it has written into `X`, a reshaped `x`. In PyTorch `reshape` returns a **view**: the
# write went through to `x`. In JAX it cannot.

# %%
in_torch = torch.arange(12, dtype=torch.float32)
in_torch.reshape(3, 4)[:2, :] = 12
print("torch:", torch.exp(in_torch).numpy())
in_jax = jnp.arange(12, dtype=jnp.float32)
written = in_jax.reshape(3, 4).at[:2, :].set(12)
print("JAX x:", jnp.exp(in_jax))
print("JAX, the array written:", jnp.exp(written).ravel())

# %% [markdown]
# ## Broadcasting
#
# Two shapes are compatible if, counted from the last axis, the lengths are equal or one of them is 1. The axis of
# length 1 is repeated, without being copied.

# %%
a, b = jnp.arange(3).reshape(3, 1), jnp.arange(2).reshape(1, 2)
print(a + b)
print((jnp.ones((2, 1, 3)) + jnp.ones((1, 4, 3))).shape)
for attempt in (lambda: jnp.ones((2, 3)) + jnp.ones(2), lambda: torch.ones(2, 3) + torch.ones(2)):
    try:
        attempt()
    except (ValueError, RuntimeError) as error:
        print(f"{type(error).__name__}: {error}")

# %% [markdown]
# ## Saving memory
#
# PyTorch saves memory by overwriting (`X += Y`). JAX's answer is **donation**: a compiled function may take over the
# memory of an argument for its result. The argument is gone afterwards, and using it is an error. This is how
# `train.fit` updates parameters without a second copy of them.

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
# To NumPy and back, and to PyTorch and back. A copy is the safe way: libraries that share memory (DLPack) let a write
# in PyTorch change a JAX array, which JAX believes to be constant. `tensors.copy_from` copies.

# %%
array = np.asarray(X)
print(type(array).__name__, type(jnp.asarray(array)).__name__)
to_torch = torch.tensor(array)  # copies, too; torch.from_numpy would not
print(type(to_torch).__name__, bool((tensors.copy_from(to_torch) == X).all()))
tensor = torch.arange(3.0)
copied, shared = tensors.copy_from(tensor), jnp.from_dlpack(tensor)
tensor[0] = 99
print("copied:", copied)
print("shared:", shared)
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
# **1. Replace `X == Y` by `X < Y` or `X > Y`. What comes out?** Again an array of truth values, element by element:

# %%
print(X < Y)
print(X > Y)

# %% [markdown]
# **2. Broadcast two arrays of three axes. Is the result what you expect?** Shapes (2, 1, 3) and (1, 4, 1) give
# (2, 4, 3): each axis takes the longer length. Element (i, j, k) is `a[i, 0, k] + b[0, j, 0]`.

# %%
a, b = jnp.arange(6).reshape(2, 1, 3), 10 * jnp.arange(4).reshape(1, 4, 1)
total = a + b
print(total.shape)
print(all(total[i, j, k] == a[i, 0, k] + b[0, j, 0] for i in range(2) for j in range(4) for k in range(3)))

# %% [markdown]
# ## Summary
#
# Arrays are values: writing makes a new one, views do not exist, and memory is saved by donating. Random numbers are
# functions of keys. Where JAX would pass over a wrong index in silence, `tensors` raises.
