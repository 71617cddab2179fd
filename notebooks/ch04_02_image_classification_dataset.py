# %% [markdown]
# # 4.2 Image classification dataset
#
# Fashion-MNIST: grey images of clothes, 28 by 28 pixels, ten classes. This section loads it, turns its pixels into
# numbers, draws minibatches of it, and looks at it. An image of height $h$ and width $w$ is an array of shape
# $(h, w, c)$ here, with its $c$ channels last; PyTorch has $(c, h, w)$.

# %%
# %matplotlib inline
import time
from functools import partial

import jax
import numpy as np
import torch
from tensorflow_datasets.core.download import checksums

from jaxd2l import data, plots
from jaxd2l.data import fashion_mnist_files as files

torch.set_num_threads(1)  # for batches this small more threads cost more than they bring

# %% [markdown]
# ## Loading the dataset
#
# The dataset is four compressed files. `data.fashion_mnist` takes them from the folder that `JAXD2L_DATA_DIR` names,
# or downloads them, and compares each with the size and the SHA-256 sum that tensorflow-datasets has on record:

# %%
on_record = checksums.get_all_url_infos()
for name in files.NAMES:
    print(f"{name:28} {int(on_record[files.URL + name].size):9} bytes")

# %% [markdown]
# The first call unpacks them into a cache (some ten seconds), later calls map the cache into memory. The images stay
# bytes, 0 to 255, and all of them together are 55 million. The order is that of the original files.

# %%
dataset = data.fashion_mnist()
train, test, class_names = dataset
print(len(train.inputs), len(test.inputs))
print(train.inputs.shape, train.inputs.dtype, train.labels.dtype)
print("train:", train.labels[:10])
print("test: ", test.labels[:10])

# %% [markdown]
# A label is a number from 0 to 9. `class_names` says what it means, as the book's `text_labels` does.

# %%
print(", ".join(class_names))
print([class_names[i] for i in test.labels[:10]])
print("images of each class:", np.bincount(train.labels))

# %% [markdown]
# The book resizes the images to 32 by 32. `resize=32` does that for all of them, with the bilinear filter of Pillow,
# which `torchvision.transforms.Resize` uses too.

# %%
train, test, _ = data.fashion_mnist(resize=32)
print("here: ", train.inputs[0].shape)
print("torch:", tuple(torch.from_numpy(train.inputs[0]).permute(2, 0, 1).shape))

# %% [markdown]
# ## From bytes to numbers
#
# A model wants numbers in $[0, 1]$. In PyTorch the transformation `ToTensor` divides each image by 255 when it is read,
# every time. Here the bytes travel to the device, a quarter of the memory of float32, and `data.to_float` makes numbers
# of a batch there. The results are the same bit for bit, for all values that a byte can have:

# %%
pixels = np.arange(256, dtype=np.uint8)
ours = np.asarray(jax.jit(data.to_float)(pixels))
theirs = torch.from_numpy(pixels).to(torch.float32).div(255).numpy()  # as ToTensor does
print(ours.dtype, ours.min(), ours.max())
print("equal bits:", ours.tobytes() == theirs.tobytes())

# %% [markdown]
# ## Reading a minibatch
#
# `data.epoch_indices` says which examples each minibatch of an epoch holds. It is a function of a key and of the
# epoch's number, so that any batch of any run can be had again. An epoch visits each example once; the last batch holds
# what is left.

# %%
key = jax.random.key(0)
batches = data.epoch_indices(key, epoch=0, n=len(train.inputs), batch_size=64)
X, y = data.to_float(train.inputs[batches[0]]), train.labels[batches[0]]
print(X.shape, X.dtype, y.shape, y.dtype)
print(len(batches), "batches, the last of", len(batches[-1]))
print("each example once:", bool((np.sort(np.concatenate(batches)) == np.arange(60000)).all()))

# %% [markdown]
# The same in PyTorch. Its `DataLoader` draws the order from a hidden generator, puts the channels first, and counts
# classes in 64 bits.

# %%
images = torch.from_numpy(train.inputs.transpose(0, 3, 1, 2).copy())
labels = torch.from_numpy(train.labels.astype(np.int64))
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), batch_size=64, shuffle=True)
X_torch, y_torch = next(iter(loader))
X_torch = X_torch.float().div(255)
print(tuple(X_torch.shape), X_torch.dtype, tuple(y_torch.shape), y_torch.dtype)

