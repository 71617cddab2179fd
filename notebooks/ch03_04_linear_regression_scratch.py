# %% [markdown]
# # 3.4 Linear regression from scratch
#
# We write the model, the loss, the optimiser and the training loop of linear regression, each in a few lines, and check
# that the package's functions compute the same. Every later section trains with the package's loop.
#
# [This section in the book](https://d2l.ai/chapter_linear-regression/linear-regression-scratch.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import data, initializers, losses, models, plots, train
from jaxd2l.types import Batch, Dataset, Model, TrainState

# %% [markdown]
# ## The model
#
# $$\hat{\mathbf{y}} = \mathbf{X} \mathbf{w} + b$$
#
# A model is a pair of pure functions: `init(key)` draws the parameters and `apply(params, X)` computes the outputs. The
# parameters are a dictionary that you pass in, not attributes of an object. The weights are drawn from $\mathcal{N}(0,
# 0.01^2)$ and the bias begins at 0. PyTorch stores the weight of a layer transposed, as (outputs, inputs). Here it is
# (inputs, outputs), so the code looks like the formula.


# %%
def init(key):
    return {"kernel": 0.01 * jax.random.normal(key, (2, 1)), "bias": jnp.zeros(1)}


def apply(params, X, *, key=None):
    return X @ params["kernel"] + params["bias"]


model = Model(init, apply)
params = model.init(jax.random.key(0))
print({name: value.shape for name, value in params.items()})
print("bias:", params["bias"], "largest weight below 0.05:", bool(abs(params["kernel"]).max() < 0.05))
predictions = model.apply(params, jnp.ones((5, 2)))
print(predictions.shape)
print("as in the package:", jnp.allclose(predictions, models.linear_regression(2).apply(params, jnp.ones((5, 2)))))

# %% [markdown]
# `models.linear_regression(2)` is the same pair. It draws other numbers from the same key, since it splits the key
# among its layers, but given our parameters it computes the same outputs.
#
# ## The loss
#
# $$l^{(i)}(\mathbf{w}, b) = \frac{1}{2} \left(\hat{y}^{(i)} - y^{(i)}\right)^2$$
#
# The loss of a minibatch is the mean over its examples.


# %%
def squared_loss(predictions, targets):
    return jnp.mean((predictions - targets) ** 2 / 2)


targets = jnp.arange(5.0)[:, None]
print(f"{squared_loss(predictions, targets):.4f} {losses.squared_loss(predictions, targets):.4f}")

# %% [markdown]
# The package's loss also insists on equal shapes. Why? In PyTorch as in JAX, a column minus a vector broadcasts to a
# matrix. The mean over that matrix is a number, so training runs, but the result is nonsense.

# %%
column, vector = np.array([[1.0], [2.0], [3.0]], np.float32), np.array([1.0, 2.0, 3.0], np.float32)

# %%
# %%torch
import torch

print("torch:", tuple((torch.tensor(column) - torch.tensor(vector)).shape))

# %%
print("JAX:  ", (jnp.array(column) - jnp.array(vector)).shape)
try:
    losses.squared_loss(jnp.array(column), vector)
except ValueError as error:
    print("ValueError:", error)

# %% [markdown]
# ## The optimiser
#
# Minibatch SGD takes a step against the gradient $\mathbf{g}$ of the minibatch's mean loss:
#
# $$(\mathbf{w}, b) \leftarrow (\mathbf{w}, b) - \eta\, \mathbf{g}.$$
#
# In optax an optimiser is also a pair of pure functions: `init` makes its state (which is empty for SGD), and `update`
# turns the gradients into updates, to be added to the parameters. The book's `SGD` class overwrites the parameters;
# here an update returns new ones.


# %%
def sgd(params, grads, lr):
    return jax.tree.map(lambda parameter, grad: parameter - lr * grad, params, grads)


tx = optax.sgd(0.03)
grads = {"kernel": jnp.array([[1.0], [2.0]]), "bias": jnp.array([-1.0])}
updates, _ = tx.update(grads, tx.init(params), params)
print({name: np.ravel(update).round(2) for name, update in updates.items()})
by_optax = optax.apply_updates(params, updates)
print("the same:", jax.tree.all(jax.tree.map(jnp.allclose, sgd(params, grads, lr=0.03), by_optax)))

