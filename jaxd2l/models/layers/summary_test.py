"""What a summary lists: the book's numbers of parameters and multiply-adds, and nothing computed."""

import jax
import jax.numpy as jnp
import pytest

from jaxd2l import activations, models
from jaxd2l.models import layers


def test_lenet_has_the_layers_parameters_and_products_of_the_book() -> None:
    summary = layers.summary(models.lenet())
    assert (summary.parameters, summary.multiply_adds, summary.state) == (61_706, 416_520, 0)
    shapes = [row.output_shape for row in summary.rows]
    assert shapes[:7:3] == [(28, 28, 6), (10, 10, 16), (400,)]
    assert [shapes[2], shapes[5]] == [(14, 14, 6), (5, 5, 16)]
    assert [row.output_shape for row in summary.rows if row.parameters][2:] == [(120,), (84,), (10,)]
    assert sum(row.parameters for row in summary.rows) == 61_706
    assert sum(row.multiply_adds for row in summary.rows) == 416_520


def test_networks_that_fit_into_no_memory_have_a_summary() -> None:
    summary = layers.summary(layers.dense(10**9), (10**9,))
    assert summary.parameters == 10**18 + 10**9
    assert summary.multiply_adds == 10**18


def test_groups_strides_and_loops_count_as_often_as_they_run() -> None:
    def products(layer, shape):
        return layers.summary(layer, shape).multiply_adds

    assert products(layers.conv(80, 3, padding=1, groups=5), (12, 12, 80)) == 12 * 12 * 80 * 9 * 16
    assert products(layers.conv(4, 1, stride=2), (8, 8, 3)) == 4 * 4 * 4 * 3
    assert products(layers.tied(3, layers.dense(4)), (4,)) == 3 * 16
    looped = layers.function(lambda x: jax.lax.fori_loop(0, 5, lambda _, y: y @ jnp.eye(4), x), name="five products")
    assert products(looped, (4,)) == 5 * 16


def test_parts_are_listed_to_the_depth_that_is_asked_for() -> None:
    block = layers.parallel(layers.dense(3), layers.sequential(layers.dense(4), layers.function(activations.relu)))
    net = layers.sequential(block, layers.dense(2))

    def places(depth):
        return [(row.place, row.output_shape) for row in layers.summary(net, (5,), depth=depth).rows]

    assert places(0) == [("", (2,))]
    assert places(1) == [("0", (7,)), ("1", (2,))]
    assert places(2) == [("0.0", (3,)), ("0.1", (4,)), ("1", (2,))]
    assert places(3) == [("0.0", (3,)), ("0.1.0", (4,)), ("0.1.1", (4,)), ("1", (2,))]
    assert sum(row.parameters for row in layers.summary(net, (5,), depth=3).rows) == 6 * 3 + 6 * 4 + 8 * 2


def test_running_averages_are_counted_by_themselves() -> None:
    average = layers.Layer(
        lambda key, input_shape: ((), jnp.zeros(input_shape)),
        lambda params, state, inputs, /, *, train=False, key=None: (inputs, state),
        "average",
    )
    summary = layers.summary(layers.stateful_model(layers.sequential(average, layers.dense(2)), (3,)))
    assert (summary.parameters, summary.state) == (8, 3)
    assert repr(summary).endswith("and 3 numbers of state")


@pytest.mark.bad_input
def test_what_has_no_layers_is_refused() -> None:
    with pytest.raises(TypeError, match="a summary lists layers"):
        layers.summary(models.mlp(4, 3, 2))
    with pytest.raises(TypeError, match="give the input_shape"):
        layers.summary(layers.dense(2))
    with pytest.raises(ValueError, match=r"layer 0 \(conv 5x5, 6\).*does not fit"):
        layers.summary(layers.sequential(layers.conv(6, 5)), (4, 4, 1))
