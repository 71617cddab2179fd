# %% [markdown]
# # 4.7 Environment and distribution shift
#
# We train a model on data from a source distribution $q(\mathbf{x}, y)$ and use it on data from a target distribution
# $p(\mathbf{x}, y)$. If these may differ in any way, there is no guarantee. If we know **what** differs, we can detect
# the difference, measure it, and often correct it by weighting the training examples:
#
# | | what changes | what stays | example |
# |---|---|---|---|
# | covariate shift | $p(\mathbf{x})$ | $p(y \mid \mathbf{x})$ | trained on photographs, used on drawings |
# | label shift | $p(y)$ | $p(\mathbf{x} \mid y)$ | an illness keeps its symptoms but becomes more frequent |
# | concept shift | $p(y \mid \mathbf{x})$ | | what counts as fashionable |
#
# [This section in the book](https://d2l.ai/chapter_linear-classification/environment-and-distribution-shift.html)

# %%
# %matplotlib inline
from functools import partial

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

from jaxd2l import data, losses, metrics, models, plots, train
from jaxd2l.book import distribution_shift
from jaxd2l.types import Batch, Dataset

# %% [markdown]
# ## Detecting a shift
#
# If a classifier can distinguish source rows from target rows that it has never seen, the distributions differ.
# `distribution_shift.shift_test` trains a classifier on half of each sample and tests it on the other half. The p-value
# says how often the classifier would do as well if there were no difference.
#
# The digits of `data.digits` are split in the order of the file, so different people wrote the test images. The eye
# sees no difference:

# %%
digits = data.digits()
images = np.concatenate([digits.train.inputs[:8], digits.test.inputs[:8]])
plots.image_grid(images, titles=["train"] * 8 + ["test"] * 8)

# %%
source, target = (np.asarray(data.to_float(x)).reshape(-1, 64) for x in (digits.train.inputs, digits.test.inputs))
found = distribution_shift.shift_test(jax.random.key(0), source, target)
print(f"accuracy on unseen images: {found.accuracy:.2f} (0.5 by guessing)")
print("a shift, at p < 0.01:", bool(found.p_value < 0.01))

# %% [markdown]
# ## Covariate shift correction
#
# Here only $p(\mathbf{x})$ has changed, so the risk in the target is a weighted risk in the source:
#
# $$\int l(f(\mathbf{x}), y)\, p(y \mid \mathbf{x})\, p(\mathbf{x}) =
#   \int l(f(\mathbf{x}), y)\, p(y \mid \mathbf{x})\, q(\mathbf{x}) \frac{p(\mathbf{x})}{q(\mathbf{x})}
#   \approx \frac{1}{n} \sum_i \beta_i\, l(f(\mathbf{x}_i), y_i), \qquad
#   \beta_i = \frac{p(\mathbf{x}_i)}{q(\mathbf{x}_i)}.$$
#
# We need not know either density. A logistic regression $h$ that distinguishes target from source rows learns the
# logarithm of their ratio, so $\beta_i = \exp(h(\mathbf{x}_i))$ if both samples have the same size. In this example the
# true function is a curve, the model is a straight line, and the target lies at the edge of the source:

# %%
source_key, target_key, *noise_keys = jax.random.split(jax.random.key(0), 4)
x_source = jax.random.normal(source_key, (500, 1))
x_target = 1.5 + 0.5 * jax.random.normal(target_key, (500, 1))
y_source, y_target = (
    jnp.sin(1.5 * x) + 0.1 * jax.random.normal(key, (500, 1))
    for key, x in zip(noise_keys, (x_source, x_target), strict=True)
)


def features(x):
    return jnp.concatenate([x, x**2], axis=1)  # the log-ratio of two normal densities is a parabola


beta = distribution_shift.covariate_shift_weights(features(x_source), features(x_target))
print(f"weights: mean {beta.mean():.2f}, largest {beta.max():.1f}")

# %% [markdown]
# Training minimises the weighted risk over all examples. If some weights are large, the result depends on a few
# examples. `clip` limits the weights, which reduces the variance at the price of some bias.


# %%
def train_line(weights):
    def loss(outputs, labels):
        loss_of_each = losses.squared_loss(outputs, labels, reduction="none")[:, 0]
        return distribution_shift.weighted_risk(loss_of_each, weights)

    model, tx = models.linear_regression(1), optax.sgd(0.1)
    state = train.create_state(jax.random.key(1), model, tx)
    step = jax.jit(train.make_train_step(model, loss, tx))
    for _ in range(500):
        state, _ = step(state, Batch(x_source, y_source))
    return state.params