# %% [markdown]
# ## Training
#
# A step computes the loss and its gradient, the update, and the new parameters. There is no gradient to clear first,
# because JAX returns gradients and does not accumulate them. An epoch shuffles the examples and takes a step with each
# minibatch.

# Three epochs, batch size 32, learning rate $\eta = 0.03$:

# %%
w, b = np.array([2.0, -3.4]), 4.2
dataset = data.synthetic_regression(jax.random.key(0), w, b, noise=0.01, n=1000)


@jax.jit
def step(params, X, y):
    loss, grads = jax.value_and_grad(lambda params: squared_loss(apply(params, X), y))(params)
    return sgd(params, grads, lr=0.03), loss


key = jax.random.key(1)
start = train.create_state(key, model, tx).params  # `init`, with the key that `fit` uses for it
params = start
for epoch in range(3):
    for indices in data.epoch_indices(key, epoch, n=1000, batch_size=32):
        X, y = (part[indices] for part in dataset.train)
        params, loss = step(params, X, y)
    print(f"epoch {epoch}: loss of the last minibatch {loss:.2f}")

# %% [markdown]
# `train.fit` does the same for any model, loss and optimiser, and measures the validation loss after each epoch. It
# compiles a whole epoch into one program. From the same start and with the same batches, it arrives at our parameters.

# %%
state, history = train.fit(
    model, losses.squared_loss, tx, dataset, key=key, epochs=3, batch_size=32, on_epoch=plots.live_curves(3)
)

# %%
print("as from scratch:", jax.tree.map(lambda a, b: bool(jnp.allclose(a, b, rtol=1e-5)), state.params, params))

# %% [markdown]
# We know the true parameters, so we can compute the errors.

# %%


def errors(params):
    return np.array([*(w - np.ravel(params["kernel"])), b - params["bias"][0]])


print("error in w: [{:.2f}, {:.2f}]  error in b: {:.2f}".format(*errors(state.params)))

# %% [markdown]
# Why are they so large, when the noise is only 0.01? The features have variance 1, so on average a step removes the
# fraction $\eta = 0.03$ of the error and leaves 0.97 of it. Three epochs take 96 steps, starting from about 0:
#
# $$\mathrm{E}[\text{error}] = 0.97^{96} \cdot (w_1, w_2, b).$$
#
# We check this with 64 runs, each on its own data. `fit` compiles the epoch only once for all of them.

# %%
missed = []
for seed in range(64):
    data_key, fit_key = jax.random.split(jax.random.key(seed))
    drawn = data.synthetic_regression(data_key, w, b, num_test=1)
    run, _ = train.fit(model, losses.squared_loss, tx, drawn, key=fit_key, epochs=3, batch_size=32)
    missed.append(errors(run.params))
print("0.97^96 of the truth:", (0.97**96 * np.array([*w, b])).round(4))
print("mean of 64 runs:     ", np.mean(missed, 0).round(3))
print("standard deviation:  ", np.std(missed, 0).round(3))

# %% [markdown]
# More epochs reduce the error until only the noise is left. The validation loss is then half the variance of the noise,
# $0.01^2 / 2 = 0.00005$, and no line can do better.

# %%
longer, history = train.fit(model, losses.squared_loss, tx, dataset, key=key, epochs=10, batch_size=32, state=state)
print("largest error below 0.002:", bool(abs(errors(longer.params)).max() < 0.002))
print(f"validation loss: {history.test_loss[-1]:.5f}")

# %% [markdown]
# ## The same in torch
#
# Here is the book's loop in PyTorch. From the same parameters and with the same batches, it arrives at the same
# numbers.

# %%
# %%torch
W = torch.tensor(np.asarray(start["kernel"]), requires_grad=True)
c = torch.tensor(np.asarray(start["bias"]), requires_grad=True)
for epoch in range(3):
    for indices in data.epoch_indices(key, epoch, n=1000, batch_size=32):
        X, y = (torch.tensor(part[indices]) for part in dataset.train)
        loss = ((X @ W + c - y) ** 2 / 2).mean()
        loss.backward()
        with torch.no_grad():
            for parameter in (W, c):
                parameter -= 0.03 * parameter.grad
                parameter.grad.zero_()
