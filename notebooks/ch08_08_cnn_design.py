# %% [markdown]
# # 8.8 Designing convolution network architectures
#
# Which of all possible networks is good? Rather than search for one, one can look at whole *spaces* of networks, sample
# from them, and shrink a space to where the good ones are. You will count such a space, compare two by the distribution
# of their errors, and meet RegNet, which came out of it.
#
# [This section in the book](https://d2l.ai/chapter_convolutional-modern/cnn-design.html)

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import data, losses, models, plots, train
from jaxd2l.book import design_space
from jaxd2l.models import Stage, layers
from jaxd2l.train import sweep
from jaxd2l.types import Batch

# %% [markdown]
# ## AnyNet, a space of networks
#
# A stem, stages of ResNeXt blocks, a head. Each stage has a depth, a number of channels, a width of groups and a
# bottleneck, so four stages and the stem leave 17 numbers to choose. Even with two choices each that are too many to
# try:

# %%
print(f"{design_space.size([2] * 17):,} networks")

# %%
print(layers.summary(models.anynet(32, [Stage(4, 32, 16), Stage(6, 80, 16)]), depth=2))

# %% [markdown]
# ## RegNet
#
# That was RegNetX-32. The rules that were found: the same bottleneck (1) and the same width of groups everywhere, more
# channels and blocks in later stages. It has 32 layers: a stem, 10 blocks of 3 convolutions, and the last layer.

# %%
regnet = layers.summary(models.regnet_x32())
print(f"{regnet.parameters:,} parameters, {regnet.multiply_adds:,} multiply-adds")

# %% [markdown]
# ## Training
#
# A narrow network of the same space, on 3000 images of 28 x 28.

# %%
narrow = models.anynet(8, [Stage(1, 8, 4), Stage(1, 16, 4)], (28, 28, 1))
fashion = data.fashion_mnist()
few = fashion._replace(
    train=Batch(*(array[:3000] for array in fashion.train)), test=Batch(*(array[:1000] for array in fashion.test))
)
fitted, history = train.fit(
    narrow,
    losses.cross_entropy,
    optax.sgd(0.1, momentum=0.9),
    few,
    key=jax.random.key(0),
    epochs=6,
    batch_size=128,
    on_epoch=plots.live_curves(6, title="AnyNet, narrow"),
)
print(f"{layers.summary(narrow).parameters:,} parameters, test accuracy {history.test_accuracy[-1]:.1f}")

# %% [markdown]
# ## Comparing two spaces
#
# Train a sample of networks from each space and look at the distribution of their errors,
# $F(e) = \frac{1}{n} \sum_i 1(e_i \le e)$. The higher curve is the better space.

# %%
errors = jnp.array([0.1, 0.2, 0.2, 0.4])
print("share with an error of at most .2:", float(design_space.empirical_distribution(errors, jnp.array(0.2))))

# %% [markdown]
# Training dozens of convolutional networks takes too long here. But the tool works for any space of numbers: we compare
# two ranges of learning rates for an MLP on handwritten digits, with 6 samples of each. `sweep.sweep` trains them all
# in one program.

# %%
digits = data.digits()
rng = np.random.default_rng(0)
low, high = np.exp(rng.uniform(np.log(0.001), np.log(0.1), 6)), np.exp(rng.uniform(np.log(0.1), np.log(1.0), 6))
tried = sweep.sweep(
    models.mlp(64, 32, 10),
    losses.cross_entropy,
    optax.sgd,
    digits,
    seeds=[0],
    grid={"learning_rate": [float(rate) for rate in (*low, *high)]},
    epochs=5,
    batch_size=128,
)
errors = 1 - tried.history.test_accuracy[0, :, -1]
at = np.linspace(0, 1, 101, dtype=np.float32)
curves = {
    "rates from .001 to .1": design_space.empirical_distribution(jnp.asarray(errors[:6]), at),
    "rates from .1 to 1": design_space.empirical_distribution(jnp.asarray(errors[6:]), at),
}
plots.lines(at, curves, xlabel="error", ylabel="share of networks")

# %% [markdown]
# ## Exercises
#
# **What do the groups save?** With one group per block the network has this many parameters:

# %%
full = layers.summary(models.anynet(32, [Stage(4, 32, 32), Stage(6, 80, 80)]))
print(f"{full.parameters:,}, which is {full.parameters / regnet.parameters:.1f} times as many")

# %% [markdown]
# ## Summary
#
# A network is a point in a space of a few numbers. Distributions of errors compare spaces, where single winners may be
# luck.
