# %% [markdown]
# # 7.3 Padding and stride
#
# Every convolution makes an image smaller. Padding keeps its size, and strides shrink it on purpose. You will compute
# output shapes, and see where "SAME" padding in JAX is not the padding of PyTorch.
#
# [This section in the book](https://d2l.ai/chapter_convolutional-neural-networks/padding-and-strides.html)

# %%
# %load_ext jaxd2l.parity.notebook
import jax
import jax.numpy as jnp
from flax import nnx

from jaxd2l import models

X, K = jnp.arange(9.0).reshape(1, 3, 3, 1), jnp.arange(4.0).reshape(2, 2, 1, 1)

# %% [markdown]
# ## Padding
#
# After ten layers of 5 x 5, 240 pixels have become 200, and those at the border have had little say. So rows and
# columns of zeros are added around the image. From scratch, with the convolution of section 7.2:


# %%
def corr2d(X, K, padding=0, stride=1):
    X = jnp.pad(X, padding)
    h, w = X.shape[0] - K.shape[0] + 1, X.shape[1] - K.shape[1] + 1
    Y = sum(X[a : a + h, b : b + w] * K[a, b] for a in range(K.shape[0]) for b in range(K.shape[1]))
    return Y[::stride, ::stride]


size = 240
for _ in range(10):
    size = size - 5 + 1
print(size)
print(corr2d(X[0, :, :, 0], K[:, :, 0, 0], padding=1))
print(models.conv2d(X, K, padding=1)[0, :, :, 0])

# %% [markdown]
# With $p$ on *every side*, a kernel of $k$ and a stride of $s$, there are
#
# $$\left\lfloor \frac{n - k + 2p + s}{s} \right\rfloor$$
#
# outputs. An odd kernel with $p = (k - 1) / 2$ keeps the size. Kernels need not be square:


# %%
def output_shape(kernel, **options):
    return models.conv2d(jnp.ones((1, 8, 8, 1)), jnp.ones((*kernel, 1, 1)), **options).shape[1:3]


print("3 x 3, padding 1:", output_shape((3, 3), padding=1))
print("5 x 3, padding (2, 1):", output_shape((5, 3), padding=(2, 1)))

# %% [markdown]
# ## Stride
#
# A stride of 2 looks at every second place and halves the size. To compute all places and throw most away, as our
# `corr2d` does, is a waste; the library does not.

# %%
print("3 x 3, padding 1, stride 2:", output_shape((3, 3), padding=1, stride=2))
print("3 x 5, padding (0, 1), stride (3, 4):", output_shape((3, 5), padding=(0, 1), stride=(3, 4)))
print(models.conv2d(X, K, padding=1, stride=(3, 2))[0, :, :, 0])

# %% [markdown]
# ## A trap: SAME
#
# JAX and Flax have padding by name. For an even kernel the odd row goes below and the odd column to the right, in
# PyTorch as well:

# %%
print(models.conv2d(X, K, padding="same")[0, :, :, 0])

# %% [markdown]
# With a stride of 2 the names part. "SAME" means: so many outputs as $n / s$, with as little padding as possible, and
# the odd row *below*. For a 3 x 3 kernel on 8 pixels that is (0, 1), where every PyTorch model has (1, 1). The shapes
# are the same and the numbers are not, in the first layer of every ported ResNet:

# %%
# %%torch
import torch

image = jax.random.normal(jax.random.key(0), (1, 8, 8, 1))
kernel = jax.random.normal(jax.random.key(1), (3, 3, 1, 1))
theirs = torch.nn.functional.conv2d(
    torch.tensor(image.tolist()).permute(0, 3, 1, 2), torch.tensor(kernel.tolist()).permute(3, 2, 0, 1), None, 2, 1
)[0, 0]
same = jax.lax.conv_general_dilated(image, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
ours = models.conv2d(image, kernel, padding=1, stride=2)
for name, outputs in {"SAME": same, "padding=1": ours}.items():
    distance = abs(outputs[0, :, :, 0] - jnp.array(theirs.tolist())).max()
    print(f"{name:10} {outputs.shape}, equal to torch's: {distance < 1e-5}")

# %% [markdown]
# So always give numbers. `models.conv2d` refuses "same" at a stride, as PyTorch does. And note the defaults: without a
# word, `nnx.Conv` pads SAME, and PyTorch not at all.

# %%
try:
    models.conv2d(X, jnp.ones((3, 3, 1, 1)), padding="same", stride=2)
except ValueError as error:
    print(error)
print("nnx.Conv:", nnx.Conv(1, 1, (3, 3), rngs=nnx.Rngs(0))(jnp.ones((1, 8, 8, 1))).shape)

# %% [markdown]
# ## Exercises
#
# **1. Compute the shape of the last example by the formula.** $\lfloor (8 - 3 + 0 + 3) / 3 \rfloor = 2$ and
# $\lfloor (8 - 5 + 2 + 4) / 4 \rfloor = 2$.
#
# **2. What is a stride of 2 for sound?** Half the sampling rate.
#
# **3. Mirror padding, instead of zeros.** Pad first, then convolve. Zeros are a dark frame around a bright image, in
# which a blur gets darker at the border; a mirror has no frame:

# %%
bright, blur = jnp.ones((1, 4, 4, 1)), jnp.full((3, 3, 1, 1), 1 / 9)
mirrored = jnp.pad(bright, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
print("zeros: ", models.conv2d(bright, blur, padding=1)[0, 0, :, 0].round(2))
print("mirror:", models.conv2d(mirrored, blur)[0, 0, :, 0].round(2))

# %% [markdown]
# **4. What does a stride larger than 1 save?** Work and memory in proportion to $s^2$. **5. What is it good for?**
# Larger receptive fields, and features that do not depend on a shift by a pixel.
#
# **6. A stride of 1/2?** Zeros between the pixels, so that the image grows: a transposed convolution, which is also
# what the gradient of a strided convolution is:

# %%
gradient = jax.grad(lambda x: models.conv2d(x, jnp.ones((2, 2, 1, 1)), stride=2).sum())(jnp.zeros((1, 4, 4, 1)))
print("4 outputs become a gradient of", gradient.shape[1:3])

# %% [markdown]
# ## Summary
#
# Padding keeps the size, strides reduce it, and one formula says to what. Give padding in numbers: names mean different
# things at a stride.
