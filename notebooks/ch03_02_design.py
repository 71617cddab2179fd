# %% [markdown]
# # 3.2 Design for implementation
#
# The book builds everything that follows from three classes: `Module` holds model, loss and optimiser, `DataModule` the
# data, `Trainer` brings them together. Here there are functions and a few plain values instead. This section shows them
# at work, and has a table from every class and method of the book to what stands in its place.

# %%
# %matplotlib inline
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from jaxd2l import data, losses, models, optim, plots, train, types
from jaxd2l.book import generalization

# %% [markdown]
# ## Why functions
#
# An object remembers: parameters in `self`, the epoch in the trainer, the random generator somewhere. JAX compiles,
# differentiates and vectorises **pure functions**, whose result depends on their arguments and on nothing else. A
# jitted method that sets `self.count += 1` does so once, while it is traced, and never again:


# %%
class Counter:
    def __init__(self):
        self.count = 0

    def add(self, x):
        self.count += 1
        return x + self.count


counter = Counter()
compiled = jax.jit(counter.add)
print([int(compiled(0)) for _ in range(3)], "count:", counter.count)

# %% [markdown]
# So what changes is passed in and handed back. Five kinds of values travel, all of them named tuples. Two are shown;
# the others are `Dataset` (a training and a test `Batch`), `TrainState` (parameters, the optimiser's state, the number
# of steps) and `History` (what was measured).

# %%
print(inspect.getsource(types.Model))
print(inspect.getsource(types.Batch))

# %% [markdown]
# ## Module: a model, a loss, an optimiser
#
# The book's `Module` is a model, its loss and its optimiser in one class. Here they are three arguments, and any one
# can be changed without touching the others. `init` draws parameters from a key; `apply` is the forward pass.

# %%
model, loss, tx = models.linear_regression(2), losses.squared_loss, optax.sgd(0.03)
params = model.init(jax.random.key(0))
print(jax.tree.map(jnp.shape, params))
print(model.apply(params, jnp.ones((5, 2))).shape)

# %% [markdown]
# ## DataModule: a dataset and an order
#
# The data are arrays. What a data loader adds, the order in which an epoch visits them, is a function of a key and the
# epoch. It shuffles **examples**; the book's JAX tab shuffles batches, which hold the same examples every time.

# %%
true_w, true_b = np.array([2.0, -3.4]), 4.2
dataset = data.synthetic_regression(jax.random.key(1), true_w, true_b)
print(dataset.train.inputs.shape, dataset.train.labels.shape, dataset.test.inputs.shape)
key = jax.random.key(2)
batches = data.epoch_indices(key, epoch=0, n=1000, batch_size=32)
print(len(batches), "batches; the last has", len(batches[-1]), "examples; all once:", len(set(np.concatenate(batches))))

# %% [markdown]
# ## Trainer: a function that runs
#
# A step is a function from state to state. This is all of it:

# %%
source = inspect.getsource(train.make_train_step)
print(source[source.rindex('"""') + 4 :])

# %% [markdown]
# `fit` walks the steps of an epoch in one compiled program, measures the test set after each epoch, and returns the
# last state and the history. `live_curves` draws while it runs.

# %%
state, history = train.fit(
    model, loss, tx, dataset, key=key, epochs=3, batch_size=32, on_epoch=plots.live_curves(3, title="Linear regression")
)

# %%
print("steps taken:", state.step, " losses of", history.step_loss.shape, "(epochs, steps)")
print("train loss falls:", bool((np.diff(history.train_loss) < 0).all()))
print("w:", np.asarray(state.params["kernel"]).ravel().round(1), "b:", np.asarray(state.params["bias"]).round(1))

# %% [markdown]
# **The same in PyTorch.** The loop below is what the book's `Trainer.fit` and `fit_epoch` come down to. It starts from
# the parameters that `fit` drew and sees the same batches, so it must end at the same place.

# %%
net = torch.nn.Linear(2, 1)
begin = train.create_state(key, model, tx).params
with torch.no_grad():
    net.weight.copy_(torch.tensor(np.asarray(begin["kernel"]).T))
    net.bias.copy_(torch.tensor(np.asarray(begin["bias"])))
