# %% [markdown]
# # 5.5 Generalisation in deep learning
#
# Deep networks often have enough parameters to fit any labels at all, yet they generalise. This section of the book has
# no code, so we test its claims by experiments: networks can fit random labels, the usual penalties do not prevent
# this, nearest neighbours behave in the same way, and **early stopping** helps when labels are noisy. The data are the
# 1797 digits of 8 x 8 pixels from scikit-learn, a data set small enough for hundreds of epochs.
#
# [This section in the book](https://d2l.ai/chapter_multilayer-perceptrons/generalization-deep.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import data, initializers, losses, metrics, models, optim, plots, train
from jaxd2l.book import generalization
from jaxd2l.types import Batch

digits = data.digits()
model = models.mlp(64, 512, 10, init=initializers.kaiming_normal())
num_parameters = sum(a.size for a in jax.tree.leaves(jax.eval_shape(model.init, jax.random.key(0))))
print("training examples:", len(digits.train.labels), " parameters:", num_parameters)

# %% [markdown]
# ## Fitting is not generalising
#
# We replace the labels by random ones. Then there is nothing to learn except the examples themselves, and the network
# learns them all: its training error falls to 0, as it does for the true labels. So neither the size of the network nor
# its training error can explain why it generalises in one case and not in the other.

# %%
labels_key, noise_key, run_key = jax.random.split(jax.random.key(0), 3)
num_train = len(digits.train.labels)
random_labels = np.asarray(jax.random.randint(labels_key, (num_train,), 0, 10))


def fitted(labels, tx, epochs=150):
    """Training and test accuracy after many epochs."""
    dataset = digits._replace(train=Batch(digits.train.inputs, labels))
    state, history = train.fit(model, losses.cross_entropy, tx, dataset, key=run_key, epochs=epochs, batch_size=64)
    _, train_accuracy = train.evaluate(model, losses.cross_entropy, state.params, dataset.train)
    return float(train_accuracy), float(history.test_accuracy[-1])


adam = optax.adam(3e-3)
for name, labels in {"true labels": digits.train.labels, "random labels": random_labels}.items():
    print("{:14} training accuracy {:.1f}, test accuracy {:.1f}".format(name, *fitted(labels, adam)))

# %% [markdown]
# Classical regularisation does not prevent this either. With weight decay of a usual strength (on the weights alone, as
# in section 3.7) the network still fits the random labels.

# %%
decayed = optax.chain(optax.add_decayed_weights(1e-4, optim.kernels), adam)
print(
    "random labels, weight decay: training accuracy {:.1f}, test accuracy {:.1f}".format(
        *fitted(random_labels, decayed)
    )
)

# %% [markdown]
# ## Nearest neighbours
#
# The 1-nearest-neighbour rule stores all examples and predicts the label of the closest one. By construction, its
# training error is 0 for any labels, and here it generalises well. Its inductive bias is the meaning of *close*: other
# distances give other predictors, all without training error.


# %%
def nearest_label(inputs, distance):
    """The label of the nearest training image."""
    images = jnp.asarray(data.to_float(digits.train.inputs)).reshape(num_train, -1)
    queries = jnp.asarray(data.to_float(inputs)).reshape(len(inputs), -1)
    nearest = jax.lax.map(lambda query: jnp.argmin(distance(images - query)), queries)
    return digits.train.labels[np.asarray(nearest)]


distances = {
    "Euclidean": lambda difference: jnp.sum(difference**2, -1),  # the root changes no order
    "sum of differences": lambda difference: jnp.sum(jnp.abs(difference), -1),
    "largest difference": lambda difference: jnp.max(jnp.abs(difference), -1),
}
for name, distance in distances.items():
    right = [np.mean(nearest_label(part.inputs, distance) == part.labels) for part in (digits.train, digits.test)]
    print(f"{name:18} training accuracy {right[0]:.2f}, test accuracy {right[1]:.2f}")

# %% [markdown]
# ## Early stopping
#
# When labels are noisy, a network learns the clean ones first and the wrong ones later. Stopping in between acts as a
# regulariser: it limits how far the weights move, not which values they may take. Here we replace 40% of the labels by
# random ones, also in the validation set, because in practice nobody knows which labels are wrong.

# %%
is_replaced = np.asarray(jax.random.uniform(noise_key, (num_train,))) < 0.4
noisy_labels = np.where(is_replaced, random_labels, digits.train.labels)
cut = 1200
noisy = digits._replace(
    train=Batch(digits.train.inputs[:cut], noisy_labels[:cut]),
    test=Batch(digits.train.inputs[cut:], noisy_labels[cut:]),  # to validate; the test set stays aside
)
is_wrong = noisy_labels[:cut] != digits.train.labels[:cut]
print(f"wrong training labels: {is_wrong.mean():.2f}")

# %% [markdown]
# `fit` calls `on_epoch` after every epoch. Our function records the fraction of the clean labels and of the wrong
# labels that the network reproduces. (In the first figure, "test" means the validation set, with its noisy labels.)

# %%
fractions = {"clean labels": [], "wrong labels": [], "test accuracy": []}


