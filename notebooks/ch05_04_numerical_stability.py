# %% [markdown]
# # 5.4 Numerical stability and initialisation
#
# In a deep network, the gradient with respect to the weights of layer $l$ is a product with one matrix for each layer
# above it,
#
# $$\partial_{\mathbf{W}^{(l)}} \mathbf{o} = \mathbf{M}^{(L)} \cdots \mathbf{M}^{(l+1)} \mathbf{v}^{(l)}, \qquad
# \mathbf{M}^{(l)} = \partial_{\mathbf{h}^{(l-1)}} \mathbf{h}^{(l)}.$$
#
# A product of many factors tends to 0 or to infinity. This section shows both. It then shows a third problem, units
# that stay identical, and the initialisations that avoid all three.
#
# [This section in the book](https://d2l.ai/chapter_multilayer-perceptrons/numerical-stability-and-init.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import activations, data, initializers, losses, models, plots, train
from jaxd2l.book import stability
from jaxd2l.types import Batch

# %% [markdown]
# ## Vanishing gradients
#
# The derivative of the sigmoid is at most 1/4, and nearly 0 away from the middle. Every layer of sigmoids multiplies
# the gradient by this derivative.

# %%
x = jnp.arange(-8.0, 8.0, 0.1)
y, slope = activations.sigmoid(x), jax.vmap(jax.grad(activations.sigmoid))(x)
print(f"largest derivative: {float(slope.max()):.2f}; at -8: {float(slope[0]):.4f}")
plots.lines(x, {"sigmoid(x)": y, "its derivative": slope}, xlabel="x", ylabel="sigmoid")

# %% [markdown]
# ## Exploding gradients
#
# The book multiplies 100 matrices of 4 x 4 standard normal numbers. Here it is in PyTorch:

# %%
# %%torch
import torch

generator = torch.Generator().manual_seed(0)
M = torch.normal(0, 1, size=(4, 4), generator=generator)
print(f"one matrix:   largest entry {M.abs().max().item():.1f}")
for _ in range(100):
    M = M @ torch.normal(0, 1, size=(4, 4), generator=generator)
print(f"100 products: largest entry about 10^{math.log10(M.abs().max().item()):.1f}")

# %% [markdown]
# To see more factors, we rescale the product after each factor and add up the logarithms, which never overflow. On
# average, a factor multiplies the length of a vector by $e^{0.558}$ (since $\mathbb{E} \log \chi_4 = 0.558$). So 100
# factors make $10^{24}$, and about 160 factors exceed the range of float32. `stability.random_product` is the same
# function.


# %%
def random_product(key, num_matrices):
    def multiply(product, key):
        product = product @ jax.random.normal(key, (4, 4))
        largest = jnp.abs(product).max()
        return product / largest, jnp.log10(largest)

    _, growth = jax.lax.scan(multiply, jnp.eye(4), jax.random.split(key, num_matrices))
    return jnp.cumsum(growth)


growth = jax.vmap(lambda key: random_product(key, 200))(jax.random.split(jax.random.key(0), 64))
packaged = stability.random_product(jax.random.split(jax.random.key(0), 64)[0], num_matrices=200)
print("as in the package:", bool(jnp.allclose(growth[0], packaged, rtol=1e-5)))
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
# Swapping two hidden units along with their weights changes nothing. So if all units of a layer begin with the same
# weights, they get equal gradients and stay identical: the whole layer can do no more than a single unit. Gradient
# descent cannot break this symmetry. Random weights break it, and so does dropout (section 5.6), which treats each unit
# separately. The initialiser below, `stability.constant_init` in the package, makes all weights equal.


# %%
def constant_init(value):
    def init(key, num_inputs, num_outputs):
        return {"kernel": jnp.full((num_inputs, num_outputs), value), "bias": jnp.zeros(num_outputs)}

    return init


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


print("constant:             ", distinct_after_training(constant_init(0.5)))
print("constant, and dropout:", distinct_after_training(constant_init(0.5), dropout_rate=0.5))
print("random:               ", distinct_after_training(initializers.xavier_normal()))

