# %% [markdown]
# # 5.6 Dropout
#
# A good model should not depend on small details of its input. Dropout demands the same of every layer. During training
# it sets each hidden unit to 0 with probability $p$ and scales up the others, so that the expectation does not change,
#
# $$h' = \begin{cases} 0 & \text{with probability } p, \\ \dfrac{h}{1 - p} & \text{otherwise,} \end{cases}
# \qquad \mathbb{E}[h'] = h.$$
#
# No unit can rely on any particular other unit. For prediction, nothing is dropped.
#
# [This section in the book](https://d2l.ai/chapter_multilayer-perceptrons/dropout.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxd2l import activations, data, initializers, keys, losses, models, optim, plots, train
from jaxd2l.models import linear
from jaxd2l.train import sweep
from jaxd2l.types import Batch, Model

# %% [markdown]
# ## From scratch
#
# We draw a mask that keeps each element with probability $1 - p$. It is a function of a key. `models.dropout` is the
# same function, which also checks its arguments.


# %%
def dropout(key, X, rate):
    kept = jax.random.bernoulli(key, 1 - rate, X.shape)
    return jnp.where(kept, X / (1 - rate), 0.0)


mask_key, hidden_key, run_key = jax.random.split(jax.random.key(0), 3)
X = jnp.arange(16.0).reshape(2, 8)
for rate in (0.0, 0.5, 1.0):
    print(f"p = {rate}:")
    print(dropout(mask_key, X, rate))
print("as in the package:", bool((dropout(mask_key, X, 0.5) == models.dropout(mask_key, X, 0.5)).all()))

# %% [markdown]
# The mean over many masks equals the input. But the mean square grows to $h^2 / (1 - p)$, so dropout adds noise of
# variance $h^2 p / (1 - p)$.

# %%
samples = jax.vmap(lambda key: dropout(key, X, 0.5))(jax.random.split(mask_key, 20_000))
print("mean of the last element, 15:             ", f"{float(samples[:, 1, 7].mean()):.1f}")
print("its variance, 15² · 0.5 / (1 - 0.5) = 225:", f"{float(samples[:, 1, 7].var()):.1f}")

# %% [markdown]
# ### What decides which units are dropped
#
# In PyTorch a hidden generator draws the mask, and the mode of the module, `train()` or `eval()`, decides whether there
# is one. Forgetting `eval()` is a classic mistake. In JAX the mask is a function of a key. `model.apply` drops units if
# and only if it gets a key, and the same key drops the same units.

# %%
# %%torch
import torch

in_torch = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(64, 1))
torch.manual_seed(0)
x_torch = torch.tensor(np.asarray(X))
with torch.no_grad():
    print("torch, train(): two passes agree:", torch.equal(in_torch(x_torch), in_torch(x_torch)))
    in_torch.eval()
    print("torch, eval():  two passes agree:", torch.equal(in_torch(x_torch), in_torch(x_torch)))

# %%
small = models.mlp(8, 64, 1, dropout_rate=0.5)
params = small.init(hidden_key)
first, second = jax.random.split(mask_key)
once = small.apply(params, X, key=first)
print("JAX, the same key:", bool((once == small.apply(params, X, key=first)).all()))
print("JAX, another key: ", bool((once == small.apply(params, X, key=second)).all()))
print("JAX, without one: ", bool((small.apply(params, X) == small.apply(params, X)).all()))

# %% [markdown]
# So a training loop must pass a **new** key in every step. The book's JAX version uses one key for the whole run. That
# freezes the mask: the same half of the units is never trained, and the effect of dropout is lost. `train.fit` folds
# the number of the step into its key (`keys.noise_key`). Two masks for the same units then agree in half of the cases,
# by chance:

# %%
masks = [dropout(keys.noise_key(run_key, step), jnp.ones(100_000), 0.5) > 0 for step in range(3)]
for step in (1, 2):
    print(f"steps 0 and {step}: the masks agree for {(masks[0] == masks[step]).mean():.2f} of the units")

# %% [markdown]
# ## Training
#
# The network has two hidden layers of 256 units, each with dropout of one half. Otherwise we train as in section 5.2.
# During training, dropout is a handicap: the test loss, measured without dropout, is as low as the training loss or
# lower.

# %%
fashion = data.fashion_mnist()
model = models.mlp(784, (256, 256), 10, dropout_rate=0.5)
state, history = train.fit(
    model,
    losses.cross_entropy,
    optax.sgd(0.1),
    fashion,
    key=run_key,
    epochs=10,
    batch_size=256,
    on_epoch=plots.live_curves(10, title="784-256-256-10, dropout 0.5"),
)