clipped = distribution_shift.covariate_shift_weights(features(x_source), features(x_target), clip=5.0)
lines = {
    "unweighted": train_line(jnp.ones(500)),
    "weighted": train_line(beta),
    "weighted, clipped at 5": train_line(clipped),
}
for name, params in lines.items():
    predictions = models.linear_regression(1).apply(params, x_target)
    print(f"{name:23} loss in the target {losses.squared_loss(predictions, y_target):.3f}")

# %%
figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
axes.plot(x_source, y_source, ".", color="0.7", markersize=4, label="source")
axes.plot(x_target, y_target, "x", color="#D55E00", markersize=4, label="target")
ends = jnp.array([[-3.0], [3.0]])
for name, style in {"unweighted": "--", "weighted": "-"}.items():
    axes.plot(ends, models.linear_regression(1).apply(lines[name], ends), style, color="k", label=name)
axes.set(xlabel="x", ylabel="y", ylim=(-2.2, 2.2))
figure.legend(loc="outside lower center", ncols=4, frameon=False)
plt.show()

# %% [markdown]
# Weighting cannot help where the source has no examples at all, because $\beta$ would have to be infinite. Every kind
# of target row must occur in the source.
#
# ## Label shift correction
#
# Here the weights are $p(y_i) / q(y_i)$, but we do not know the labels of the target. We do know the mistakes of a
# classifier. Let $C_{ij}$ be the fraction of the images of class $j$ that it classifies as $i$, measured on held-out
# source data. Let $\mu_i$ be the fraction of the target images that it classifies as $i$. If only the frequencies
# $\mathbf{p}$ of the labels have changed, then $\mathbf{C}\mathbf{p} = \boldsymbol{\mu}$. (In the book $C_{ij}$ is a
# fraction of all examples. The solution would then be the weights instead of the frequencies.)
#
# Imagine a shop in winter. The ten classes of Fashion-MNIST are equally frequent, but now most of the images show
# pullovers, coats and ankle boots.

# %%
dataset = data.fashion_mnist()
model, tx = models.softmax_regression(784, 10), optax.sgd(0.1)
fit = partial(train.fit, model, tx=tx, dataset=dataset, key=jax.random.key(0), epochs=5, batch_size=256)
state, _ = fit(loss=losses.cross_entropy)

held_out = Batch(*(x[:5000] for x in dataset.test))
winter = np.array([0.02, 0.02, 0.30, 0.02, 0.30, 0.02, 0.10, 0.02, 0.02, 0.18])
odds = winter[dataset.test.labels[5000:]]
chosen = 5000 + np.random.default_rng(0).choice(5000, 1500, replace=False, p=odds / odds.sum())
target = Batch(*(x[chosen] for x in dataset.test))


def predicted(params, batch):
    return train.predict(model, params, batch.inputs).argmax(-1)


confusion = metrics.confusion_matrix(predicted(state.params, held_out), held_out.labels, num_classes=10)
target_predictions = predicted(state.params, target)
estimate = distribution_shift.target_label_distribution(confusion, target_predictions)
truth = np.bincount(target.labels, minlength=10) / len(target.labels)
called = np.bincount(target_predictions, minlength=10) / len(target.labels)
print(f"largest error of the estimate:         {abs(estimate - truth).max():.2f}")
print(f"largest error of counting predictions: {abs(called - truth).max():.2f}")

# %%
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
bars = {"source": (np.full(10, 0.1), "0.8", ""), "target": (truth, "#0072B2", ""), "estimate": (estimate, "w", "////")}
for i, (name, (shares, color, hatch)) in enumerate(bars.items()):
    axes.bar(np.arange(10) + 0.27 * (i - 1), shares, 0.25, label=name, color=color, hatch=hatch, edgecolor="k")
