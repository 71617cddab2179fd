# %% [markdown]
# # 3.4 Linear regression from scratch
#
# The model, the loss, the optimiser and the training loop of linear regression, each in a few lines that can be read.
# They are the package's own: every later section trains with the same loop.

# %%
# %matplotlib inline
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from jaxd2l import data, initializers, losses, models, plots, train
from jaxd2l.models import linear
from jaxd2l.types import Batch, Dataset, Model, TrainState

# %% [markdown]
# ## The model
#
# $$\hat{\mathbf{y}} = \mathbf{X} \mathbf{w} + b$$
#
# A model is a pair of pure functions: `init(key)` draws the parameters, `apply(params, X)` computes the outputs. The
# parameters are a dictionary that is passed in, not attributes that are changed.

# %%
print(inspect.getsource(linear.linear).replace("\n\n", "\n"))
model = models.linear_regression(2)
params = model.init(jax.random.key(0))
print({name: value.shape for name, value in params.items()})
print("bias:", params["bias"], "largest weight below 0.05:", bool(abs(params["kernel"]).max() < 0.05))
print(model.apply(params, jnp.ones((5, 2))).shape)

# %% [markdown]
# The weights are drawn from $\mathcal{N}(0, 0.01^2)$, the bias begins at 0. Torch keeps a layer's weight transposed, as
# (outputs, inputs); here it is (inputs, outputs), so that the formula can be written as it stands.
#
# ## The loss
#
# $$l^{(i)}(\mathbf{w}, b) = \frac{1}{2} \left(\hat{y}^{(i)} - y^{(i)}\right)^2$$
#
# and its mean over the minibatch.

# %%
source = inspect.getsource(losses.squared_loss)
print(source[source.index("    predictions = ") :])

# %% [markdown]
# Why it insists on equal shapes: a column minus a vector broadcasts to a matrix, in torch as in JAX. The mean over that
# matrix is a number, training runs, and what comes out is nonsense.

# %%
column, vector = np.array([[1.0], [2.0], [3.0]], np.float32), np.array([1.0, 2.0, 3.0], np.float32)
print("torch:", tuple((torch.tensor(column) - torch.tensor(vector)).shape))
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
# In optax an optimiser is again a pair of pure functions: `init` makes its state (SGD has none to speak of), `update`
# turns gradients into what is to be added. The book's `SGD` class overwrites the parameters; here the new ones are a
# result.

# %%
tx = optax.sgd(0.03)
grads = {"kernel": jnp.array([[1.0], [2.0]]), "bias": jnp.array([-1.0])}
updates, _ = tx.update(grads, tx.init(params), params)
print({name: np.ravel(update).round(2) for name, update in updates.items()})

# %% [markdown]
# ## Training
#
# A step: the loss and its gradient, the update, the sum. There is no gradient to be cleared first, for `jax` returns
# gradients and accumulates them nowhere.

# %%
source = inspect.getsource(train.make_train_step)
print(source[source.index("    def step") :])

# %% [markdown]
# `train.fit` repeats it over shuffled minibatches, and measures the validation loss after each epoch. An epoch is one
# compiled program. 3 epochs, batch size 32, learning rate $\eta = 0.03$:

# %%
w, b = np.array([2.0, -3.4]), 4.2
dataset = data.synthetic_regression(jax.random.key(0), w, b, noise=0.01, n=1000)
state, history = train.fit(
    model,
    losses.squared_loss,
    tx,
    dataset,
    key=jax.random.key(1),
    epochs=3,
    batch_size=32,
    on_epoch=plots.live_curves(3),
)

# %% [markdown]
# We know the truth, so the error in the parameters can be told.

# %%


def errors(params):
    return np.array([*(w - np.ravel(params["kernel"])), b - params["bias"][0]])


print("error in w: [{:.2f}, {:.2f}]  error in b: {:.2f}".format(*errors(state.params)))

# %% [markdown]
# Why is it so large, when the noise is only 0.01? The features have variance 1, so on average a step takes the fraction
# $\eta = 0.03$ of the error away and leaves 0.97 of it. Three epochs are 96 steps from about 0:
#
# $$\mathrm{E}[\text{error}] = 0.97^{96} \cdot (w_1, w_2, b).$$
#
# 64 runs, each on data of its own, agree. The epoch is compiled once for all of them.

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
# More epochs take it down until the noise is left. The validation loss then stands at half the noise's variance,
# $0.01^2 / 2 = 0.00005$, and no line can do better.

# %%
state, history = train.fit(
    model, losses.squared_loss, tx, dataset, key=jax.random.key(1), epochs=10, batch_size=32, state=state
)
print("largest error below 0.002:", bool(abs(errors(state.params)).max() < 0.002))
print(f"validation loss: {history.test_loss[-1]:.5f}")

# %% [markdown]
# ## The same in torch
#
# The book's loop, from the same parameters and on the same batches. It arrives at the same numbers.

