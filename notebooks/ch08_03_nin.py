# %% [markdown]
# # 8.3 Network in network (NiN)
#
# The dense layers at the end hold most of the parameters of AlexNet and VGG. NiN has none: it puts a small network at
# every pixel, made of convolutions of 1 x 1, and ends with the mean of one channel for each class.
#
# [This section in the book](https://d2l.ai/chapter_convolutional-modern/nin.html)

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l import activations, data, losses, models, optim, plots, train
from jaxd2l.models import layers
from jaxd2l.types import Batch

# %% [markdown]
# ## The block
#
# A convolution of 1 x 1 is a dense layer that each pixel goes through by itself. This shows it with random numbers:

# %%
image = jax.random.normal(jax.random.key(0), (1, 4, 4, 3))
kernel = jax.random.normal(jax.random.key(1), (1, 1, 3, 5))
pixels = image.reshape(16, 3) @ kernel[0, 0]
print("the same:", bool(jnp.allclose(models.conv2d(image, kernel), pixels.reshape(1, 4, 4, 5), atol=1e-5)))


# %%
def nin_block(channels, window, stride=1, padding=0):
    relu, pointwise = layers.function(activations.relu), layers.conv(channels, 1)
    return layers.sequential(
        layers.conv(channels, window, stride=stride, padding=padding), relu, pointwise, relu, pointwise, relu
    )


print(layers.summary(nin_block(96, 11, stride=4), (224, 224, 1)))

# %% [markdown]
# ## The network
#
# Windows and pooling are AlexNet's. The last block has as many channels as there are classes, and the mean of each is
# the class's score.

# %%
nin = layers.summary(models.nin())
print(nin)
print(f"AlexNet has {layers.summary(models.alexnet()).parameters / nin.parameters:.0f} times as many parameters")

# %% [markdown]
# The scores come out of a relu, so none is negative. If a channel of the last block is 0 at every pixel of every image,
# its score stays 0, and no gradient reaches it: the network has lost the class before it begins. How many classes that
# are depends on the initial weights.

# %%
narrow = models.nin((67, 67, 1), channels=(24, 48, 64), dropout_rate=0.2)
noise = jax.random.normal(jax.random.key(0), (8, 67, 67, 1))
scores = jax.jit(lambda key: narrow.apply(narrow.init(key), noise))
for seed in range(3):
    lost = (scores(jax.random.key(seed)) == 0).all(0)
    print(f"seed {seed}: {lost.sum()} of 10 classes score 0 on all of 8 images")

# %% [markdown]
# ## Training
#
# A narrow NiN on 3000 images, enlarged to 67 x 67.

# %%
fashion = data.fashion_mnist()


def enlarged(batch, n):
    images = jax.image.resize(np.float32(batch.inputs[:n]), (n, 67, 67, 1), "linear")
    return Batch(np.uint8(images.round()), batch.labels[:n])


few = fashion._replace(train=enlarged(fashion.train, 3000), test=enlarged(fashion.test, 1000))
state, history = train.fit(
    narrow,
    losses.cross_entropy,
    optim.adam(0.002),
    few,
    key=jax.random.key(0),
    epochs=6,
    batch_size=128,
    on_epoch=plots.live_curves(6, title="NiN, narrow"),
)
print(f"{layers.summary(narrow).parameters:,} parameters, test accuracy {history.test_accuracy[-1]:.1f}")

# %% [markdown]
# ## Exercises
#
# **Which classes does this network never predict?** A class whose channel is dead is never predicted.

# %%
outputs = jax.jit(narrow.apply)(state.params, data.to_float(few.test.inputs))
predicted = np.bincount(outputs.argmax(-1), minlength=10)
print("never predicted:", [few.class_names[i] for i in np.flatnonzero(predicted == 0)])

# %% [markdown]
# **What if the class scores came from a dense layer after a flatten?** At 224 x 224 the last map is 5 x 5, so it would
# take 25 times as many weights from 10 channels as the mean, which takes none:

# %%
head = layers.sequential(layers.flatten(), layers.dense(10))
print(f"{layers.summary(head, (5, 5, 384)).parameters:,} parameters from 384 channels of 5 x 5")

# %% [markdown]
# ## Summary
#
# Convolutions of 1 x 1 mix channels; the mean over the image replaces the dense layers, and takes away most of the
# parameters. A relu on the scores is a trap.