in_torch = np.array([*W.detach().numpy().ravel(), c.item()])
in_jax = np.array([*np.ravel(state.params["kernel"]), state.params["bias"][0]])
print("equal within float32 rounding:", np.allclose(in_torch, in_jax, rtol=1e-5))

# %% [markdown]
# | | PyTorch | JAX, here |
# |---|---|---|
# | parameters | attributes with `requires_grad` | a dictionary that is passed in |
# | gradients | `loss.backward()` adds to `.grad` | `jax.value_and_grad` returns them |
# | clearing them | `zero_grad()` before each step | nothing to clear |
# | update | in place, under `no_grad` | `optax.apply_updates` returns new ones |
# | loop over batches | Python | `lax.scan`, compiled |
#
# ## Exercises
#
# **1. What happens if the weights begin at zero? And with a standard deviation of 1000?** The loss is convex and there
# is only one layer, so zero is as good a start as any (in section 5.1 it will not be). Starting far away, each step
# still leaves the same fraction of the error, but the error is much larger: after three epochs about 5 % of it remains.

# %%
for stddev in (0.0, 1000.0):
    started = models.linear_regression(2, init=initializers.normal(stddev))
    for epochs in (3, 20):
        run, _ = train.fit(started, losses.squared_loss, tx, dataset, key=key, epochs=epochs, batch_size=32)
        print(f"standard deviation {stddev:7}, {epochs:2} epochs: largest error {abs(errors(run.params)).max():.2f}")

# %% [markdown]
# **2. Ohm's law, $U = R I$: learn the resistance from voltages and currents.** It is the model of this section with one
# feature. The weight is $R$, and the bias should be 0. Take a resistor of 47 Ω, 20 currents up to 1 A, and voltages
# with a measurement error of 0.5 V:

# %%
current = np.linspace(0.05, 1, 20, dtype=np.float32)[:, None]
voltage = 47 * current + 0.5 * np.asarray(jax.random.normal(jax.random.key(2), (20, 1)))
measured = Batch(current, voltage)
run, _ = train.fit(
    models.linear_regression(1),
    losses.squared_loss,
    optax.sgd(0.5),
    Dataset(measured, measured),
    key=key,
    epochs=1000,
    batch_size=20,
)
print(f"R = {run.params['kernel'][0, 0]:.0f} Ω, voltage at zero current {run.params['bias'][0]:.0f} V")

# %% [markdown]
# **3. Planck's law: learn the temperature of a body from the spectrum of its radiation.** The model need not be linear.
# Any differentiable function of the parameters will do; here there is a single parameter, $T$. Since the spectral
# density spans several powers of ten, we fit the logarithm of
#
# $$B(\lambda, T) \propto \lambda^{-5} \left(\exp \frac{h c}{\lambda k T} - 1\right)^{-1}$$
#
# With wavelengths in µm and $T$ in units of 1000 K, $h c / k = 14.388$. For the sun, with a measurement error of 5 %:

# %%


def log_planck(T, wavelengths, *, key=None):
    return -5 * jnp.log(wavelengths) - jnp.log(jnp.expm1(14.388 / (wavelengths * T)))


wavelengths = np.linspace(0.3, 3, 50, dtype=np.float32)[:, None]
spectrum = np.asarray(log_planck(5.772, wavelengths) + 0.05 * jax.random.normal(jax.random.key(3), (50, 1)))
seen = Batch(wavelengths, spectrum)
run, _ = train.fit(
    Model(lambda key: jnp.array(3.0), log_planck),
    losses.squared_loss,
    optax.sgd(0.3),
    Dataset(seen, seen),
    key=key,
    epochs=500,
    batch_size=50,
)
print(f"T = {run.params:.1f} thousand kelvin")

# %% [markdown]
# **4. How would you compute the second derivatives, and what is difficult about it?** `jax.hessian` differentiates
# twice. For the mean squared loss, the Hessian with respect to $\mathbf{w}$ is $\mathbf{X}^\top \mathbf{X} / n$. Here
# it is nearly the identity, which is why one learning rate suits both weights. For a model with $p$ parameters the
# Hessian has $p^2$ elements, too many for a large model.

