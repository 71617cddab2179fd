# %% [markdown]
# # 4.5 Concise implementation of softmax regression
#
# We build the model of section 4.4 again from the parts of a library: a Flax layer, a loss that takes scores, and an
# optax optimiser. Only the loss needs some thought: we must not compute the softmax first and then its logarithm.
#
# [This section in the book](https://d2l.ai/chapter_linear-classification/softmax-regression-concise.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxd2l import activations, data, losses, models, parity, plots, train
from jaxd2l.types import Batch

# %% [markdown]
# ## The model
#
# As in PyTorch, a Flax module holds its weights. It draws them from `rngs` when it is built. `models.from_flax` turns a
# function that builds such a module into a `Model`, a pair of pure functions: `init` makes the weights, and `apply`
# takes them as an argument.


# %%
class SoftmaxRegression(nnx.Module):
    def __init__(self, num_inputs, num_outputs, rngs):
        self.net = nnx.Linear(num_inputs, num_outputs, rngs=rngs)

    def __call__(self, X):
        return self.net(X.reshape((X.shape[0], -1)))


in_flax = models.from_flax(lambda rngs: SoftmaxRegression(784, 10, rngs))

# %%
# %%torch
import torch

torch.set_num_threads(1)  # for batches this small, more threads cost more than they gain

torch.manual_seed(0)
in_torch = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
X = np.random.default_rng(0).random((2, 28, 28, 1), np.float32)
params = in_flax.init(jax.random.key(0))
print("Flax: ", in_flax.apply(params, X).shape, jax.tree.map(jnp.shape, params))
print("torch:", tuple(in_torch(torch.tensor(X)).shape), {k: tuple(v.shape) for k, v in in_torch.state_dict().items()})

# %% [markdown]
# The kernels are transposes of each other. `parity.from_torch` copies the PyTorch weights into the Flax parameters.
# Then both compute the same scores:

# %%
# %%torch
copied = parity.from_torch(in_torch.state_dict(), like=params)
print("same scores:", np.allclose(in_flax.apply(copied, X), in_torch(torch.tensor(X)).detach().numpy(), atol=1e-6))

# %% [markdown]
# The libraries initialise the weights differently. PyTorch draws weights and biases uniformly between $-1/\sqrt{784}$
# and $1/\sqrt{784}$. Flax draws weights from a normal distribution of variance $1/784$ and sets the biases to 0.
# `models.flax_softmax_regression` is the same module with the book's $\mathcal{N}(0, 0.01^2)$, and takes other
# initialisers as an argument.

# %%
model = models.flax_softmax_regression(784, 10)

# %%
# %%torch
params = {
    "torch": parity.from_torch(in_torch.state_dict(), like=params),
    "Flax": params,
    "flax_softmax_regression": model.init(jax.random.key(0)),
}
for name, tree in params.items():
    bias, kernel = jax.tree.leaves(tree)
    print(f"{name:24} kernel {kernel.std():.3f}  biases all 0: {bool((bias == 0).all())}")

# %% [markdown]
# ## Softmax revisited
#
# The loss from scratch takes the logarithm of a probability. If a score is 200 below another one, float32 rounds its
# probability to 0. The logarithm is then $-\infty$, and the gradient is NaN. But $\exp$ and $\log$ cancel. With
# $\bar{o} = \max_k o_k$,
#
# $$\log \hat{y}_j = \log \frac{\exp(o_j - \bar{o})}{\sum_k \exp(o_k - \bar{o})}
#   = o_j - \bar{o} - \log \sum_k \exp(o_k - \bar{o}).$$
#
# The sum is at least 1, because one of its terms is $\exp(0)$, and at most the number of classes. So neither `exp` nor
# `log` can overflow.


# %%
def log_softmax(o):
    shifted = o - o.max(axis=-1, keepdims=True)
    return shifted - jnp.log(jnp.exp(shifted).sum(axis=-1, keepdims=True))


def log_of_softmax(o):
    return jnp.log(activations.softmax(o))


o = jnp.array([0.0, -200.0])
for function in (log_of_softmax, log_softmax, activations.log_softmax):
    gradient = jax.grad(lambda o, function=function: function(o)[1])(o)
    print(f"{function.__name__:15}", function(o), " gradient:", gradient)

# %%
# %%torch
in_double = torch.tensor([0.0, -200.0], dtype=torch.float64)
print("torch, float64:", torch.log_softmax(in_double, -1).numpy())

# %% [markdown]
# The last term of the formula is a log-sum-exp. Adding $b$ to all scores adds $b$ to it, which is why we can subtract
# the maximum and add it back. The softmax itself does not change.

# %%
o = jnp.array([1.0, 2.0, 3.0])
print(f"logsumexp(o):      {jax.nn.logsumexp(o):7.4f}")
print(f"logsumexp(o + 10): {jax.nn.logsumexp(o + 10):7.4f}")
print("softmax unchanged:", bool(jnp.allclose(activations.softmax(o), activations.softmax(o + 10))))

# %% [markdown]
# So the model returns scores (logits), and the loss takes scores. `losses.cross_entropy` has the options of PyTorch's
# `cross_entropy`, with the same meaning:

# %%
logits, labels = jax.random.normal(jax.random.key(0), (5, 3)), jnp.array([0, 2, 1, 1, -100])

# %%
# %%torch
logits_torch, labels_torch = torch.tensor(np.asarray(logits)), torch.tensor(np.asarray(labels)).long()
weight = np.array([1.0, 2.0, 0.5], np.float32)
for options in ({}, {"label_smoothing": 0.1}, {"weight": weight}, {"reduction": "sum"}):
    options_torch = {k: torch.tensor(v) if k == "weight" else v for k, v in options.items()}
    theirs = torch.nn.functional.cross_entropy(logits_torch, labels_torch, **options_torch)
    ours = losses.cross_entropy(logits, labels, **options)
    print(f"{', '.join(options) or 'plain':16} torch {theirs:.4f}  JAX {ours:.4f}")

