# %% [markdown]
# # 6.7 GPUs
#
# Where is an array, and where does a computation run? You will list devices, move arrays between them, and see what
# happens if two operands are in different places. Without a GPU at hand we let JAX pretend that the processor is two
# devices, which obeys the same rules.
#
# [This section in the book](https://d2l.ai/chapter_builders-guide/use-gpu.html)

# %%
# %load_ext jaxd2l.parity.notebook
import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"  # before JAX is imported

import jax
import jax.numpy as jnp

from jaxd2l import models

# %% [markdown]
# ## Devices
#
# `jax.devices()` lists what JAX can use. New arrays go to the first device: to a GPU, if there is one. (In PyTorch they
# go to the CPU, and you move them.)

# %%
print(jax.devices())
first, second = jax.devices()
x = jnp.ones((2, 3))
print(x.devices())


def try_gpu(i=0):
    """The i-th GPU, or else the CPU: the book's function."""
    gpus = [device for device in jax.devices() if device.platform == "gpu"]
    return gpus[i] if i < len(gpus) else jax.devices("cpu")[0]


print(try_gpu(), try_gpu(10))

# %% [markdown]
# ## Moving arrays
#
# `jax.device_put` copies to a device, whole pytrees too. If the array is there already, the result shares its memory.

# %%
y = jax.device_put(x, second)
print(y.devices())
z = jax.device_put(y, second)
print("the same memory:", z.unsafe_buffer_pointer() == y.unsafe_buffer_pointer())
params = jax.device_put(models.mlp(3, 4, 2).init(jax.random.key(0)), second)
print({leaf.device for leaf in jax.tree.leaves(params)})

# %% [markdown]
# ## Two places in one sum
#
# An array that was *put* somewhere is committed to that device. Two arrays committed to different devices cannot be
# added: a silent copy over a slow bus is the most common reason why programs on GPUs are slow, so JAX, like PyTorch,
# makes you say it. An array that was merely made, like `x`, is not committed, and follows the others.

# %%
print((x + y).devices())
try:
    jax.device_put(x, first) + y
except ValueError as error:
    print("ValueError:", str(error)[:64])

# %%
# %%torch
import torch

print("torch made it on:", torch.ones(2, 3).device)
try:
    torch.ones(2, 3) + torch.ones(2, 3, device="meta")
except RuntimeError as error:
    print("RuntimeError:", str(error)[:64])

# %% [markdown]
# ## Models
#
# A computation runs where its operands are. With parameters on the second device, an uncommitted batch follows them:

# %%
model = models.mlp(3, 4, 2)
print(model.apply(params, x).devices())

# %% [markdown]
# `train.fit(..., mesh=...)` trains on many devices at once: the batch is shared out, the parameters are everywhere.
#
# ## Exercises
#
# **1. Compare CPU and GPU on small and large products.** A small product is over before a GPU has been told of it. See
# the timings of section 12.5 for the same effect with Python.
#
# **2. How are parameters read and written on a GPU?** `checkpoint.save_params` fetches them, and the reader decides
# where they go: a file has no device.
#
# **3. Measure 1000 products of 100 x 100 matrices, logging each norm at once or at the end.** JAX returns before a
# result is there, and `float(norm)` waits. So keep the norms on the device, and fetch them together:

# %%
A = jax.random.normal(jax.random.key(1), (100, 100))


@jax.jit
def norms(A):
    return jax.lax.map(lambda i: jnp.linalg.norm(A @ A), jnp.arange(1000))


together = norms(A)
print(together.shape, "numbers in one transfer; all equal:", bool(jnp.allclose(together, together[0])))

# %% [markdown]
# **4. Two products on two GPUs at once.** Each call returns at once, so two devices compute side by side:

# %%
left, right = (jax.device_put(A, device) for device in (first, second))
product = jax.jit(jnp.matmul)
results = product(left, left), product(right, right)
print([result.device for result in results], bool(jnp.allclose(*jax.device_get(results))))

# %% [markdown]
# ## Summary
#
# JAX makes arrays on the best device, and computes where the operands are. Moving is explicit, and operands in two
# places are an error. Fetch results rarely.