# %%
print(f"train loss {history.train_loss[-1]:.2f}, test loss {history.test_loss[-1]:.2f}")
print(f"test accuracy {history.test_accuracy[-1]:.2f}")

# %% [markdown]
# ## Concise, with Flax
#
# `models.flax_mlp` has the same argument `dropout_rate`. Your own module can have a different rate for each layer, and
# `models.from_flax` takes care of its mode and its keys. The table compares PyTorch with Flax NNX.
#
# | PyTorch | Flax NNX |
# |---|---|
# | `nn.Sequential(` | `nnx.Sequential(` |
# | `nn.Flatten(), nn.LazyLinear(256), nn.ReLU(),` | `flatten, nnx.Linear(784, 256, rngs=rngs), nnx.relu,` |
# | `nn.Dropout(0.5),` | `nnx.Dropout(0.5, rngs=rngs),` |
# | `nn.LazyLinear(10))` | `nnx.Linear(256, 10, rngs=rngs))` |
# | `net.train()`, `net.eval()` | `apply(..., key=key)`, `apply(...)` |


# %%
def flatten(x):
    return x.reshape(len(x), -1)


def two_rates(first_rate, second_rate):
    """784-256-256-10 with a dropout rate for each hidden layer."""
    return models.from_flax(
        lambda rngs: nnx.Sequential(
            flatten,
            nnx.Linear(784, 256, rngs=rngs),
            nnx.relu,
            nnx.Dropout(first_rate, rngs=rngs),
            nnx.Linear(256, 256, rngs=rngs),
            nnx.relu,
            nnx.Dropout(second_rate, rngs=rngs),
            nnx.Linear(256, 10, rngs=rngs),
        )
    )


images = data.to_float(jnp.asarray(fashion.test.inputs[:100]))
for name, net in {
    "flax_mlp": models.flax_mlp(784, 256, 10, dropout_rate=0.5),
    "own module": two_rates(0.2, 0.5),
}.items():
    params = net.init(hidden_key)
    plain = net.apply(params, images)
    print(
        f"{name:10} random with a key: {not jnp.allclose(net.apply(params, images, key=first), plain)}, "
        f"without: {not jnp.allclose(net.apply(params, images), plain)}"
    )

# %% [markdown]
# ## Exercises
#
# Dropout is useful when a network overfits, so the exercises use only 1000 training images, and Kaiming's
# initialisation. (2000 test images are enough.)

# %%
fewer = fashion._replace(
    train=Batch(*(array[:1000] for array in fashion.train)), test=Batch(*(array[:2000] for array in fashion.test))
)


def losses_of(model, params):
    """Training and test loss, both without dropout."""
    parts = (train.evaluate(model, losses.cross_entropy, params, part).loss for part in (fewer.train, fewer.test))
    return "training loss {:.1f}, test loss {:.1f}".format(*parts)


# %% [markdown]
# **1. What if the rates of the two layers differ, or are exchanged?** No later layer can recover what the first layer
# drops, so a lower rate near the input is common. Here it hardly matters.

# %%
for rates in ((0.2, 0.6), (0.6, 0.2)):
    net = two_rates(*rates)
    trained, _ = train.fit(net, losses.cross_entropy, optax.sgd(0.2), fewer, key=run_key, epochs=30, batch_size=50)
    print(f"rates {rates}: {losses_of(net, trained.params)}")

# %% [markdown]
# **2. and 5. Train for many epochs with and without dropout, with weight decay instead, and with both.** Without
# either, the network learns the training set by heart. Dropout and weight decay both limit this in different ways, and
# narrow the gap to the test loss. Together they add little here. (`sweep` trains with several decays at once. They do
# not act on the biases, as in section 3.7.)


# %%
def sgd(weight_decay):
    return optim.sgd(0.2, weight_decay=weight_decay, weight_decay_mask=optim.kernels)


for rate in (0.0, 0.5):
    net = models.mlp(784, (256, 256), 10, dropout_rate=rate, init=initializers.kaiming_normal())
    tried = sweep.sweep(
        net, losses.cross_entropy, sgd, fewer, seeds=[0], grid={"weight_decay": [0.0, 0.01]}, epochs=30, batch_size=50
    )
    for i, decay in enumerate(tried.grid["weight_decay"]):
        params = jax.tree.map(lambda leaf, i=i: leaf[0, i], tried.params)
        print(f"dropout {rate}, weight decay {decay:.2f}: {losses_of(net, params)}")

