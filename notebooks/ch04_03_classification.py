# %% [markdown]
# # 4.3 The base classification model
#
# What every classifier needs, whatever it computes inside: an **accuracy**, and a step that measures loss and accuracy
# on data held out of training. The book puts them into a class `Classifier`, from which models inherit. Here they are
# functions of a model's outputs. The same outputs give the other measures that the book names: error rate, precision,
# recall, F1, specificity, fall-out.

# %%
# %matplotlib inline
import inspect

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import torch

from jaxd2l import data, losses, metrics, models, train

# %% [markdown]
# ## Accuracy
#
# A classifier gives each class a score, one row of $\hat{\mathbf{Y}}$ per example, and predicts the class with the
# largest. Accuracy is the fraction of predictions that are right. Its gradient is zero wherever it has one, so that it
# is measured, and the cross-entropy is minimised in its place.

# %%
Y_hat = jnp.array([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5], [0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])
Y = jnp.array([0, 2, 0, 2])
print("predictions:", Y_hat.argmax(-1))
print("right?      ", metrics.accuracy(Y_hat, Y, averaged=False))
print("accuracy:   ", metrics.accuracy(Y_hat, Y))
print("error rate: ", metrics.error_rate(Y_hat, Y))
print("gradient:   ", float(jnp.abs(jax.grad(metrics.accuracy)(Y_hat, Y)).max()))

# %% [markdown]
# The book's method in PyTorch compares predictions and labels after flattening both. Without the flattening, labels
# of shape $(n, 1)$ would be compared with predictions of shape $(n,)$ in all $n^2$ pairs, and neither PyTorch nor JAX
# would complain. `metrics.accuracy` takes labels of shape $(n,)$ and refuses others.


# %%
def accuracy_in_torch(Y_hat, Y, averaged=True):
    Y_hat = Y_hat.reshape((-1, Y_hat.shape[-1]))
    preds = Y_hat.argmax(axis=1).type(Y.dtype)
    compare = (preds == Y.reshape(-1)).type(torch.float32)
    return compare.mean() if averaged else compare


scores, labels = torch.tensor(np.asarray(Y_hat)), torch.tensor(np.asarray(Y))
print("torch:", accuracy_in_torch(scores, labels).item(), accuracy_in_torch(scores, labels, averaged=False).numpy())
print("torch, compared in all pairs:", (scores.argmax(1) == labels[:, None]).float().mean().item())
print("JAX, compared in all pairs:  ", float((Y_hat.argmax(1) == Y[:, None]).mean()))
try:
    metrics.accuracy(Y_hat, Y[:, None])
except ValueError as error:
    print("ValueError:", error)

# %% [markdown]
# ## The validation step
#
# `train.evaluate` is the book's `validation_step`, for a whole set: loss and accuracy, without dropout. A model that
# knows nothing gives each of $C$ classes the same score; its loss is $\log C$ and it is right once in $C$ times.
# `train.fit` evaluates the test set after each epoch, and its `optax.sgd(0.1)` stands for `configure_optimizers`.

# %%
dataset = data.fashion_mnist()
model = models.softmax_regression(784, 10)
tx = optax.sgd(0.1)
blank = train.create_state(jax.random.key(0), model, tx)
state, history = train.fit(
    model, losses.cross_entropy, tx, dataset, key=jax.random.key(0), epochs=5, batch_size=256, state=blank
)
for name, params in {"before training": blank.params, "after 5 epochs": state.params}.items():
    loss, accuracy = train.evaluate(model, losses.cross_entropy, params, dataset.test)
    print(f"{name:15} loss {loss:.2f}  accuracy {accuracy:.2f}")
print(f"log 10 = {np.log(10):.2f}")

# %% [markdown]
# ## Which classes are confused
#
# Accuracy is one number. The **confusion matrix** counts for each true class (row) what it was taken for (column); its
# diagonal is what is right.

# %%
predictions = train.predict(model, state.params, dataset.test.inputs).argmax(-1)
confusion = metrics.confusion_matrix(predictions, dataset.test.labels, num_classes=10)
print("examples:", confusion.sum(), " of each class:", confusion.sum(1))
print(f"accuracy from the diagonal: {jnp.trace(confusion) / confusion.sum():.2f}")

# %%
figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
picture = axes.imshow(confusion, cmap="Greys", vmax=1000)
for row, counts in enumerate(confusion.tolist()):
    for column, count in enumerate(counts):
        axes.text(column, row, count, ha="center", va="center", fontsize=8, color="w" if count > 500 else "k")
axes.set_xticks(range(10), dataset.class_names, rotation=45, ha="right")
axes.set_yticks(range(10), dataset.class_names)
axes.set(xlabel="predicted class", ylabel="true class")
figure.colorbar(picture, label="test images")
plt.show()

# %% [markdown]
# Shirts are taken for t-shirts, pullovers and coats; ankle boots, bags and trousers are rarely taken for anything else.
#
# ## Precision, recall and their relatives
#
# For one class against all others an example is a true or false positive (TP, FP) or a true or false negative (TN, FN):
#
# | | formula | of those ... | how many ... |
# |---|---|---|---|
# | precision (PPV) | TP / (TP + FP) | called positive | are |
# | recall (TPR) | TP / (TP + FN) | that are positive | are found |
# | F1 | 2 TP / (2 TP + FP + FN) | | the harmonic mean of these two |
# | specificity (TNR) | TN / (TN + FP) | that are negative | are left alone |
# | fall-out (FPR) | FP / (FP + TN) | that are negative | raise an alarm |

