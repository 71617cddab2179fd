# %% [markdown]
# # 3.5 Concise implementation of linear regression
#
# Layers, losses and optimisers are so common that libraries provide them: layers come from Flax, losses and optimisers
# from optax. This section builds the model of section 3.4 from them, and finds two places where concise code in PyTorch
# and in JAX silently computes different things.
#
# [This section in the book](https://d2l.ai/chapter_linear-regression/linear-regression-concise.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen, nnx

from jaxd2l import data, losses, models, plots, train
from jaxd2l.models import least_squares

w, b = np.array([2.0, -3.4]), 4.2
dataset = data.synthetic_regression(jax.random.key(0), w, b, noise=0.01, n=1000)

# %% [markdown]
# ## The model
#
# $\hat{y} = \mathbf{w}^\top \mathbf{x} + b$ is a fully connected layer with one output: `nn.Linear(2, 1)` in
# PyTorch, `nnx.Linear(2, 1, rngs=rngs)` in Flax. A Flax module draws its first parameters from `rngs`, where PyTorch
# uses a global generator. `models.from_flax` takes a function of `rngs` that builds the module, and turns it into a
# `Model`, the pair of pure functions that the training loop takes.

# %%
model = models.from_flax(lambda rngs: nnx.Linear(2, 1, rngs=rngs))
params = model.init(jax.random.key(0))
print(jax.tree.map(jnp.shape, params))

# %% [markdown]
# There is a hidden default. The book begins with weights from $\mathcal{N}(0, 0.01^2)$. Flax draws them from a
# truncated normal distribution with variance 1/inputs. PyTorch draws them from a uniform distribution, and the bias
# too. `models.flax_linear_regression` is the same layer with the book's initialisation. From the same key it draws the
# same numbers as `models.linear_regression`.

# %%
key = jax.random.key(1)
scratch, concise = models.linear_regression(2), models.flax_linear_regression(2)
print("Flax's default, weights below 0.05:", bool(jnp.abs(params["kernel"]).max() < 0.05))
print("the book's, weights below 0.05:", bool(jnp.abs(scratch.init(key)["kernel"]).max() < 0.05))
print("the same numbers:", jnp.array_equal(concise.init(key)["layers"][0]["kernel"], scratch.init(key)["kernel"]))

# %% [markdown]
# Modules of Flax's older interface, Linen, leave the number of inputs open, as PyTorch's `LazyLinear` does. For such a
# module, also give `from_flax` an example.

# %%
in_linen = models.from_flax(linen.Dense(1), example_input=jnp.zeros((1, 2)))
print(jax.tree.map(jnp.shape, in_linen.init(jax.random.key(0))))

# %% [markdown]
# ## The loss
#
# **Not all squared losses are equal.** The book derives $\frac{1}{2} (\hat{y} - y)^2$. optax's `l2_loss` has this half.
# PyTorch's `MSELoss` does not, so its gradient is twice as long, and so is each step at the same learning rate. The
# book's PyTorch and JAX tabs use these two losses with the same learning rate, so they train at different speeds.
#
# `losses.squared_loss` has the half, as in section 3.4.

# %%
predictions, targets = np.array([[1.0], [2.0]], np.float32), np.array([[0.0], [5.0]], np.float32)

# %%
# %%torch
import torch

outputs = torch.tensor(predictions, requires_grad=True)
loss = torch.nn.MSELoss()(outputs, torch.tensor(targets))
loss.backward()
print("torch MSELoss:      ", loss.item(), "gradient", outputs.grad.numpy().ravel())

# %%
ours = losses.squared_loss(jnp.array(predictions), targets)
print("losses.squared_loss:", ours, "gradient", jax.grad(losses.squared_loss)(jnp.array(predictions), targets).ravel())
print("optax.l2_loss, mean:", optax.l2_loss(predictions, targets).mean())

# %% [markdown]
# ## Training
#
# `optax.sgd(0.03)` is the optimiser and `train.fit` is the loop. Nothing else changes.