# %%
key = jax.random.key(1)
start = train.create_state(key, model, tx).params
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
ours, _ = train.fit(model, losses.squared_loss, tx, dataset, key=key, epochs=3, batch_size=32)
in_torch = np.array([*W.detach().numpy().ravel(), c.item()])
in_jax = np.array([*np.ravel(ours.params["kernel"]), ours.params["bias"][0]])
print("equal within float32 rounding:", np.allclose(in_torch, in_jax, rtol=1e-5))

# %% [markdown]
# | | PyTorch | JAX, here |
# |---|---|---|
# | parameters | attributes with `requires_grad` | a dictionary that is passed in |
# | gradients | `loss.backward()` adds to `.grad` | `jax.value_and_grad` returns them |
# | clearing them | `zero_grad()` before each step | nothing to clear |
# | update | in place, under `no_grad` | `optax.apply_updates` returns new ones |
# | the loop over batches | Python | `lax.scan`, compiled |
#
# ## Exercises
#
# **1. What happens if the weights begin at zero? And with a standard deviation of 1000?** The loss is convex and there
# is one layer, so zero is as good a start as any (in section 5.1 it will not be). From far away the same fraction of
# the error is left after each step, and that is a fraction of much more: three epochs leave about 0.05 of it.

# %%
for stddev in (0.0, 1000.0):
    started = models.linear_regression(2, init=initializers.normal(stddev))
    for epochs in (3, 20):
        run, _ = train.fit(started, losses.squared_loss, tx, dataset, key=key, epochs=epochs, batch_size=32)
        print(f"standard deviation {stddev:7}, {epochs:2} epochs: largest error {abs(errors(run.params)).max():.2f}")

# %% [markdown]
# **2. Ohm's law, $U = R I$: learn the resistance from voltages and currents.** It is this section's model with one
# feature; the weight is $R$, and the bias should be 0. A resistor of 47 Ω, 20 currents up to 1 A, voltages that are
# wrong by 0.5 V:

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
print(f"R = {run.params['kernel'][0, 0]:.0f} Ω, at no current {run.params['bias'][0]:.0f} V")

# %% [markdown]
# **3. Planck's law: learn the temperature of a body from the spectrum of its radiation.** The model need not be linear:
# any function of parameters that can be differentiated will do, here with the single parameter $T$. Spectral density
# spans powers of ten, so the logarithm of
#
# $$B(\lambda, T) \propto \lambda^{-5} \left(\exp \frac{h c}{\lambda k T} - 1\right)^{-1}$$
#
# is fitted. With wavelengths in µm and $T$ in units of 1000 K, $h c / k = 14.388$. The sun, with measurements that are
# wrong by 5 %:

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
# **4. How would the second derivatives be computed, and what would they be good for?** `jax.hessian` differentiates
# twice. For the mean squared loss the Hessian in $\mathbf{w}$ is $\mathbf{X}^\top \mathbf{X} / n$, here nearly the
# identity: that is why one learning rate suits both weights. For a model of $p$ parameters it has $p^2$ elements.

# %%
X, y = dataset.train
mean_loss = lambda kernel: losses.squared_loss(X @ kernel + b, y)  # noqa: E731
hessian = jax.jit(jax.hessian(mean_loss))(jnp.zeros((2, 1))).reshape(2, 2)
print(hessian.round(2), "equal to X'X/n:", bool(jnp.allclose(hessian, X.T @ X / 1000, atol=1e-4)))

# %% [markdown]
# **5. Why does the book's loss reshape the labels?** A column minus a vector is a matrix, as shown above.
#
# **6. How fast does the loss fall for other learning rates, and do more epochs help?** Too small, and little happens;
# too large, and each step overshoots by more than it corrects. More epochs help until the noise is left, as above.

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
# gradient of the absolute value has length 1 whatever the error, so the outlier weighs no more than any other example.
# The squared loss follows it. The Huber loss is $\frac{1}{2} e^2$ for errors up to 1 and $|e| - \frac{1}{2}$ beyond:
# smooth at 0, and as robust. While the errors are large both take steps of fixed length, so they need more of them.

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
# **9. Why must the examples be shuffled?** The last batches have the last word. An adversary sorts them: the first
# half of the labels is 0, the second half 10, and the features say nothing about it. The mean, 5, is the best
# prediction.

# %%
zeros, labels = np.zeros((1000, 1), np.float32), np.repeat(np.float32([0, 10]), 500)[:, None]
constant = models.linear_regression(1)
step = jax.jit(train.make_train_step(constant, losses.squared_loss, optax.sgd(0.1)))
orders = {"sorted": np.arange(1000), "shuffled": np.concatenate(data.epoch_indices(key, 0, n=1000, batch_size=10))}
for name, order in orders.items():
    params = constant.init(key)
    at_hand = TrainState(params, optax.sgd(0.1).init(params), jnp.array(0))
    for rows in order.reshape(100, 10):
        at_hand, _ = step(at_hand, Batch(zeros[rows], labels[rows]))
    print(f"{name:8} after an epoch it predicts {at_hand.params['bias'][0]:.1f}")

# %% [markdown]
# ## Summary
#
# Model, loss and optimiser are pure functions; training is a loop over minibatches that takes the gradient and a step.
# With data from a known line the outcome can be foretold: each step leaves 0.97 of the error, and 96 steps 0.054.
