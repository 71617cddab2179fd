"""The same models as Flax NNX modules (D2L 3.5, 4.5, 5.2.2, 5.6.5), and the one adapter that takes Flax modules."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, PRNGKeyArray

from jaxd2l import activations, initializers
from jaxd2l._checks.numbers import require_between, require_callable, require_choice
from jaxd2l.initializers import LinearInit
from jaxd2l.models._linear import flatten, init_layers
from jaxd2l.models._linen import from_linen
from jaxd2l.models._mlp import layer_sizes
from jaxd2l.models._products import Precision, matmul
from jaxd2l.types import Model, Params


def flax_linear_regression(num_inputs: int, *, init: LinearInit = initializers.normal(0.01)) -> Model:
    """`linear_regression` as a Flax module: one `nnx.Linear(num_inputs, 1)`. D2L 3.5."""
    return flax_mlp(num_inputs, (), 1, init=init)


def flax_softmax_regression(
    num_inputs: int,
    num_outputs: int,
    *,
    init: LinearInit = initializers.normal(0.01),
    precision: Precision = "float32",
) -> Model:
    """`softmax_regression` as a Flax module: one `nnx.Linear(num_inputs, num_outputs)`. D2L 4.5."""
    return flax_mlp(num_inputs, (), num_outputs, init=init, precision=precision)


def flax_mlp(
    num_inputs: int,
    num_hiddens: int | Sequence[int],
    num_outputs: int,
    *,
    activation: Callable[[Array], Array] = activations.relu,
    dropout_rate: float = 0.0,
    init: LinearInit = initializers.normal(0.01),
    precision: Precision = "float32",
) -> Model:
    """`mlp` as a Flax module: the same arguments, and from the same key the same numbers. D2L 5.2.2, 5.6.5.

    Parameters: `{"layers": {0: {"kernel", "bias"}, 1: ...}}`, as NNX names them. Only the dropout masks differ from
    those of `mlp`, because Flax derives their keys in its own way.

    >>> model = flax_mlp(784, 256, 10)
    >>> params = model.init(jax.random.key(0))
    >>> params["layers"][1]["kernel"].shape
    (256, 10)
    """
    sizes = layer_sizes(num_inputs, num_hiddens, num_outputs, init)
    require_between(0, 1, dropout_rate=dropout_rate)
    require_choice(Precision, precision=precision)
    require_callable(activation=activation)
    model = from_flax(lambda rngs: _MLP(sizes, activation, dropout_rate, precision, rngs=rngs))
    return model._replace(init=lambda key: {"layers": dict(enumerate(init_layers(key, sizes, init)))})


class _MLP(nnx.Module):
    """Fully connected layers; an activation and dropout follow each but the last."""

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Callable[[Array], Array],
        dropout_rate: float,
        precision: Precision,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        def product(x: Array, kernel: Array, *_: Any, **__: Any) -> Array:
            return matmul(x, kernel, precision)

        self.num_inputs = sizes[0]
        self.layers = nnx.List(nnx.Linear(n, m, dot_general=product, rngs=rngs) for n, m in itertools.pairwise(sizes))
        self.activation = activation
        self.dropout = nnx.Dropout(dropout_rate, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = flatten(x, self.num_inputs)
        *hidden_layers, output_layer = self.layers
        for layer in hidden_layers:
            x = self.dropout(self.activation(layer(x)))
        return output_layer(x)


def from_flax(module: Any, *, example_input: Array | np.ndarray | None = None) -> Model:
    """Turns a Flax module, NNX or Linen, into a `Model`: two pure functions. D2L 3.5.1.

    The parameters are, for NNX, the module's `nnx.Param`s as a plain nested dictionary; for Linen its variables,
    `{"params": {...}}`. A key given to `apply` decides what dropout drops: an NNX module is then in `train()` mode,
    otherwise in `eval()` mode, and a Linen module gets the matching `deterministic` or `train` if it takes one.

    Args:
      module: a function `rngs -> nnx.Module`, from which `init` draws new parameters; an NNX module, whose own
        parameters `init` returns whatever the key; or a Linen module. The only variables must be parameters.
      example_input: a batch that fixes the shapes of a Linen module; zeros of shape (1, ...) will do. NNX needs none.

    Raises:
      TypeError: if it is none of these, or a Linen module without an example.
      ValueError: from `init`, if the module keeps state besides its parameters (running averages, caches).

    >>> from flax import linen, nnx
    >>> model = from_flax(lambda rngs: nnx.Linear(784, 10, rngs=rngs))
    >>> model.apply(model.init(jax.random.key(0)), jnp.ones((5, 784))).shape
    (5, 10)
    >>> model = from_flax(linen.Dense(10), example_input=jnp.zeros((1, 784)))
    >>> model.apply(model.init(jax.random.key(0)), jnp.ones((5, 784))).shape
    (5, 10)
    """
    if isinstance(module, flax.linen.Module):
        if example_input is None:
            raise TypeError(f"{type(module).__name__} is a Linen module: its shapes need an example_input")
        return from_linen(module, example_input)
    is_linen_class = isinstance(module, type) and issubclass(module, flax.linen.Module)
    if is_linen_class or not callable(module):
        raise TypeError(f"expected a Flax module (NNX or Linen) or a function rngs -> nnx.Module, got {module!r}")
    return _from_nnx(module)


def _from_nnx(module: Any) -> Model:
    def parts(key: PRNGKeyArray) -> tuple[Any, Any, Any]:
        built = module if isinstance(module, nnx.Module) else module(nnx.Rngs(key))
        if not isinstance(built, nnx.Module):
            raise TypeError(f"expected a function rngs -> nnx.Module; it returned {type(built).__name__}")
        pieces: tuple[Any, ...] = nnx.split(built, nnx.Param, nnx.RngState, ...)
        graph, params, streams, state = pieces
        if jax.tree.leaves(state):
            kinds = sorted({variable.type.__name__ for _, variable in nnx.to_flat_state(state)})
            raise ValueError(f"{type(built).__name__} keeps state in {kinds}; a Model has parameters only")
        return graph, params, streams

    def init(key: PRNGKeyArray) -> Params:
        return jax.tree.map(jnp.copy, nnx.to_pure_dict(parts(key)[1]))

    def apply(params: Params, inputs: Array, *, key: PRNGKeyArray | None = None) -> Array:
        graph, abstract, streams = nnx.eval_shape(lambda: parts(jax.random.key(0)))
        nnx.replace_by_pure_dict(abstract, params)
        built = nnx.merge(graph, abstract, _seeded(streams, jax.random.key(0) if key is None else key))
        (built.eval if key is None else built.train)()
        outputs: Any = built(inputs)
        return outputs

    return Model(init, apply)


def _seeded(streams: Any, key: PRNGKeyArray) -> Any:
    """The random streams of a module, each with a key of its own, at their beginning."""
    leaves, structure = jax.tree.flatten(streams)
    seeded = [
        jax.random.fold_in(key, i) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else jnp.uint32(0)
        for i, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(structure, seeded)
