# %% [markdown]
# # 8.5 Batch normalisation
#
# Batch normalisation shifts and scales each channel to mean 0 and variance 1 over the batch. Deep networks train faster
# with it. It brings something new: running averages, which change without a gradient. You will write it as a pure
# function, see how the averages travel as a value, and train LeNet with it.
#
# [This section in the book](https://d2l.ai/chapter_convolutional-modern/batch-norm.html)

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import data, losses, models, plots, train
from jaxd2l.models import layers
from jaxd2l.types import Batch

np.set_printoptions(precision=3, suppress=True)

# %% [markdown]
# ## From scratch
#
# $$\mathrm{BN}(\mathbf{x}) = \boldsymbol\gamma \odot \frac{\mathbf{x} - \hat{\boldsymbol\mu}}{\sqrt{\hat{\boldsymbol
# \sigma}^2 + \epsilon}} + \boldsymbol\beta$$
#
# In training, mean and variance are those of the batch, over all axes but the channels. In prediction there may be a
# single image, so running averages take their place. In PyTorch they change inside the module while it computes. Here
# they go in and come out like any other value:


# %%
def batch_norm(params, state, x, *, train, momentum=0.1, eps=1e-5):
    mean, var = state["mean"], state["var"]
    if train:
        axes = tuple(range(x.ndim - 1))  # all but the channels
        mean, var, n = x.mean(axes), x.var(axes), x.size // x.shape[-1]
        new = {"mean": mean, "var": var * n / (n - 1)}
        state = {name: (1 - momentum) * state[name] + momentum * new[name] for name in state}
    return params["scale"] * (x - mean) / jnp.sqrt(var + eps) + params["bias"], state


X = jnp.array([[1.0, 10.0], [2.0, 20.0], [3.0, 60.0]])
params, state = {"scale": jnp.ones(2), "bias": jnp.zeros(2)}, {"mean": jnp.zeros(2), "var": jnp.ones(2)}
Y, moved = batch_norm(params, state, X, train=True)
print(Y)
print("running mean:", moved["mean"], " running variance:", moved["var"])

# %% [markdown]
# The batch is normalised by the variance that divides by $n$, and the running average gets the one that divides by
# $n - 1$. So does PyTorch. (The book's own class from scratch keeps the first one, and Flax does so too, and Flax's
# `momentum` is .9 where PyTorch's is .1.) `models.batch_norm` is this function with checks:

# %%
packaged, packaged_state = models.batch_norm(params, state, X, train=True)
print("the same:", bool(jnp.allclose(packaged, Y)), bool(jnp.allclose(packaged_state["var"], moved["var"])))

# %% [markdown]
# In prediction the averages stay as they are. After one batch they are still far from the truth:

# %%
predicted, same = batch_norm(params, moved, X, train=False)
print(predicted)
print("unchanged:", same is moved)

# %% [markdown]
# How fast do they arrive? Each batch closes a tenth of the gap:

# %%
for step in range(1, 41):
    _, state = batch_norm(params, state, X, train=True)
    if step in (1, 10, 20, 40):
        print(f"after {step:2} batches: mean {state['mean']}, variance {state['var']}")

# %% [markdown]
# A trap: $E[x^2] - E[x]^2$ is the variance, too, and takes one pass over the data instead of two. But in float32 it
# loses all digits where the mean is large:

# %%
x = jnp.array([1e4, 1e4 + 1, 1e4 + 2])
print("centred first:", float(jnp.mean((x - x.mean()) ** 2)), " by squares:", float(jnp.mean(x**2) - x.mean() ** 2))

# %% [markdown]
# ## LeNet with batch normalisation
#
# A norm follows each layer but the last, before the activation. A network with running averages is a `StatefulModel`:
# `init` returns parameters and state, and `apply` takes and returns the state.

# %%
net = models.batch_norm_lenet()
print(layers.summary(net))

# %% [markdown]
# ## Training
#
# `train.fit` takes both kinds of models. The state of the run carries the averages, and the accuracy on the test set is
# that of prediction.

# %%
fashion = data.fashion_mnist()
few = fashion._replace(
    train=Batch(*(array[:6000] for array in fashion.train)), test=Batch(*(array[:2000] for array in fashion.test))
)


def run(model, title):
    return train.fit(
        model,
        losses.cross_entropy,
        optax.sgd(0.1),
        few,
        key=jax.random.key(0),
        epochs=5,
        batch_size=128,
        on_epoch=plots.live_curves(5, title=title),
    )


fitted, with_norm = run(net, "LeNet with batch normalisation")
_, without = train.fit(
    models.lenet(), losses.cross_entropy, optax.sgd(0.1), few, key=jax.random.key(0), epochs=5, batch_size=128
)

# %%
print("test accuracy by epoch, with:   ", ", ".join(f"{a:.1f}" for a in with_norm.test_accuracy))
print("test accuracy by epoch, without:", ", ".join(f"{a:.1f}" for a in without.test_accuracy))

# %% [markdown]
# Without norms, LeNet with sigmoids has not begun to learn. What the first norm has learned, and what it has seen:

# %%
learned, seen = fitted.params[1], fitted.model_state[1]
print("scale:       ", np.round(learned["scale"], 1))
print("running mean:", np.round(seen["mean"], 1))

# %% [markdown]
# ## Layer normalisation
#
# Over the features of one example instead of over the batch: no averages, no difference between training and
# prediction, and the scale of an example does not matter.

# %%
x = jnp.array([[1.0, 2.0, 3.0, 4.0]])
layer = {"scale": jnp.ones(4), "bias": jnp.zeros(4)}
print(models.layer_norm(layer, x), models.layer_norm(layer, 10 * x))

# %% [markdown]
# ## Exercises
#
# **Does a layer need a bias if a norm follows?** No: the norm subtracts the mean, and the bias with it. Its gradient is
# 0, up to rounding.

# %%
params, state = net.init(jax.random.key(0))
images, labels = data.to_float(few.train.inputs[:64]), few.train.labels[:64]


def loss(params):
    return losses.cross_entropy(net.apply(params, state, images, train=True)[0], labels)


grads = jax.jit(jax.grad(loss))(params)
for i in (0, 4):
    print(
        f"layer {i}: kernel's gradient {abs(grads[i]['kernel']).max():.0e}, tiny bias:",
        bool(abs(grads[i]["bias"]).max() < 1e-6),
    )

# %% [markdown]
# **Can a batch of a single example be normalised?** In a dense layer each channel then has one value, whose variance is
# 0. That is refused, in PyTorch as here:

# %%
try:
    models.batch_norm(layer, {"mean": jnp.zeros(4), "var": jnp.ones(4)}, x, train=True)
except ValueError as error:
    print(error)

# %% [markdown]
# ## Summary
#
# Batch normalisation is a function of the batch and of a state. Training moves the state, prediction reads it. Both are
# values: nothing changes behind your back.
