# %% [markdown]
# # 5.1 Multilayer perceptrons
#
# A linear model weighs each input once and for all: more of a feature always moves the score the same way. A
# **multilayer perceptron** (MLP) puts a layer of hidden units between inputs and outputs. For a minibatch
# $\mathbf{X} \in \mathbb{R}^{n \times d}$, $h$ hidden units and $q$ outputs,
#
# $$\mathbf{H} = \sigma(\mathbf{X} \mathbf{W}^{(1)} + \mathbf{b}^{(1)}), \qquad
# \mathbf{O} = \mathbf{H} \mathbf{W}^{(2)} + \mathbf{b}^{(2)},$$
#
# with $\mathbf{W}^{(1)} \in \mathbb{R}^{d \times h}$ and $\mathbf{W}^{(2)} \in \mathbb{R}^{h \times q}$. The
# **activation function** $\sigma$ acts on each element by itself. This section is about what it adds, and about the
# usual choices.

# %%
# %matplotlib inline
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from jaxd2l import activations, initializers, losses, models, plots, train
from jaxd2l.models.linear import least_squares
from jaxd2l.types import Batch

# %% [markdown]
# ## Without an activation, layers collapse
#
# Two affine maps in a row are one affine map, with $\mathbf{W} = \mathbf{W}^{(1)} \mathbf{W}^{(2)}$ and
# $\mathbf{b} = \mathbf{b}^{(1)} \mathbf{W}^{(2)} + \mathbf{b}^{(2)}$. Here is an MLP whose activation does nothing,
# and the single layer that equals it.

# %%
params_key, bias_key, inputs_key = jax.random.split(jax.random.key(0), 3)
collapsing = models.mlp(4, 8, 3, activation=lambda z: z, init=initializers.torch_linear())
params = collapsing.init(params_key)
first, second = params
W = first["kernel"] @ second["kernel"]
b = first["bias"] @ second["kernel"] + second["bias"]
X = jax.random.normal(inputs_key, (5, 4))
print("one layer says the same:", bool(jnp.allclose(collapsing.apply(params, X), X @ W + b, atol=1e-6)))

# %% [markdown]
# With the same parameters and a relu between the layers there is no such $\mathbf{W}$. Any affine map has
# $f(x) + f(-x) = 2 f(0)$:

# %%
bent = models.mlp(4, 8, 3, activation=activations.relu)
for name, model in {"identity": collapsing, "relu": bent}.items():
    gap = model.apply(params, X) + model.apply(params, -X) - 2 * model.apply(params, 0 * X)
    print(f"{name:8}  largest |f(x) + f(-x) - 2 f(0)| = {float(jnp.abs(gap).max()):.3f}")

# %% [markdown]
# ## Activation functions
#
# The book plots each function and its derivative at 160 points. `jax.grad` differentiates functions that return one
# number, so `jax.vmap(jax.grad(f))` is the derivative at many points.

# %%
x = jnp.arange(-8.0, 8.0, 0.1)
print("points:", x.size)


def with_derivative(f):
    """A picture of f and its derivative, and the derivative's largest value."""
    slope = jax.vmap(jax.grad(f))(x)
    print(f"{f.__name__}: the derivative peaks at {float(slope.max()):.4f}")
    return plots.lines(x, {f"{f.__name__}(x)": f(x), "its derivative": slope}, xlabel="x", ylabel=f.__name__)


# %% [markdown]
# **ReLU**, $\max(x, 0)$: keeps what is positive. Its derivative is 0 or 1, so a gradient passes whole or not at all.

# %%
with_derivative(activations.relu)

# %% [markdown]
# **Sigmoid**, $1 / (1 + \exp(-x))$: squashes onto (0, 1). Its derivative
# $\mathrm{sigmoid}(x) (1 - \mathrm{sigmoid}(x))$ is at most a quarter.

# %%
with_derivative(activations.sigmoid)

# %% [markdown]
# **Tanh**, $(1 - \exp(-2x)) / (1 + \exp(-2x))$: squashes onto (-1, 1), symmetric about 0. Its derivative is
# $1 - \tanh^2(x)$.

# %%
with_derivative(activations.tanh)

# %% [markdown]
# PyTorch computes the same derivatives another way round. A tensor remembers how it was made; `backward` wants a weight
# for each element of a vector (ones, here), and **adds** to `x.grad`, which has to be emptied in between. In JAX the
# derivative is a new function, and nothing is left behind.

# %%
x_torch = torch.tensor(np.asarray(x), requires_grad=True)
for name in ("relu", "sigmoid", "tanh"):
    x_torch.grad = None
    getattr(torch, name)(x_torch).backward(torch.ones_like(x_torch))
    ours = jax.vmap(jax.grad(getattr(activations, name)))(x)
    print(f"{name:8} same derivative:", np.allclose(ours, x_torch.grad.numpy(), atol=1e-6))

# %% [markdown]
# ## Later relatives of the relu
#
# Leaky relu and its learnt form, the parametrised relu (PReLU), let a little through below 0; swish and gelu bend
# smoothly, and even dip.

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
# `activations` has a function where `jax.nn` and PyTorch disagree, or where the book derives one. There are two
# disagreements here: the slope of the leaky relu at exactly 0, and which gelu is meant when nothing is said.