# %%
rates = {
    "precision": metrics.precision,
    "recall": metrics.recall,
    "F1": metrics.f1_score,
    "specificity": metrics.specificity,
    "fall-out": metrics.fall_out,
}
print(" " * 11, *(f"{name:>11}" for name in rates))
for average in (None, "macro", "micro"):
    table = np.stack([np.atleast_1d(rate(confusion, average=average)) for rate in rates.values()], axis=1)
    for name, row in zip([average] if average else dataset.class_names, table, strict=True):
        print(f"{name:11}", *(f"{value:11.2f}" for value in row))

# %% [markdown]
# "macro" is the mean over classes, in which a rare class counts as much as a frequent one. "micro" counts decisions
# over all classes first and divides then. Each wrong decision is a false positive of one class and a false negative of
# another, so that micro precision, recall and F1 are all equal to the accuracy.
#
# ## When accuracy misleads
#
# One patient in a hundred is ill. Who calls everybody healthy is right in 99% of cases and finds nobody: recall says
# so. Precision is 0/0 here, for nobody was called ill. It is defined as 0, as in scikit-learn.

# %%
illness = np.array([1] * 10 + [0] * 990)
nobody = metrics.confusion_matrix(np.zeros(1000, np.int32), illness, num_classes=2)
print(nobody)
print(f"accuracy: {jnp.trace(nobody) / nobody.sum():.2f}")
for name, rate in rates.items():
    print(f"{name:11} of 'ill': {rate(nobody, average=None)[1]:.2f}")

# %% [markdown]
# ## Exercises
#
# **1. Let $L_v$ be the validation loss, $L_v^q$ the quick estimate that averages the minibatches' means, and $l_v^b$
# the loss of the last minibatch. Express $L_v$ by these.** With $N$ examples and batches of $B$ there are
# $k = \lceil N / B \rceil$ batches, and $b = N - (k - 1) B$ examples in the last one. All batches but the last count
# $B$ times their mean, the last $b$ times:
# $$L_v = \frac{B (k L_v^q - l_v^b) + b\, l_v^b}{N}.$$

# %%
outputs = train.predict(model, state.params, dataset.test.inputs)
loss_of_each = np.asarray(losses.cross_entropy(outputs, dataset.test.labels, reduction="none"), np.float64)


def batch_means(loss_of_each, batch_size):
    return np.array([part.mean() for part in np.split(loss_of_each, range(batch_size, len(loss_of_each), batch_size))])


N, B = len(loss_of_each), 4096
means = batch_means(loss_of_each, B)
k = len(means)
b = N - (k - 1) * B
quick, last = means.mean(), means[-1]
print("batches:", k, " in the last:", b)
print("L_v agrees:", bool(np.isclose((B * (k * quick - last) + b * last) / N, loss_of_each.mean())))
print("L_v is what evaluate gives:", bool(np.isclose(loss_of_each.mean(), loss, rtol=1e-5)))

# %% [markdown]
# **2. Show that $L_v^q$ is unbiased. Why use $L_v$ nonetheless?** The examples are drawn alike, so each batch mean,
# that of a short batch too, has the true loss as its expectation, and so has the mean of the means. But the examples of
# the short batch count $B / b$ times as much as others, which makes the estimate scatter more, and makes it depend on
# the order of the examples. Shuffling the same test set a thousand times:

# %%
rng = np.random.default_rng(0)
estimates = np.array([batch_means(rng.permutation(loss_of_each), B).mean() for _ in range(1000)])
print(f"mean of L_v^q - L_v:      {estimates.mean() - loss_of_each.mean():.3f}")
print("L_v^q depends on the order:", bool(estimates.std() > 1e-3))

# %% [markdown]
# **3. Given the penalty $l(y, y')$ of saying $y'$ where $y$ is true, and $p(y \mid x)$, which $y'$ is best?** The one
# with the least expected penalty, $\arg\min_{y'} \sum_y l(y, y')\, p(y \mid x)$. With penalty 1 for any mistake this is
# the most likely class. If an illness (class 1) that goes unseen costs 20 times as much as a false alarm, it is called
# from a probability of 1/21 on:

# %%
p = jnp.array([[0.97, 0.03], [0.94, 0.06], [0.4, 0.6]])
for name, penalty in {"equal": [[0.0, 1.0], [1.0, 0.0]], "20 to 1": [[0.0, 1.0], [20.0, 0.0]]}.items():
    print(f"{name:8}", (p @ jnp.array(penalty)).argmin(-1))

# %% [markdown]
# ## Summary
#
# Accuracy is measured on held-out data and cannot be trained on. A confusion matrix holds all that is known about
# right and wrong decisions, and precision, recall and their relatives are read off it. The code behind the accuracy,
# checks aside, is its last two lines:

# %%
print("".join(inspect.getsource(metrics.accuracy).splitlines(keepends=True)[-2:]))
