# %% [markdown]
# # 5.1 Multilayer perceptrons
#
# A linear model gives each input a fixed weight, so more of a feature always moves the score in the same direction. A
# **multilayer perceptron** (MLP) puts a layer of hidden units between the inputs and the outputs. For a minibatch
# $\mathbf{X} \in \mathbb{R}^{n \times d}$, $h$ hidden units and $q$ outputs,
#
# $$\mathbf{H} = \sigma(\mathbf{X} \mathbf{W}^{(1)} + \mathbf{b}^{(1)}), \qquad
# \mathbf{O} = \mathbf{H} \mathbf{W}^{(2)} + \mathbf{b}^{(2)},$$
#
# with $\mathbf{W}^{(1)} \in \mathbb{R}^{d \times h}$ and $\mathbf{W}^{(2)} \in \mathbb{R}^{h \times q}$. The
# **activation function** $\sigma$ acts on each element separately. This section shows what it adds, and presents the
# usual choices.
#
# [This section in the book](https://d2l.ai/chapter_multilayer-perceptrons/mlp.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import activations, initializers, losses, models, plots, train
from jaxd2l.models import least_squares
from jaxd2l.types import Batch

# %% [markdown]
# ## Without an activation, layers collapse
#
# Two affine maps in a row are a single affine map, with $\mathbf{W} = \mathbf{W}^{(1)} \mathbf{W}^{(2)}$ and
# $\mathbf{b} = \mathbf{b}^{(1)} \mathbf{W}^{(2)} + \mathbf{b}^{(2)}$. Here are an MLP whose activation does nothing,
# and the single layer that equals it.

# %%
params_key, bias_key, inputs_key = jax.random.split(jax.random.key(0), 3)
collapsing = models.mlp(4, 8, 3, activation=lambda z: z, init=initializers.torch_linear())
params = collapsing.init(params_key)
first, second = params
W = first["kernel"] @ second["kernel"]
b = first["bias"] @ second["kernel"] + second["bias"]
X = jax.random.normal(inputs_key, (5, 4))
print("one layer computes the same:", bool(jnp.allclose(collapsing.apply(params, X), X @ W + b, atol=1e-6)))

# %% [markdown]
# With the same parameters and a ReLU between the layers, there is no such $\mathbf{W}$. Every affine map satisfies
# $f(x) + f(-x) = 2 f(0)$; this one does not:

# %%
bent = models.mlp(4, 8, 3, activation=activations.relu)
for name, model in {"identity": collapsing, "relu": bent}.items():
    gap = model.apply(params, X) + model.apply(params, -X) - 2 * model.apply(params, 0 * X)
    print(f"{name:8}  largest |f(x) + f(-x) - 2 f(0)| = {float(jnp.abs(gap).max()):.3f}")

# %% [markdown]
# ## Activation functions
#
# The book plots each function and its derivative at 160 points. `jax.grad` differentiates a function that returns a
# single number, and `jax.vmap(jax.grad(f))` evaluates the derivative at many points.

# %%
x = jnp.arange(-8.0, 8.0, 0.1)
print("points:", x.size)


def with_derivative(f):
    """A picture of f and its derivative, and the derivative's largest value."""
    slope = jax.vmap(jax.grad(f))(x)
    print(f"{f.__name__}: the derivative peaks at {float(slope.max()):.4f}")
    return plots.lines(x, {f"{f.__name__}(x)": f(x), "its derivative": slope}, xlabel="x", ylabel=f.__name__)


# %% [markdown]
# **ReLU**, $\max(x, 0)$, keeps positive numbers and replaces the others by 0. Its derivative is 0 or 1, so a gradient
# passes either unchanged or not at all.

# %%
with_derivative(activations.relu)

# %% [markdown]
# **Sigmoid**, $1 / (1 + \exp(-x))$, squashes any number into (0, 1). Its derivative $\mathrm{sigmoid}(x) (1 -
# \mathrm{sigmoid}(x))$ is at most 1/4.

# %%
with_derivative(activations.sigmoid)

