"""What a network consists of: a table of its layers, with nothing computed (D2L 6.4, 7.6, 8.1)."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr

from jaxd2l._checks.numbers import require_all_whole, require_whole
from jaxd2l.models.layers._layer import Layer, Shape, output_shape
from jaxd2l.types import Model, StatefulModel


class Row(NamedTuple):
    """A layer of a network.

    place: its number in the network; "2.0" is the first part of layer 2, as in the names of parameters.
    layer: its name.
    output_shape: of one example.
    parameters: how many numbers it learns.
    multiply_adds: multiplications, each with an addition, in its matrix products and convolutions, for one example.
    """

    place: str
    layer: str
    output_shape: Shape
    parameters: int
    multiply_adds: int


class Summary(NamedTuple):
    """The layers of a network in their order, and what they add up to.

    state: how many numbers of running averages there are.
    """

    input_shape: Shape
    rows: tuple[Row, ...]
    parameters: int
    state: int
    multiply_adds: int

    def __repr__(self) -> str:
        rows = [
            (f"{r.place:4} {r.layer}", r.output_shape, f"{r.parameters:,}", f"{r.multiply_adds:,}") for r in self.rows
        ]
        lines = [
            ("layer", "output shape", "parameters", "multiply-adds"),
            ("     inputs", self.input_shape, "", ""),
            *rows,
            ("     together", "", f"{self.parameters:,}", f"{self.multiply_adds:,}"),
        ]
        name, shape = (max(len(str(line[i])) for line in lines) for i in (0, 1))
        table = [f"{line[0]:{name}}  {line[1]!s:{shape}}  {line[2]:>12}  {line[3]:>15}".rstrip() for line in lines]
        return "\n".join([*table, *([f"     and {self.state:,} numbers of state"] if self.state else [])])


def summary(network: Layer | Model | StatefulModel, input_shape: Shape | None = None, *, depth: int = 1) -> Summary:
    """The output shape, parameters and multiply-adds of each layer. D2L 6.4; the book's `layer_summary`.

    Only traced: networks of any size take no memory.

    Args:
      network: a layer, or a model that `layers.model` or `layers.stateful_model` made.
      input_shape: of one example; a model knows its own.
      depth: 2 also lists the parts of each layer, and so on.

    Raises:
      TypeError: a model that consists of no layers, or a layer without an input shape.
      ValueError: shapes that do not fit; the layer is named.

    >>> summary(layers.sequential(layers.dense(256), layers.function(activations.relu), layers.dense(10)), (20,))
    layer           output shape    parameters    multiply-adds
         inputs     (20,)
    0    dense 256  (256,)               5,376            5,120
    1    relu       (256,)                   0                0
    2    dense 10   (10,)                2,570            2,560
         together                        7,946            7,680
    """
    require_whole(0, depth=depth)
    layer, shape = _layer_and_shape(network, input_shape)
    params, state = jax.eval_shape(partial(_init, layer, shape), jax.random.key(0))
    rows = tuple(_rows(layer, shape, depth, ""))
    return Summary(shape, rows, _size(params), _size(state), _multiply_adds(layer, shape))


def _layer_and_shape(network: Any, input_shape: Shape | None) -> tuple[Layer, Shape]:
    layer = network
    if isinstance(network, Model | StatefulModel):
        layer, own_shape = getattr(network.init, "args", None) or (None, None)
        input_shape = own_shape if input_shape is None else input_shape
    if not isinstance(layer, Layer):
        raise TypeError("a summary lists layers: give it a Layer, or a model that layers.model made of one")
    if input_shape is None:
        raise TypeError("the sizes of a layer follow from its inputs: give the input_shape of one example, too")
    require_all_whole(1, input_shape=input_shape)
    return layer, tuple(int(size) for size in input_shape)


def _init(layer: Layer, shape: Shape, key: jax.Array) -> Any:
    return layer.init(key, shape)


def _rows(layer: Layer, shape: Shape, depth: int, place: str) -> Iterator[Row]:
    """The layer in one row, or the rows of its parts."""
    after = output_shape(layer, shape)
    if depth == 0 or not layer.parts:
        params, _ = jax.eval_shape(partial(_init, layer, shape), jax.random.key(0))
        yield Row(place, layer.name, after, _size(params), _multiply_adds(layer, shape))
        return
    for i, part in enumerate(layer.parts):
        yield from _rows(part, shape, depth - 1, f"{place}.{i}".lstrip("."))
        shape = output_shape(part, shape) if layer.parts_in_turn else shape


def _size(tree: Any) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def _multiply_adds(layer: Layer, shape: Shape) -> int:
    def outputs(inputs: jax.Array) -> Any:
        params, state = layer.init(jax.random.key(0), shape)
        return layer.apply(params, state, inputs)[0]

    return _products(jax.make_jaxpr(outputs)(jax.ShapeDtypeStruct((1, *shape), "float32")).jaxpr)


def _products(jaxpr: Jaxpr) -> int:
    """Multiply-adds of the matrix products and convolutions in a program, those of its inner programs included."""
    total = 0
    equation: Any
    for equation in jaxpr.eqns:
        size = math.prod(equation.outvars[0].aval.shape) if equation.outvars else 0
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            total += size * math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)
        elif equation.primitive.name == "conv_general_dilated":
            kernel, axes = equation.invars[1].aval, equation.params["dimension_numbers"]
            total += size * kernel.size // kernel.shape[axes.rhs_spec[0]]
        else:
            inner = [_products(j) for value in equation.params.values() for j in _jaxprs(value)]
            times = equation.params["length"] if equation.primitive.name == "scan" else 1
            # The branches of a `cond` are the same layer on different processors, some of which also multiply zeros.
            total += times * (min(inner, default=0) if equation.primitive.name == "cond" else sum(inner))
    return total


def _jaxprs(value: Any) -> Iterator[Jaxpr]:
    for part in value if isinstance(value, tuple | list) else (value,):
        if isinstance(part, ClosedJaxpr):
            yield part.jaxpr
        elif isinstance(part, Jaxpr):
            yield part
