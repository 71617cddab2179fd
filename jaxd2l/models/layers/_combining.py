"""Several layers in one: one after the other, side by side, or again and again (D2L 6.1, 6.2)."""

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from jaxd2l._checks.numbers import require_whole
from jaxd2l.models.layers._layer import Layer, Shape, shape_after
from jaxd2l.types import ModelState, Params


def sequential(*layers: Layer, name: str = "sequential") -> Layer:
    """Layers one after the other: `f(x) = f_n(... f_2(f_1(x)))`. D2L 6.1.2; `torch.nn.Sequential`.

    Parameters and state: a tuple with those of each layer; of one without any it is ().

    Raises, when sizes are known:
      TypeError, ValueError: what a layer refuses, with its number, its name and the shape that reached it.

    >>> mlp = layers.model(sequential(layers.dense(256), layers.function(activations.relu), layers.dense(10)), (20,))
    >>> params = mlp.init(jax.random.key(0))
    >>> sum(leaf.size for leaf in jax.tree.leaves(params))
    7946
    """
    _require_layers(layers)

    def init(key: PRNGKeyArray, input_shape: Shape, /) -> tuple[Params, ModelState]:
        params, states, shape = [], [], input_shape
        for i, layer in enumerate(layers):
            with _named(i, layer, shape):
                layer_params, layer_state = layer.init(jax.random.fold_in(key, i), shape)
                shape = shape_after(layer, layer_params, layer_state, shape)
            params.append(layer_params)
            states.append(layer_state)
        return tuple(params), tuple(states)

    def apply(
        params: Params, state: ModelState, inputs: Array, /, *, train: bool = False, key: PRNGKeyArray | None = None
    ) -> tuple[Array, ModelState]:
        states, x = [], inputs
        for i, (layer, p, s, k) in enumerate(zip(layers, params, state, _keys(key), strict=False)):
            with _named(i, layer, x.shape[1:]):
                x, new_state = layer.apply(p, s, x, train=train, key=k)
            states.append(new_state)
        return x, tuple(states)

    return Layer(init, apply, name, layers)


def parallel(*layers: Layer, name: str = "parallel") -> Layer:
    """Layers side by side: each gets the same inputs; their outputs are joined along the last axis. D2L 6.1.3, 8.4.1.

    Parameters and state: a tuple with those of each layer.

    >>> net = layers.model(parallel(layers.dense(3), layers.dense(4)), (2,))
    >>> net.apply(net.init(jax.random.key(0)), jnp.ones((5, 2))).shape
    (5, 7)
    """
    return _side_by_side(layers, lambda outputs: jnp.concatenate(outputs, axis=-1), name)


def add(*layers: Layer, name: str = "add") -> Layer:
    """Layers side by side whose outputs are added: `f(x) + g(x)`. D2L 8.6.2.

    Parameters and state: a tuple with those of each layer. A shortcut around a layer is `add(layer, function(lambda x:
    x))`.

    Raises, when sizes are known:
      ValueError: outputs of several shapes, which would be broadcast.

    >>> net = layers.model(add(layers.dense(2), layers.function(lambda x: x)), (2,))
    >>> net.apply(net.init(jax.random.key(0)), jnp.ones((5, 2))).shape
    (5, 2)
    """
    return _side_by_side(layers, _sum, name)


def _sum(outputs: list[Array]) -> Array:
    if len({output.shape for output in outputs}) > 1:
        shapes = " and ".join(str(output.shape[1:]) for output in outputs)
        raise ValueError(f"outputs that are added must have one shape, got {shapes}")
    return reduce(operator.add, outputs)


def _side_by_side(layers: tuple[Layer, ...], join: Callable[[list[Array]], Array], name: str) -> Layer:
    _require_layers(layers)

    def init(key: PRNGKeyArray, input_shape: Shape, /) -> tuple[Params, ModelState]:
        made = []
        for i, layer in enumerate(layers):
            with _named(i, layer, input_shape):
                made.append(layer.init(jax.random.fold_in(key, i), input_shape))
        return tuple(params for params, _ in made), tuple(state for _, state in made)

    def apply(
        params: Params, state: ModelState, inputs: Array, /, *, train: bool = False, key: PRNGKeyArray | None = None
    ) -> tuple[Array, ModelState]:
        outputs, states = [], []
        for i, (layer, p, s, k) in enumerate(zip(layers, params, state, _keys(key), strict=False)):
            with _named(i, layer, inputs.shape[1:]):
                output, new_state = layer.apply(p, s, inputs, train=train, key=k)
            outputs.append(output)
            states.append(new_state)
        return join(outputs), tuple(states)

    return Layer(init, apply, name, layers, parts_in_turn=False)


def repeat(times: int, layer: Layer, *, name: str = "repeat") -> Layer:
    """The same kind of layer `times` over, each with parameters of its own. D2L 6.1, 8.2.1.

    >>> net = layers.model(repeat(3, layers.dense(4)), (4,))
    >>> len(net.init(jax.random.key(0)))
    3
    """
    require_whole(1, times=times)
    return sequential(*[layer] * times, name=name)


def tied(times: int, layer: Layer, *, name: str = "tied") -> Layer:
    """The same layer `times` over, each time with the same parameters. D2L 6.2.2; the same module twice in torch.

    The gradient of a parameter is the sum over its uses. The outputs must have the shape of the inputs.

    Parameters and state: those of the layer.

    >>> hidden = sequential(layers.dense(8), layers.function(activations.relu))
    >>> net = layers.model(sequential(hidden, tied(2, hidden), layers.dense(1)), (4,))
    >>> sum(leaf.size for leaf in jax.tree.leaves(net.init(jax.random.key(0))))
    121
    """
    require_whole(1, times=times)
    _require_layers((layer,))

    def init(key: PRNGKeyArray, input_shape: Shape, /) -> tuple[Params, ModelState]:
        made = layer.init(key, input_shape)
        if times > 1 and (after := shape_after(layer, *made, input_shape)) != input_shape:
            raise ValueError(f"{layer.name} makes {after} of {input_shape}, so it cannot follow itself")
        return made

    def apply(
        params: Params, state: ModelState, inputs: Array, /, *, train: bool = False, key: PRNGKeyArray | None = None
    ) -> tuple[Array, ModelState]:
        x = inputs
        for _, k in zip(range(times), _keys(key), strict=False):
            x, state = layer.apply(params, state, x, train=train, key=k)
        return x, state

    return Layer(init, apply, name)


def _require_layers(layers: tuple[Layer, ...]) -> None:
    for i, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise TypeError(
                f"layer {i} must be a Layer, such as dense(10); got {type(layer).__name__}; function(f) makes one of a "
                "function"
            )
    require_whole(1, **{"the number of layers": len(layers)})


def _keys(key: PRNGKeyArray | None) -> Iterator[PRNGKeyArray | None]:
    """A key for each layer in turn, or none for any."""
    i = 0
    while True:
        yield None if key is None else jax.random.fold_in(key, i)
        i += 1


@contextmanager
def _named(i: int, layer: Layer, shape: Shape) -> Iterator[None]:
    """Puts the layer's place into the message of what it refuses."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"layer {i} ({layer.name}), which gets inputs of shape {tuple(shape)}: {error}") from error