# %% [markdown]
# **Tanh**, $(1 - \exp(-2x)) / (1 + \exp(-2x))$, squashes any number into (-1, 1), symmetrically about 0. Its derivative
# is $1 - \tanh^2(x)$.

# %%
with_derivative(activations.tanh)

# %% [markdown]
# PyTorch computes the same derivatives in a different way. A tensor remembers how it was computed. `backward` needs a
# weight for each element of a vector (here ones) and **adds** to `x.grad`, so you must clear `x.grad` in between. In
# JAX the derivative is a new function, and there is nothing to clear.

# %%
# %%torch
import torch

x_torch = torch.tensor(np.asarray(x), requires_grad=True)
for name in ("relu", "sigmoid", "tanh"):
    x_torch.grad = None
    getattr(torch, name)(x_torch).backward(torch.ones_like(x_torch))
    ours = jax.vmap(jax.grad(getattr(activations, name)))(x)
    print(f"{name:8} same derivative:", np.allclose(ours, x_torch.grad.numpy(), atol=1e-6))

# %% [markdown]
# ## Later relatives of the ReLU
#
# The leaky ReLU and the parametrised ReLU (PReLU), whose slope is learnt, let a little of the signal through below 0.
# Swish and GELU bend smoothly, and even dip below 0.

# %%
near = jnp.arange(-4.0, 2.0, 0.05)
shown = {
    "relu": activations.relu(near),
    "leaky relu, slope 0.1": activations.leaky_relu(near, 0.1),
    "PReLU, slope 0.25": activations.prelu(near, jnp.array([0.25])),
    "swish": activations.swish(near),
    "gelu": activations.gelu(near),
}
plots.lines(near, shown, xlabel="x", ylabel="activation")

# %% [markdown]
# `activations` has the functions that the book derives, and those where `jax.nn` and PyTorch disagree. Here they
# disagree about two things: the slope of the leaky ReLU at exactly 0, and whether the default GELU is the exact one or
# an approximation. `jnp.where(x > 0, ...)` gives the slope that PyTorch has:


# %%
def leaky_relu(x, negative_slope):
    return jnp.where(x > 0, x, negative_slope * x)


print("as in the package:", bool((leaky_relu(near, 0.1) == activations.leaky_relu(near, 0.1)).all()))

# %%
# %%torch
zero, one = torch.tensor(0.0, requires_grad=True), torch.tensor(1.0)
torch.nn.functional.leaky_relu(zero, 0.1).backward()
print("            slope of leaky relu at 0   gelu(1)")
print(f"torch       {zero.grad.item():24.4f}   {torch.nn.functional.gelu(one).item():.4f}")

# %%
print(f"jax.nn      {jax.grad(jax.nn.leaky_relu)(0.0, 0.1):24.4f}   {jax.nn.gelu(1.0):.4f}")
print(f"activations {jax.grad(activations.leaky_relu)(0.0, 0.1):24.4f}   {activations.gelu(jnp.ones(())):.4f}")
print(f"ours        {jax.grad(leaky_relu)(0.0, 0.1):24.4f}")

# %% [markdown]
# ## Gradients that vanish
#
# A chain of sigmoids multiplies derivatives of at most 1/4, so after ten of them less than $4^{-10}$ of the gradient is
# left, about one millionth. And away from 0 even a single sigmoid **saturates**: in float32 the sigmoid of 20 rounds to
# 1, and its derivative to 0.


# %%
def chain(f, depth):
    def composed(x):
        for _ in range(depth):
            x = f(x)
        return x

    return composed


for depth in (1, 2, 5, 10):
    slopes = [float(jax.grad(chain(f, depth))(0.5)) for f in (activations.sigmoid, activations.tanh, activations.relu)]
    print(f"depth {depth:2}: sigmoid {slopes[0]:.1e}, tanh {slopes[1]:.1e}, relu {slopes[2]:.1e}")
print("sigmoid at 0, 5, 10, 20:", ", ".join(f"{jax.grad(activations.sigmoid)(z):.1e}" for z in (0.0, 5.0, 10.0, 20.0)))

