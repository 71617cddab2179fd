# %% [markdown]
# # 8.6 Residual networks (ResNet) and ResNeXt
#
# A layer that learns what to *add* to its input can do nothing by learning zeros. So a deeper network can do all
# that a shallower one can, and networks of a hundred layers can be trained. You will write the residual block, look
# at ResNet-18, and train a narrow ResNet.
#
# [This section in the book](https://d2l.ai/chapter_convolutional-modern/resnet.html)

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import activations, data, losses, models, plots, train
from jaxd2l.models import layers
from jaxd2l.types import Batch

# %% [markdown]
# ## The residual block
#
# $\mathrm{relu}(f(\mathbf{x}) + \mathbf{x})$, where $f$ is two convolutions with batch normalisation. `layers.add` adds
# what its layers return. Where the number of channels or the size changes, the shortcut is a convolution of 1 x 1.


# %%
def residual(channels, strides=1, use_1x1conv=False):
    relu = layers.function(activations.relu)
    f = layers.sequential(
        layers.conv(channels, 3, stride=strides, padding=1),
        layers.batch_norm(),
        relu,
        layers.conv(channels, 3, padding=1),
        layers.batch_norm(),
    )
    identity = layers.function(lambda x: x, name="identity")
    shortcut = layers.conv(channels, 1, stride=strides) if use_1x1conv else identity
    return layers.sequential(layers.add(f, shortcut), relu, name="residual")


print(layers.summary(residual(3), (6, 6, 3), depth=3))
print("halved:", layers.output_shape(residual(6, strides=2, use_1x1conv=True), (6, 6, 3)))

# %% [markdown]
# If the last norm's scale and bias are 0, then $f$ is 0 and the block passes on its input (after a relu):

# %%
block = layers.stateful_model(residual(3), (6, 6, 3))
params, state = block.init(jax.random.key(0))
zeroed = layers.replaced(params, {"0.0.4.scale": 0.0, "0.0.4.bias": 0.0})
x = jax.random.normal(jax.random.key(1), (4, 6, 6, 3))
print("passes on:", bool(jnp.array_equal(block.apply(zeroed, state, x)[0], activations.relu(x))))

# %% [markdown]
# ## ResNet-18
#
# A stem, four stages of two blocks, the mean over the image. The 18 counts the convolutions on the way and the last
# layer.

# %%
print(layers.summary(models.resnet18(), depth=2))

# %% [markdown]
# ## Training
#
# A ResNet of three stages with 16 to 64 channels, on 4000 images of 28 x 28.

# %%
narrow = models.resnet(((1, 16), (1, 32), (1, 64)), (28, 28, 1))
fashion = data.fashion_mnist()
few = fashion._replace(
    train=Batch(*(array[:4000] for array in fashion.train)), test=Batch(*(array[:1000] for array in fashion.test))
)
fitted, history = train.fit(
    narrow,
    losses.cross_entropy,
    optax.sgd(0.05),
    few,
    key=jax.random.key(0),
    epochs=5,
    batch_size=128,
    on_epoch=plots.live_curves(5, title="ResNet, narrow"),
)
print(f"{layers.summary(narrow).parameters:,} parameters, test accuracy {history.test_accuracy[-1]:.1f}")

# %% [markdown]
# ## ResNeXt: groups
#
# A convolution in $g$ groups has $g$ times fewer weights: each group of outputs sees its own group of channels. It is a
# full convolution whose kernel is 0 between the groups:

# %%
x, kernel = jax.random.normal(jax.random.key(0), (1, 5, 5, 4)), jax.random.normal(jax.random.key(1), (3, 3, 2, 4))
full = np.zeros((3, 3, 4, 4), np.float32)
full[:, :, :2, :2], full[:, :, 2:, 2:] = kernel[..., :2], kernel[..., 2:]
grouped = models.conv2d(x, kernel, groups=2, padding=1)
print("the same:", bool(jnp.allclose(grouped, models.conv2d(x, jnp.asarray(full), padding=1), atol=1e-5)))

# %%
print(layers.summary(models.resnext_block(32, 16), (96, 96, 32), depth=3))

# %% [markdown]
# ## Exercises
#
# **How do ResNets of other depths compare?** The architecture is a pair of numbers for each stage:

# %%
for depth, blocks in {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}.items():
    arch = tuple(zip(blocks, (64, 128, 256, 512), strict=True))
    table = layers.summary(models.resnet(arch))
    print(f"ResNet-{depth}: {table.parameters:,} parameters, {table.multiply_adds:,} multiply-adds")

# %% [markdown]
# **What happens at stride 2 if "same" padding is used in the stem, as in the book's JAX code?** On even sizes it pads
# one row more below than above, PyTorch the same on both sides. The values differ, and so do the results of weights
# that were trained in PyTorch:

# %%
image = jnp.arange(16.0).reshape(1, 4, 4, 1)
print("as PyTorch:", models.max_pool(image, 3, stride=2, padding=1)[0, :, :, 0].tolist())
print("SAME:      ", models.max_pool(image, 3, stride=2, padding=((0, 1), (0, 1)))[0, :, :, 0].tolist())

# %% [markdown]
# ## Summary
#
# `relu(f(x) + x)` makes doing nothing easy, so depth costs nothing but time.