# %% [markdown]
# ## Initialisation
#
# Take a layer without activation, $o_i = \sum_j w_{ij} x_j$, with $n_\text{in}$ inputs of variance $\gamma^2$ and
# independent weights of variance $\sigma^2$, all with mean 0. Its outputs have variance $n_\text{in} \sigma^2
# \gamma^2$. To preserve the variance in the forward pass we need $n_\text{in} \sigma^2 = 1$. By the same argument, the
# gradients in the backward pass need $n_\text{out} \sigma^2 = 1$. **Xavier's** initialisation is a compromise,
#
# $$\sigma^2 = \frac{2}{n_\text{in} + n_\text{out}}, \qquad \text{or} \quad
# U\left(-\sqrt{\tfrac{6}{n_\text{in} + n_\text{out}}}, \sqrt{\tfrac{6}{n_\text{in} + n_\text{out}}}\right),$$
#
# **Kaiming's** initialisation, $\sigma^2 = 2 / n_\text{in}$, makes up for the half of the signal that a ReLU cuts off.
# We compare each initialiser with its counterpart in PyTorch for a layer of 784 inputs and 256 outputs:

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

# %%
# %%torch
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
# The last two are the defaults of PyTorch and Flax. `torch.nn.Linear` has a standard deviation of $1 / \sqrt{3
# n_\text{in}}$ and draws its biases from the same distribution. `nnx.Linear` has $1 / \sqrt{n_\text{in}}$, cut
# off at two standard deviations, and its biases are 0. If you port a model and keep the defaults, it starts with
# different weights and trains differently.
#
# ### Through twenty layers
#
# `stability.variances_through_depth` sends a signal of variance 1 forward through a deep network, and a gradient of
# variance 1 back. With ReLU, Kaiming's weights preserve both. The book's $\mathcal{N}(0, 0.01^2)$ is fine for one
# hidden layer but loses everything in twenty: float32 rounds the numbers to 0, where the lines in the figures end.
# PyTorch's default weights are too small for ReLU by a factor of $\sqrt{6}$; only the random biases preserve some
# signal at the top. (If a layer is as wide as its input, Xavier's variance equals Flax's.)

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
    title="ReLU, forward",
)

# %%
plots.lines(
    layers,
    {name: found.gradients for name, found in with_relu.items()},
    xlabel="layer",
    ylabel="mean square of the gradient",
    yscale="log",
    title="ReLU, backward (from right to left)",
)

# %% [markdown]
# With Xavier's weights the result depends on the activation. Tanh is close to the identity around 0 and preserves the
# signal. The sigmoid keeps its outputs near 1/2, and in every layer the mean square of the gradient shrinks by a factor
# of at least 16.

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
    title="Xavier's weights, backward (from right to left)",
)

# %% [markdown]
# ## Exercises
#
# **1. Which other symmetries does a network have, besides permuting its hidden units?** Since $\mathrm{relu}(c x) =
# c\,\mathrm{relu}(x)$ for $c > 0$, you can multiply the incoming weights and the bias of a unit by $c$ and divide its
# outgoing weights by $c$. Since tanh is odd, you can change the sign of both. The function stays the same:

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
# **2. May all weights of linear or softmax regression begin at the same value?** Yes. There are no hidden units that
# could stay identical, and the gradient of each weight contains its input, so the gradients differ. On the digits:

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
# \|\mathbf{B}\|_2$, the product of the largest singular values. In the same way, the smallest singular values give a
# lower bound. If all singular values are 1, nothing can vanish or explode, so orthogonal matrices are a good
# initialisation for deep networks:

# %%
orthogonal = jax.random.orthogonal(jax.random.key(8), 4, shape=(100,))
product = jnp.linalg.multi_dot(list(orthogonal))
print("singular values of the product:", ", ".join(f"{s:.3f}" for s in np.linalg.svd(product, compute_uv=False)))

# %% [markdown]
# **4. If we know that some terms diverge, can we correct that afterwards?** We can correct the scale. Layerwise
# adaptive rates (LARS, `optax.lars`) make the step of each layer proportional to the size of its weights, regardless of
# the size of its gradient. `random_product` above rescales in the same spirit. But we cannot recover numbers that have
# overflowed or been rounded to 0.
#
# ## Summary
#
# Products of many factors vanish or explode unless each factor preserves the variance. Xavier's initialisation does
# that for tanh, Kaiming's for ReLU. Weights must begin with random values, or hidden units stay identical. By default,
# PyTorch and Flax initialise weights differently.
