# %% [markdown]
# # 5.3 Forward propagation, backward propagation, computational graphs
#
# So far `jax.grad` has computed the gradients. Here we compute them by hand for the book's network, which has one
# hidden layer without biases and an $\ell_2$ penalty. The **forward pass** goes from the input to the objective,
#
# $$\mathbf{z} = \mathbf{W}^{(1)} \mathbf{x}, \quad \mathbf{h} = \phi(\mathbf{z}), \quad
# \mathbf{o} = \mathbf{W}^{(2)} \mathbf{h}, \quad L = l(\mathbf{o}, y), \quad
# s = \frac{\lambda}{2} \left(\|\mathbf{W}^{(1)}\|_F^2 + \|\mathbf{W}^{(2)}\|_F^2\right), \quad J = L + s,$$
#
# and stores the intermediate values. The **backward pass** goes back the same way and applies the chain rule.
#
# [This section in the book](https://d2l.ai/chapter_multilayer-perceptrons/backprop.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name

from jaxd2l import activations, losses, models, plots
from jaxd2l.book import autodiff, backprop, graphs
from jaxd2l.book.backprop import RELU, SQUARED, Weights

# %% [markdown]
# ## The forward pass
#
# The code is the formulas above, with one example per row, so that $\mathbf{W} \mathbf{x}$ becomes `x @ W.T`. Here
# $\phi$ is the ReLU and $l$ is the squared loss. `backprop.forward` computes the same for any activation and loss.


# %%
def forward(W1, W2, x, y):
    z = x @ W1.T
    h = jnp.where(z > 0, z, 0)
    o = h @ W2.T
    L = jnp.mean((o - y) ** 2 / 2)
    s = lam / 2 * (jnp.sum(W1**2) + jnp.sum(W2**2))
    return L + s, (z, h, o)


W1_key, W2_key, x_key, y_key = jax.random.split(jax.random.key(0), 4)
weights = Weights(jax.random.normal(W1_key, (6, 4)), jax.random.normal(W2_key, (3, 6)))
x, y = jax.random.normal(x_key, (5, 4)), jax.random.normal(y_key, (5, 3))
lam = 0.1
J, (z, h, o) = forward(*weights, x, y)
packaged, stored = backprop.forward(weights, x, y, loss=SQUARED, weight_decay=lam)
print(f"J = {J:.4f}, of the package {packaged:.4f}")
print("stored:", {name: value.shape for name, value in stored._asdict().items()})

# %% [markdown]
# ## The graph
#
# `graphs.graph` reads the computational graph of any function from its jaxpr, which is JAX's own record of what a
# function computes. Square boxes are values and round boxes are operators. We name the values $\mathbf{z}$,
# $\mathbf{h}$, $\mathbf{o}$ and $L$ ourselves with `checkpoint_name`. Wrapping the loss in `jax.jit` makes it a single
# operator.

# %%
named_relu = RELU._replace(value=lambda z: checkpoint_name(activations.relu(checkpoint_name(z, "z")), "h"))
squared_loss = jax.jit(losses.squared_loss)
named_loss = SQUARED._replace(value=lambda o, y: checkpoint_name(squared_loss(checkpoint_name(o, "o"), y), "L"))


def objective(W1, W2, x, y):
    options = {"activation": named_relu, "loss": named_loss, "weight_decay": lam}
    return checkpoint_name(backprop.forward(Weights(W1, W2), x, y, **options)[0], "J")


graphs.figure(graphs.graph(objective, *weights, x, y, argnums=(0, 1)))

# %% [markdown]
# The blue values are those that the backward pass will need. They are fewer than those that our `forward` stores,
# because the ReLU needs only the signs of $\mathbf{z}$.
#
# ## The backward pass
#
# Read the graph from the end. The gradient of each value is the gradient of the next value times the derivative of the
# operator between them:
#
# $$\frac{\partial J}{\partial \mathbf{o}} = \frac{\partial L}{\partial \mathbf{o}}, \quad
# \frac{\partial J}{\partial \mathbf{W}^{(2)}} = \frac{\partial J}{\partial \mathbf{o}} \mathbf{h}^\top
# + \lambda \mathbf{W}^{(2)}, \quad
# \frac{\partial J}{\partial \mathbf{h}} = {\mathbf{W}^{(2)}}^\top \frac{\partial J}{\partial \mathbf{o}}, \quad
# \frac{\partial J}{\partial \mathbf{z}} = \frac{\partial J}{\partial \mathbf{h}} \odot \phi'(\mathbf{z}), \quad
# \frac{\partial J}{\partial \mathbf{W}^{(1)}} = \frac{\partial J}{\partial \mathbf{z}} \mathbf{x}^\top
# + \lambda \mathbf{W}^{(1)}.$$


# %%
def backward(W1, W2, x, y, z, h, o):
    d_o = (o - y) / o.size
    d_W2 = d_o.T @ h + lam * W2
    d_h = d_o @ W2
    d_z = d_h * (z > 0)
    d_W1 = d_z.T @ x + lam * W1
    return {"o": d_o, "W2": d_W2, "h": d_h, "z": d_z, "W1": d_W1}


