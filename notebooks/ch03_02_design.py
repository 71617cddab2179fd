# %% [markdown]
# # 3.2 Design for implementation
#
# The book builds everything that follows on three classes: `Module` holds the model, the loss and the optimiser,
# `DataModule` holds the data, and `Trainer` brings them together. This package has functions and a few plain values
# instead. This section shows them at work. A table then lists every class and method of the book with its counterpart
# here.
#
# [This section in the book](https://d2l.ai/chapter_linear-regression/oo-design.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l import data, losses, models, optim, plots, train, types
from jaxd2l.book import generalization

# %% [markdown]
# ## Why functions
#
# Objects have a memory: the parameters are in `self`, the epoch is in the trainer, and a random generator is somewhere.
# JAX compiles, differentiates and vectorises **pure functions**, whose result depends only on their arguments. If a
# jitted method contains `self.count += 1`, the count goes up once, while JAX traces the method, and never again:


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
# So a function takes everything that changes as an argument, and returns it. The values that travel this way are named
# tuples. Here are two of them; the others are `Dataset` (a training and a test `Batch`), `TrainState` (parameters, the
# optimiser's state, the number of steps) and `History` (what was measured).

# %%
for kind in (types.Model, types.Batch):
    print(f"{kind.__name__}({', '.join(kind._fields)}): {inspect.getdoc(kind)}\n")

# %% [markdown]
# ## Module: a model, a loss, an optimiser
#
# The book's `Module` combines a model, its loss and its optimiser in one class. Here they are three separate arguments,
# and you can change one without touching the others. `init` draws parameters from a key; `apply` is the forward pass.

# %%
model, loss, tx = models.linear_regression(2), losses.squared_loss, optax.sgd(0.03)
params = model.init(jax.random.key(0))
print(model)
print(model.apply(params, jnp.ones((5, 2))).shape)

# %% [markdown]
# ## DataModule: a dataset and an order
#
# The data are arrays. A data loader adds the order in which an epoch visits them. Here this order is a function of a
# key and the epoch. It shuffles **examples**; the book's JAX tab shuffles batches, which hold the same examples in
# every epoch.

# %%
true_w, true_b = np.array([2.0, -3.4]), 4.2
dataset = data.synthetic_regression(jax.random.key(1), true_w, true_b)
print(dataset)
key = jax.random.key(2)
batches = data.epoch_indices(key, epoch=0, n=1000, batch_size=32)
print(len(batches), "batches; the last has", len(batches[-1]), "examples; all once:", len(set(np.concatenate(batches))))

# %% [markdown]
# ## Trainer: a function that runs
#
# A training step is a function from one state to the next. This is all of it. `train.make_train_step(model, loss, tx)`
# returns the same step, which also takes a key for models that draw random numbers, such as dropout:


# %%
def step(state, batch):
    def batch_loss(params):
        return loss(model.apply(params, batch.inputs), batch.labels)

    value, grads = jax.value_and_grad(batch_loss)(state.params)
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return state._replace(params=params, opt_state=opt_state, step=state.step + 1), value


begin = train.create_state(key, model, tx)
batch = types.Batch(*(jnp.asarray(array[batches[0]]) for array in dataset.train))
ours, packaged = step(begin, batch), train.make_train_step(model, loss, tx)(begin, batch)
print("as in the package:", jax.tree.all(jax.tree.map(jnp.array_equal, ours, packaged)))

# %% [markdown]
# `fit` takes all steps of an epoch in one compiled program, measures the loss on the test set after each epoch, and
# returns the last state and the history. `live_curves` draws while it runs.

# %%
state, history = train.fit(
    model, loss, tx, dataset, key=key, epochs=3, batch_size=32, on_epoch=plots.live_curves(3, title="Linear regression")
)

# %%
print(state)
print(history)
print("train loss falls:", bool((np.diff(history.train_loss) < 0).all()))
print("w:", np.asarray(state.params["kernel"]).ravel().round(1), "b:", np.asarray(state.params["bias"]).round(1))

# %% [markdown]
# **The same in PyTorch.** The loop below is the essence of the book's `Trainer.fit` and `fit_epoch`. It starts from the
# parameters that `fit` drew and sees the same batches, so it must arrive at the same parameters.

# %%
# %%torch
import torch

