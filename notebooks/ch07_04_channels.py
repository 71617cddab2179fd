# %% [markdown]
# # 7.4 Multiple input and multiple output channels
#
# Colour images have three channels, hidden layers have hundreds. You will extend the convolution to many inputs and
# many outputs, see what a 1 x 1 convolution is good for, and count what it all costs.
#
# [This section in the book](https://d2l.ai/chapter_convolutional-neural-networks/channels.html)

# %%
# %load_ext jaxd2l.parity.notebook
import jax
import jax.numpy as jnp

from jaxd2l import models
from jaxd2l.book import convolution

# %% [markdown]
# ## Many inputs
#
# Each input channel has a kernel of its own, and the results are added. Here are the book's two channels, X and X + 1,
# and their kernels:


# %%
def corr2d_inputs(X, K):
    """Channels last."""
    return sum(convolution.corr2d(X[:, :, c], K[:, :, c]) for c in range(X.shape[-1]))


X1, K1 = jnp.arange(9.0).reshape(3, 3), jnp.arange(4.0).reshape(2, 2)
X, K = jnp.stack([X1, X1 + 1], -1), jnp.stack([K1, K1 + 1], -1)
print(corr2d_inputs(X, K))

# %% [markdown]
# ## Many outputs
#
# Each output channel has such a kernel of its own. The whole kernel has four axes: (rows, columns, inputs, outputs)
# here, (outputs, inputs, rows, columns) in PyTorch.


# %%
def corr2d_channels(X, K):
    return jnp.stack([corr2d_inputs(X, K[..., o]) for o in range(K.shape[-1])], -1)


K = jnp.stack([K, K + 1, K + 2], -1)
print("kernel", K.shape, "outputs", corr2d_channels(X, K).shape)
print(jnp.moveaxis(corr2d_channels(X, K), -1, 0))
print("as models.conv2d:", bool(jnp.allclose(corr2d_channels(X, K), models.conv2d(X[None], K)[0])))

# %%
# %%torch
import numpy as np
import torch

Kt = torch.tensor(np.array(K)).permute(3, 2, 0, 1)
theirs = torch.nn.functional.conv2d(torch.tensor(np.array(X)).permute(2, 0, 1)[None], Kt)
print("torch's kernel", tuple(Kt.shape), "outputs", tuple(theirs.shape))
print("equal:", np.allclose(theirs[0].permute(1, 2, 0), models.conv2d(X[None], K)[0]))

# %% [markdown]
# ## 1 x 1
#
# A kernel of a single pixel sees no neighbours. It mixes the channels of each pixel: a dense layer, the same at every
# place.


# %%
def corr2d_1x1(X, K):
    h, w, c = X.shape
    return (X.reshape(h * w, c) @ K[0, 0]).reshape(h, w, -1)


x, k = jax.random.normal(jax.random.key(0), (3, 3, 3)), jax.random.normal(jax.random.key(1), (1, 1, 3, 2))
for result in (corr2d_channels(x, k), models.conv2d(x[None], k)[0]):
    print(bool(jnp.allclose(corr2d_1x1(x, k), result, atol=1e-5)))

# %% [markdown]
# ## What it costs
#
# At each of $h \cdot w$ places, for each output channel, $k^2$ numbers of each input channel are multiplied and added:
# $O(h \cdot w \cdot k^2 \cdot c_i \cdot c_o)$. For 256 x 256 pixels, 5 x 5, and 128 channels in and out:

# %%
print(f"{convolution.conv_cost(256, 5, 128, 128, padding=2):,} operations")

# %% [markdown]
# ## Exercises
#
# **1. Two convolutions without anything between are one.** Its kernel is a convolution of both, of size
# $k_1 + k_2 - 1$. The reverse does not hold: most 3 x 3 kernels are no product of two 2 x 2 kernels of one channel.

# %%
a, b = jax.random.normal(jax.random.key(2), (2, 2, 2))
image = jax.random.normal(jax.random.key(3), (6, 6))
both = convolution.corr2d(jnp.pad(a, 1), jnp.flip(b))
twice = convolution.corr2d(convolution.corr2d(image, a), b)
print(both.shape, bool(jnp.allclose(twice, convolution.corr2d(image, both), atol=1e-5)))

# %% [markdown]
# **2. How much memory and work do forward and backward pass need?** Forward as above. The gradient with respect to the
# inputs is a convolution of the same size, and that with respect to the kernel too: so training costs three times as
# much as prediction. The inputs must be kept for it.
#
# **3. What if both channel numbers double, or the padding does?** Four times the work; padding adds places only.

# %%
base = convolution.conv_cost(256, 5, 128, 128, padding=2)
doubled = convolution.conv_cost(256, 5, 256, 256, padding=2)
padded = convolution.conv_cost(256, 5, 128, 128, padding=4)
print(f"channels doubled: {doubled / base:.1f}, padding doubled: {padded / base:.3f}")

# %% [markdown]
# **4. Are the two results of the 1 x 1 convolution equal to the last bit?** Not always: the sums may be taken in
# another order, so we compared up to rounding.
#
# **5. Other windows as products of matrices.** Put the pixels under each window side by side: (places, $k^2 c_i$) times
# ($k^2 c_i$, $c_o$).

# %%
places = jnp.stack([X[i : i + 2, j : j + 2].ravel() for i in range(2) for j in range(2)])
print(places.shape, "@", K.reshape(-1, 3).shape, "=", (places @ K.reshape(-1, 3)).T.tolist())

# %% [markdown]
# **6. Shifts instead of a kernel: what is faster?** A kernel of k x k costs $k^2$ per channel pair. Blocks of channels
# that do not mix (`groups`) divide the cost by their number. With the other weights 0 it is a plain convolution:

# %%
x, k = jax.random.normal(jax.random.key(4), (1, 5, 5, 4)), jax.random.normal(jax.random.key(5), (3, 3, 2, 6))
block = jnp.zeros((3, 3, 4, 6)).at[:, :, :2, :3].set(k[..., :3]).at[:, :, 2:, 3:].set(k[..., 3:])
print(bool(jnp.allclose(models.conv2d(x, k, groups=2), models.conv2d(x, block), atol=1e-5)))

# %% [markdown]
# ## Summary
#
# Channels are added up over the inputs and stacked over the outputs. A 1 x 1 convolution is a dense layer per pixel.
# The work is the product of five numbers.
