# %% [markdown]
# # 5.3 Forward propagation, backward propagation, computational graphs
#
# Training has so far left the gradient to `jax.grad`. Here it is computed by hand, for the book's network: one hidden
# layer without biases, and an $\ell_2$ penalty. The **forward pass** goes from the input to the objective,
#
# $$\mathbf{z} = \mathbf{W}^{(1)} \mathbf{x}, \quad \mathbf{h} = \phi(\mathbf{z}), \quad
# \mathbf{o} = \mathbf{W}^{(2)} \mathbf{h}, \quad L = l(\mathbf{o}, y), \quad
# s = \frac{\lambda}{2} \left(\|\mathbf{W}^{(1)}\|_F^2 + \|\mathbf{W}^{(2)}\|_F^2\right), \quad J = L + s,$$
#
# and stores what it passes through. The **backward pass** goes the same way in reverse, by the chain rule.

# %%
# %matplotlib inline
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax.ad_checkpoint import checkpoint_name

from jaxd2l import activations, losses, models, plots
from jaxd2l.book import autodiff, backprop, graphs
from jaxd2l.book.backprop import RELU, SQUARED, Weights


def body(function):
    """The source of a function after its docstring."""
    return inspect.getsource(function).split('"""')[2].strip("\n")


# %% [markdown]
# ## The forward pass
#
# `backprop.forward` is the formulas above, with one example per row (so that $\mathbf{W} \mathbf{x}$ reads
# `x @ W.T`), after a check of the shapes.

# %%
print(body(backprop.forward))

# %%
W1_key, W2_key, x_key, y_key = jax.random.split(jax.random.key(0), 4)
weights = Weights(jax.random.normal(W1_key, (6, 4)), jax.random.normal(W2_key, (3, 6)))
x, y = jax.random.normal(x_key, (5, 4)), jax.random.normal(y_key, (5, 3))
lam = 0.1
J, stored = backprop.forward(weights, x, y, loss=SQUARED, weight_decay=lam)
print(f"J = {float(J):.4f}")
print("stored:", {name: value.shape for name, value in stored._asdict().items()})

# %% [markdown]
# ## The graph
#
# `graphs.graph` reads the computational graph of any function from its jaxpr, JAX's own record of what a function
# computes. Squares are values, round boxes operators. Naming $\mathbf{z}$, $\mathbf{h}$, $\mathbf{o}$ and $L$ is up to
# us, by `checkpoint_name`; and wrapping the loss in `jax.jit` makes it one operator rather than several.

# %%
named_relu = RELU._replace(value=lambda z: checkpoint_name(activations.relu(checkpoint_name(z, "z")), "h"))
squared_loss = jax.jit(losses.squared_loss)
named_loss = SQUARED._replace(value=lambda o, y: checkpoint_name(squared_loss(checkpoint_name(o, "o"), y), "L"))


def objective(W1, W2, x, y):
    options = {"activation": named_relu, "loss": named_loss, "weight_decay": lam}
    return checkpoint_name(backprop.forward(Weights(W1, W2), x, y, **options)[0], "J")


graphs.figure(graphs.graph(objective, *weights, x, y, argnums=(0, 1)))

# %% [markdown]
# Blue is what the backward pass will need. It is less than what `forward` stores: of $\mathbf{z}$ only the signs matter
# to a relu.
#
# ## The backward pass
#
# Read the graph from below. Each value's gradient is that of the value after it, times the derivative of the operator
# between:
#
# $$\frac{\partial J}{\partial \mathbf{o}} = \frac{\partial L}{\partial \mathbf{o}}, \quad
# \frac{\partial J}{\partial \mathbf{W}^{(2)}} = \frac{\partial J}{\partial \mathbf{o}} \mathbf{h}^\top
# + \lambda \mathbf{W}^{(2)}, \quad
# \frac{\partial J}{\partial \mathbf{h}} = {\mathbf{W}^{(2)}}^\top \frac{\partial J}{\partial \mathbf{o}}, \quad
# \frac{\partial J}{\partial \mathbf{z}} = \frac{\partial J}{\partial \mathbf{h}} \odot \phi'(\mathbf{z}), \quad
# \frac{\partial J}{\partial \mathbf{W}^{(1)}} = \frac{\partial J}{\partial \mathbf{z}} \mathbf{x}^\top
# + \lambda \mathbf{W}^{(1)}.$$

# %%
print(body(backprop.backward))

# %% [markdown]
# The same gradients three times: by hand, by `jax.grad`, and by PyTorch, which records the graph while the forward pass
# runs and follows it back in `J.backward()`. `retain_grad` keeps a gradient that PyTorch would throw away on its way.

# %%
by_hand = backprop.backward(weights, stored, y, loss=SQUARED, weight_decay=lam)
by_jax = jax.grad(objective, argnums=(0, 1))(*weights, x, y)
W1, W2, x_torch, y_torch = (torch.tensor(np.asarray(array)) for array in (*weights, x, y))
W1.requires_grad_()
W2.requires_grad_()
z = x_torch @ W1.T
h = torch.relu(z)
o = h @ W2.T
for value in (z, h, o):
    value.retain_grad()
L = ((o - y_torch) ** 2 / 2).mean()
J_torch = L + lam / 2 * ((W1**2).sum() + (W2**2).sum())
J_torch.backward()
print("J in torch is J:", np.allclose(J_torch.item(), J, rtol=1e-6))
for name, tensor in {"o": o, "W2": W2, "h": h, "z": z, "W1": W1}.items():
    print(f"dJ/d{name:3} by hand is torch's:", np.allclose(getattr(by_hand, name), tensor.grad.numpy(), atol=1e-6))