optimizer = torch.optim.SGD(net.parameters(), lr=0.03)
X, y = (torch.tensor(array) for array in dataset.train)
for epoch in range(3):
    for indices in data.epoch_indices(key, epoch, 1000, 32):
        rows = torch.tensor(indices)
        batch_loss = torch.nn.functional.mse_loss(net(X[rows]), y[rows]) / 2
        optimizer.zero_grad()
        batch_loss.backward()
        optimizer.step()
print("same weights:", np.allclose(net.weight.detach().numpy().T, state.params["kernel"], atol=1e-5))
print("same bias:", np.allclose(net.bias.detach().numpy(), state.params["bias"], atol=1e-5))

# %% [markdown]
# ## The book's classes and what stands in their place
#
# In brackets the section of the book that adds the method, if it is a later one.
#
# | The book | Here | |
# |---|---|---|
# | `add_to_class` | nothing | functions that need each other take each other as arguments |
# | **`HyperParameters`** | keyword arguments | a closure holds them: `models.mlp(784, 256, 10, dropout_rate=0.5)` |
# | `.save_hyperparameters` | nothing | whoever makes a model or an optimiser has the numbers in hand |
# | **`ProgressBoard`** | `plots` | |
# | `.__init__` | arguments of `plots.lines`, `plots.live_curves` | labels and scales; `path=` keeps the picture |
# | `.draw` | `plots.live_curves`, `plots.training_curves` | draws a `History`, between epochs |
# | **`Module`** | `Model(init, apply)`, a loss, an optimiser | |
# | `.__init__` | `models.linear_regression`, `softmax_regression`, `mlp`, ... | sizes in, `Model` out |
# | `.setup` (JAX tab) | `models.from_flax(module, example)` | any Flax module becomes a `Model` |
# | `.apply_init` (6.3) | `model.init(key)` | the initialiser is the model's `init=` argument |
# | `.parameters` (from torch) | `state.params` | a pytree: nested tuples and dictionaries |
# | `.forward`, `.__call__` | `model.apply(params, inputs)` | with `key=`: training, dropout happens |
# | `.loss` | `losses.squared_loss`, `losses.cross_entropy`, ... | `loss(outputs, labels)` |
# | `.training_step` | `train.make_train_step(model, loss, tx)` | `step(state, batch, key=key)`: new state and loss |
# | `.validation_step` | `train.evaluate(model, loss, params, batch)` | loss and accuracy of a whole set |
# | `.plot` | `History` | `fit` returns the losses, and somebody else draws them |
# | `.configure_optimizers` | `optax.sgd(0.03)`, `optim.sgd(...)` | an argument of `fit` |
# | **`DataModule`** | `Dataset(train, test, class_names)` | |
# | `.__init__` | `data.synthetic_regression`, `data.fashion_mnist`, ... | `root` is `data_dir`; there are no workers |
# | `.get_dataloader` | `dataset.train`, `dataset.test` | arrays; `fit` takes batches from them on the device |
# | `.train_dataloader` | `data.epoch_indices(key, epoch, n, batch_size)` | the batches of an epoch, as indices |
# | `.val_dataloader` | `dataset.test` | in its own order |
# | `.get_tensorloader` (3.3) | `Batch(inputs, labels)` | any arrays will do |
# | **`Trainer`** | `train.fit` | |
# | `.__init__` | `epochs=`, `batch_size=` of `fit` | `num_gpus`: JAX uses the accelerator it finds |
# | `.prepare_data` | in `fit` | looks for NaN and wrong labels, moves the data to the device once |
# | `.prepare_model` | `train.create_state(key, model, tx)` | parameters, optimiser's state, step 0 |
# | `.fit` | `train.fit(model, loss, tx, dataset, key=...)` | returns state and history; changes nothing |
# | `.fit_epoch` (3.4) | `train.train_epoch` | compiled by `fit`; gives the loss of every step |
# | `.prepare_batch` (3.4, 6.7) | `data.to_float`, in `train_epoch` | the batch is on the device already |
# | `.clip_gradients` (9.5) | `optax.clip_by_global_norm` | chained before the optimiser |
# | `.epoch`, `.train_batch_idx` | `state.step`, the rows of `history` | |
# | `self.training`, `train()`, `eval()` | `key=` of `apply` | no mode to forget |
# | `d2l.get_key` (JAX tab) | the `key` of `fit` | no global generator: same key, same bits |
#
# `Classifier` comes in [4.3](ch04_03_classification.ipynb).
#
# ## Hooks without methods
#
# A subclass of the book overrides a method. Here one passes a function. `on_epoch` sees state and history after every
# epoch and ends the run by returning True: early stopping, for example. The optimiser is a chain of functions, so
# clipping gradients is one more link.

