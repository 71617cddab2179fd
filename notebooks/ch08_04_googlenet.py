# %% [markdown]
# # 8.4 Multi-branch networks (GoogLeNet)
#
# Which window is best, 1 x 1, 3 x 3 or 5 x 5? GoogLeNet takes them all, side by side, and joins their channels. You
# will write the inception block, look at the whole network, and train a small one.
#
# [This section in the book](https://d2l.ai/chapter_convolutional-modern/googlenet.html)

# %%
# %matplotlib inline
import jax

from jaxd2l import activations, data, losses, models, optim, plots, train
from jaxd2l.models import layers
from jaxd2l.types import Batch

# %% [markdown]
# ## The inception block
#
# Four branches get the same image. `layers.parallel` joins what they return along the channels, so their heights and
# widths must be equal: each window is padded to keep the size.


# %%
def conv(channels, window=1):
    return layers.sequential(
        layers.conv(channels, window, padding=window // 2),
        layers.function(activations.relu),
        name=f"conv {window}x{window}, {channels}",
    )


def inception(c1, c2, c3, c4):
    return layers.parallel(
        conv(c1),
        layers.sequential(conv(c2[0]), conv(c2[1], 3)),
        layers.sequential(conv(c3[0]), conv(c3[1], 5)),
        layers.sequential(layers.max_pool(3, stride=1, padding=1), conv(c4)),
    )


block = inception(64, (96, 128), (16, 32), 32)
print(layers.summary(block, (12, 12, 192)))

# %% [markdown]
# 64 + 128 + 32 + 32 = 256 channels. The convolutions of 1 x 1 in front of the large windows save most of the work.
# Without them, a window of 5 x 5 from all 192 channels would cost this many times as much:

# %%
direct = layers.summary(conv(32, 5), (12, 12, 192))
through = layers.summary(layers.sequential(conv(16), conv(32, 5)), (12, 12, 192))
print(f"{direct.multiply_adds / through.multiply_adds:.1f}")

# %% [markdown]
# ## The network
#
# A stem, nine blocks in three stages, and the mean over the image: 6 million parameters, where AlexNet has 47 million.

# %%
print(layers.summary(models.googlenet(), depth=2))

# %% [markdown]
# ## Training
#
# The whole network takes minutes to train on a CPU. Ours has a short stem and two narrow blocks, and sees 3000 images
# of 28 x 28.

# %%
net = layers.sequential(
    *(conv(16, 5), layers.max_pool(3, stride=2, padding=1)),
    *(inception(8, (8, 16), (4, 8), 8), layers.max_pool(3, stride=2, padding=1)),
    inception(24, (16, 32), (8, 16), 16),
    layers.global_mean_pool(),
    layers.dense(10),
)
fashion = data.fashion_mnist()
few = fashion._replace(
    train=Batch(*(array[:3000] for array in fashion.train)), test=Batch(*(array[:1000] for array in fashion.test))
)
state, history = train.fit(
    layers.model(net, (28, 28, 1)),
    losses.cross_entropy,
    optim.adam(0.005),
    few,
    key=jax.random.key(0),
    epochs=5,
    batch_size=128,
    on_epoch=plots.live_curves(5, title="two inception blocks"),
)
print(f"{layers.summary(net, (28, 28, 1)).parameters:,} parameters, test accuracy {history.test_accuracy[-1]:.1f}")

# %% [markdown]
# ## Exercises
#
# **What is the smallest image that GoogLeNet takes?** Every window is padded, so even a single pixel goes through:

# %%
print(layers.summary(models.googlenet((1, 1, 1))).rows[-1].output_shape)

# %% [markdown]
# **How do the parameters of the networks so far compare?**

# %%
for name in ("lenet", "alexnet", "vgg", "nin", "googlenet"):
    table = layers.summary(getattr(models, name)())
    print(
        f"{name:10} {table.input_shape!s:14} {table.parameters:12,} parameters {table.multiply_adds:14,} multiply-adds"
    )

# %% [markdown]
# ## Summary
#
# Several windows side by side need no choice between them, and convolutions of 1 x 1 make them cheap.