# %% [markdown]
# The ReLU has its own problem. A unit whose input is negative for every example passes no gradient, so no step can ever
# bring it back: it is **dead**. In the example below, all hidden units begin with a bias of -10. With ReLU no hidden
# weight moves, and only the bias of the output learns. With the leaky ReLU all of them learn.

# %%
X = jax.random.normal(inputs_key, (256, 4))
batch = Batch(X, X[:, :1] - X[:, 1:2])
tx = optax.sgd(0.02)
for name, activation in {"relu": activations.relu, "leaky relu": lambda z: activations.leaky_relu(z, 0.1)}.items():
    model = models.mlp(4, 32, 1, activation=activation, init=initializers.kaiming_normal())
    state = train.create_state(jax.random.key(1), model, tx)
    before = state.params[0]["kernel"]
    state.params[0]["bias"] -= 10.0
    step = jax.jit(train.make_train_step(model, losses.squared_loss, tx))
    for _ in range(500):
        state, loss = step(state, batch)
    moved = float(jnp.abs(state.params[0]["kernel"] - before).max())
    print(f"{name:10}  loss {float(loss):.2f}, largest change of a hidden weight {moved:.2f}")

# %% [markdown]
# ## Universal approximation
#
# A single hidden layer that is wide enough can come arbitrarily close to any continuous function on an interval. With
# ReLU we can construct such a network instead of training it: unit $i$ computes $\max(x - c_i, 0)$, which adds a kink
# at $c_i$, and linear regression finds the output weights. Once the kinks are closer together than the bends of the
# function, doubling their number leaves about a quarter of the error.


# %%
def target(x):
    return jnp.sin(2 * x) + jnp.abs(x) / 2


def built(num_kinks):
    """The parameters of an MLP that fits the target with evenly spaced kinks."""
    hidden = {"kernel": jnp.ones((1, num_kinks)), "bias": -jnp.linspace(-3, 3, num_kinks + 1)[:-1]}
    return hidden, regression(activations.relu(points @ hidden["kernel"] + hidden["bias"]), target(points))


regression = jax.jit(least_squares)
points = jnp.linspace(-3, 3, 301)[:, None]
curves = {"target": target(points)[:, 0]}
for num_kinks in (4, 8, 16, 32):
    fitted = models.mlp(1, num_kinks, 1).apply(built(num_kinks), points)
    error = float(jnp.sqrt(jnp.mean((fitted - target(points)) ** 2)))
    print(f"{num_kinks:2} hidden units: root mean squared error {error:.3f}")
    if num_kinks <= 8:
        curves[f"{num_kinks} hidden units"] = fitted[:, 0]
plots.lines(points[:, 0], curves, xlabel="x", ylabel="f(x)")

# %% [markdown]
# The theorem says that such weights exist. It does not say that gradient descent finds them. Nor does it rule out that
# a deeper network needs far fewer.
#
# ## Exercises
#
# **1. Show that more linear layers add no expressive power, and can reduce it.** The collapse above shows the first.
# For the second, take a layer narrower than both the inputs and the outputs. Its width limits the rank of the product,
# whereas a single linear layer can have a higher rank.

# %%
narrow = models.mlp(6, 2, 5, activation=lambda z: z, init=initializers.kaiming_normal()).init(jax.random.key(2))
single = models.init_layers(jax.random.key(2), (6, 5), initializers.kaiming_normal())[0]
print("rank through 2 units:", np.linalg.matrix_rank(narrow[0]["kernel"] @ narrow[1]["kernel"]))
print("rank of one layer:", np.linalg.matrix_rank(single["kernel"]))

# %% [markdown]
# **2. and 3. The derivatives of PReLU and swish.** The derivative of PReLU with slope $\alpha$ is 1 above 0 and
# $\alpha$ below. For swish, $f(x) = x\, s(\beta x)$ with the sigmoid $s$, the product rule gives $f'(x) = s(\beta x) +
# \beta x\, s(\beta x)(1 - s(\beta x)) = \beta f(x) + s(\beta x)(1 - \beta f(x))$.

