"""Datasets as NumPy arrays, and the order in which an epoch visits them."""

from jaxd2l.data.batching import epoch_indices, shuffle
from jaxd2l.data.digits import digits
from jaxd2l.data.fashion_mnist import fashion_mnist
from jaxd2l.data.images import to_float
from jaxd2l.data.synthetic import synthetic_regression

__all__ = [
    "digits",
    "epoch_indices",
    "fashion_mnist",
    "shuffle",
    "synthetic_regression",
    "to_float",
]
