# %% [markdown]
# # 5.4 Numerical stability and initialisation
#
# The gradient with respect to the weights of layer $l$ of a deep network is a product of as many matrices as there are
# layers above it,
#
# $$\partial_{\mathbf{W}^{(l)}} \mathbf{o} = \mathbf{M}^{(L)} \cdots \mathbf{M}^{(l+1)} \mathbf{v}^{(l)}, \qquad
# \mathbf{M}^{(l)} = \partial_{\mathbf{h}^{(l-1)}} \mathbf{h}^{(l)}.$$
#
# Products of many factors tend to 0 or to infinity. This section shows both, then a third trouble, units that cannot be
# told apart, and the initialisation that avoids all three.

# %%
# %matplotlib inline
import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from jaxd2l import activations, data, initializers, losses, models, plots, train
from jaxd2l.book import stability
from jaxd2l.types import Batch

# %% [markdown]
# ## Vanishing gradients
#
# The sigmoid's derivative is at most 1/4, and nearly 0 away from the middle. Every layer of sigmoids multiplies the
# gradient by it.

# %%
x = jnp.arange(-8.0, 8.0, 0.1)
y, slope = activations.sigmoid(x), jax.vmap(jax.grad(activations.sigmoid))(x)
print(f"largest derivative: {float(slope.max()):.2f}; at -8: {float(slope[0]):.4f}")
plots.lines(x, {"sigmoid(x)": y, "its derivative": slope}, xlabel="x", ylabel="sigmoid")

# %% [markdown]
# ## Exploding gradients
#
# The book multiplies 100 matrices of 4 x 4 standard normal numbers. In PyTorch:

# %%
generator = torch.Generator().manual_seed(0)
M = torch.normal(0, 1, size=(4, 4), generator=generator)
print(f"one matrix:   largest entry {M.abs().max().item():.1f}")
for _ in range(100):
    M = M @ torch.normal(0, 1, size=(4, 4), generator=generator)
print(f"100 products: largest entry about 10^{math.log10(M.abs().max().item()):.1f}")

# %% [markdown]
# `stability.random_product` rescales after each factor and returns the logarithm, which never overflows. A factor
# multiplies the length of a vector by $e^{0.558}$ in the mean ($\mathbb{E} \log \chi_4$), so that 100 of them make
# $10^{24}$, and about 160 leave the range of float32.

# %%
print(inspect.getsource(stability.random_product).split('"""')[2].strip("\n"))

# %%
growth = jax.vmap(lambda key: stability.random_product(key, num_matrices=200))(jax.random.split(jax.random.key(0), 64))
limit = math.log10(np.finfo(np.float32).max)
print(f"length of a vector after 100 factors: 10^{55.8 / math.log(10):.1f} expected")
print(f"largest of the 16 entries, mean of 64 products: 10^{growth[:, 99].mean():.1f}")
curves = {f"product {i + 1}": growth[i] for i in range(3)}
factors = np.arange(1, 201)
plots.lines(
    factors,
    curves | {"mean of 64": growth.mean(0), "largest float32": np.full(200, limit)},
    xlabel="factors",
    ylabel="log10 of the largest entry",
)

# %% [markdown]
# ## Symmetry
#
# Swapping two hidden units, with their weights, changes nothing. So if all units of a layer begin alike, they get equal
# gradients and stay alike: the layer has the power of one unit. Gradient descent cannot break this symmetry. Random
# weights do, and so does dropout (section 5.6), which treats each unit by itself.

# %%
print(inspect.getsource(stability.constant_init))

# %%
inputs_key, noise_key = jax.random.split(jax.random.key(1))
inputs = jax.random.normal(inputs_key, (64, 3))
batch = Batch(inputs, jnp.sum(inputs, 1, keepdims=True))


def distinct_after_training(init, dropout_rate=0.0):
    """How many of 6 hidden units differ after 20 steps."""
    model, tx = models.mlp(3, 6, 1, init=init, dropout_rate=dropout_rate), optax.sgd(0.1)
    step = jax.jit(train.make_train_step(model, losses.squared_loss, tx))
    state = train.create_state(jax.random.key(2), model, tx)
    for key in jax.random.split(noise_key, 20):
        state, _ = step(state, batch, key=key)
    return stability.distinct_units(state.params[0])