# %%
beta = 1.5
f = activations.swish(x, beta)
by_hand = beta * f + activations.sigmoid(beta * x) * (1 - beta * f)
by_jax = jax.vmap(jax.grad(lambda x: activations.swish(x, beta)))(x)
print("swish:", bool(jnp.allclose(by_hand, by_jax, atol=1e-5)))
print("PReLU at -1 and 1:", [float(jax.grad(activations.prelu)(z, jnp.array([0.25]))) for z in (-1.0, 1.0)])

# %% [markdown]
# **4. Show that an MLP with ReLU is a continuous piecewise linear function.** The ReLU of an affine function is
# continuous and piecewise linear, and so is a sum of such functions. With one input and $h$ units there are at most
# $h + 1$ pieces. The first kink of the 8 units constructed above is at the left end of the interval, so we see 8
# slopes:

# %%
eight = built(8)
middles = jnp.linspace(-3, 3, 401)[:-1] + 0.0075
slopes = jax.vmap(jax.grad(lambda x: models.mlp(1, 8, 1).apply(eight, x[None, None])[0, 0]))(middles)
print("different slopes:", len(np.unique(np.asarray(slopes).round(3))))

# %% [markdown]
# **5. Show that $\tanh(x) + 1 = 2\, \mathrm{sigmoid}(2x)$, and that MLPs with either activation represent the same
# functions.** Subtracting 1 gives $2\,\mathrm{sigmoid}(2x) - 1 = (1 - e^{-2x}) / (1 + e^{-2x})$, which is $\tanh(x)$.
# Inside an MLP, the first layer absorbs the inner factor 2, and the second layer absorbs the outer 2 and the -1.

# %%
print("identity:", bool(jnp.allclose(activations.tanh(x) + 1, 2 * activations.sigmoid(2 * x), atol=1e-6)))
hidden, output = models.mlp(4, 8, 3, init=initializers.torch_linear()).init(jax.random.key(3))
translated = (
    {"kernel": 2 * hidden["kernel"], "bias": 2 * hidden["bias"]},
    {"kernel": 2 * output["kernel"], "bias": output["bias"] - output["kernel"].sum(0)},
)
with_tanh = models.mlp(4, 8, 3, activation=activations.tanh).apply((hidden, output), X)
with_sigmoid = models.mlp(4, 8, 3, activation=activations.sigmoid).apply(translated, X)
print("the same function:", bool(jnp.allclose(with_tanh, with_sigmoid, atol=1e-5)))

# %% [markdown]
# **6. What is difficult about a nonlinearity that acts on a whole minibatch, as batch normalisation does?** The output
# for one example then depends on the other examples in the batch. So it changes with the batch size and with the
# shuffling. It is meaningless for a single example, whose variance is 0, so prediction must use different statistics
# than training. Also, the gradient is no longer a mean over examples. If several devices process a part of the batch
# each, they must exchange more than gradients.
#
# **7. Give an example in which the gradient of the sigmoid vanishes.** There are two above: a chain of ten sigmoids,
# and an input of 20. In an MLP a large bias is enough. Then the hidden units are saturated for every input, and no
# gradient reaches their weights:

# %%
saturated = models.mlp(4, 8, 1, activation=activations.sigmoid, init=initializers.kaiming_normal())
layers = saturated.init(jax.random.key(4))
for bias in (0.0, 20.0):
    moved = ({**layers[0], "bias": layers[0]["bias"] + bias}, layers[1])
    gradient = jax.grad(lambda p: losses.squared_loss(saturated.apply(p, batch.inputs), batch.labels))(moved)
    largest = float(jnp.abs(gradient[0]["kernel"]).max())
    print(f"bias {bias:4}: largest gradient of a hidden weight", f"{largest:.3f}" if largest > 1e-5 else "below 1e-5")

# %% [markdown]
# ## Summary
#
# Hidden layers add expressive power only through the activation between them. ReLU passes gradients unchanged or not at
# all. Sigmoid and tanh flatten out on both sides, and a chain of sigmoids loses the gradient. For derivatives at many
# points JAX has `vmap(grad(f))`, where PyTorch uses `backward` with a vector of ones.
