# %% [markdown]
# # 3.6 Generalisation
#
# A model that reproduces its training set may have learnt the pattern, or only the examples. Data that it has not seen
# show which. This section shows polynomials of degree 1, 3 and 8, which underfit, fit and overfit, and then chooses the
# degree by cross-validation.
#
# [This section in the book](https://d2l.ai/chapter_linear-regression/generalization.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
from functools import partial

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

from jaxd2l import losses, models, plots, train
from jaxd2l.book import generalization
from jaxd2l.models import least_squares
from jaxd2l.types import Batch, Dataset

# %% [markdown]
# ## Training error and generalisation error
#
# The training error is a mean over the examples we have. The generalisation error is an expectation over the
# distribution $P$ that they come from:
#
# $$R_{\mathrm{emp}}[f] = \frac{1}{n} \sum_{i=1}^n l(\mathbf{x}^{(i)}, y^{(i)}, f(\mathbf{x}^{(i)})),
# \qquad R[f] = \mathrm{E}_{(\mathbf{x}, y) \sim P}\, l(\mathbf{x}, y, f(\mathbf{x})).$$
#
# We cannot compute the second, only estimate it on examples that took no part in training. Here we choose the
# distribution ourselves, a cubic with noise, so we can draw as many examples as we like: 12 for training and 1000 for
# validation.
#
# $$y = 5 + 1.2 x - 3.4 \frac{x^2}{2!} + 5.6 \frac{x^3}{3!} + \epsilon, \qquad \epsilon \sim \mathcal{N}(0, 0.5^2)$$

# %%
COEFFICIENTS = jnp.array([5.0, 1.2, -3.4, 5.6])


def truth(x):
    return generalization.polynomial_features(x, 3, normalize=True) @ COEFFICIENTS[:, None]


def sample(key, n, noise=0.5):
    inputs_key, noise_key = jax.random.split(key)
    x = jax.random.uniform(inputs_key, (n,), minval=-2.0, maxval=2.0)
    y = truth(x) + noise * jax.random.normal(noise_key, (n, 1))
    return np.asarray(x), np.asarray(y)


x, y = sample(jax.random.key(0), 12)
x_val, y_val = sample(jax.random.key(100), 1000)
print(x.shape, y.shape, x_val.shape, y_val.shape)

# %% [markdown]
# ## Polynomials are linear models
#
# $$\hat{y} = \sum_{i=0}^d x^i w_i$$
#
# is linear in the weights, so linear regression can fit it, with the powers as features.
# `generalization.polynomial_features` computes them.


# %%
def polynomial_features(x, degree):
    return jnp.stack([x**i for i in range(degree + 1)], axis=1)


print(polynomial_features(jnp.array([2.0, 3.0]), 3))
print(generalization.polynomial_features(jnp.array([2.0, 3.0]), 3))

# %% [markdown]
# High powers of numbers above 1 become huge. Dividing $x$ by 2 brings it into $[-1, 1]$, where powers stay small. We
# leave out the constant column, because the model has a bias. We compute the best fit in closed form, so that training
# cannot be to blame for any error.

# %%


def features(x, degree):
    return generalization.polynomial_features(x / 2, degree)[:, 1:]


@partial(jax.jit, static_argnames="degree")
def fit(x, y, degree):
    return least_squares(features(x, degree), y)


@partial(jax.jit, static_argnames="degree")
def predict(params, x, degree):
    return features(x, degree) @ params["kernel"] + params["bias"]


@partial(jax.jit, static_argnames="degree")
def errors(x, y, x_val, y_val, degree):
    """Training and validation error of the best polynomial."""
    params = fit(x, y, degree)
    return [losses.squared_loss(predict(params, inputs, degree), t) for inputs, t in ((x, y), (x_val, y_val))]


for degree in (1, 3, 8):
    training, validation = errors(x, y, x_val, y_val, degree=degree)
    print(f"degree {degree}: training error {training:.2f}, validation error {validation:.1f}")
print(f"no model can do better than half the variance of the noise: {0.5**2 / 2:.3f}")

# %% [markdown]
# Degree 1 has a large error on both sets: it **underfits**. Degree 8 has the smallest training error, below that of the
# noise, but its validation error is several times that of degree 3. It **overfits**: the curve bends towards each
# example.

# %%
grid = jnp.linspace(-2, 2, 200)
figure, panels = plt.subplots(1, 3, figsize=(8, 2.8), sharey=True, layout="constrained")
for degree, axes in zip((1, 3, 8), panels, strict=True):
    params = fit(x, y, degree)
    axes.plot(grid, truth(grid), color="0.6", linestyle="--", label="truth")
    axes.plot(grid, predict(params, grid, degree), color="#0072B2", label="fit")
    axes.scatter(x, y, color="#D55E00", marker="o", s=18, zorder=3, label="training examples")
    axes.set(xlabel="$x$", title=f"degree {degree}", ylim=(-14, 10))
    axes.grid(alpha=0.3)
