"""The same models as Flax modules (D2L 3.5, 4.5, 5.2.2), through one adapter. The only file that knows Flax."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from jaxd2l import activations, initializers
from jaxd2l.initializers import LinearInit
from jaxd2l.models.linear import flatten, init_layers
from jaxd2l.models.mlp import layer_sizes, require_rate
from jaxd2l.models.products import Precision, matmul, require_precision
from jaxd2l.types import Model, Params


def from_flax(module: Any, example_input: Array | np.ndarray) -> Model:
    """Makes a Flax module, Linen or NNX, a `Model`: two pure functions.

    The parameters are, for Linen, the module's variables, `{"params": {...}}`; for NNX its `nnx.Param`s as a plain
    nested dictionary. A key given to `apply` becomes the module's "dropout" stream; a Linen module that takes
    `deterministic` or `train` is told accordingly, an NNX module is put in `train()` or `eval()` mode. D2L 3.5.1.

    Args:
      module: a Linen module; an NNX module, whose own parameters `init` then returns whatever the key; or a function
        `rngs -> nnx.Module`, from which `init` draws new ones. The only variables must be parameters.
      example_input: a batch that fixes a Linen module's shapes; (1, ...) will do, and zeros. NNX needs none.

    Raises:
      TypeError: if it is none of these.
      ValueError: from `init`, if the module keeps state besides its parameters (running averages, caches).

    >>> import flax.linen as nn
    >>> model = from_flax(nn.Dense(10), jnp.zeros((1, 784)))
    >>> params = model.init(jax.random.key(0))
    >>> model.apply(params, jnp.ones((5, 784))).shape
    (5, 10)
    >>> from flax import nnx
    >>> model = from_flax(lambda rngs: nnx.Linear(784, 10, rngs=rngs), jnp.zeros((1, 784)))
    >>> model.apply(model.init(jax.random.key(0)), jnp.ones((5, 784))).shape
    (5, 10)
    """
    if isinstance(module, nn.Module):
        return _from_linen(module, example_input)
    if (isinstance(module, type) and issubclass(module, nn.Module)) or not callable(module):
        raise TypeError(f"expected a Flax module (Linen or NNX) or a function rngs -> nnx.Module, got {module!r}")
    return _from_nnx(module)


def _from_linen(module: nn.Module, example_input: Array | np.ndarray) -> Model:
    accepted = inspect.signature(type(module).__call__).parameters

    def mode(key: PRNGKeyArray | None) -> dict[str, Any]:
        flags = {"deterministic": key is None, "train": key is not None}
        return {name: value for name, value in flags.items() if name in accepted}

    def init(key: PRNGKeyArray) -> Params:
        variables = module.init(key, example_input, **mode(None))
        state = sorted(set(variables) - {"params"})
        if state:
            raise ValueError(f"{type(module).__name__} keeps state in {state}; a Model has parameters only")
        return variables

    def apply(params: Params, inputs: Array, *, key: PRNGKeyArray | None = None) -> Array:
        rngs = None if key is None else {"dropout": key}
        outputs: Any = module.apply(params, inputs, rngs=rngs, **mode(key))
        return outputs

    return Model(init, apply)


def _from_nnx(module: Any) -> Model:
    from flax import nnx  # takes as long to import as Linen, and few need both

    def parts(key: PRNGKeyArray) -> tuple[Any, Any, Any]:
        built = module if isinstance(module, nnx.Module) else module(nnx.Rngs(key))
        if not isinstance(built, nnx.Module):
            raise TypeError(f"expected a function rngs -> nnx.Module; it gave {type(built).__name__}")
        pieces: tuple[Any, ...] = nnx.split(built, nnx.Param, nnx.RngState, ...)
        graph, params, streams, state = pieces
        if jax.tree.leaves(state):
            kinds = sorted({v.type.__name__ for _, v in nnx.to_flat_state(state)})
            raise ValueError(f"{type(built).__name__} keeps state in {kinds}; a Model has parameters only")
        return graph, params, streams

    def init(key: PRNGKeyArray) -> Params:
        return jax.tree.map(jnp.copy, nnx.to_pure_dict(parts(key)[1]))

    def apply(params: Params, inputs: Array, *, key: PRNGKeyArray | None = None) -> Array:
        graph, abstract, streams = nnx.eval_shape(lambda: parts(jax.random.key(0)))
        nnx.replace_by_pure_dict(abstract, params)
        # Every stream, one per dropout layer, gets a key of its own; without a key nothing draws from them.
        seed = jax.random.key(0) if key is None else key
        leaves, structure = jax.tree.flatten(streams)
        numbered = [
            jax.random.fold_in(seed, i) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else jnp.uint32(0)
            for i, leaf in enumerate(leaves)
        ]
        built = nnx.merge(graph, abstract, jax.tree.unflatten(structure, numbered))
        (built.eval if key is None else built.train)()
        outputs: Any = built(inputs)
        return outputs

    return Model(init, apply)


def flax_linear_regression(num_inputs: int, *, init: LinearInit = initializers.normal(0.01)) -> Model:
    """`linear_regression` as a Flax module: one `nn.Dense(1)`. D2L 3.5."""
    return flax_mlp(num_inputs, (), 1, init=init)


def flax_softmax_regression(
    num_inputs: int,
    num_outputs: int,
    *,
    init: LinearInit = initializers.normal(0.01),
    precision: Precision = "float32",
) -> Model:
    """`softmax_regression` as a Flax module: one `nn.Dense(num_outputs)`. D2L 4.5."""
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

    Parameters: `{"params": {"Dense_0": {"kernel", "bias"}, ...}}`, as Flax names them. Only the dropout masks
    differ from `mlp`'s, for Flax derives their keys in its own way.

    >>> model = flax_mlp(784, 256, 10)
    >>> params = model.init(jax.random.key(0))
    >>> params["params"]["Dense_1"]["kernel"].shape
    (256, 10)
    """
    sizes = layer_sizes(num_inputs, num_hiddens, num_outputs)
    require_rate(dropout_rate)
    require_precision(precision)
    module = _MLP(sizes, activation, dropout_rate, precision)
    apply = from_flax(module, np.zeros((1, num_inputs), np.float32)).apply

    def init_params(key: PRNGKeyArray) -> Params:
        layers = init_layers(key, sizes, init)
        return {"params": {f"Dense_{i}": layer for i, layer in enumerate(layers)}}

    return Model(init_params, apply)


class _MLP(nn.Module):
    sizes: Sequence[int]
    activation: Callable[[Array], Array]
    dropout_rate: float
    precision: Precision

    @nn.compact
    def __call__(self, x: Array, *, deterministic: bool = True) -> Array:
        num_inputs, *num_hiddens, num_outputs = self.sizes

        def product(x: Array, kernel: Array, *_: Any, **__: Any) -> Array:  # of matrices: there is one way to sum
            return matmul(x, kernel, self.precision)

        x = flatten(x, num_inputs)
        for size in num_hiddens:
            x = self.activation(nn.Dense(size, dot_general=product)(x))
            x = nn.Dropout(self.dropout_rate, deterministic=deterministic)(x)
        return nn.Dense(num_outputs, dot_general=product)(x)