# %% [markdown]
# Each epoch has to shuffle **examples**. The book's JAX tab makes batches first and shuffles those, so that the same 64
# examples meet in every epoch. Here an example's company changes:

# %%
following = data.epoch_indices(key, epoch=1, n=len(train.inputs), batch_size=64)
company, next_company = (next(set(b.tolist()) - {0} for b in epoch if 0 in b) for epoch in (batches, following))
print("examples beside example 0:", len(company), "and", len(next_company), "- in both:", len(company & next_company))
again = data.epoch_indices(key, epoch=1, n=len(train.inputs), batch_size=64)
print("the same key gives the same order:", all((a == b).all() for a, b in zip(following, again, strict=True)))

# %% [markdown]
# How long does it take to read the training set once? The book measured 11.47 s in PyTorch, where each image is
# unpacked, resized and transformed on its own. Three ways from bytes in memory to float32 batches:


# %% tags=["timing"]
@jax.jit
def read_on_device(images, order):
    """One compiled program: gathers each batch, makes numbers of it, and (to have a result) adds up their means."""
    return jax.lax.scan(lambda total, i: (total + data.to_float(images[i]).mean(), None), 0.0, order)[0]


def seconds(read):
    begun = time.perf_counter()
    read()
    return time.perf_counter() - begun


on_device = jax.device_put(train.inputs)
order = np.stack(batches[:-1])  # the 937 full batches
read_on_device(on_device, order).block_until_ready()  # compiles
for name, read in {
    "torch DataLoader": lambda: [X.float().div(255) for X, _ in loader],
    "NumPy, batch by batch": lambda: [jax.block_until_ready(data.to_float(train.inputs[i])) for i in batches],
    "JAX, one program": lambda: read_on_device(on_device, order).block_until_ready(),
}.items():
    print(f"{name:22} {seconds(read):.2f} s")

# %% [markdown]
# None of them unpacks or resizes anything: that was done once, when the dataset was loaded. `train.fit` reads in the
# last way; its epochs are single programs, in which images are gathered where they are needed, on a GPU too.
#
# ## Visualization
#
# `plots.image_grid` is the book's `show_images`. The first images of the test set, under their names:

# %%
plots.image_grid(test.inputs[:16], [class_names[i] for i in test.labels[:16]])

# %% [markdown]
# The mean image of each class shows what a linear model can see: sneakers and trousers have a shape of their own, while
# pullover, coat and shirt are nearly one.

# %%
means = np.stack([dataset.train.inputs[dataset.train.labels == c].mean(0) / 255 for c in range(10)])
plots.image_grid(means, class_names, columns=5)

# %% [markdown]
# ## Exercises
#
# **1. Does a smaller batch size, 1 for instance, slow reading down?** Yes. Every batch costs a fixed amount of work,
# whatever its size: an index, a copy, a dispatch. Three hundred images:


# %% tags=["timing"]
def read_some(batch_size, n=300):
    for i in np.split(np.arange(n), range(batch_size, n, batch_size)):
        jax.block_until_ready(data.to_float(train.inputs[i]))


for batch_size in (1, 10, 100, 300):
    read_some(batch_size, n=batch_size)  # compiles
    print(f"batches of {batch_size:3}: {1000 * seconds(partial(read_some, batch_size)):7.2f} ms")

# %% [markdown]
# **2. Is the loading fast enough, and what would make it faster?** What costs time is done once or not at all: the
# files are unpacked into a cache, images stay bytes, batches are gathered in the compiled program. Reading is then
# a small part of a step. Data that does not fit on the device would be read ahead by a second process while a step is
# computed, which is what `num_workers` asks of a `DataLoader`.
#
# **3. Which other datasets are there?** One comes with the package, needs no download, and has the same form:

# %%
digits = data.digits()
print(digits.train.inputs.shape, digits.train.inputs.dtype, digits.test.inputs.shape)
plots.image_grid(digits.train.inputs[:8], [digits.class_names[i] for i in digits.train.labels[:8]])

# %% [markdown]
# ## Summary
#
# | | PyTorch | here |
# |---|---|---|
# | one image | `(1, 32, 32)`, float32 | `(32, 32, 1)`, uint8 until it is used |
# | labels | int64 | int32 |
# | transformation | image by image, when read | batch by batch, on the device |
# | order of an epoch | a hidden generator | a function of a key and the epoch |
#
# Fashion-MNIST has 60000 images to train and 10000 to test, 6000 and 1000 of each class. Shuffle examples, not batches.
