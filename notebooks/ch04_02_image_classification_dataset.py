# %% [markdown]
# # 4.2 Image classification dataset
#
# Fashion-MNIST consists of grey images of clothes, 28 by 28 pixels, in ten classes. This section loads it, converts its
# pixels to numbers in $[0, 1]$, draws minibatches, and looks at the images. Here an image of height $h$ and width $w$
# is an array of shape $(h, w, c)$, with its $c$ channels last; in PyTorch the shape is $(c, h, w)$.
#
# [This section in the book](https://d2l.ai/chapter_linear-classification/image-classification-dataset.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import time
from functools import partial

import jax
import numpy as np
from tensorflow_datasets.core.download import checksums

from jaxd2l import data, plots

# %% [markdown]
# ## Loading the dataset
#
# The dataset is four compressed files. `data.fashion_mnist` reads them from the folder that `JAXD2L_DATA_DIR` names, or
# downloads them. It compares each file with the size and the SHA-256 checksum recorded in tensorflow-datasets:

# %%
on_record = checksums.get_all_url_infos()
for url in sorted(on_record, reverse=True):
    if "fashion-mnist" in url:
        print(f"{url.rpartition('/')[2]:28} {int(on_record[url].size):9} bytes")

# %% [markdown]
# The first call unpacks the files into a cache, which takes about ten seconds. Later calls map the cache into memory.
# The images remain bytes from 0 to 255, 55 million in all, in the order of the original files.

# %%
dataset = data.fashion_mnist()
train, test, class_names = dataset.train, dataset.test, dataset.class_names
print(len(train.inputs), len(test.inputs))
print(train.inputs.shape, train.inputs.dtype, train.labels.dtype)
print("train:", train.labels[:10])
print("test: ", test.labels[:10])

# %% [markdown]
# A label is a number from 0 to 9. `class_names` lists the names of the classes, like the book's `text_labels`.

# %%
print(", ".join(class_names))
print([class_names[i] for i in test.labels[:10]])
print("images of each class:", np.bincount(train.labels))

# %% [markdown]
# The book resizes the images to 32 by 32. `resize=32` does that for all of them, with the bilinear filter of Pillow
# that `torchvision.transforms.Resize` also uses.

# %%
train = data.fashion_mnist(resize=32).train
print("here: ", train.inputs[0].shape)

# %%
# %%torch
import torch

torch.set_num_threads(1)  # for batches this small, more threads cost more than they gain

print("torch:", tuple(torch.from_numpy(train.inputs[0]).permute(2, 0, 1).shape))

# %% [markdown]
# ## From bytes to numbers
#
# A model wants numbers in $[0, 1]$. In PyTorch, the transformation `ToTensor` divides an image by 255 each time the
# image is read. Here the bytes travel to the device, where they take a quarter of the memory of float32, and
# `data.to_float` converts a batch there. The results are bit for bit the same for all values of a byte:

# %%
pixels = np.arange(256, dtype=np.uint8)
ours = np.asarray(jax.jit(data.to_float)(pixels))

# %%
# %%torch
theirs = torch.from_numpy(pixels).to(torch.float32).div(255).numpy()  # as ToTensor does
print(ours.dtype, ours.min(), ours.max())
print("equal bits:", ours.tobytes() == theirs.tobytes())

# %% [markdown]
# ## Reading a minibatch
#
# `data.epoch_indices` returns the indices of the examples in each minibatch of an epoch. It is a function of a key and
# of the number of the epoch, so you can reproduce any batch of any run. An epoch visits each example once; the last
# batch holds the remaining examples.

# %%
key = jax.random.key(0)
batches = data.epoch_indices(key, epoch=0, n=len(train.inputs), batch_size=64)
X, y = data.to_float(train.inputs[batches[0]]), train.labels[batches[0]]
print(X.shape, X.dtype, y.shape, y.dtype)
print(len(batches), "batches, the last of", len(batches[-1]))
print("each example once:", bool((np.sort(np.concatenate(batches)) == np.arange(60000)).all()))

# %% [markdown]
# Here is the same in PyTorch. There the channels come first, the labels have 64 bits, and the `DataLoader` draws the
# order from a hidden generator.

# %%
# %%torch
images = torch.from_numpy(train.inputs.transpose(0, 3, 1, 2).copy())
labels = torch.from_numpy(train.labels.astype(np.int64))
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), batch_size=64, shuffle=True)
X_torch, y_torch = next(iter(loader))
X_torch = X_torch.float().div(255)
print(tuple(X_torch.shape), X_torch.dtype, tuple(y_torch.shape), y_torch.dtype)