# %% [markdown]
# (In both, the label -100 marks an example that does not count.) Do the scores, the loss and the gradients mean the
# same as PyTorch's, and are they as accurate? `parity.check` compares all of them, in float64 and in float32:

# %%
dataset = data.fashion_mnist()
batch = np.asarray(data.to_float(dataset.train.inputs[:64])), dataset.train.labels[:64]

# %%
# %%torch
both_losses = (torch.nn.functional.cross_entropy, losses.cross_entropy)
report = parity.check(in_torch, model, batch, loss=both_losses)
print("same meaning, same accuracy:", report.ok)

# %% [markdown]
# ## Training
#
# As before, we train with minibatches of 256 and a learning rate of 0.1 for ten epochs.

# %%
key = jax.random.key(0)
state, history = train.fit(
    model,
    losses.cross_entropy,
    optax.sgd(0.1),
    dataset,
    key=key,
    epochs=10,
    batch_size=256,
    on_epoch=plots.live_curves(10, title="Softmax regression, concise"),
)
print(f"test loss {history.test_loss[-1]:.2f}, test accuracy {history.test_accuracy[-1]:.2f}")

# %% [markdown]
# With the same key, the Flax model and the package's own `softmax_regression` start with the same weights and see the
# same batches. So they have the same losses:

# %%
_, own = train.fit(
    models.softmax_regression(784, 10), losses.cross_entropy, optax.sgd(0.1), dataset, key=key, epochs=2, batch_size=256
)
print("same losses in 470 steps:", np.allclose(own.step_loss, history.step_loss[:2], atol=1e-5))

# %% [markdown]
# ## Exercises
#
# **1. Number formats: what are the smallest and largest arguments of `exp` that neither underflow nor overflow?** They
# are the logarithms of the smallest and the largest normal number. TF32 has the same exponents as FP32. INT8 goes up to
# 127, so `exp` overflows from $\log 128 = 4.85$ on, and for arguments below 0 it rounds to 1 or 0.

# %%
for name, dtype in {"FP64": np.float64, "FP32": jnp.float32, "FP16": jnp.float16, "BFLOAT16": jnp.bfloat16}.items():
    limits = jnp.finfo(dtype)
    print(f"{name:9} {np.log(float(limits.tiny)):8.2f} to {np.log(float(limits.max)):7.2f}")

# %% [markdown]
# **2. Bytes hold the numbers 1 to 255. How can you extend their range without more bits, and do multiplication and
# addition still work?** Let the code $c$ stand for $2^{(c - 128)/16}$, which covers the range from 1/245 to 245 in
# steps of 4.4%. To multiply, add the codes. Addition is no longer a simple operation on codes: it takes a log-sum-exp
# and rounds to the nearest step.


# %%
def decode(code):
    return 2.0 ** ((code - 128) / 16)


a, b = 150.0, 140.0
product = a + b - 128
total = np.round(128 + 16 * np.logaddexp2((a - 128) / 16, (b - 128) / 16))
print(f"{decode(a):.2f} * {decode(b):.2f} = {decode(a) * decode(b):.2f}, by codes {decode(product):.2f}")
print(f"{decode(a):.2f} + {decode(b):.2f} = {decode(a) + decode(b):.2f}, by codes {decode(total):.2f}")

# %% [markdown]
# **3. Train for more epochs. Why may the validation loss get worse after a while, and what helps?** The model begins to
# fit peculiarities of the training set. With 60000 images and 7850 parameters this would take very long to show; with
# 500 images it shows soon:

# %%
small = dataset._replace(train=Batch(*(x[:500] for x in dataset.train)))
_, longer = train.fit(model, losses.cross_entropy, optax.sgd(0.1), small, key=key, epochs=200, batch_size=50)
plots.lines(
    np.arange(1, 201),
    {"train loss": longer.train_loss, "test loss": longer.test_loss},
    xlabel="epoch",
    ylabel="loss",
    title="500 training examples",
)

# %%
print("train loss still falls:", bool(longer.train_loss[-1] < longer.train_loss[100]))
print("test loss is past its best:", bool(longer.test_loss[-10:].mean() > longer.test_loss.min() + 0.02))

# %% [markdown]
# More data help most. With the data you have, stop at the lowest validation loss (section 5.5) or use weight decay
# (section 3.7).
#
# **4. Increase the learning rate and compare the loss curves. Which rate is better, and when?** At 0.5 the steps are
# too long: the loss jumps up and down and stays above that for 0.1. Long steps help at the beginning and short ones at
# the end, which is why the rate is often lowered during training.

# %%
_, faster = train.fit(model, losses.cross_entropy, optax.sgd(0.5), dataset, key=key, epochs=10, batch_size=256)
curves = {"learning rate 0.1": history.test_loss, "learning rate 0.5": faster.test_loss}
plots.lines(np.arange(1, 11), curves, xlabel="epoch", ylabel="test loss")

# %% [markdown]
# ## Summary
#
# | | PyTorch | JAX with Flax |
# |---|---|---|
# | layer | `nn.Linear(784, 10)`, weight `(10, 784)` | `nnx.Linear(784, 10, rngs=rngs)`, kernel `(784, 10)` |
# | loss | `F.cross_entropy(scores, labels)` | `losses.cross_entropy(scores, labels)` |
# | optimiser | `torch.optim.SGD(net.parameters(), lr=0.1)` | `optax.sgd(0.1)` |
#
# Models return scores. The loss computes the logarithm of the softmax in one formula, which neither overflows nor takes
# the logarithm of 0.
