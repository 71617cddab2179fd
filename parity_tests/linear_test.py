"""The fully connected layer (D2L 3.4, 3.5, 4.4) against `nn.Linear` and the book's formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxd2l.parity.rule import require
from jaxd2l.parity.suite import compare, layers, named

elements = st.floats(-1e4, 1e4, width=32)


@pytest.mark.parametrize("case", named("linear", "flax linear"), ids=lambda case: case.name)
@pytest.mark.parametrize("seed", range(3))
def test_suite(case, seed):
    require(case.run(seed))


@given(*(hnp.arrays(np.float32, shape, elements=elements) for shape in ((2, 3), (3, 3), 3)))
def test_any_numbers(x, weight, bias):
    """The kernel is square, so only its values show its orientation."""
    require(compare("linear", layers.perceptron((3, 3)), [x, weight, bias], seed=0))


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("n", [1, 256])
def test_fashion_mnist_sizes(n, jit):
    inputs = layers.draw(np.random.default_rng(0), (784, 10), "relu", n)
    require(compare("linear 784-10", layers.perceptron((784, 10)), inputs, seed=0, jit=jit))


def test_images_are_flattened_as_torch_flattens_them():
    x, *parameters = layers.draw(np.random.default_rng(0), (12, 5), "relu", 4)
    pair = layers.perceptron((12, 5))

    def scale(c, x, *parameters):
        value, of_x, *of_parameters = pair.scale(c, x.reshape(4, 12), *parameters)
        return value, of_x.reshape(x.shape), *of_parameters

    require(compare("images", pair._replace(scale=scale), [x.reshape(4, 3, 4, 1), *parameters], seed=0))