panels[0].set_ylabel("$y$")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %% [markdown]
# ## Model complexity
#
# The training error can only fall as the degree grows, because polynomials of a higher degree include those of a lower
# degree. The validation error first falls and then rises. This is the book's figure, with numbers.

# %%
degrees = range(1, 9)
training, validation = np.array([errors(x, y, x_val, y_val, degree=degree) for degree in degrees]).T
print("the training error never rises:", bool((np.diff(training) <= 1e-4).all()))
print("lowest validation error: degree", degrees[int(np.argmin(validation))])
curves = {"training": training, "validation": validation}
plots.lines(degrees, curves, xlabel="degree of the polynomial", ylabel="error", yscale="log")

# %% [markdown]
# ## Training curves
#
# We train the same three models with minibatch SGD and plot the error after each epoch. When a model underfits, both
# curves stay high. When it overfits, the validation error rises while the training error still falls. Degree 8 overfits
# late and only a little, because the directions in which it could bend most have tiny gradients. If SGD stops early, it
# avoids the worst; section 5.5 turns this into a method.

# %%
epochs = 1000
figure, panels = plt.subplots(1, 3, figsize=(8, 2.8), sharey=True, layout="constrained")
for degree, axes in zip((1, 3, 8), panels, strict=True):
    parts = (Batch(*map(np.asarray, (features(inputs, degree), t))) for inputs, t in ((x, y), (x_val, y_val)))
    _, history = train.fit(
        models.linear_regression(degree),
        losses.squared_loss,
        optax.sgd(0.2),
        Dataset(*parts),
        key=jax.random.key(1),
        epochs=epochs,
        batch_size=4,
    )
    axes.plot(range(1, epochs + 1), history.train_loss, color="#0072B2", label="training")
    axes.plot(range(1, epochs + 1), history.test_loss, color="#D55E00", linestyle="--", label="validation")
    axes.set(xlabel="epoch", title=f"degree {degree}", xscale="log", yscale="log")
    axes.grid(alpha=0.3)
    rises = bool(history.test_loss[-1] > 1.1 * history.test_loss.min())
    print(f"degree {degree}: training error {history.train_loss[-1]:.2f}, validation error rises again: {rises}")
panels[0].set_ylabel("error")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
plt.show()

# %% [markdown]
# ## Dataset size
#
# More data never hurt. With enough examples even degree 8 does not overfit. Degree 1 stays wrong no matter how many
# there are, because its error does not come from a lack of examples. Each point in the plot is the median over 50
# training sets.

# %%
many_x, many_y = sample(jax.random.key(2), 50 * 600)
many_x, many_y = many_x.reshape(50, 600), many_y.reshape(50, 600, 1)
sizes = (12, 60, 600)
medians = {}
for degree in (1, 3, 8):
    score = jax.vmap(lambda x, y, degree=degree: errors(x, y, x_val, y_val, degree=degree)[1])
    medians[f"degree {degree}"] = [float(jnp.median(score(many_x[:, :n], many_y[:, :n]))) for n in sizes]
plots.lines(sizes, medians, xlabel="training examples", ylabel="validation error", xscale="log", yscale="log")

# %% [markdown]
# ## Cross-validation
#
# To choose the degree we used 1000 validation examples, but we can seldom spare so many. $K$-fold cross-validation
# splits the training set into $K$ parts. It trains $K$ times, each time on all parts but one, and validates on that
# one. Each example is used once for validation.
#
# If we split 32 rows into 5 folds, `k_fold` makes folds of 7 and 6 rows. The book's `get_k_fold_data` takes $\lfloor 32
# / 5 \rfloor = 6$ rows for each, so two rows are never used for validation.

# %%
folds = generalization.k_fold(jax.random.key(3), 32, 5)
for fold in folds:
    print("train on", fold.train.size, "validate on", fold.validation)
print("each row once:", sorted(np.concatenate([fold.validation for fold in folds]).tolist()) == list(range(32)))

# %% [markdown]
# The mean over the folds estimates the generalisation error of each degree from these 32 examples alone. The lowest
# estimate is that of degree 3, the true degree.

# %%
x_cv, y_cv = sample(jax.random.key(4), 32)


def cross_validated(x, y, folds, degree):
    return np.mean([errors(x[f.train], y[f.train], x[f.validation], y[f.validation], degree=degree)[1] for f in folds])


estimates = {degree: cross_validated(x_cv, y_cv, folds, degree) for degree in (1, 3, 8)}
for degree, estimate in estimates.items():
    print(f"degree {degree}: cross-validation {estimate:.2f}")
print("chosen: degree", min(estimates, key=estimates.get))