# %%
tx = optax.sgd(0.03)
state, history = train.fit(
    concise,
    losses.squared_loss,
    tx,
    dataset,
    key=key,
    epochs=3,
    batch_size=32,
    on_epoch=plots.live_curves(3),
)

# %%


def errors(weights, bias):
    return np.array([*(w - np.ravel(weights)), b - np.ravel(bias)[0]])


layer = state.params["layers"][0]
print("error in w: [{:.2f}, {:.2f}]  error in b: {:.2f}".format(*errors(layer["kernel"], layer["bias"])))
by_hand, _ = train.fit(scratch, losses.squared_loss, tx, dataset, key=key, epochs=3, batch_size=32)
print("as from scratch:", jnp.allclose(layer["kernel"], by_hand.params["kernel"], rtol=1e-5))

# %% [markdown]
# ## The same in torch
#
# We run the book's concise version from our initial parameters and with our batches. Each of our steps leaves $1 - \eta
# = 0.97$ of the error; with `MSELoss` a step leaves $1 - 2 \eta = 0.94$. After 96 steps the difference is a factor of
# twenty.


# %%
# %%torch
def in_torch(loss, lr):
    net = torch.nn.Sequential(torch.nn.Linear(2, 1))
    start = scratch.init(jax.random.key(0))
    net.load_state_dict({"0.weight": torch.tensor(np.asarray(start["kernel"]).T), "0.bias": torch.zeros(1)})
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    for epoch in range(3):
        for indices in data.epoch_indices(key, epoch, n=1000, batch_size=32):
            X, y = (torch.tensor(part[indices]) for part in dataset.train)
            optimizer.zero_grad()
            loss(net(X), y).backward()
            optimizer.step()
    return errors(net[0].weight.detach().numpy(), net[0].bias.detach().numpy())


print("0.97^96 of the truth:", (0.97**96 * np.array([*w, b])).round(4))
print("torch, half of MSE:  ", in_torch(lambda p, y: torch.nn.functional.mse_loss(p, y) / 2, lr=0.03).round(2))
print("0.94^96 of the truth:", (0.94**96 * np.array([*w, b])).round(4))
print("torch, MSELoss:      ", in_torch(torch.nn.MSELoss(), lr=0.03).round(2))
print("MSELoss, half the lr:", in_torch(torch.nn.MSELoss(), lr=0.015).round(2))

# %% [markdown]
# | | PyTorch | JAX, Flax and optax |
# |---|---|---|
# | layer | `nn.Linear(2, 1)`, weight (1, 2) | `nnx.Linear(2, 1, rngs=rngs)`, kernel (2, 1) |
# | number of inputs left open | `nn.LazyLinear(1)` | `linen.Dense(1)`, with an example |
# | first parameters | uniform, bias too | truncated normal, bias 0 |
# | squared loss | `nn.MSELoss()`, without the half | `optax.l2_loss`, with the half, not averaged |
# | optimiser | `torch.optim.SGD(net.parameters(), lr)` | `optax.sgd(lr)`, independent of the parameters |
# | access | `net[0].weight`, `net[0].weight.grad` | `params["layers"][0]["kernel"]`; gradients are returned |
#
# ## Exercises
#
# **1. How must the learning rate change if the loss is the sum over the minibatch instead of the mean?** The gradient
# is 32 times as long, so divide the learning rate by 32. Then everything is as before except the last batch of each
# epoch, whose 8 examples now make only a quarter of a step. If you keep the learning rate, a rate that works well for
# the mean may diverge for the sum. This happens for 0.1:

# %%
summed = lambda outputs, targets: losses.squared_loss(outputs, targets, reduction="sum")  # noqa: E731
for name, loss, rate in (
    ("mean, 0.03", losses.squared_loss, 0.03),
    ("sum, 0.03 / 32", summed, 0.03 / 32),
    ("mean, 0.1", losses.squared_loss, 0.1),
    ("sum, 0.1", summed, 0.1),
):
    run, _ = train.fit(concise, loss, optax.sgd(rate), dataset, key=key, epochs=3, batch_size=32)
    largest = abs(errors(*(run.params["layers"][0][part] for part in ("kernel", "bias")))).max()
    print(f"{name:14} largest error", f"{largest:.2f}" if largest < 1e6 else "beyond 1e6")