print("constant:             ", distinct_after_training(stability.constant_init(0.5)))
print("constant, and dropout:", distinct_after_training(stability.constant_init(0.5), dropout_rate=0.5))
print("random:               ", distinct_after_training(initializers.xavier_normal()))

# %% [markdown]
# ## Initialisation
#
# A layer without activation, $o_i = \sum_j w_{ij} x_j$ with $n_\text{in}$ inputs of variance $\gamma^2$ and independent
# weights of variance $\sigma^2$ (all of mean 0), has outputs of variance $n_\text{in} \sigma^2 \gamma^2$. To keep the
# variance on the way up needs $n_\text{in} \sigma^2 = 1$; the same argument for gradients on the way down,
# $n_\text{out} \sigma^2 = 1$. **Xavier's** initialisation takes the middle,
#
# $$\sigma^2 = \frac{2}{n_\text{in} + n_\text{out}}, \qquad \text{or} \quad
# U\left(-\sqrt{\tfrac{6}{n_\text{in} + n_\text{out}}}, \sqrt{\tfrac{6}{n_\text{in} + n_\text{out}}}\right),$$
#
# and **Kaiming's** $\sigma^2 = 2 / n_\text{in}$ makes up for the half of the signal that a relu cuts off. Each
# initialiser here, beside its namesake in PyTorch, for a layer of 784 inputs and 256 outputs:

# %%
ours = {
    "normal(0.01)": initializers.normal(0.01),
    "xavier_normal": initializers.xavier_normal(),
    "xavier_uniform": initializers.xavier_uniform(),
    "kaiming_normal": initializers.kaiming_normal(),
    "kaiming_uniform": initializers.kaiming_uniform(),
    "torch_linear": initializers.torch_linear(),
    "flax_linear": initializers.flax_linear(),
}
torch.manual_seed(0)
weight = torch.empty(256, 784)
in_torch = {
    "normal(0.01)": lambda w: torch.nn.init.normal_(w, std=0.01),
    "xavier_normal": torch.nn.init.xavier_normal_,
    "xavier_uniform": torch.nn.init.xavier_uniform_,
    "kaiming_normal": lambda w: torch.nn.init.kaiming_normal_(w, nonlinearity="relu"),
    "kaiming_uniform": lambda w: torch.nn.init.kaiming_uniform_(w, nonlinearity="relu"),
    "torch_linear": lambda w: torch.nn.Linear(784, 256).weight.detach(),
}
print("standard deviation     here     torch")
for name, init in ours.items():
    theirs = f"{in_torch[name](weight).std().item():.4f}" if name in in_torch else "     -"
    print(f"{name:18} {float(init(jax.random.key(3), 784, 256)['kernel'].std()):8.4f}    {theirs}")

# %% [markdown]
# The last two are what the layers of PyTorch and of Flax do by themselves: $1 / \sqrt{3 n_\text{in}}$ for
# `torch.nn.Linear`, which draws its biases alike, and $1 / \sqrt{n_\text{in}}$, cut off at two deviations, for
# `flax.linen.Dense`, with biases 0. A port that leaves them alone starts with other weights, and trains differently.
#
# ### Through twenty layers
#
# `stability.variances_through_depth` sends a signal of variance 1 up a deep network, and a gradient of variance 1 down
# again. With relu, Kaiming's weights keep both. The book's $\mathcal{N}(0, 0.01^2)$ is good for one hidden layer, and
# loses everything in twenty: 0 is what float32 makes of it, and where its line in the figures falls off. PyTorch's own
# weights are too small by a factor of $\sqrt{6}$ for a relu; only their random biases keep some signal at the top. (For
# layers as wide as their inputs, Xavier's variance and Flax's are equal.)

# %%
sizes = (100,) * 21
layers = np.arange(1, 21)
chosen = ("normal(0.01)", "xavier_normal", "kaiming_normal", "torch_linear", "flax_linear")
with_relu = {name: stability.variances_through_depth(jax.random.key(4), sizes, init=ours[name]) for name in chosen}
for name, found in with_relu.items():
    up, down = found.activations[-1], found.gradients[0]
    print(f"{name:15} outputs at the top {up:.1e}, gradient at the bottom {down:.1e}")

# %%
plots.lines(
    layers,
    {name: found.activations for name, found in with_relu.items()},
    xlabel="layer",
    ylabel="mean square of the outputs",
    yscale="log",
    title="relu, on the way up",
)