# %%
zero, one = torch.tensor(0.0, requires_grad=True), torch.tensor(1.0)
torch.nn.functional.leaky_relu(zero, 0.1).backward()
print("slope of leaky relu at 0   gelu(1)")
print(f"torch       {zero.grad.item():.4f}         {torch.nn.functional.gelu(one).item():.4f}")
print(f"jax.nn      {jax.grad(jax.nn.leaky_relu)(0.0, 0.1):.4f}         {jax.nn.gelu(1.0):.4f}")
print(f"activations {jax.grad(activations.leaky_relu)(0.0, 0.1):.4f}         {activations.gelu(jnp.ones(())):.4f}")

# %%
print(inspect.getsource(activations.leaky_relu))

# %% [markdown]
# ## Gradients that vanish
#
# A chain of sigmoids multiplies derivatives of at most 1/4, so ten of them leave less than $4^{-10}$, about one in a
# million. And away from 0 even a single one **saturates**: in float32 the sigmoid of 20 has rounded to 1, and its
# derivative to 0.


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
# The relu has a failing of its own. A unit whose input is negative for every example passes no gradient, so no step can
# ever bring it back: it is **dead**. Below, all hidden units begin with a bias of -10. With relu no hidden weight
# moves, and only the output's bias learns; with a leak they all do.

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
# One hidden layer that is wide enough comes arbitrarily close to any continuous function on an interval. With relu this
# can be built rather than trained: unit $i$ computes $\max(x - c_i, 0)$, which adds a kink at $c_i$, and the output
# weights are a linear regression on those. Once the kinks stand closer than the bends of the function, twice as many
# leave about a quarter of the error.


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
# The theorem says that such weights exist. It does not say that gradient descent finds them, nor that a deeper network
# would not need far fewer.
#
# ## Exercises
#
# **1. Show that more linear layers add no expressive power, and can take some away.** The collapse above shows the
# first. For the second, take a layer narrower than inputs and outputs: its width bounds the rank of the product, and a
# single linear layer could have had more.

# %%
narrow = models.mlp(6, 2, 5, activation=lambda z: z, init=initializers.kaiming_normal()).init(jax.random.key(2))
single = models.linear.init_layers(jax.random.key(2), (6, 5), initializers.kaiming_normal())[0]
print("rank through 2 units:", np.linalg.matrix_rank(narrow[0]["kernel"] @ narrow[1]["kernel"]))
print("rank of one layer:", np.linalg.matrix_rank(single["kernel"]))

# %% [markdown]
# **2. and 3. The derivatives of PReLU and swish.** PReLU with slope $\alpha$ has 1 above 0 and $\alpha$ below. For
# swish, $f(x) = x\, s(\beta x)$ with the sigmoid $s$, the product rule gives
# $f'(x) = s(\beta x) + \beta x\, s(\beta x)(1 - s(\beta x)) = \beta f(x) + s(\beta x)(1 - \beta f(x))$.

# %%
beta = 1.5
f = activations.swish(x, beta)
by_hand = beta * f + activations.sigmoid(beta * x) * (1 - beta * f)
by_jax = jax.vmap(jax.grad(lambda x: activations.swish(x, beta)))(x)
print("swish:", bool(jnp.allclose(by_hand, by_jax, atol=1e-5)))
print("PReLU at -1 and 1:", [float(jax.grad(activations.prelu)(z, jnp.array([0.25]))) for z in (-1.0, 1.0)])

# %% [markdown]
# **4. An MLP of relus is a continuous piecewise linear function.** A relu of an affine function is one, and so are sums
# of such. With one input and $h$ units there are at most $h + 1$ pieces. The network built above with 8 units begins at
# the left end with its first kink, and so shows 8 slopes:

# %%
eight = built(8)
middles = jnp.linspace(-3, 3, 401)[:-1] + 0.0075
slopes = jax.vmap(jax.grad(lambda x: models.mlp(1, 8, 1).apply(eight, x[None, None])[0, 0]))(middles)
print("different slopes:", len(np.unique(np.asarray(slopes).round(3))))

# %% [markdown]
# **5. Sigmoid and tanh are alike: $\tanh(x) + 1 = 2\, \mathrm{sigmoid}(2x)$. So both make the same functions.** Inside
# an MLP, $\tanh(z) = 2\,\mathrm{sigmoid}(2z) - 1$: the inner factor 2 goes into the first layer, the rest into the
# second.

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
# for an example then depends on the examples beside it. So it changes with the batch size and with the shuffling, it
# means nothing for a single example, whose variance is 0, and prediction needs other numbers than training. The
# gradient is no longer a mean over examples, so that several devices with a part of the batch each must exchange more
# than gradients.
#
# **7. An example in which the gradient of the sigmoid vanishes?** Above: a chain of ten, and an input of 20. In an MLP
# it takes no more than a large bias. The hidden units are all on for every input, and nothing reaches their weights:

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
# Hidden layers add power only through the activation between them. Relu passes gradients whole or not at all; sigmoid
# and tanh flatten out on both sides, and a chain of sigmoids loses the gradient. Derivatives at many points are
# `vmap(grad(f))`, where PyTorch has `backward` with a vector of ones.
