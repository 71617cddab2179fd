# %% [markdown]
# # 4.3 The base classification model
#
# Every classifier needs two things, no matter how it works inside: a measure of its **accuracy**, and a step that
# measures loss and accuracy on held-out data. The book puts them into a class `Classifier`, from which its models
# inherit. Here they are functions of a model's outputs. From the same outputs we compute other measures as well: error
# rate, precision, recall, F1, specificity and fall-out.
#
# [This section in the book](https://d2l.ai/chapter_linear-classification/classification.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

from jaxd2l import data, losses, metrics, models, train

# %% [markdown]
# ## Accuracy
#
# A classifier gives each class a score, one row of $\hat{\mathbf{Y}}$ per example, and predicts the class with the
# largest score. Accuracy is the fraction of predictions that are correct. Its gradient is zero wherever it exists, so
# we cannot train on it. We minimise the cross-entropy instead, and measure the accuracy.


# %%
def accuracy(Y_hat, Y):
    return (Y_hat.argmax(axis=-1) == Y).mean()


Y_hat = jnp.array([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5], [0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])
Y = jnp.array([0, 2, 0, 2])
print("predictions:", Y_hat.argmax(-1))
print("correct?    ", metrics.accuracy(Y_hat, Y, averaged=False))
print("accuracy:   ", accuracy(Y_hat, Y), "as in the package:", metrics.accuracy(Y_hat, Y))
print("error rate: ", metrics.error_rate(Y_hat, Y))
print("gradient:   ", float(jnp.abs(jax.grad(metrics.accuracy)(Y_hat, Y)).max()))

# %% [markdown]
# The book's PyTorch method flattens predictions and labels before it compares them. Without the flattening, comparing
# labels of shape $(n, 1)$ with predictions of shape $(n,)$ would compare all $n^2$ pairs, and neither PyTorch nor JAX
# would complain. `metrics.accuracy` accepts labels of shape $(n,)$ and refuses others.

# %%
# %%torch
import torch


def accuracy_in_torch(Y_hat, Y, averaged=True):
    Y_hat = Y_hat.reshape((-1, Y_hat.shape[-1]))
    preds = Y_hat.argmax(axis=1).type(Y.dtype)
    compare = (preds == Y.reshape(-1)).type(torch.float32)
    return compare.mean() if averaged else compare


scores, labels = torch.tensor(np.asarray(Y_hat)), torch.tensor(np.asarray(Y))
print("torch:", accuracy_in_torch(scores, labels).item(), accuracy_in_torch(scores, labels, averaged=False).numpy())
print("torch, compared in all pairs:", (scores.argmax(1) == labels[:, None]).float().mean().item())

# %%
print("JAX, compared in all pairs:  ", float((Y_hat.argmax(1) == Y[:, None]).mean()))
try:
    metrics.accuracy(Y_hat, Y[:, None])
except ValueError as error:
    print("ValueError:", error)

# %% [markdown]
# ## The validation step
#
# `train.evaluate` corresponds to the book's `validation_step`, applied to a whole data set: it measures loss and
# accuracy, without dropout. A model that knows nothing gives each of $C$ classes the same score. Its loss is $\log C$,
# and it is right once in $C$ times. `train.fit` evaluates the test set after each epoch, and its argument
# `optax.sgd(0.1)` replaces `configure_optimizers`.

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
# Accuracy is a single number. The **confusion matrix** has more detail: it counts, for each true class (row), which
# class was predicted (column). Its diagonal holds the correct predictions.

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
# The model confuses shirts with t-shirts, pullovers and coats. It rarely takes ankle boots, bags and trousers for
# anything else.
#
# ## Precision, recall and their relatives
#
# If we consider one class against all others, each prediction is a true or false positive (TP, FP) or a true or false
# negative (TN, FN):
#
# | | formula | of the examples that are ... | the fraction that are ... |
# |---|---|---|---|
# | precision (PPV) | TP / (TP + FP) | predicted positive | positive |
# | recall (TPR) | TP / (TP + FN) | positive | predicted positive |
# | F1 | 2 TP / (2 TP + FP + FN) | | (harmonic mean of precision and recall) |
# | specificity (TNR) | TN / (TN + FP) | negative | predicted negative |
# | fall-out (FPR) | FP / (FP + TN) | negative | predicted positive |

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
# "macro" is the mean over the classes, in which a rare class counts as much as a frequent one. "micro" first adds up
# the counts of all classes and then divides. Each wrong prediction is a false positive for one class and a false
# negative for another, so micro precision, recall and F1 all equal the accuracy.
#
# ## When accuracy misleads
#
# Suppose that one patient in a hundred is ill. A classifier that calls everybody healthy is right in 99% of the cases
# but finds no one who is ill. Recall shows this. Precision would be 0/0, because the classifier calls nobody ill. We
# define it as 0, as scikit-learn does.

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
# the loss of the last minibatch. Express $L_v$ in terms of these.** With $N$ examples and batches of $B$ there are $k =
# \lceil N / B \rceil$ batches, with $b = N - (k - 1) B$ examples in the last one. The sum of the losses is $B$ times
# the mean of each full batch, plus $b$ times the mean of the last batch: $$L_v = \frac{B (k L_v^q - l_v^b) + b\,
# l_v^b}{N}.$$

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
# **2. Show that $L_v^q$ is unbiased. Why use $L_v$ nonetheless?** All examples come from the same distribution. So the
# expectation of each batch mean is the true loss, even for the short batch, and the same holds for the mean of the
# means. But each example in the short batch has $B / b$ times the weight of the others. This makes the estimate vary
# more, and makes it depend on the order of the examples. We shuffle the same test set a thousand times:

# %%
rng = np.random.default_rng(0)
estimates = np.array([batch_means(rng.permutation(loss_of_each), B).mean() for _ in range(1000)])
print(f"mean of L_v^q - L_v:      {estimates.mean() - loss_of_each.mean():.3f}")
print("L_v^q depends on the order:", bool(estimates.std() > 1e-3))

# %% [markdown]
# **3. Given a penalty $l(y, y')$ for predicting $y'$ when $y$ is true, and given $p(y \mid x)$, which $y'$ is best?**
# The one with the smallest expected penalty, $\arg\min_{y'} \sum_y l(y, y')\, p(y \mid x)$. If every mistake costs 1,
# this is the most likely class. If missing an illness (class 1) costs 20 times as much as a false alarm, we should
# predict the illness as soon as its probability exceeds 1/21:

# %%
p = jnp.array([[0.97, 0.03], [0.94, 0.06], [0.4, 0.6]])
for name, penalty in {"equal": [[0.0, 1.0], [1.0, 0.0]], "20 to 1": [[0.0, 1.0], [20.0, 0.0]]}.items():
    print(f"{name:8}", (p @ jnp.array(penalty)).argmin(-1))

# %% [markdown]
# ## Summary
#
# We measure accuracy on held-out data, but we cannot train on it. A confusion matrix contains everything about correct
# and wrong predictions, and precision, recall and the other rates follow from it.