# %% [markdown]
# **2. Replace the squared loss by Huber's robust loss.** It is called `optax.huber_loss` and `torch.nn.HuberLoss`. Both
# have the half, and both are quadratic up to `delta`. (Section 3.4 trains with it.)

# %%
residuals = np.array([0.0, 0.5, 1.0, 3.0], np.float32)

# %%
# %%torch
zeros = torch.zeros(4)
print("optax:", optax.huber_loss(jnp.array(residuals)))
print("torch:", torch.nn.HuberLoss(reduction="none")(torch.tensor(residuals), zeros).numpy())

# %% [markdown]
# **3. How do you access the gradient of the weights?** In PyTorch it is `net[0].weight.grad`, after `backward`. In JAX,
# `jax.grad` returns it, as a tree like the parameters. (`history` holds losses only.)

# %%
X, y = dataset.train
grads = jax.grad(lambda params: losses.squared_loss(concise.apply(params, X), y))(concise.init(key))
print(np.ravel(grads["layers"][0]["kernel"]).round(2), np.ravel(grads["layers"][0]["bias"]).round(2))

# %% [markdown]
# At the start the predictions are about 0. Since the features have variance 1, the gradient is about $-\mathbf{w}$ and
# $-b$.
#
# **4. With another learning rate and more epochs, does the result keep improving?** Only until the noise dominates.
# From then on each step follows the noise of its minibatch back and forth, and further if the learning rate is larger.
# A small rate ends closer to the truth but takes longer to get there.

# %%
for rate in (0.003, 0.03, 0.3):
    tx, run, largest = optax.sgd(rate), None, []
    for epochs in (3, 30, 300):  # each run resumes the one before
        run, _ = train.fit(concise, losses.squared_loss, tx, dataset, key=key, epochs=epochs, batch_size=32, state=run)
        largest.append(abs(errors(*(run.params["layers"][0][part] for part in ("kernel", "bias")))).max())
    print(f"rate {rate}: largest error after 3, 30, 300 epochs", ", ".join(f"{error:.3f}" for error in largest))

# %% [markdown]
# **5. How does the error depend on the number of examples?** To leave out the error that remains after training, use
# the closed-form solution. The estimate of each parameter has standard deviation $\sigma / \sqrt{n}$, so halving the
# error takes four times the data. That is why the axis is logarithmic: going from 100 examples to 110 makes no visible
# difference. With only a few examples the error is somewhat larger, because three parameters must be estimated from
# them.

# %%
sizes = np.array([10, 100, 1000, 10000])
X, y = data.synthetic_regression(jax.random.key(0), w, b, n=100 * 10000, num_test=1).train
solve = jax.jit(jax.vmap(least_squares))
rms = []
for n in sizes:  # 100 training sets of n examples each
    fits = solve(X[: 100 * n].reshape(100, n, 2), y[: 100 * n].reshape(100, n, 1))
    rms.append(np.sqrt(np.mean((fits["kernel"][:, :, 0] - w) ** 2, axis=0)))
    print(f"{n:5} examples: error {rms[-1].max():.5f}, expected {0.01 / n**0.5:.5f}")
by_size = np.array(rms).T
curves = {"$\\hat{w}_1$": by_size[0], "$\\hat{w}_2$": by_size[1], "$\\sigma / \\sqrt{n}$": 0.01 / sizes**0.5}
plots.lines(
    sizes, curves, xlabel="training examples $n$", ylabel="error (root mean square)", xscale="log", yscale="log"
)

# %% [markdown]
# ## Summary
#
# One layer of Flax, one loss and one optimiser of optax express section 3.4 in three lines. From the same key they
# train to the same parameters. Whether PyTorch does so too depends on two defaults: the initialisation of the layer,
# and the half in the loss.