net = torch.nn.Linear(2, 1)
with torch.no_grad():
    net.weight.copy_(torch.tensor(np.asarray(begin.params["kernel"]).T))
    net.bias.copy_(torch.tensor(np.asarray(begin.params["bias"])))
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
# ## The book's classes and their counterparts
#
# If a later section of the book adds the method, the table gives its number in brackets.
#
# | The book | Here | |
# |---|---|---|
# | `add_to_class` | nothing | a function that needs another takes it as an argument |
# | **`HyperParameters`** | keyword arguments | a closure holds them: `models.mlp(784, 256, 10, dropout_rate=0.5)` |
# | `.save_hyperparameters` | nothing | the code that makes a model or an optimiser knows the numbers |
# | **`ProgressBoard`** | `plots` | |
# | `.__init__` | arguments of `plots.lines`, `plots.live_curves` | labels and scales; `path=` saves the picture |
# | `.draw` | `plots.live_curves`, `plots.training_curves` | draws a `History`, between epochs |
# | **`Module`** | `Model(init, apply)`, a loss, an optimiser | |
# | `.__init__` | `models.linear_regression`, `softmax_regression`, `mlp`, ... | sizes in, `Model` out |
# | `.setup` (JAX tab) | `models.from_flax(module)` | any Flax module becomes a `Model` |
# | `.apply_init` (6.3) | `model.init(key)` | the initialiser is the model's `init=` argument |
# | `.parameters` (from torch) | `state.params` | a pytree: nested tuples and dictionaries |
# | `.forward`, `.__call__` | `model.apply(params, inputs)` | with `key=` for training: dropout happens |
# | `.loss` | `losses.squared_loss`, `losses.cross_entropy`, ... | `loss(outputs, labels)` |
# | `.training_step` | `train.make_train_step(model, loss, tx)` | `step(state, batch, key=key)`: new state and loss |
# | `.validation_step` | `train.evaluate(model, loss, params, batch)` | loss and accuracy of a whole set |
# | `.plot` | `History` | `fit` returns the losses; drawing them is up to you |
# | `.configure_optimizers` | `optax.sgd(0.03)`, `optim.sgd(...)` | an argument of `fit` |
# | **`DataModule`** | `Dataset(train, test, class_names)` | |
# | `.__init__` | `data.synthetic_regression`, `data.fashion_mnist`, ... | `root` is `data_dir`; there are no workers |
# | `.get_dataloader` | `dataset.train`, `dataset.test` | arrays; `fit` takes batches from them on the device |
# | `.train_dataloader` | `data.epoch_indices(key, epoch, n, batch_size)` | the batches of an epoch, as indices |
# | `.val_dataloader` | `dataset.test` | in its own order |
# | `.get_tensorloader` (3.3) | `Batch(inputs, labels)` | any arrays will do |
# | **`Trainer`** | `train.fit` | |
# | `.__init__` | `epochs=`, `batch_size=` of `fit` | `num_gpus`: JAX uses the accelerator it finds |
# | `.prepare_data` | in `fit` | checks for NaN and wrong labels, and moves the data to the device once |
# | `.prepare_model` | `train.create_state(key, model, tx)` | parameters, optimiser's state, step 0 |
# | `.fit` | `train.fit(model, loss, tx, dataset, key=...)` | returns state and history; changes nothing |
# | `.fit_epoch` (3.4) | `train.train_epoch` | compiled by `fit`; returns the loss of every step |
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
# In the book, a subclass overrides a method. Here you pass a function instead. `fit` calls `on_epoch` with the state
# and the history after every epoch, and stops when it returns True. That is enough for early stopping, for example. The
# optimiser is a chain of functions, and clipping gradients is one more link.

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
# A state holds everything that a run changes. So you can stop a run and resume it, and the result equals that of an
# uninterrupted run to the last bit:

# %%
first, _ = train.fit(model, loss, tx, dataset, key=key, epochs=1, batch_size=32)
resumed, _ = train.fit(model, loss, tx, dataset, key=key, epochs=3, batch_size=32, state=first)
print(jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), resumed.params, state.params)))

# %% [markdown]
# Since the step is a pure function, we can transform it as a whole. The following program takes a step with eight
# models at once, each with its own initialisation. `vmap` adds an axis that the step knows nothing about.

# %%
states = jax.vmap(lambda k: train.create_state(k, model, tx))(jax.random.split(jax.random.key(3), 8))
states, eight_losses = jax.jit(jax.vmap(step, in_axes=(0, None)))(states, batch)
print(eight_losses.shape, jax.tree.map(jnp.shape, states.params))

# %% [markdown]
# ## Exercises
#
# **The book's example of `ProgressBoard`: draw sine and cosine, averaging 2 and 10 points.** The book's board keeps
# only the averages. If you keep the arrays, you can average them afterwards in any way you like.

# %%
x = np.arange(0, 10, 0.1)


def averaged(values, every_n):
    centres, means = (array.reshape(-1, every_n).mean(axis=1) for array in (x, values))
    return np.interp(x, centres, means, left=np.nan, right=np.nan)


plots.lines(x, {"sin, by 2": averaged(np.sin(x), 2), "cos, by 10": averaged(np.cos(x), 10)}, xlabel="x", ylabel="value")

# %% [markdown]
# **1. Where is the full implementation?** This function takes all steps of an epoch; `fit` compiles it and calls it
# once per epoch.

# %%
print(inspect.getsource(train.train_epoch))

# %% [markdown]
# **2. Without `save_hyperparameters`, can you still print `self.a`?** No. An argument of `__init__` is a local
# variable, which is gone when `__init__` returns. The book's method looks up the local variables of its caller
# (`inspect.currentframe().f_back`) and sets them as attributes. A function that makes a model does not need this, since
# the functions it returns remember its arguments.


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
# **One more: replace one part and leave the rest.** We change the optimiser, the implementation of the model, or the
# loss, and the call stays the same. The final test losses are all close to $0.01^2 / 2$, which is due to the noise:

# %%
parts = {
    "SGD": (model, loss, tx),
    "Adam": (model, loss, optax.adam(0.03)),
    "Flax": (models.flax_linear_regression(2), loss, tx),
    "Huber": (model, lambda outputs, labels: optax.huber_loss(outputs, labels).mean(), tx),
}
for name, (a_model, a_loss, a_tx) in parts.items():
    end, _ = train.fit(a_model, a_loss, a_tx, dataset, key=key, epochs=20, batch_size=32)
    test_loss, _ = train.evaluate(a_model, losses.squared_loss, end.params, dataset.test)
    print(f"{name:6} test loss below 0.0001:", float(test_loss) < 1e-4)

# %% [markdown]
# ## Summary
#
# Classes remember; here, we pass values. A model is two functions, a dataset is arrays, and a run is a function of a
# key that returns a state and a history. Where a subclass would override a method, you pass an argument.
