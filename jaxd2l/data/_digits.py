"""Handwritten digits that come with scikit-learn: real images without a download."""

import numpy as np

from jaxd2l.types import Batch, Dataset

_NUM_TRAIN = 1500


def digits() -> Dataset:
    """The 1797 images of 8x8 pixels of `sklearn.datasets.load_digits`: 1500 to train, 297 to test.

    The split keeps the order of the file, in which one writer follows another, so most digits in the test set are by
    people whose writing the model never saw. Pixels are scaled from 0..16 to 0..255, as in other images.

    Returns:
      Images uint8 (n, 8, 8, 1), labels int32 (n,), class names "0" to "9".

    >>> digits().train.inputs.shape
    (1500, 8, 8, 1)
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int32)
    return Dataset(
        train=Batch(images[:_NUM_TRAIN], labels[:_NUM_TRAIN]),
        test=Batch(images[_NUM_TRAIN:], labels[_NUM_TRAIN:]),
        class_names=tuple(str(digit) for digit in range(10)),
    )