axes.set_xticks(range(10), dataset.class_names, rotation=45, ha="right")
axes.set(xlabel="class", ylabel="share of the images")
figure.legend(loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %% [markdown]
# We train the model again with one weight per class. It gives up some accuracy in the source and gains accuracy in the
# target, where we use it:

# %%
weights = distribution_shift.label_shift_weights(confusion, target_predictions, dataset.train.labels)
weight_of_class = np.array([weights[dataset.train.labels == c][0] for c in range(10)], np.float32)
weighted, _ = fit(loss=partial(losses.cross_entropy, weight=weight_of_class))
for name, params in {"unweighted": state.params, "weighted": weighted.params}.items():
    accuracies = [(np.asarray(predicted(params, batch)) == batch.labels).mean() for batch in (held_out, target)]
    print(f"{name:10} accuracy in the source {accuracies[0]:.2f}, in the target {accuracies[1]:.2f}")

# %% [markdown]
# ## Concept shift
#
# The meaning of a label can change with time and place while the inputs stay the same. No test on inputs can detect
# such a change; it takes new labels. If the change is slow, a few training steps on new data from time to time are
# enough to keep up. Here the inputs have the same distribution in all months, and the border between two classes turns
# by 9 degrees a month:


# %%
def month(number, n=400):
    angle = np.deg2rad(9.0 * number)
    points_key, test_key = jax.random.split(jax.random.fold_in(jax.random.key(2), number))
    points = [np.asarray(jax.random.normal(key, (n, 2))) for key in (points_key, test_key)]
    return Dataset(*(Batch(x, (x @ np.array([np.cos(angle), np.sin(angle)]) > 0).astype(np.int32)) for x in points))


turning, tx = models.softmax_regression(2, 2), optax.sgd(0.5)
updated, once, kept_up = None, [], []
for number in range(13):
    now = month(number)
    updated, _ = train.fit(
        turning,
        losses.cross_entropy,
        tx,
        now,
        key=jax.random.key(3),
        epochs=4 * (number + 1),  # counted from the first month: four more
        batch_size=50,
        state=updated,
    )
    first = updated if number == 0 else first
    once.append(1 - train.evaluate(turning, losses.cross_entropy, first.params, now.test).accuracy)
    kept_up.append(1 - train.evaluate(turning, losses.cross_entropy, updated.params, now.test).accuracy)
errors = {"trained once": once, "four epochs a month": kept_up}
plots.lines(np.arange(13), errors, xlabel="month", ylabel="test error")

# %%
print(f"error after a year, trained once: {once[-1]:.1f}")
print("error after a year, kept up, is below 0.1:", bool(kept_up[-1] < 0.1))

# %% [markdown]
# ## Exercises
#
# **1. What could happen when a search engine changes its behaviour? What would users do, and advertisers?** Users click
# on what is at the top, and rephrase their queries until they work. Advertisers write pages that the new rules rank
# high. Both change the data for training the next version. A model that acts on its environment causes its own
# distribution shift. That is why a change is first tested on a random part of the users.
#
# **2. Write a detector of covariate shift.** `shift_test` is one. Two rates show how good a detector is: how often it
# detects a shift that exists, and how often it raises a false alarm. At a threshold of 0.05 the second must be about
# 0.05. One compiled program tests two hundred pairs of samples of 80 numbers each:


# %%
def p_value(key, shift):
    source_key, target_key, test_key = jax.random.split(key, 3)
    source = jax.random.normal(source_key, (80, 1))
    target = shift + jax.random.normal(target_key, (80, 1))
    return distribution_shift.shift_test(test_key, source, target, num_permutations=99).p_value


p_values = jax.jit(lambda keys, shift: jax.lax.map(partial(p_value, shift=shift), keys))
for shift in (0.0, 0.5, 1.0):
    alarms = (p_values(jax.random.split(jax.random.key(4), 200), shift) <= 0.05).mean()
    print(f"means {shift} apart: alarm in {alarms:.2f} of cases")

# %% [markdown]
# **3. Write a corrector of covariate shift.** `covariate_shift_weights` and `weighted_risk` above do this.
#
# **4. What else can make the empirical risk differ from the risk?** A small number of examples, choosing the model by
# the same examples (section 4.6), wrong labels, and examples that depend on each other. Suppose that 1000 images come
# from 20 photographers, and that a model works better for some photographers than for others. Then the error rate
# varies nearly as much as if there were only 20 examples:

# %%
rng = np.random.default_rng(0)
error_by_photographer = rng.beta(1, 4, size=(10000, 20))  # mean 0.2
dependent = rng.binomial(50, error_by_photographer).sum(1) / 1000
independent = rng.binomial(1000, 0.2, size=10000) / 1000
print(f"standard deviation of the error rate: {dependent.std():.3f}, of independent images: {independent.std():.3f}")

# %% [markdown]
# ## Summary
#
# A classifier that distinguishes old inputs from new ones detects a shift of the inputs, and also gives the weights
# that correct it. From the confusion matrix we can compute a shift in the frequencies of the labels. A change of the
# concept shows only in new labels, and we keep up with it by further training. Every correction rests on an assumption
# about what has stayed the same, and the data alone cannot prove that assumption.
