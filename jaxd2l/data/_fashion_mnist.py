"""Fashion-MNIST: 70000 grey images of clothes in ten classes (D2L 4.2)."""

import os
from pathlib import Path

import numpy as np

from jaxd2l._checks.numbers import require_whole
from jaxd2l._process.cache_folder import cache_dir
from jaxd2l.data import _fashion_mnist_files as files
from jaxd2l.data._array_cache import cached_arrays, cannot_write
from jaxd2l.data._official_files import find
from jaxd2l.types import Batch, Dataset

CLASS_NAMES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def fashion_mnist(*, data_dir: str | os.PathLike[str] | None = None, resize: int | None = None) -> Dataset:
    """The 60000 training and 10000 test images of Fashion-MNIST, in the order of the original files.

    The first call reads the four official .gz files through tensorflow-datasets and keeps plain arrays in the cache
    folder; later calls map those in a few milliseconds. `prepare_fashion_mnist` says where the files come from and
    where the cache is. D2L 4.2; `torchvision.datasets.FashionMNIST(root, train)`, with `transforms.Resize(32)` for
    `resize=32`.

    Args:
      data_dir: a folder that holds the four files, itself or in a subfolder `fashion_mnist`. It is only read.
        Default: the environment variable JAXD2L_DATA_DIR; without it, a download.
      resize: side of the images in pixels, 32 in the book; they are then scaled with Pillow's bilinear filter.

    Returns:
      Dataset: train inputs (60000, 28, 28, 1) uint8 and labels (60000,) int32, test inputs (10000, 28, 28, 1) and
      labels (10000,), read-only; with `resize=32`, (n, 32, 32, 1). `class_names` are the book's ten text labels.

    Raises:
      FileNotFoundError: the named folder lacks one of the four files.
      ValueError: a file is damaged, or `resize` is below 1.
      TypeError: `resize` is not a whole number.
      ConnectionError: no folder is named, nothing is cached and the server cannot be reached.
      OSError: the cache folder cannot be written to.

    Example::

        train, test, class_names = fashion_mnist()
        class_names[train.labels[0]]  # 'ankle boot'
    """
    if resize is not None:
        require_whole(1, resize=resize)
    arrays = _arrays(data_dir)

    def batch(split: str) -> Batch:
        images = arrays[f"{split}_images"]
        return Batch(images if resize is None else _resized(images, resize), arrays[f"{split}_labels"])

    return Dataset(batch("train"), batch("test"), CLASS_NAMES)


def prepare_fashion_mnist(*, data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Makes sure that Fashion-MNIST is in the cache, and returns the folder there that holds its arrays.

    The official files come from `data_dir`, else from JAXD2L_DATA_DIR, else from the network. The cache is in
    JAXD2L_CACHE_DIR, else in $XDG_CACHE_HOME/jaxd2l, else in ~/.cache/jaxd2l. D2L 4.2;
    `torchvision.datasets.FashionMNIST(root, download=True)`.

    Args:
      data_dir: as for `fashion_mnist`, which also lists the errors.

    Returns:
      The folder with `train_images.npy`, `train_labels.npy`, `test_images.npy`, `test_labels.npy`.

    Example::

        prepare_fashion_mnist(data_dir="downloads/fashion_mnist")  # Path('/home/me/.cache/jaxd2l/fashion_mnist')
    """
    _arrays(data_dir)
    return _cache_folder()


_KINDS = {
    f"{split}_{name}": (np.dtype(dtype), shape)
    for split in ("train", "test")
    for name, dtype, shape in (("images", np.uint8, (28, 28, 1)), ("labels", np.int32, ()))
}
"""What the arrays of Fashion-MNIST are, example by example."""


def _cache_folder() -> Path:
    return cache_dir() / "fashion_mnist"


def _arrays(data_dir: str | os.PathLike[str] | None) -> dict[str, np.ndarray]:
    named = find(files.FILES, data_dir)  # even if the arrays are cached: the same call gives the same error

    def build(scratch: Path) -> dict[str, np.ndarray]:
        from jaxd2l.data import _fashion_mnist_tfds as tfds

        source = named or cache_dir() / "downloads" / files.FILES.folder
        if named is None:
            files.download(source)
        files.check(source)
        try:
            return tfds.read(source, scratch)
        except (OSError, RuntimeError) as error:  # array_record reports a full disk as a RuntimeError
            raise cannot_write(cache_dir(), error) from error

    arrays = cached_arrays(_cache_folder(), build)
    if {name: (array.dtype, array.shape[1:]) for name, array in arrays.items()} != _KINDS:
        raise ValueError(f"{_cache_folder()} does not hold Fashion-MNIST's arrays; remove it, and it is prepared again")
    return arrays


def _resized(images: np.ndarray, side: int) -> np.ndarray:
    """Images (n, height, width, 1) scaled to (n, side, side, 1), each as Pillow scales one image."""
    from PIL import Image

    resized = np.empty((len(images), side, side, 1), np.uint8)
    for source, target in zip(images, resized, strict=True):
        image = Image.fromarray(source[..., 0]).resize((side, side), Image.Resampling.BILINEAR)
        target[..., 0] = np.asarray(image)
    return resized