def watch(state, history):
    right = metrics.accuracy(train.predict(model, state.params, noisy.train.inputs), noisy.train.labels, averaged=False)
    fractions["clean labels"].append(float(right[~is_wrong].mean()))
    fractions["wrong labels"].append(float(right[is_wrong].mean()))
    fractions["test accuracy"].append(
        float(train.evaluate(model, losses.cross_entropy, state.params, digits.test).accuracy)
    )


epochs, slow = 100, optax.adam(1e-3)
_, history = train.fit(
    model,
    losses.cross_entropy,
    slow,
    noisy,
    key=run_key,
    epochs=epochs,
    batch_size=64,
    on_epoch=plots.live_curves(epochs, title="40% random labels", on_epoch=watch),
)

# %%
plots.lines(
    np.arange(1, epochs + 1),
    fractions,
    xlabel="epoch",
    ylabel="fraction reproduced",
    title="the network learns clean labels first",
)

# %% [markdown]
# The rule of early stopping is: stop when the validation loss has not improved for a number of epochs, the
# **patience**, and return to the best parameters. We write it as a function of the losses so far.
# `generalization.should_stop` is the same rule.


# %%
def should_stop(losses, patience):
    best, waited = np.inf, 0
    for loss in losses:
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
    return waited >= patience


for losses_so_far in ([3.0, 1.0, 2.0], [3.0, 1.0, 2.0, 1.5]):
    print(should_stop(losses_so_far, 2), generalization.should_stop(np.array(losses_so_far), patience=2))

# %%
best = {}


def stop_early(state, history):
    if history.test_loss[-1] == history.test_loss.min():
        best["params"] = jax.device_get(state.params)  # fit reuses the memory of `state`
    return should_stop(history.test_loss, patience=5)


state, stopped = train.fit(
    model,
    losses.cross_entropy,
    slow,
    noisy,
    key=run_key,
    epochs=epochs,
    batch_size=64,
    on_epoch=stop_early,
)
_, of_best = train.evaluate(model, losses.cross_entropy, best["params"], digits.test)
print("stopped before the last epoch:", len(stopped.test_loss) < epochs)
print(f"test accuracy: stopped {float(of_best):.1f}, after all epochs {fractions['test accuracy'][-1]:.1f}")

# %% [markdown]
# In PyTorch you write the loop yourself, and the rule too: you count the epochs without improvement, and keep the best
# weights with `copy.deepcopy(model.state_dict())`. You need the copy because a `state_dict` refers to weights that keep
# changing. In JAX a state is a value, but `fit` donates it to the next epoch, so we copy it to the host.

# %%
# %%torch
import torch

layer = torch.nn.Linear(2, 1)
kept = layer.state_dict()
with torch.no_grad():
    layer.weight.fill_(7.0)
print("torch: a kept state_dict has changed:", bool((kept["weight"] == 7).all()))

# %% [markdown]
# ## Exercises
#
# **1. In what sense do traditional measures of complexity fail for deep networks?** They bound the gap between training
# and test error by the richness of the model class, such as the number of parameters or the ability to fit random
# labels. In our experiment, the same class with the same training had a small gap for the true labels and the largest
# possible gap for random labels. No number that depends only on the class can distinguish the two cases.
#
# **2. Why can we regard early stopping as regularisation?** Each step moves the weights only a limited distance, so
# after a few steps they are still close to where they began. If they began small, they stay small, as with an $\ell_2$
# penalty.

# %%
start = train.create_state(run_key, model, slow).params
for some in (5, 20, 80):
    end, _ = train.fit(model, losses.cross_entropy, slow, noisy, key=run_key, epochs=some, batch_size=64)
    moved = jax.tree.map(lambda a, b: a - b, end.params, start)
    print(f"{some:2} epochs: weights have moved by {float(optax.tree_utils.tree_norm(moved)):.1f}")

# %% [markdown]
# **3. How do people choose when to stop?** They set a patience for the validation loss, as above. They may also count
# an epoch as an improvement only if the loss falls by at least a certain amount, the argument `min_improvement` of
# `should_stop`.
#
# **4. What decides whether early stopping helps much?** The noise in the labels. If the classes can be separated, as
# with the true labels here, early stopping hardly helps:

# %%
clean = digits._replace(
    train=Batch(*(array[:cut] for array in digits.train)), test=Batch(*(array[cut:] for array in digits.train))
)
best.clear()
state, stopped = train.fit(
    model, losses.cross_entropy, slow, clean, key=run_key, epochs=epochs, batch_size=64, on_epoch=stop_early
)
longest, _ = train.fit(model, losses.cross_entropy, slow, clean, key=run_key, epochs=epochs, batch_size=64)
for name, params in {"stopped": best["params"], "all epochs": longest.params}.items():
    _, test_accuracy = train.evaluate(model, losses.cross_entropy, params, digits.test)
    print(f"true labels, {name:10}: test accuracy {float(test_accuracy):.1f}")

# %% [markdown]
# **5. What else is early stopping good for?** It saves the time of the remaining epochs.
#
# ## Summary
#
# Networks that can fit random labels can also generalise, so capacity alone explains nothing. What matters is what
# training finds first. When labels are noisy, stop as soon as the validation loss no longer improves, and keep the best
# parameters.
