# %% [markdown]
# # 8.2 Networks using blocks (VGG)
#
# VGG is not designed layer by layer, but block by block: some convolutions of 3 x 3 and a max pooling. You will write
# the block as a function, see why small windows are enough, and build a whole family of networks from one line each.
#
# [This section in the book](https://d2l.ai/chapter_convolutional-modern/vgg.html)

# %%
# %matplotlib inline
import jax
import numpy as np

from jaxd2l import activations, data, losses, models, optim, plots, train
from jaxd2l.models import layers
from jaxd2l.types import Batch

# %% [markdown]
# ## The block
#
# A block is `num_convs` convolutions, each with relu, and a max pooling that halves height and width:


# %%
def vgg_block(num_convs, channels):
    convs = (layers.conv(channels, 3, padding=1), layers.function(activations.relu))
    return layers.sequential(*convs * num_convs, layers.max_pool(2))


print(layers.summary(vgg_block(2, 64), (224, 224, 3)))

# %% [markdown]
# Why 3 x 3? Two of them see as much of the image as one window of 5 x 5, with fewer weights and one more relu. We
# measure what an output sees as the pixels that its gradient reaches:


# %%
def sees(net, side=11):
    """How many pixels, in a row, decide the middle output."""
    model = layers.model(net, (side, side, 1))
    params = model.init(jax.random.key(0))
    gradient = jax.grad(lambda x: model.apply(params, x)[0, side // 2, side // 2].sum())(np.ones((1, side, side, 1)))
    return int((abs(gradient[0, :, :, 0]).sum(0) > 0).sum())


def conv(size):
    return layers.conv(8, size, padding=size // 2, bias=False)


for name, net in {
    "5x5": conv(5),
    "3x3 twice": layers.repeat(2, conv(3)),
    "3x3 three times": layers.repeat(3, conv(3)),
}.items():
    weights = layers.summary(net, (11, 11, 8)).parameters
    print(f"{name:16} sees {sees(net)} pixels, {weights} weights from 8 channels to 8")

# %% [markdown]
# ## The family
#
# The architecture is a row of numbers for each block: convolutions and channels. This is VGG-11, 8 convolutions and 3
# dense layers:

# %%
print(layers.summary(models.vgg()))

# %%
family = {
    "VGG-11": ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512)),
    "VGG-16": ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)),
    "VGG-19": ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)),
}
for name, arch in family.items():
    vgg = layers.summary(models.vgg(arch=arch))
    print(f"{name}: {vgg.parameters:,} parameters, {vgg.multiply_adds / 1e9:.1f} billion multiply-adds")

# %% [markdown]
# ## Training
#
# A narrow VGG-11 on 4000 images of 32 x 32: five blocks halve them to 1 x 1.

# %%
arch = ((1, 16), (1, 32), (2, 32), (2, 64), (2, 64))
narrow = models.vgg((32, 32, 1), arch=arch, num_hiddens=64, dropout_rate=0.2)
fashion = data.fashion_mnist()


def padded(batch, n):
    return Batch(np.pad(batch.inputs[:n], ((0, 0), (2, 2), (2, 2), (0, 0))), batch.labels[:n])


few = fashion._replace(train=padded(fashion.train, 4000), test=padded(fashion.test, 1000))
state, history = train.fit(
    narrow,
    losses.cross_entropy,
    optim.adam(0.002),
    few,
    key=jax.random.key(0),
    epochs=4,
    batch_size=128,
    on_epoch=plots.live_curves(4, title="VGG-11, narrow"),
)
print(f"{layers.summary(narrow).parameters:,} parameters, test accuracy {history.test_accuracy[-1]:.1f}")

# %% [markdown]
# ## Exercises
#
# **VGG needs more time than AlexNet although it has fewer than three times the parameters. Why?** The multiply-adds
# decide: every weight of a convolution is used at every pixel, and VGG's first layers look at large images.

# %%
for name, model in {"AlexNet": models.alexnet(), "VGG-11": models.vgg()}.items():
    table = layers.summary(model)
    print(f"{name:8} {table.parameters:11,} parameters, {table.multiply_adds / 1e9:.1f} billion operations")

# %% [markdown]
# ## Summary
#
# A block is a function that returns a layer. Deep and narrow (many windows of 3 x 3) costs less than shallow and wide.
