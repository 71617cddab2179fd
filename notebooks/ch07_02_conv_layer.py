# %% [markdown]
# # 7.2 Convolutions for images
#
# You will write the operation itself in three ways, find edges with a kernel of two numbers, and let gradient descent
# find the same kernel from examples.
#
# [This section in the book](https://d2l.ai/chapter_convolutional-neural-networks/conv-layer.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l import data, models, plots
from jaxd2l.book import convolution
from jaxd2l.models import layers

# %% [markdown]
# ## Cross-correlation
#
# A window slides over the image; at each place, the numbers under it are multiplied by the kernel and added up:
#
# $$Y_{i,j} = \sum_{a,b} X_{i+a,\,j+b} K_{a,b}.$$
#
# As the book writes it, place by place:


# %%
def corr2d_loops(X, K):
    h, w = K.shape
    Y = np.zeros((X.shape[0] - h + 1, X.shape[1] - w + 1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = np.sum(X[i : i + h, j : j + w] * K)
    return Y


X, K = jnp.arange(9.0).reshape(3, 3), jnp.arange(4.0).reshape(2, 2)
print(corr2d_loops(np.asarray(X), np.asarray(K)))

# %% [markdown]
# The loops over places are long, those over the kernel short. Turned around, it is a sum of a few shifted images, which
# JAX compiles and differentiates:


# %%
def corr2d(X, K):
    h, w = X.shape[0] - K.shape[0] + 1, X.shape[1] - K.shape[1] + 1
    return sum(X[a : a + h, b : b + w] * K[a, b] for a in range(K.shape[0]) for b in range(K.shape[1]))


print(corr2d(X, K))
print("convolution.corr2d is the same:", bool(jnp.array_equal(corr2d(X, K), convolution.corr2d(X, K))))

# %% [markdown]
# The library's `models.conv2d` takes many images and channels, (n, height, width, channels), and a kernel (rows,
# columns, inputs, outputs). PyTorch has (n, channels, height, width) and (outputs, inputs, rows, columns):

# %%
print(models.conv2d(X[None, :, :, None], K[:, :, None, None])[0, :, :, 0])

# %%
# %%torch
import torch

print(torch.nn.functional.conv2d(torch.arange(9.0).reshape(1, 1, 3, 3), torch.arange(4.0).reshape(1, 1, 2, 2)))

# %% [markdown]
# ## A layer
#
# A convolutional layer is this and a bias. Its parameters are the kernel and the bias, and `layers.conv` draws them:

# %%
net = layers.model(layers.conv(1, (1, 2)), (6, 8, 1))
params = net.init(jax.random.key(0))
print({name: p.shape for name, p in params.items()})

# %% [markdown]
# ## Edges
#
# A black bar on white. The kernel (1, -1) subtracts from each pixel its right neighbour: it is 0 where nothing changes,
# 1 from white to black and -1 from black to white.

# %%
X = jnp.ones((6, 8)).at[:, 2:6].set(0.0)
K = jnp.array([[1.0, -1.0]])
Y = corr2d(X, K)
print(Y)
print("of the transposed image:", jnp.unique(corr2d(X.T, K)))

# %% [markdown]
# It finds vertical edges only. On a picture:

# %%
shoe = jnp.asarray(data.fashion_mnist().train.inputs[0, :, :, 0], jnp.float32) / 255
images = {"image": shoe, "vertical edges": corr2d(shoe, K), "horizontal edges": corr2d(shoe, K.T)}
shown = np.stack([np.asarray(jnp.abs(y[:27, :27])) for y in images.values()])
plots.image_grid(shown[..., None], titles=list(images), columns=3)

# %% [markdown]
# ## Learning a kernel
#
# Could the kernel be found from `X` and `Y` alone? Gradient descent on the squared error, from zeros. (The book begins
# at random numbers.)

# %%
kernel = jnp.zeros((1, 2))
for i in range(10):
    loss, gradient = jax.value_and_grad(lambda k: jnp.sum((corr2d(X, k) - Y) ** 2))(kernel)
    kernel = kernel - 0.03 * gradient
    if i % 2:
        print(f"step {i + 1:2}: loss {loss:.4f}")
print("learnt:", [f"{weight:.3f}" for weight in kernel[0]])
learnt = convolution.learn_kernel(X, Y, jnp.zeros((1, 2)))
print("convolution.learn_kernel:", [f"{weight:.3f}" for weight in learnt.kernel[0]])

# %% [markdown]
# ## Cross-correlation and convolution
#
# In mathematics, a convolution flips the kernel first. For a kernel that is learnt it makes no difference: the network
# learns the flipped one. So deep learning says convolution and means cross-correlation.

# %%
small, two = jnp.arange(9.0).reshape(3, 3), jnp.arange(4.0).reshape(2, 2)
print(corr2d(small, jnp.flip(two)))

# %% [markdown]
# ## Receptive fields
#
# Which pixels can change an output? After one 2 x 2 kernel 2 x 2 of them, after two 3 x 3. `jax.grad` finds them, and
# `receptive_field` computes their number:

# %%
ones = jnp.ones((2, 2))
field = jax.grad(lambda x: corr2d(corr2d(x, ones), ones)[1, 1])(jnp.zeros((5, 5)))
print(field)
print(convolution.receptive_field([(2, 1), (2, 1)]))
print("LeNet, after its second pool:", convolution.receptive_field([(5, 1), (2, 2), (5, 1), (2, 2)]))

# %% [markdown]
# ## Exercises
#
# **1. An image with diagonal edges.** The kernel sees them, as both of its directions do:

# %%
diagonal = jnp.triu(jnp.ones((5, 5)))
for name, result in {"K": corr2d(diagonal, K), "K transposed": corr2d(diagonal, K.T)}.items():
    print(name, result.astype(int).tolist())

# %% [markdown]
# **2. Kernels by hand.** For a direction $(a, b)$: $a$ times the horizontal difference plus $b$ times the vertical one.
# The second derivative is (1, -2, 1). A blur is a kernel of equal numbers; it loses contrast. The smallest kernel for a
# derivative of order $d$ has $d + 1$ numbers.

# %%
ramp = jnp.arange(6.0)[None] ** 2
print("second differences of squares:", corr2d(ramp, jnp.array([[1.0, -2.0, 1.0]])))

# %% [markdown]
# **3. Why can a convolution that you write in PyTorch with a loop fail to give gradients?** The book's `corr2d` writes
# into `Y` element by element. Autograd records such writes, slowly. JAX arrays cannot be written to at all, which is
# why the loop above is NumPy's, and ours is a sum.
#
# **4. As a product of matrices.** The image as a vector, the kernel as a sparse matrix:

# %%
M = convolution.corr2d_matrix(K, X.shape)
print(M.shape, "the same:", bool(jnp.array_equal((M @ X.ravel()).reshape(Y.shape), Y)))

# %% [markdown]
# ## Summary
#
# A convolution is a sum of shifted images, each times a number. Kernels can be designed, and they can be learnt.
