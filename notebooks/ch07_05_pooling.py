# %% [markdown]
# # 7.5 Pooling
#
# Is there an edge *somewhere here*? Pooling answers that: it takes the largest or the mean value of each window. You
# will write both, learn how padding and ties are treated, and where JAX's tools differ from PyTorch's.
#
# [This section in the book](https://d2l.ai/chapter_convolutional-neural-networks/pooling.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxd2l import activations, data, models, plots

# %% [markdown]
# ## Largest and mean value
#
# From scratch: stack the shifted images, as many as a window has pixels, and reduce.


# %%
def pool2d(X, size, mode="max"):
    h, w = X.shape[0] - size[0] + 1, X.shape[1] - size[1] + 1
    shifted = jnp.stack([X[a : a + h, b : b + w] for a in range(size[0]) for b in range(size[1])])
    return shifted.max(0) if mode == "max" else shifted.mean(0)


X = jnp.arange(9.0).reshape(3, 3)
print(pool2d(X, (2, 2)))
print(pool2d(X, (2, 2), "mean"))

# %% [markdown]
# The library's functions take (n, height, width, channels). Each channel is pooled by itself. As in PyTorch, the stride
# is the size of the window unless you say otherwise:

# %%
print(models.max_pool(X[None, :, :, None], 2, stride=1)[0, :, :, 0])
image = jnp.arange(16.0).reshape(1, 4, 4, 1)
print(models.max_pool(image, 3)[0, :, :, 0])
print(models.max_pool(image, 3, padding=1, stride=2)[0, :, :, 0])
print(models.max_pool(image, (2, 3), stride=(2, 3), padding=(0, 1))[0, :, :, 0])
both = jnp.concatenate([image, image + 1], -1)
print(models.max_pool(both, 3, padding=1, stride=2)[0, :, :, 1])

# %% [markdown]
# ## What pooling does to a picture
#
# It shrinks it, and hides small shifts. If the bag moves by one pixel, three quarters of the largest values of 4 x 4
# windows hardly change, while the pixels themselves do:

# %%
bag = jnp.asarray(data.fashion_mnist().train.inputs[57], jnp.float32)[None] / 255
moved = jnp.roll(bag, 1, 2)
for name, f in {"pixels": lambda x: x, "max of 4 x 4": lambda x: models.max_pool(x, 4)}.items():
    print(f"{name:13} changed on average by {float(jnp.abs(f(bag) - f(moved)).mean()):.3f}")
small = [models.max_pool(bag, 4), models.mean_pool(bag, 4)]
enlarged = [jnp.repeat(jnp.repeat(x, 4, 1), 4, 2) for x in small]
shown = np.concatenate([np.asarray(x) for x in (bag, *enlarged)])
plots.image_grid(shown, titles=["image", "largest of 4 x 4", "mean of 4 x 4"], columns=3)

# %% [markdown]
# ## Details that decide a port
#
# **What padding holds.** For a maximum it must be minus infinity: zeros would win over negative numbers. (In the book's
# JAX tab they do.) For a mean it is 0, and the question is whether zeros count:

# %%
print(models.max_pool(-1 - image, 3, padding=1, stride=2)[0, :, :, 0])
for counted in (True, False):
    means = models.mean_pool(image, 3, padding=1, stride=2, count_include_pad=counted)
    print("zeros count:" if counted else "they do not:", ", ".join(f"{mean:.3f}" for mean in means.ravel()))

# %% [markdown]
# **Rows left over.** 5 pixels hold two windows of 2. `ceil_mode` adds a third, which lies partly outside:

# %%
five = jnp.arange(25.0).reshape(1, 5, 5, 1)
for ceil_mode in (False, True):
    print(ceil_mode, models.max_pool(five, 2, ceil_mode=ceil_mode)[0, :, :, 0].tolist())
print(True, models.mean_pool(five, 2, ceil_mode=True)[0, :, :, 0].tolist())

# %% [markdown]
# **Ties.** The backgrounds of images are black, so many windows hold equal numbers. PyTorch gives the whole gradient to
# the first of them, row by row, and so does `models.max_pool`. `jnp.max` over reshaped axes shares it out: the same
# values, another training run.

# %%
flat = jnp.zeros((1, 2, 2, 1))
print("ours:      ", jax.grad(lambda x: models.max_pool(x, 2).sum())(flat).ravel())
print("reshaped:  ", jax.grad(lambda x: x.reshape(1, 1, 2, 1, 2, 1).max((2, 4)).sum())(flat).ravel())

# %%
# %%torch
import torch

zeros = torch.zeros(1, 1, 2, 2, requires_grad=True)
torch.nn.functional.max_pool2d(zeros, 2).sum().backward()
print("torch:     ", zeros.grad.flatten())
theirs = torch.nn.functional.avg_pool2d(torch.arange(25.0).reshape(1, 1, 5, 5), 2, ceil_mode=True)
print("ceil_mode: ", theirs[0, 0].tolist())

# %% [markdown]
# **The default stride.** Flax's is 1:

# %%
print("nnx.max_pool:", nnx.max_pool(image, (2, 2)).shape, " models.max_pool:", models.max_pool(image, 2).shape)

# %% [markdown]
# ## Exercises
#
# **1. Mean pooling as a convolution.** All weights are $1 / k^2$:

# %%
weights = jnp.full((2, 2, 1, 1), 0.25)
print(bool(jnp.allclose(models.conv2d(image, weights, stride=2), models.mean_pool(image, 2))))

# %% [markdown]
# **2. Max pooling cannot be a convolution**, because it is not linear: the maximum of a sum is not the sum of the
# maxima.
#
# **3. Max pooling by relus.** $\max(a, b) = a + \mathrm{relu}(b - a)$, applied three times for four numbers:


# %%
def larger(a, b):
    return a + activations.relu(b - a)


noise = jax.random.normal(jax.random.key(0), (1, 4, 4, 1))
corners = [noise[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
by_relus = larger(larger(corners[0], corners[1]), larger(corners[2], corners[3]))
print(bool(jnp.allclose(by_relus, models.max_pool(noise, 2), atol=1e-6)))

# %% [markdown]
# **4. What does pooling cost?** One operation per pixel under each window: $h \cdot w \cdot c$ if windows do not
# overlap. Nothing, beside a convolution. **5. Why do maximum and mean work differently?** A maximum says whether
# something is there, a mean how much of it is.
#
# **6. Min pooling?** $-\max(-x)$, so it needs no layer of its own. **7. Softmax pooling?** A mean with the weights
# $e^{x} / \sum e^{x}$, between the mean and the maximum:


# %%
def softmax_pool(x, size):
    highest = x.max()
    weights = models.mean_pool(jnp.exp(x - highest), size)
    return models.mean_pool(x * jnp.exp(x - highest), size) / weights


print("smallest:", -models.max_pool(-image, 2)[0, :, :, 0].ravel())
print("softmax: ", softmax_pool(image, 2)[0, :, :, 0].ravel().round(2), "of maxima", models.max_pool(image, 2).ravel())

# %% [markdown]
# ## Summary
#
# Pooling shrinks an image and hides small shifts, without parameters. A port must match PyTorch in four details: what
# padding holds, what counts in a mean, what happens to rows left over, and who gets the gradient of a tie.