# %%
clipped = optax.chain(optax.clip_by_global_norm(1.0), optim.sgd(0.3, momentum=0.5))
_, stopped = train.fit(
    model,
    loss,
    clipped,
    dataset,
    key=key,
    epochs=50,
    batch_size=32,
    on_epoch=lambda state, history: generalization.should_stop(history.test_loss, patience=3),
)
print("ended early:", len(stopped.test_loss) < 50)

# %% [markdown]
# Because a state holds all that a run changes, a run can be stopped and resumed, and ends as one that was never
# stopped, to the last bit:

# %%
first, _ = train.fit(model, loss, tx, dataset, key=key, epochs=1, batch_size=32)
resumed, _ = train.fit(model, loss, tx, dataset, key=key, epochs=3, batch_size=32, state=first)
print(jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), resumed.params, state.params)))

# %% [markdown]
# And what is a pure function can be transformed as a whole. Eight models with eight initialisations, each one a step
# further, in one program: `vmap` adds an axis that the step knows nothing about.

# %%
step = train.make_train_step(model, loss, tx)
states = jax.vmap(lambda k: train.create_state(k, model, tx))(jax.random.split(jax.random.key(3), 8))
batch = types.Batch(*(jnp.asarray(array[:32]) for array in dataset.train))
states, eight_losses = jax.jit(jax.vmap(step, in_axes=(0, None)))(states, batch)
print(eight_losses.shape, jax.tree.map(jnp.shape, states.params))

# %% [markdown]
# ## Exercises
#
# **The book's example of `ProgressBoard`: draw sine and cosine, averaging 2 and 10 points.** The board forgets; arrays
# can be averaged afterwards, in as many ways as one likes.

# %%
x = np.arange(0, 10, 0.1)


def averaged(values, every_n):
    centres, means = (array.reshape(-1, every_n).mean(axis=1) for array in (x, values))
    return np.interp(x, centres, means, left=np.nan, right=np.nan)


plots.lines(x, {"sin, by 2": averaged(np.sin(x), 2), "cos, by 10": averaged(np.cos(x), 10)}, xlabel="x", ylabel="value")

# %% [markdown]
# **1. Where is the full implementation?** Here: `fit` calls this function, compiled.

# %%
print(inspect.getsource(train.train_epoch))

# %% [markdown]
# **2. Without `save_hyperparameters`, can `self.a` still be printed?** No: an argument of `__init__` is a local
# variable and is gone when it returns. The book's method looks up the caller's local variables
# (`inspect.currentframe().f_back`) and sets them as attributes. A function that makes a model needs no such thing,
# since what it returns closes over its arguments.


# %%
class B:
    def __init__(self, a, b, c):
        pass


try:
    print(B(1, 2, 3).a)
except AttributeError as error:
    print("AttributeError:", error)
print(
    "the closure remembers:",
    inspect.getclosurevars(models.mlp(4, (3, 3), 2, dropout_rate=0.5).apply).nonlocals["dropout_rate"],
)

# %% [markdown]
# **One more: exchange one part and leave the rest.** Another optimiser, another implementation of the model, another
# loss; the call stays the same. The last test losses are all near the noise's $0.01^2 / 2$:

# %%
parts = {
    "SGD": (model, loss, tx),
    "Adam": (model, loss, optax.adam(0.03)),
    "Flax": (models.flax_linear_regression(2), loss, tx),
    "Huber": (model, lambda outputs, labels: optax.huber_loss(outputs, labels).mean(), tx),
}
for name, (a_model, a_loss, a_tx) in parts.items():
    end, _ = train.fit(a_model, a_loss, a_tx, dataset, key=key, epochs=20, batch_size=32)
    print(f"{name:6}", float(train.evaluate(a_model, losses.squared_loss, end.params, dataset.test).loss) < 1e-4)

# %% [markdown]
# ## Summary
#
# Classes remember; here, values are passed. A model is two functions, a dataset is arrays, a run is a function of a key
# that returns a state and a history. What a subclass would override is an argument.
