# %% [markdown]
# # 8.1 Deep convolutional neural networks (AlexNet)
#
# AlexNet won the ImageNet competition of 2012 by a wide margin. It is LeNet with more of everything: more layers, more
# channels, larger images, and relu, max pooling and dropout in place of what LeNet has. You will see where its 47
# million parameters are, and train a narrow AlexNet on a few thousand images.
#
# [This section in the book](https://d2l.ai/chapter_convolutional-modern/alexnet.html)

# %%
# %matplotlib inline
import jax
import numpy as np

from jaxd2l import activations, data, losses, models, optim, plots, train
from jaxd2l.models import layers
from jaxd2l.types import Batch

# %% [markdown]
# ## Where the parameters are
#
# `layers.summary` only follows the shapes through the network. It computes nothing, so a network of any size is shown
# at once. The first two stages are a large window and a max pooling each; then three convolutions of 3 x 3 follow
# without any pooling between them.

# %%
alexnet = layers.summary(models.alexnet())
print(alexnet)

# %% [markdown]
# The two hidden layers at the end are expensive in memory, and the convolutions in time:

# %%
dense = [row for row in alexnet.rows if row.layer.startswith("dense")]
print(f"parameters in dense layers: {sum(row.parameters for row in dense) / alexnet.parameters:.0%}")
print(f"multiply-adds in dense layers: {sum(row.multiply_adds for row in dense) / alexnet.multiply_adds:.0%}")
lenet = layers.summary(models.lenet())
print(f"LeNet has {lenet.parameters:,} parameters, {alexnet.parameters // lenet.parameters} times fewer")

# %% [markdown]
# ## The network as a list
#
# Written down, the network is the list that you have just seen. A layer's inputs are not given: they follow from the
# shape of the images. Ours is narrow, and dropout is .2, because it sees few images.

# %%
relu = layers.function(activations.relu)
net = layers.sequential(
    *(layers.conv(16, 11, stride=4, padding=1), relu, layers.max_pool(3, stride=2)),
    *(layers.conv(32, 5, padding=2), relu, layers.max_pool(3, stride=2)),
    *(layers.conv(48, 3, padding=1), relu),
    *(layers.conv(48, 3, padding=1), relu),
    *(layers.conv(32, 3, padding=1), relu, layers.max_pool(3, stride=2)),
    layers.flatten(),
    *(layers.dense(128), relu, layers.dropout(0.2)),
    *(layers.dense(128), relu, layers.dropout(0.2)),
    layers.dense(10),
)
print(f"{layers.summary(net, (65, 65, 1)).parameters:,} parameters")

# %% [markdown]
# An image must have at least 65 pixels a side, so that something is left of it after all these steps:

# %%
try:
    models.alexnet((28, 28, 1))
except ValueError as error:
    print(error)

# %% [markdown]
# ## Training
#
# We enlarge 4000 images of Fashion-MNIST to 65 x 65. (The book takes 224 x 224 and all 60,000, which takes hours on a
# CPU.) Enlarging adds no information, it only makes the network fit. Adam gets through the flat beginning faster than
# plain SGD.

# %%
fashion = data.fashion_mnist()


def enlarged(batch, n):
    images = jax.image.resize(np.float32(batch.inputs[:n]), (n, 65, 65, 1), "linear")
    return Batch(np.uint8(images.round()), batch.labels[:n])


few = fashion._replace(train=enlarged(fashion.train, 4000), test=enlarged(fashion.test, 1000))
state, history = train.fit(
    layers.model(net, (65, 65, 1)),
    losses.cross_entropy,
    optim.adam(0.002),
    few,
    key=jax.random.key(0),
    epochs=5,
    batch_size=128,
    on_epoch=plots.live_curves(5, title="AlexNet, narrow"),
)
print(f"test accuracy {history.test_accuracy[-1]:.1f}")

# %% [markdown]
# ## Exercises
#
# **How much memory do the parameters take, and how much the activations of a batch of 128?** In training each
# activation is kept for the gradient, so they take more than the parameters, and the first layer takes most of them.

# %%
numbers = [int(np.prod(row.output_shape)) for row in alexnet.rows]
print(f"parameters: {4 * alexnet.parameters / 1e6:.0f} MB")
print(f"activations of 128 images: {4 * 128 * sum(numbers) / 1e6:.0f} MB")
print("largest layer:", alexnet.rows[int(np.argmax(numbers))].layer)

# %% [markdown]
# **What if the hidden layers had 1024 units in place of 4096?**

# %%
slim = layers.summary(models.alexnet(num_hiddens=1024))
print(f"{slim.parameters:,} parameters, and {slim.multiply_adds / alexnet.multiply_adds:.0%} of the multiply-adds")

# %% [markdown]
# ## Summary
#
# AlexNet is a list of layers like LeNet. The convolutions take the time and the dense layers hold the parameters, which
# is why later networks replace them by a mean over the image.
