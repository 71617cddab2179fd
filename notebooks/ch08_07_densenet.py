# %% [markdown]
# # 8.7 Densely connected networks (DenseNet)
#
# ResNet adds the input of a block to its output. DenseNet keeps both, side by side: every layer sees all channels that
# came before it. You will write the dense block and the transition that keeps its growth in check, and train a small
# DenseNet.
#
# [This section in the book](https://d2l.ai/chapter_convolutional-modern/densenet.html)

# %%
# %matplotlib inline
import jax
import optax

from jaxd2l import activations, data, losses, models, plots, train
from jaxd2l.models import layers
from jaxd2l.types import Batch

# %% [markdown]
# ## The dense block
#
# `layers.parallel` joins what its layers return. With the identity as one of them, a layer's outputs are appended to
# its inputs:


# %%
relu, identity = layers.function(activations.relu), layers.function(lambda x: x, name="identity")


def dense_block(num_convs, growth):
    conv = layers.sequential(layers.batch_norm(), relu, layers.conv(growth, 3, padding=1))
    return layers.repeat(num_convs, layers.parallel(identity, conv), name="dense_block")


print(layers.summary(dense_block(2, 10), (8, 8, 3)))

# %% [markdown]
# Each convolution adds 10 channels to the 3 it began with: 3, 13, 23.
#
# ## The transition
#
# So that the channels do not grow for ever, a convolution of 1 x 1 halves them between two blocks, and a mean pooling
# halves the image.


# %%
def transition(channels):
    return layers.sequential(
        layers.batch_norm(), relu, layers.conv(channels, 1), layers.mean_pool(2), name="transition"
    )


print(layers.summary(transition(10), (8, 8, 23)))

# %% [markdown]
# ## The network
#
# Four blocks of four convolutions that add 32 channels each. It has 15 times fewer parameters than ResNet-18.

# %%
densenet = layers.summary(models.densenet())
print(densenet)
print(
    f"ResNet-18 has {layers.summary(models.resnet18()).parameters / densenet.parameters:.0f} times as many parameters"
)

# %% [markdown]
# ## Training
#
# A DenseNet of three blocks of two convolutions that add 8 channels each, on 4000 images of 28 x 28.

# %%
narrow = models.densenet((28, 28, 1), channels=16, growth=8, arch=(2, 2, 2))
fashion = data.fashion_mnist()
few = fashion._replace(
    train=Batch(*(array[:4000] for array in fashion.train)), test=Batch(*(array[:1000] for array in fashion.test))
)
fitted, history = train.fit(
    narrow,
    losses.cross_entropy,
    optax.sgd(0.1),
    few,
    key=jax.random.key(0),
    epochs=5,
    batch_size=128,
    on_epoch=plots.live_curves(5, title="DenseNet, narrow"),
)
print(f"{layers.summary(narrow).parameters:,} parameters, test accuracy {history.test_accuracy[-1]:.1f}")

# %% [markdown]
# The test loss is that of prediction, by the running averages, which lag behind while the weights move fast: in the
# first epochs it may be far above the training loss.
#
# ## Exercises
#
# **DenseNet has fewer parameters than ResNet. Does it take less memory in training?** Not in proportion: each layer's
# activations are kept for the gradient, and a dense block appends to them again and again.

# %%
for name, model in {"ResNet-18": models.resnet18(), "DenseNet": models.densenet()}.items():
    rows = layers.summary(model, depth=4).rows
    numbers = sum(
        row.output_shape[0] * row.output_shape[1] * row.output_shape[2] for row in rows if len(row.output_shape) == 3
    )
    print(f"{name:10} {numbers:10,} activations for one image, {layers.summary(model).parameters:10,} parameters")

# %% [markdown]
# **How does the number of channels grow without transitions?**

# %%
together = layers.repeat(4, dense_block(4, 32))
print("channels:", [row.output_shape[-1] for row in layers.summary(together, (24, 24, 64)).rows])

# %% [markdown]
# ## Summary
#
# Joining in place of adding: later layers choose from all earlier ones, and each needs to add only a little.