# %% [markdown]
# Each epoch must shuffle **examples**. The book's JAX tab makes batches first and then shuffles the batches, so the
# same 64 examples are together in every epoch. Here each epoch puts an example together with others:

# %%
following = data.epoch_indices(key, epoch=1, n=len(train.inputs), batch_size=64)
company, next_company = (next(set(b.tolist()) - {0} for b in epoch if 0 in b) for epoch in (batches, following))
print("examples beside example 0:", len(company), "and", len(next_company), "- in both:", len(company & next_company))
again = data.epoch_indices(key, epoch=1, n=len(train.inputs), batch_size=64)
print("the same key gives the same order:", all((a == b).all() for a, b in zip(following, again, strict=True)))

# %% [markdown]
# How long does it take to read the training set once? The book measured 11.47 s in PyTorch, where each image is
# unpacked, resized and transformed separately. We compare three ways to get from bytes in memory to float32 batches:


# %% tags=["timing"]
@jax.jit
def read_on_device(images, order):
    """One compiled program: gathers each batch, converts it, and adds up the means, so that there is a result."""
    return jax.lax.scan(lambda total, i: (total + data.to_float(images[i]).mean(), None), 0.0, order)[0]


def seconds(read):
    begun = time.perf_counter()
    read()
    return time.perf_counter() - begun


on_device = jax.device_put(train.inputs)
order = np.stack(batches[:-1])  # the 937 full batches
read_on_device(on_device, order).block_until_ready()  # compiles

# %% tags=["timing"]
# %%torch
for name, read in {
    "torch DataLoader": lambda: [X.float().div(255) for X, _ in loader],
    "NumPy, batch by batch": lambda: [jax.block_until_ready(data.to_float(train.inputs[i])) for i in batches],
    "JAX, one program": lambda: read_on_device(on_device, order).block_until_ready(),
}.items():
    print(f"{name:22} {seconds(read):.2f} s")

# %% [markdown]
# None of them unpacks or resizes anything, because that was done once, when we loaded the dataset. `train.fit` reads in
# the last way: each epoch is a single program that gathers the images on the device, whether that is a CPU or a GPU.
#
# ## Visualization
#
# `plots.image_grid` corresponds to the book's `show_images`. Here are the first images of the test set with their class
# names:

# %%
plots.image_grid(test.inputs[:16], titles=[class_names[i] for i in test.labels[:16]])

# %% [markdown]
# The mean image of each class shows what a linear model can see. Sneakers and trousers have distinct shapes, while
# pullovers, coats and shirts look nearly the same.

# %%
means = np.stack([dataset.train.inputs[dataset.train.labels == c].mean(0) / 255 for c in range(10)])
plots.image_grid(means, titles=class_names, columns=5)

# %% [markdown]
# ## Exercises
#
# **1. Does a smaller batch size, such as 1, slow down reading?** Yes. Every batch costs a fixed amount of work,
# regardless of its size: an index, a copy, a dispatch. For three hundred images:


# %% tags=["timing"]
def read_some(batch_size, n=300):
    for i in np.split(np.arange(n), range(batch_size, n, batch_size)):
        jax.block_until_ready(data.to_float(train.inputs[i]))


for batch_size in (1, 10, 100, 300):
    read_some(batch_size, n=batch_size)  # compiles
    print(f"batches of {batch_size:3}: {1000 * seconds(partial(read_some, batch_size)):7.2f} ms")

# %% [markdown]
# **2. Is the loading fast enough, and what would make it faster?** It is fast enough, because the expensive work is
# done only once or not at all: the files are unpacked into a cache, images remain bytes, and the compiled program
# gathers the batches. Reading is then a small part of a step. If the data do not fit on the device, a second process
# can read ahead while a step is running; this is what `num_workers` of a `DataLoader` is for.
#
# **3. Which other datasets are there?** The package has one that needs no download and has the same form:

# %%
digits = data.digits()
print(digits.train.inputs.shape, digits.train.inputs.dtype, digits.test.inputs.shape)
plots.image_grid(digits.train.inputs[:8], titles=[digits.class_names[i] for i in digits.train.labels[:8]])

# %% [markdown]
# ## Summary
#
# | | PyTorch | here |
# |---|---|---|
# | one image | `(1, 32, 32)`, float32 | `(32, 32, 1)`, uint8 until used |
# | labels | int64 | int32 |
# | transformation | image by image, while reading | batch by batch, on the device |
# | order of an epoch | a hidden generator | a function of a key and the epoch |
#
# Fashion-MNIST has 60000 images for training and 10000 for testing, 6000 and 1000 of each class. Shuffle examples, not
# batches.