by_hand = backward(*weights, x, y, z, h, o)
packaged = backprop.backward(weights, stored, y, loss=SQUARED, weight_decay=lam)
print("as in the package:", all(jnp.allclose(by_hand[name], getattr(packaged, name)) for name in by_hand))

# %% [markdown]
# We now compute the same gradients in three ways: by hand, with `jax.grad`, and with PyTorch, which records the graph
# during the forward pass and walks back along it in `J.backward()`. `retain_grad` keeps gradients that PyTorch would
# otherwise discard.

# %%
by_jax = jax.grad(objective, argnums=(0, 1))(*weights, x, y)

# %%
# %%torch
import torch

W1, W2, x_torch, y_torch = (torch.tensor(np.asarray(array)) for array in (*weights, x, y))
W1.requires_grad_()
W2.requires_grad_()
z_torch = x_torch @ W1.T
h_torch = torch.relu(z_torch)
o_torch = h_torch @ W2.T
for value in (z_torch, h_torch, o_torch):
    value.retain_grad()
L = ((o_torch - y_torch) ** 2 / 2).mean()
J_torch = L + lam / 2 * ((W1**2).sum() + (W2**2).sum())
J_torch.backward()
print("J in torch equals J:", np.allclose(J_torch.item(), J, rtol=1e-6))
for name, tensor in {"o": o_torch, "W2": W2, "h": h_torch, "z": z_torch, "W1": W1}.items():
    print(f"dJ/d{name:3} by hand equals torch's:   ", np.allclose(by_hand[name], tensor.grad.numpy(), atol=1e-6))

# %%
for name, gradient in zip(("W1", "W2"), by_jax, strict=True):
    print(f"dJ/d{name:3} by hand equals jax.grad's:", np.allclose(by_hand[name], gradient, atol=1e-6))

# %% [markdown]
# It is worth checking hand-written gradients against difference quotients, which need no derivation at all.

# %%
worst = autodiff.check_gradient(lambda weights: forward(*weights, x, y)[0], weights)
print("difference quotients agree:", worst < 1e-3)

# %% [markdown]
# ## Memory
#
# Training must keep the intermediate values until the backward pass has used them. Prediction can forget each layer
# once the next is computed. A pass like the one above stores $4n(d + 2\sum h + q)$ bytes for $n$ examples. This is
# proportional to the batch size and grows with every layer (here of 256 units).

# %%
batch_sizes = np.array([64, 128, 256, 512, 1024])
stored_by_depth = {
    f"hidden layers: {depth}": [backprop.stored_bytes(784, (256,) * depth, 10, int(n)) / 1e6 for n in batch_sizes]
    for depth in (1, 2, 4, 8)
}
print("784-256-10, batch of 256:", backprop.stored_bytes(784, (256,), 10, batch_size=256), "bytes")
plots.lines(batch_sizes, stored_by_depth, xlabel="batch size", ylabel="stored for the backward pass (MB)")

# %% [markdown]
# What does JAX itself keep? `graph(...).kept_bytes` counts the bytes, without inputs and parameters. Our pass by hand
# stores $\mathbf{z}$ and $\mathbf{h}$. For a ReLU, JAX stores $\mathbf{h}$ and one byte for each sign of $\mathbf{z}$.

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
# **1. The inputs of a scalar function $f$ are an $n \times m$ matrix. What is the shape of its gradient?** It is $n
# \times m$, with one partial derivative per input. Each gradient above has the shape of its array.
#
# **2. Add biases. Draw the graph, and derive their gradient.** A bias is added to every row, so its gradient is the sum
# of the rows of $\partial J / \partial \mathbf{z}$ (and it is not penalised). To compute it by hand, we treat the bias
# as the weight of one more input, which is always 1.

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
# **3. How much memory do training and prediction take?** The figure above shows it for training. Prediction needs only
# two neighbouring layers at a time, however deep the network is.
#
# **4. What about second derivatives?** Then we differentiate the backward pass itself, and the graph grows by another
# such pass. Computing all second derivatives is out of reach, because the Hessian of $p$ parameters has $p^2$ entries.
# But its product with a vector takes only about as long as two gradients.

# %%
num_parameters = 784 * 256 + 256 * 10
print(f"the Hessian of the 784-256-10 network would take {4 * num_parameters**2 / 1e9:.0f} GB")
direction = jax.tree.map(jnp.ones_like, weights)
product = autodiff.hessian_vector_product(lambda w: objective(*w, x, y), weights, direction)
print("the product has the shapes of the weights:", [p.shape for p in product])

# %% [markdown]
# **5. The graph is too large for your GPU. Should you spread it over several GPUs, or use a smaller batch?** With
# several GPUs you can keep the large batch. But each GPU must send its values to the next, and waits for the previous
# one unless you split the batch into parts that follow each other. A smaller batch needs neither a second GPU nor
# communication, but its gradients are noisier and it uses the hardware less efficiently. If you add up the gradients of
# several small batches, you get the gradient of the large one, in more time. A third way is to wrap parts of the
# network in `jax.checkpoint`. JAX then forgets the values inside these parts and computes them again in the backward
# pass.
#
# ## Summary
#
# The forward pass stores intermediate values, and the backward pass uses them in reverse order. Each takes only a few
# lines, and the results equal those of `jax.grad` and PyTorch. Training takes more memory than prediction because of
# the stored values, which grow in proportion to batch size and depth.