# %% [markdown]
# **3. What is the variance of the hidden activations during training, with and without dropout?** If we measure without
# a mask, the network trained with dropout has the smaller variance. With $p = 0.5$ the mask doubles the mean square, as
# computed above. The variance is then $2\,\mathrm{E}[h^2] - \mathrm{E}[h]^2 = 2\, \mathrm{Var}[h] + \mathrm{E}[h]^2$,
# more than twice as large:


# %%
def hidden(params):
    """The first layer's activations on the test images, without a mask."""
    pixels = data.to_float(jnp.asarray(fewer.test.inputs)).reshape(len(fewer.test.labels), -1)
    return activations.relu(linear(params[0], pixels))


variances = {}
for rate in (0.0, 0.5):
    net = models.mlp(784, (256, 256), 10, dropout_rate=rate, init=initializers.kaiming_normal())
    seen = []
    train.fit(
        net,
        losses.cross_entropy,
        optax.sgd(0.2),
        fewer,
        key=run_key,
        epochs=30,
        batch_size=50,
        on_epoch=lambda state, history, seen=seen: seen.append(hidden(state.params)),
    )
    variances[f"dropout {rate}, no mask"] = np.array([h.var() for h in seen])
    if rate:
        masked = (dropout(jax.random.fold_in(mask_key, i), h, rate) for i, h in enumerate(seen))
        variances[f"dropout {rate}, masked"] = np.array([h.var() for h in masked])
mean = {name: values.mean() for name, values in variances.items()}
print("smaller than without dropout:", bool(mean["dropout 0.5, no mask"] < mean["dropout 0.0, no mask"]))
print("more than doubled by the mask:", bool(mean["dropout 0.5, masked"] > 2 * mean["dropout 0.5, no mask"]))
plots.lines(np.arange(1, 31), variances, xlabel="epoch", ylabel="variance of the first hidden layer")

# %% [markdown]
# **4. Why is dropout not used for prediction?** It would add noise without any benefit. If you use it nevertheless, the
# mean over many masks is close to the prediction without dropout, and their spread shows how certain the network is.

# %%
images, labels = data.to_float(jnp.asarray(fashion.test.inputs[:2000])), fashion.test.labels[:2000]
drawn = jax.lax.map(
    lambda key: jax.nn.softmax(model.apply(state.params, images, key=key)), jax.random.split(mask_key, 30)
)
guesses = {
    "without dropout": model.apply(state.params, images),
    "one mask": drawn[0],
    "mean over 30 masks": drawn.mean(0),
}
for name, scores in guesses.items():
    print(f"{name:18} accuracy {np.mean(scores.argmax(-1) == labels):.2f}")
spread = drawn.std(0).max(-1)
is_right = np.asarray(guesses["mean over 30 masks"].argmax(-1) == labels)
print("spread larger where the answer is wrong:", bool(spread[~is_right].mean() > spread[is_right].mean()))

# %% [markdown]
# **6. What if we drop single weights instead of units?** This is called DropConnect. The same function does it if we
# apply it to the kernels. The expectation of the output of a layer does not change.

# %%
layer = initializers.kaiming_normal()(hidden_key, 8, 4)
dropped = jax.vmap(lambda key: X @ dropout(key, layer["kernel"], 0.5))(jax.random.split(mask_key, 20_000))
error = jnp.abs(dropped.mean(0) - X @ layer["kernel"]).max()
print("the mean over masks equals the output without:", bool(error < 0.3))

# %% [markdown]
# **7. Is there another way to inject noise?** Multiply each unit by a normal random number of mean 1 and variance $p /
# (1 - p)$. This has the same mean and variance as dropout, but no unit is ever silent. An activation of `models.mlp`
# takes no key, so we write the model out. It is otherwise the model of exercise 2 without decay.

# %%
plain = models.mlp(784, (256, 256), 10, init=initializers.kaiming_normal())


def noisy_apply(params, inputs, *, key=None):
    hidden = inputs.reshape(len(inputs), -1)
    for i, layer in enumerate(params[:-1]):
        hidden = activations.relu(linear(layer, hidden))
        if key is not None:
            hidden *= 1 + jax.random.normal(jax.random.fold_in(key, i), hidden.shape)
    return linear(params[-1], hidden)


with_noise = Model(plain.init, noisy_apply)
trained, _ = train.fit(with_noise, losses.cross_entropy, optax.sgd(0.2), fewer, key=run_key, epochs=30, batch_size=50)
print(f"normal noise: {losses_of(with_noise, trained.params)}")

# %% [markdown]
# ## Summary
#
# During training, dropout sets random units to 0 and scales the rest, so that the expectation does not change. In JAX
# it happens if you pass a key, and each step needs a new key. In PyTorch a mode and a hidden generator decide.