# %% [markdown]
# **Where torch differs.** PyTorch's closed-form fit is `torch.linalg.lstsq`. Its default driver needs features of full
# rank; the driver `gelsd` uses singular values, like JAX and `least_squares`. `torch.utils.data.random_split` draws a
# split from a generator; here a key determines the folds.

# %%
# %%torch
import torch

powers = torch.tensor(np.asarray(generalization.polynomial_features(x / 2, 3)))
print("vander:", torch.allclose(torch.linalg.vander(torch.tensor(x / 2), N=4), powers, rtol=1e-5))
solution = torch.linalg.lstsq(powers, torch.tensor(y), driver="gelsd").solution.numpy()
ours = fit(x, y, 3)
print("equal:", np.allclose(solution.ravel(), [ours["bias"][0], *ours["kernel"].ravel()], rtol=1e-4))

# %% [markdown]
# ## Exercises
#
# **1. When can polynomial regression be solved exactly?** When the inputs are distinct and the degree is at least $n -
# 1$. For example, for any 6 points there is a polynomial of degree 5 that goes through them. The training error is then
# 0 and tells us nothing.

# %%
grid6 = jnp.linspace(-2, 2, 6)
for degree in (4, 5):
    error, _ = errors(grid6, y[:6], grid6, y[:6], degree=degree)
    print(f"degree {degree} through 6 points: training error below 1e-6: {bool(error < 1e-6)}")

# %% [markdown]
# **2. Where are examples so dependent that it would be wrong to treat them as independent?** Prices of a stock on
# consecutive days. Several images of one patient, some of which end up in the training set and some in the test set.
# Frames of a video. Words of a text. Measurements at neighbouring places, for example of the weather. Clicks of users,
# which depend on what they were shown. In all these cases a random split leaks information from the test set into the
# training set. Hold out whole patients, years or places instead.
#
# **3. Can the training error be zero? And the generalisation error?** The training error can be zero whenever the model
# is flexible enough, as above. The generalisation error can be zero only if there is no noise and the model can express
# the truth. Of the four cases below, only degree 3 without noise meets both conditions.

# %%
for noise in (0.0, 0.5):
    clean, clean_val = sample(jax.random.key(5), 12, noise), sample(jax.random.key(6), 1000, noise)
    for degree in (1, 3):
        _, error = errors(*clean, *clean_val, degree=degree)
        print(f"noise {noise}, degree {degree}: validation error below 1e-6: {bool(error < 1e-6)}")

# %% [markdown]
# **4. Why is $K$-fold cross-validation expensive?** It trains $K$ models for each candidate: choosing the degree above
# took $3 \cdot 5$ fits. The fits do not depend on each other, so `vmap` can run them at once if all folds have the same
# size.
#
# **5. Why is its estimate biased?** Each fold trains on $(K - 1) n / K$ examples, whereas the final model trains on all
# $n$, and fewer examples give a larger error. The fewer the folds, the larger the bias. For degree 1 and $n = 12$, over
# 2000 training sets:

# %%
many_x, many_y = sample(jax.random.key(7), 2000 * 12)
many_x, many_y = many_x.reshape(2000, 12), many_y.reshape(2000, 12, 1)
validate = jax.vmap(lambda *examples: errors(*examples, degree=1)[1])
for k in (2, 12):
    means = [
        validate(many_x[:, f.train], many_y[:, f.train], many_x[:, f.validation], many_y[:, f.validation]).mean()
        for f in generalization.k_fold(jax.random.key(8), 12, k)
    ]
    print(f"{k:2} folds, trained on {12 - 12 // k:2}: mean estimate {np.mean(means):.2f}")
on_new_data = jax.vmap(lambda x, y: errors(x, y, x_val, y_val, degree=1)[1])(many_x, many_y)
print(f"trained on 12: mean validation error {on_new_data.mean():.2f}")

# %% [markdown]
# **6. The VC dimension is the largest number of points that the functions of a class can label in every possible way.
# Why is it a poor measure of complexity?** It ignores how large the functions are. Linear functions with tiny weights
# have the same VC dimension as all linear functions, yet they overfit far less (section 3.7). And a single parameter
# can be enough for an infinite VC dimension, as in $\mathrm{sign}(\sin \omega x)$.
#
# **7. How do you convince your manager that you need more data?** Show a learning curve, as in "Dataset size" above. If
# the curve is still falling at the size you have, more data will help. If the training and the validation error have
# met, only another model will.
#
# ## Summary
#
# A small training error is no achievement in itself. A model that is too simple has large errors on both sets. A model
# that is too flexible has a large error only on new data, and more training data close the gap. We choose the model by
# its error on validation data. Cross-validation needs fewer data, at the price of $K$ training runs and a slightly
# pessimistic estimate.
