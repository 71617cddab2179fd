# %% [markdown]
# # 5.5 Generalisation in deep learning
#
# Deep networks often have enough parameters to fit any labels whatever, and generalise nevertheless. This section of
# the book has no code; here are its claims as experiments: networks fit random labels, the usual penalties do not
# prevent it, nearest neighbours are the same kind of model, and **early stopping** helps where labels are noisy. The
# data are the 1797 digits of 8 x 8 pixels that come with scikit-learn, small enough for hundreds of epochs.

# %%
# %matplotlib inline
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from jaxd2l import data, initializers, losses, metrics, models, optim, plots, train
from jaxd2l.book import generalization
from jaxd2l.types import Batch

digits = data.digits()
model = models.mlp(64, 512, 10, init=initializers.kaiming_normal())
num_parameters = sum(a.size for a in jax.tree.leaves(jax.eval_shape(model.init, jax.random.key(0))))
print("training examples:", len(digits.train.labels), " parameters:", num_parameters)

# %% [markdown]
# ## Fitting and generalising are two things
#
# Replace the labels by random ones. There is nothing left to learn but the examples themselves, and the network learns
# them all: its training error falls to 0 as it does for the true labels. So neither the network's size nor its training
# error can explain why it generalises in the one case and not in the other.

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
# Classical regularisation does not forbid it either. With a weight decay of a usual strength (on the weights alone, as
# in section 3.7) the random labels are fitted all the same.

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
# The 1-nearest-neighbour rule remembers all examples and answers with the label of the closest. Its training error is 0
# for any labels, by construction, and it generalises well here. What it takes for *close* is its inductive bias: other
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
# With noisy labels, a network learns the clean ones first and the wrong ones later. Stopping in between is then a
# regulariser: it limits how far the weights get rather than what they may become. Here 40% of the labels are replaced
# by random ones, those of the validation set included, for in practice nobody knows which they are.

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
# `on_epoch` sees every epoch. (In the first figure, the test set is the validation set, noise included.) It may keep
# what it likes, here the share of clean and of wrong labels that the network reproduces.

# %%
shares = {"clean labels": [], "wrong labels": [], "test accuracy": []}


def watch(state, history):
    right = metrics.accuracy(train.predict(model, state.params, noisy.train.inputs), noisy.train.labels, averaged=False)
    shares["clean labels"].append(float(right[~is_wrong].mean()))
    shares["wrong labels"].append(float(right[is_wrong].mean()))
    shares["test accuracy"].append(
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
    np.arange(1, epochs + 1), shares, xlabel="epoch", ylabel="share reproduced", title="clean labels are learnt first"
)

# %% [markdown]
# The rule: stop when the validation loss has not improved for a number of epochs, the **patience**, and go back to the
# best parameters. `generalization.should_stop` is that rule as a function of the losses so far.

# %%
print(inspect.getsource(generalization.should_stop).split('"""')[2].strip("\n"))

# %%
best = {}


def stop_early(state, history):
    if history.test_loss[-1] == history.test_loss.min():
        best["params"] = jax.device_get(state.params)  # fit reuses the memory of `state`
    return generalization.should_stop(history.test_loss, patience=5)


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
print(f"test accuracy: stopped {float(of_best):.1f}, after all epochs {shares['test accuracy'][-1]:.1f}")

# %% [markdown]
# In PyTorch the loop is one's own, and so is the rule: a counter beside `loss.item()`, and
# `copy.deepcopy(model.state_dict())` for the best weights, because a state_dict is a view of weights that go on
# changing. In JAX a state is a value and could simply be kept, but `fit` donates it to the next epoch, so it is copied
# to the host.

# %%
layer = torch.nn.Linear(2, 1)
kept = layer.state_dict()
with torch.no_grad():
    layer.weight.fill_(7.0)
print("torch: a kept state_dict has changed:", bool((kept["weight"] == 7).all()))

# %% [markdown]
# ## Exercises
#
# **1. In what sense do traditional measures of complexity fail for deep networks?** They bound the gap between training
# and test error by the richness of the model class: how many parameters, or whether it could fit random labels. The
# same class, and the same training, gave a small gap for true labels and the largest possible one for random labels. No
# number that depends on the class alone can tell the two apart.
#
# **2. Why might early stopping count as regularisation?** Each step moves the weights a bounded way, so that few steps
# end close to where they began. From small weights, that means small weights, as with an $\ell_2$ penalty.

# %%
start = train.create_state(run_key, model, slow).params
for some in (5, 20, 80):
    end, _ = train.fit(model, losses.cross_entropy, slow, noisy, key=run_key, epochs=some, batch_size=64)
    moved = jax.tree.map(lambda a, b: a - b, end.params, start)
    print(f"{some:2} epochs: weights have moved by {float(optax.tree_utils.tree_norm(moved)):.1f}")

# %% [markdown]
# **3. How do people choose when to stop?** By a patience on the validation loss, as above, or by a validation loss that
# falls by less than some amount, `min_improvement`.
#
# **4. What decides whether early stopping brings much?** Noise in the labels. Where classes can be separated, as with
# the true labels here, stopping early brings next to nothing:

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
# **5. What else is early stopping good for?** It saves the time of the epochs not run.
#
# ## Summary
#
# Networks that can fit random labels generalise nevertheless, so capacity alone explains nothing; what the training
# finds first matters. Where labels are noisy, stop when the validation loss no longer improves, and keep the best
# parameters.