# %%
X, y = dataset.train
mean_loss = lambda kernel: losses.squared_loss(X @ kernel + b, y)  # noqa: E731
hessian = jax.jit(jax.hessian(mean_loss))(jnp.zeros((2, 1))).reshape(2, 2)
print(hessian.round(2), "equal to X'X/n:", bool(jnp.allclose(hessian, X.T @ X / 1000, atol=1e-4)))

# %% [markdown]
# **5. Why does the book's loss reshape the labels?** Because a column minus a vector is a matrix, as shown above.
#
# **6. How fast does the loss fall for other learning rates, and do more epochs help?** If the learning rate is too
# small, the loss hardly falls. If it is too large, each step overshoots by more than it corrects. More epochs help
# until only the noise is left, as above.

# %%
rates = (0.003, 0.03, 0.3, 3.0)
curves = {}
for rate in rates:
    _, history = train.fit(model, losses.squared_loss, optax.sgd(rate), dataset, key=key, epochs=3, batch_size=32)
    curves[f"$\\eta$ = {rate}"] = np.where(np.isfinite(history.step_loss), history.step_loss, np.nan).ravel()[:24]
plots.lines(np.arange(1, 25), curves, xlabel="step", ylabel="loss of the minibatch", yscale="log")

# %% [markdown]
# **7. What if the number of examples cannot be divided by the batch size?** The last batch of the epoch is short
# (section 3.3, exercise 1).
#
# **8. Replace the squared loss by the absolute value. What if one label is an outlier, say $y_5 = 10000$?** The
# derivative of the absolute value has magnitude 1 for every error, so the outlier has no more influence than any other
# example. With the squared loss, the outlier dominates. The Huber loss is $\frac{1}{2} e^2$ for errors up to 1 and
# $|e| - \frac{1}{2}$ beyond; it is smooth at 0 and just as robust. While the errors are large, both robust losses take
# steps of bounded length, so they need more steps.

# %%
labels = dataset.train.labels.copy()
labels[5] = 10000.0
spoilt = dataset._replace(train=dataset.train._replace(labels=labels))
candidates = {
    "squared": losses.squared_loss,
    "absolute": lambda outputs, targets: jnp.mean(jnp.abs(outputs - targets)),
    "Huber": lambda outputs, targets: jnp.mean(optax.huber_loss(outputs, targets)),
}
for name, loss in candidates.items():
    for what, used in (("clean", dataset), ("with an outlier", spoilt)):
        run, _ = train.fit(model, loss, tx, used, key=key, epochs=10, batch_size=32)
        print(f"{name:8} loss, data {what:15}: largest error {abs(errors(run.params)).max():.2f}")

# %% [markdown]
# **9. Why must the examples be shuffled?** Because the last batches have the last word. Suppose that an adversary sorts
# the examples: the first half of the labels are 0, the second half are 10, and the features tell nothing about them.
# The best prediction is the mean, 5.

# %%
zeros, labels = np.zeros((1000, 1), np.float32), np.repeat(np.float32([0, 10]), 500)[:, None]
constant = models.linear_regression(1)
train_step = jax.jit(train.make_train_step(constant, losses.squared_loss, optax.sgd(0.1)))
orders = {"sorted": np.arange(1000), "shuffled": np.concatenate(data.epoch_indices(key, 0, n=1000, batch_size=10))}
for name, order in orders.items():
    params = constant.init(key)
    at_hand = TrainState(params, optax.sgd(0.1).init(params), jnp.array(0))
    for rows in order.reshape(100, 10):
        at_hand, _ = train_step(at_hand, Batch(zeros[rows], labels[rows]))
    print(f"{name:8} after an epoch it predicts {at_hand.params['bias'][0]:.1f}")

# %% [markdown]
# ## Summary
#
# The model, the loss and the optimiser are pure functions. Training is a loop over minibatches that computes the
# gradient and takes a step. With data from a known line we can predict the outcome: each step leaves 0.97 of the error,
# and 96 steps leave 0.054 of it.
