"""What a layer is, and how layers become a model (D2L 6.1, 6.4)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
from jaxtyping import Array, PRNGKeyArray

from jaxd2l._checks.arrays import real
from jaxd2l._checks.numbers import require_all_whole, require_callable
from jaxd2l.types import Model, ModelState, Params, StatefulApply, StatefulModel

Shape = tuple[int, ...]


class LayerInit(Protocol):
    """`init(key, input_shape)`: parameters and state for inputs of that shape, which does not count examples."""

    def __call__(self, key: PRNGKeyArray, input_shape: Shape, /) -> tuple[Params, ModelState]: ...


class Layer(NamedTuple):
    """A part of a network: two pure functions. Its sizes follow from the shape of its inputs. D2L 6.1, 6.4.

    init: `init(key, input_shape) -> (params, state)`; the shape is that of one example.
    apply: `apply(params, state, inputs, *, train=False, key=None) -> (outputs, state)`, as in a `StatefulModel`.
    name: what messages and summaries call it.
    parts: the layers that it consists of, for `summary`.
    parts_in_turn: whether each part gets the outputs of the one before; otherwise all get the same inputs.
    """

    init: LayerInit
    apply: StatefulApply
    name: str
    parts: tuple["Layer", ...] = ()
    parts_in_turn: bool = True

    def __repr__(self) -> str:
        return f"Layer({self.name})"


def function(f: Callable[[Array], Array], *, name: str = "") -> Layer:
    """A layer without parameters: a function of the inputs. D2L 6.5.1.

    >>> centred = function(lambda x: x - x.mean(), name="centred")
    >>> model(centred, (5,)).apply((), jnp.array([[1.0, 2.0, 3.0, 4.0, 5.0]]))
    Array([[-2., -1.,  0.,  1.,  2.]], dtype=float32)
    """
    require_callable(f=f)

    def apply(
        params: Params, state: ModelState, inputs: Array, /, *, train: bool = False, key: PRNGKeyArray | None = None
    ) -> tuple[Array, ModelState]:
        return f(inputs), state

    return Layer(lambda key, input_shape: ((), ()), apply, name or getattr(f, "__name__", "function"))


def model(layer: Layer, input_shape: Sequence[int]) -> Model:
    """The model that a layer becomes when the shape of its inputs is known. D2L 6.4.

    Args:
      layer: usually several in one, such as `sequential(...)`.
      input_shape: of one example, such as (28, 28, 1).

    Raises:
      TypeError: a layer that keeps running averages: `stateful_model` takes it.
      ValueError: a shape that does not suit the layer, which is named.

    >>> net = model(layers.sequential(layers.flatten(), layers.dense(10)), (28, 28, 1))
    >>> params = net.init(jax.random.key(0))
    >>> net.apply(params, jnp.ones((2, 28, 28, 1))).shape
    (2, 10)
    """
    shape = _shape(input_shape)
    state = _abstract_state(layer, shape)
    if jax.tree.leaves(state):
        raise TypeError(f"{layer.name} keeps running averages, which a Model has no place for: use stateful_model")
    return Model(partial(_init_params, layer, shape), partial(_apply_stateless, layer, shape, state))


def stateful_model(layer: Layer, input_shape: Sequence[int]) -> StatefulModel:
    """As `model`, for layers with running averages, such as batch normalisation's. D2L 8.5.

    >>> net = stateful_model(layers.sequential(layers.flatten(), layers.dense(10)), (28, 28, 1))
    >>> params, state = net.init(jax.random.key(0))
    >>> net.apply(params, state, jnp.ones((2, 28, 28, 1)))[0].shape
    (2, 10)
    """
    shape = _shape(input_shape)
    _abstract_state(layer, shape)
    return StatefulModel(partial(_init, layer, shape), partial(_apply, layer, shape))


def output_shape(layer: Layer, input_shape: Shape) -> Shape:
    """The shape of one example's outputs. Only traced: nothing is computed.

    >>> output_shape(layers.sequential(layers.flatten(), layers.dense(256)), (28, 28, 1))
    (256,)
    """
    return shape_after(layer, *_abstract(layer, input_shape), input_shape)


def shape_after(layer: Layer, params: Params, state: ModelState, input_shape: Shape) -> Shape:
    """As `output_shape`, where the layer's parameters and state, or their shapes, are at hand."""
    inputs = jax.ShapeDtypeStruct((1, *input_shape), "float32")
    outputs, _ = jax.eval_shape(layer.apply, params, state, inputs)
    shape: Shape = outputs.shape[1:]
    return shape


def _shape(input_shape: Sequence[int]) -> Shape:
    require_all_whole(1, input_shape=input_shape)
    return tuple(int(size) for size in input_shape)


def _abstract_state(layer: Layer, shape: Shape) -> Any:
    """The state in shapes alone; what has no arrays in it is the state itself. A misfit of sizes is an error here."""
    if not isinstance(layer, Layer):
        raise TypeError(f"expected a Layer, such as layers.dense(10); got {type(layer).__name__}")
    params, state = _abstract(layer, shape)
    shape_after(layer, params, state, shape)
    return state


def _abstract(layer: Layer, input_shape: Shape) -> tuple[Params, ModelState]:
    """Parameters and state in shapes alone."""
    return jax.eval_shape(partial(_init, layer, input_shape), jax.random.key(0))


def _init(layer: Layer, input_shape: Shape, key: PRNGKeyArray) -> tuple[Params, ModelState]:
    return layer.init(key, input_shape)


def _init_params(layer: Layer, input_shape: Shape, key: PRNGKeyArray) -> Params:
    return layer.init(key, input_shape)[0]


def _apply(
    layer: Layer,
    input_shape: Shape,
    params: Params,
    state: ModelState,
    inputs: Array,
    *,
    train: bool = False,
    key: PRNGKeyArray | None = None,
) -> tuple[Array, ModelState]:
    return layer.apply(params, state, _examples(inputs, input_shape), train=train, key=key)


def _apply_stateless(
    layer: Layer,
    input_shape: Shape,
    state: ModelState,
    params: Params,
    inputs: Array,
    *,
    key: PRNGKeyArray | None = None,
) -> Array:
    return layer.apply(params, state, _examples(inputs, input_shape), train=key is not None, key=key)[0]


def _examples(inputs: Array, input_shape: Shape) -> Array:
    """As many axes as promised. Their sizes may differ: many networks of convolutions take images of any size."""
    inputs = real("inputs", inputs)
    if inputs.ndim != len(input_shape) + 1:
        sizes = ", ".join(map(str, ("n", *input_shape)))
        raise ValueError(f"the model takes inputs of shape ({sizes}); got {inputs.shape}")
    return inputs