for name, gradient in zip(("W1", "W2"), by_jax, strict=True):
    print(f"dJ/d{name:3} by hand is jax.grad's:", bool(jnp.allclose(getattr(by_hand, name), gradient, atol=1e-6)))

# %% [markdown]
# Gradients written by hand deserve a check against difference quotients, which need no derivation at all.

# %%
worst = autodiff.check_gradient(lambda weights: backprop.forward(weights, x, y, loss=SQUARED)[0], weights)
print("difference quotients agree:", worst < 1e-3)

# %% [markdown]
# ## Memory
#
# Training has to keep the values on the way until the backward pass has used them; prediction can forget each layer
# after the next. A pass like the one above stores $4n(d + 2\sum h + q)$ bytes for $n$ examples: proportional to the
# batch, and growing with every layer (here of 256 units).

# %%
batch_sizes = np.array([64, 128, 256, 512, 1024])
stored_by_depth = {
    f"hidden layers: {depth}": [backprop.stored_bytes(784, (256,) * depth, 10, int(n)) / 1e6 for n in batch_sizes]
    for depth in (1, 2, 4, 8)
}
print("784-256-10, batch of 256:", backprop.stored_bytes(784, (256,), 10, batch_size=256), "bytes")
plots.lines(batch_sizes, stored_by_depth, xlabel="batch size", ylabel="stored for the backward pass (MB)")

# %% [markdown]
# What does JAX itself keep? `graph(...).kept_bytes` counts it, inputs and parameters aside. Where the pass by hand
# stores $\mathbf{z}$ and $\mathbf{h}$, a relu in JAX costs $\mathbf{h}$ and one byte per sign of $\mathbf{z}$.

# %%
images, labels = jax.ShapeDtypeStruct((256, 784), np.float32), jax.ShapeDtypeStruct((256,), np.int32)
deep = models.mlp(784, (256,) * 4, 10)
like = jax.eval_shape(deep.init, jax.random.key(0))


def loss_of_batch(params, images, labels):
    return losses.cross_entropy(deep.apply(params, images), labels)


kept = graphs.graph(loss_of_batch, like, images, labels, argnums=0).kept_bytes
by_hand_bytes = backprop.stored_bytes(784, (256,) * 4, 10, batch_size=256) - 4 * 256 * 784
print(f"four hidden layers, batch of 256: by hand {by_hand_bytes / 1e6:.1f} MB, JAX {kept / 1e6:.1f} MB")

# %% [markdown]
# ## Exercises
#
# **1. The inputs of a scalar function $f$ are an $n \times m$ matrix. What is the shape of its gradient?** $n \times
# m$: one partial derivative per input. Each gradient above had the shape of its array.
#
# **2. Add biases. Draw the graph, and derive their gradient.** A bias is added to every row, so its gradient is the sum
# of the rows of $\partial J / \partial \mathbf{z}$ (and it bears no penalty). By hand: a bias is the weight of one more
# input that is always 1.

# %%
b1 = jnp.arange(6.0) / 10
extended, inputs = weights._replace(W1=jnp.c_[weights.W1, b1]), jnp.c_[x, jnp.ones(5)]
_, stored_too = backprop.forward(extended, inputs, y, loss=SQUARED)
gradients = backprop.backward(extended, stored_too, y, loss=SQUARED)
print("dJ/db1 is the sum of dJ/dz:", bool(jnp.allclose(gradients.W1[:, -1], gradients.z.sum(0), atol=1e-6)))

model = models.mlp(4, 6, 3)
params = ({"kernel": weights.W1.T, "bias": b1}, {"kernel": weights.W2.T, "bias": jnp.zeros(3)})


def with_biases(params, x, y):
    return squared_loss(model.apply(params, x), y)


print("jax.grad agrees:", bool(jnp.allclose(jax.grad(with_biases)(params, x, y)[0]["bias"], gradients.z.sum(0))))
graphs.figure(graphs.graph(with_biases, params, x, y, argnums=0))

# %% [markdown]
# **3. How much memory do training and prediction take?** Training: the figure above. Prediction: two neighbouring
# layers at a time, however deep the network.
#
# **4. What about second derivatives?** Then the backward pass itself is a function to be differentiated, and the graph
# grows by another such pass. All second derivatives are out of reach: the Hessian of $p$ parameters has $p^2$ entries.
# But its product with a vector takes only about as long as two gradients.

# %%
num_parameters = 784 * 256 + 256 * 10
print(f"the Hessian of the 784-256-10 network would take {4 * num_parameters**2 / 1e9:.0f} GB")
direction = jax.tree.map(jnp.ones_like, weights)
product = autodiff.hessian_vector_product(lambda w: objective(*w, x, y), weights, direction)
print("the product has the shapes of the weights:", [p.shape for p in product])

# %% [markdown]
# **5. The graph is too large for your GPU. Spread it over several, or take a smaller batch?** Over several GPUs the
# batch stays whole, but values must be sent from one to the next, and each waits for the one before unless the batch is
# cut into parts that follow each other. A smaller batch needs no second GPU and no traffic, but gives noisier gradients
# and uses the hardware less well; summing the gradients of several small batches gives back the large one at the price
# of time. A third way is `jax.checkpoint` around parts of the network: values inside them are forgotten, and computed
# again in the backward pass.
#
# ## Summary
#
# The forward pass stores intermediate values, and the backward pass uses them in reverse order; both can be written in
# a few lines, and equal `jax.grad` and PyTorch. Training takes more memory than prediction because of what is stored,
# in proportion to batch size and depth.