# %%
plots.lines(
    layers,
    {name: found.gradients for name, found in with_relu.items()},
    xlabel="layer",
    ylabel="mean square of the gradient",
    yscale="log",
    title="relu, on the way down (from right to left)",
)

# %% [markdown]
# And with Xavier's weights, by activation: tanh is close to the identity around 0 and keeps the signal; the sigmoid
# keeps its outputs near 1/2, and loses at least a factor of 16 of the gradient's mean square in every layer.

# %%
by_activation = {
    f.__name__: stability.variances_through_depth(
        jax.random.key(4), sizes, init=initializers.xavier_normal(), activation=f
    )
    for f in (activations.tanh, activations.relu, activations.sigmoid)
}
down = by_activation["sigmoid"].gradients
print(f"sigmoid: a layer leaves at most 1/{float((down[1:] / down[:-1]).min()):.1f} of the gradient's mean square")
plots.lines(
    layers,
    {name: found.gradients for name, found in by_activation.items()},
    xlabel="layer",
    ylabel="mean square of the gradient",
    yscale="log",
    title="Xavier's weights, on the way down (from right to left)",
)

# %% [markdown]
# ## Exercises
#
# **1. Which other symmetries does a network have, besides permuting its hidden units?** The relu lets a positive factor
# through, so a unit's incoming weights and bias can be multiplied by $c > 0$ and its outgoing weights divided by it. A
# tanh is odd: both sides may change sign. The functions stay the same:

# %%
hidden, output = models.mlp(4, 6, 2).init(jax.random.key(5))
points = jax.random.normal(jax.random.key(6), (50, 4))
order, c = jnp.array([3, 0, 5, 1, 4, 2]), jnp.array([2.0, 0.5, 4.0, 1.0, 0.25, 8.0])
cases = {
    "relu, units permuted": (activations.relu, hidden["kernel"][:, order], output["kernel"][order]),
    "relu, units scaled": (activations.relu, hidden["kernel"] * c, output["kernel"] / c[:, None]),
    "tanh, signs turned": (activations.tanh, -hidden["kernel"], -output["kernel"]),
}
for name, (activation, first, second) in cases.items():
    apply = models.mlp(4, 6, 2, activation=activation).apply
    moved = ({"kernel": first, "bias": hidden["bias"]}, {"kernel": second, "bias": output["bias"]})
    print(f"{name}:", bool(jnp.allclose(apply((hidden, output), points), apply(moved, points), atol=1e-6)))

# %% [markdown]
# **2. May all weights of linear or softmax regression begin at the same value?** Yes. There are no hidden units to be
# told apart: the gradient of an output's weights is made of the inputs, which differ. On the digits:

# %%
digits = data.digits()
for name, init in {"constant": stability.constant_init(0.5), "random": initializers.normal(0.01)}.items():
    model = models.softmax_regression(64, 10, init=init)
    _, history = train.fit(
        model, losses.cross_entropy, optax.sgd(0.5), digits, key=jax.random.key(7), epochs=20, batch_size=64
    )
    print(f"{name:9} test accuracy {history.test_accuracy[-1]:.2f}")

# %% [markdown]
# **3. What bounds the eigenvalues of a product of matrices?** $|\lambda(\mathbf{A} \mathbf{B})| \le \|\mathbf{A}\|_2
# \|\mathbf{B}\|_2$, the product of the largest singular values; and the smallest singular values bound it from below.
# If all singular values are 1, nothing can vanish or explode. So orthogonal matrices are a good start for deep
# networks:

# %%
orthogonal = jax.random.orthogonal(jax.random.key(8), 4, shape=(100,))
product = jnp.linalg.multi_dot(list(orthogonal))
print("singular values of the product:", ", ".join(f"{s:.3f}" for s in np.linalg.svd(product, compute_uv=False)))

# %% [markdown]
# **4. If we know that some terms diverge, can that be put right afterwards?** A scale can. Layerwise adaptive rates
# (LARS, in optax as `optax.lars`) give each layer a step in proportion to the size of its weights, whatever the size of
# its gradient; `random_product` above rescales in the same spirit. What has already overflowed or rounded to 0 cannot
# be brought back.
#
# ## Summary
#
# Deep products vanish or explode unless each factor keeps the variance. Xavier's initialisation does that for tanh,
# Kaiming's for relu. Weights must begin random, or hidden units stay alike. PyTorch and Flax begin differently by
# default.
