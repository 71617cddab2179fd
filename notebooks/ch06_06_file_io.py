# %% [markdown]
# # 6.6 File I/O
#
# What was learnt must survive the process that learnt it. You will write arrays, lists, dictionaries and the parameters
# of a model to files and read them back to the last bit, load the first layers of one network into another, and see
# what is refused.
#
# [This section in the book](https://d2l.ai/chapter_builders-guide/read-write.html)

# %%
# %load_ext jaxd2l.parity.notebook
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file, save_file

from jaxd2l import activations
from jaxd2l.models import layers
from jaxd2l.train import checkpoint

# %% [markdown]
# ## Arrays
#
# NumPy's formats hold arrays and nothing else: `.npy` one, `.npz` several with names. The book uses `torch.save`, which
# is *pickle* underneath. A pickle is a program, and loading one runs it, so load pickles only if you wrote them. NumPy
# refuses them unless asked.

# %%
x = jnp.arange(4.0)
np.save("x.npy", x)
print(np.load("x.npy"))
np.savez("xy.npz", x=x, y=jnp.zeros(4))
with np.load("xy.npz") as file:
    print({name: file[name] for name in file.files})

# %% [markdown]
# A list or a nested dictionary is a pytree: take it apart into named arrays, and put it together again.

# %%
tree = {"a": [jnp.ones(2), jnp.arange(3)], "b": {"c": jnp.zeros((2, 2))}}
leaves, structure = jax.tree.flatten(tree)
names = [
    jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in jax.tree_util.tree_leaves_with_path(tree)
]
save_file({name: np.asarray(leaf) for name, leaf in zip(names, leaves, strict=True)}, "tree.safetensors")
read = load_file("tree.safetensors")
again = jax.tree.unflatten(structure, [jnp.asarray(read[name]) for name in names])
print(names, "equal:", jax.tree.all(jax.tree.map(jnp.array_equal, tree, again)))

# %% [markdown]
# (`safetensors` is a file of raw numbers with a table of contents. Model hubs use it because reading it is fast and
# runs no code.)
#
# ## Model parameters
#
# `checkpoint.save_params` does this for any parameters, under the names of section 6.2. A file appears whole or not at
# all, even if the power fails. To read, say what you expect: parameters of the same model, or just their shapes.

# %%
relu = layers.function(activations.relu)
net = layers.model(layers.sequential(layers.dense(256), relu, layers.dense(10)), (20,))
params = net.init(jax.random.key(0))
checkpoint.save_params("mlp.safetensors", params)
clone = checkpoint.load_params("mlp.safetensors", jax.eval_shape(net.init, jax.random.key(0)))
X = jax.random.normal(jax.random.key(1), (2, 20))
print("bytes:", Path("mlp.safetensors").stat().st_size)
print("bit for bit:", bool(jnp.array_equal(net.apply(params, X), net.apply(clone, X))))
print(sorted(load_file("mlp.safetensors")))

# %% [markdown]
# What does not fit is refused by name: missing, superfluous or of another shape.

# %%
others = {
    "another layer": layers.sequential(layers.dense(256), relu, layers.dense(10), layers.dense(3)),
    "one layer less": layers.dense(256),
    "another width": layers.sequential(layers.dense(128), relu, layers.dense(10)),
}
for name, other in others.items():
    try:
        checkpoint.load_params("mlp.safetensors", layers.model(other, (20,)).init(jax.random.key(0)))
    except ValueError as error:
        print(f"{name}: {error}")

# %%
# %%torch
import torch
from safetensors.torch import load_file as load_torch

state = load_torch("mlp.safetensors")
print("torch reads the same file:", {name: tuple(t.shape) for name, t in sorted(state.items())})
torch_net = torch.nn.Sequential(torch.nn.Linear(20, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
torch_net.load_state_dict(
    {name.replace("kernel", "weight"): t.T if name.endswith("kernel") else t for name, t in state.items()}
)
outputs = torch_net(torch.tensor(np.array(X))).detach().numpy()
print("and computes the same:", np.allclose(outputs, net.apply(params, X), atol=1e-5))

# %% [markdown]
# ## Exercises
#
# **1. Why store parameters, even if the model is never deployed elsewhere?** To go on after a crash, to evaluate later,
# to compare. A whole run (parameters, the optimiser's state, the epoch, the history) is kept with
# `checkpoint.save`, and `train.fit` does it after every epoch if you ask.
#
# **2. Use the first two layers of one network in another.** Parameters are a tuple, so that is a slice:

# %%
longer = layers.model(layers.sequential(layers.dense(256), relu, layers.dense(10), relu, layers.dense(3)), (20,))
fresh = longer.init(jax.random.key(2))
reused = (*clone[:3], *fresh[3:])
print([list(p) for p in reused], longer.apply(reused, X).shape)

# %% [markdown]
# **3. Save the architecture, too?** The architecture is code, and code belongs into version control; a file with
# parameters refuses a model that it does not fit. If only the *function* is wanted, JAX can show it as a program
# without any Python in it, which `jax.export` can also store:

# %%
print(jax.make_jaxpr(net.apply)(params, X).pretty_print(use_color=False)[:400])

# %% [markdown]
# ## Summary
#
# Arrays go to `.npy`, `.npz` or `.safetensors`, and never to a pickle. Parameters have names in files; what is missing,
# superfluous or misshapen is refused.
