# %% [markdown]
# # 7.1 From fully connected layers to convolutions
#
# A dense layer treats an image as a list of numbers, in any order. You will see what that costs, which two assumptions
# about images save nearly all of it, and that what remains is a convolution. Both assumptions are checked in code.
#
# [This section in the book](https://d2l.ai/chapter_convolutional-neural-networks/why-conv.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l import data, models, plots
from jaxd2l.book import convolution

# %% [markdown]
# ## The order of the pixels means nothing to a dense layer
#
# Permute the pixels of all images, and the rows of the weights with them: the outputs are the same. A dense network
# learns Fashion-MNIST as well from scrambled images, on which we would see nothing.

# %%
image = np.asarray(data.fashion_mnist().test.inputs[1])
order = np.asarray(jax.random.permutation(jax.random.key(0), 784))
scrambled = image.reshape(784, 1)[order].reshape(28, 28, 1)
W = jax.random.normal(jax.random.key(1), (784, 10))
x, y = (jnp.asarray(i, jnp.float32).reshape(784) / 255 for i in (image, scrambled))
print("the same outputs:", bool(jnp.allclose(x @ W, y @ W[order], atol=1e-4)))
plots.image_grid(np.stack([image, scrambled]), titles=["an image", "the same for a dense layer"])

# %% [markdown]
# ## How many weights
#
# Let $\mathbf{X}$ be an image and $\mathbf{H}$ a hidden layer of the same shape. A dense layer has a weight for each
# pair of a unit and a pixel, which we may write relative to the unit's place:
#
# $$H_{i,j} = U_{i,j} + \sum_{a, b} V_{i,j,a,b} \, X_{i+a,\, j+b}.$$
#
# 1. **Translation invariance**: what is worth looking for is so at every place. So $V$ and $U$ do not depend on
#    $(i, j)$.
# 2. **Locality**: what matters for a place is near it. So $V_{a,b} = 0$ if $|a|$ or $|b|$ exceeds $\Delta$.
#
# For 1000 x 1000 pixels:

# %%
pixels, reach = 1000, 5
print(f"dense:       {pixels**4:.0e} weights")
print(f"invariant:   {(2 * pixels) ** 2:.0e}, one for each relative place")
print(f"and local:   {(2 * reach + 1) ** 2}, if it looks {reach} pixels far")

# %% [markdown]
# (The book writes $4 \Delta^2$ for the last; from $-\Delta$ to $\Delta$ there are $2\Delta + 1$ places.) What is left
# is a convolution:
#
# $$H_{i,j} = u + \sum_{a=-\Delta}^{\Delta} \sum_{b=-\Delta}^{\Delta} V_{a,b} \, X_{i+a,\, j+b}.$$
#
# ## Still a dense layer, with most weights 0
#
# From scratch, for one axis: the matrix of a convolution has the same few weights in each row, moved on by one.

# %%
v = jnp.array([1.0, 2.0, 3.0])
matrix = jnp.stack([jnp.zeros(7).at[i : i + 3].set(v) for i in range(5)])
print(matrix)
signal = jax.random.normal(jax.random.key(2), (7,))
direct = jnp.stack([jnp.sum(signal[i : i + 3] * v) for i in range(5)])
print("the same as sums over windows:", bool(jnp.allclose(matrix @ signal, direct, atol=1e-5)))

# %% [markdown]
# `convolution.corr2d_matrix` makes it for images. Of a 6 x 6 image under a 3 x 3 kernel, 16 outputs need 576 weights,
# of which 144 are not 0, and only 9 are different:

# %%
M = np.asarray(convolution.corr2d_matrix(jnp.arange(1.0, 10.0).reshape(3, 3), (6, 6)))
print(M.shape, np.count_nonzero(M), len(np.unique(M[M != 0])))
plots.image_grid(M[None, :, :, None] / 9, titles=["the weights, 16 x 36"], columns=1)

# %% [markdown]
# ## Both assumptions, checked
#
# If the image moves, the outputs move with it. A dense layer knows nothing of that:

# %%
picture = jnp.zeros((1, 12, 12, 1)).at[0, 3:6, 3:6, 0].set(1.0)
moved = jnp.roll(picture, (2, 3), (1, 2))
kernel = jax.random.normal(jax.random.key(3), (3, 3, 1, 1))


def conv(x):
    return models.conv2d(x, kernel, padding=1)


print("convolution:", bool(jnp.allclose(conv(moved), jnp.roll(conv(picture), (2, 3), (1, 2)))))
dense = jax.random.normal(jax.random.key(4), (144, 144))
before, after = (jnp.reshape(x.reshape(144) @ dense, (12, 12)) for x in (picture, moved))
print("dense layer:", bool(jnp.allclose(after, jnp.roll(before, (2, 3), (0, 1)), atol=1e-3)))

# %% [markdown]
# ## Channels
#
# An image has red, green and blue, and a hidden layer has many *feature maps*, one per thing to look for. Then
# $V_{a,b,c,d}$ also says how input channel $c$ counts for output channel $d$ (section 7.4).
#
# ## Exercises
#
# **1. With $\Delta = 0$, a convolution is an MLP for each pixel.** The kernel is 1 x 1:

# %%
channels = jax.random.normal(jax.random.key(5), (1, 4, 4, 3))
weights = jax.random.normal(jax.random.key(6), (1, 1, 3, 2))
print(bool(jnp.allclose(models.conv2d(channels, weights), channels @ weights[0, 0], atol=1e-5)))

# %% [markdown]
# **2. Audio and text.** Sound is a sequence, and what matters is local and may come at any time: a convolution over
# time. For text as well, with windows of words.
#
# **3. When is translation invariance wrong?** When the place means something: the sky is above. In a photograph for a
# passport, eyes are always in the same rows.
#
# **4. At the border?** Units there see less of the image, or invented pixels (section 7.3), so invariance ends there.
#
# **5. Prove that $f * g = g * f$.** Substitute $b = a - i$. For images padded on all sides, with the kernel flipped, in
# numbers:


# %%
def convolved(f, g):
    return convolution.corr2d(jnp.pad(f, 2), jnp.flip(g))


f, g = jax.random.normal(jax.random.key(7), (2, 3, 3))
print("f * g = g * f:", bool(jnp.allclose(convolved(f, g), convolved(g, f), atol=1e-5)))

# %% [markdown]
# ## Summary
#
# Translation invariance and locality turn $10^{12}$ weights into a hundred. A convolution is the dense layer that obeys
# both.
