"""The digits of scikit-learn."""

import numpy as np
from sklearn.datasets import load_digits

from jaxd2l.data import digits


def test_train_and_test_are_the_1797_images_in_their_order() -> None:
    data, bunch = digits(), load_digits()
    assert [len(part.inputs) for part in (data.train, data.test)] == [1500, 297]
    assert data.class_names == tuple("0123456789")
    images = np.concatenate([data.train.inputs, data.test.inputs])
    labels = np.concatenate([data.train.labels, data.test.labels])
    assert (images.shape, images.dtype) == ((1797, 8, 8, 1), np.uint8)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, bunch.target)
    assert labels[:10].tolist() == list(range(10))
    np.testing.assert_allclose(images[..., 0] / 255 * 16, bunch.images, atol=0.5 * 16 / 255 + 1e-9)


def test_grey_levels_use_the_whole_range_and_stay_distinct() -> None:
    levels = np.unique(digits().train.inputs)
    assert len(levels) == 17
    assert (levels[0], levels[-1]) == (0, 255)


def test_every_class_is_in_both_sets() -> None:
    for part in (digits().train, digits().test):
        assert np.bincount(part.labels, minlength=10).min() > 0.08 * len(part.labels)
