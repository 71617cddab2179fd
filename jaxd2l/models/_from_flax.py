"""The adapter for Flax modules, NNX and Linen: a `Model`, or with running averages a `StatefulModel`."""

from typing import Any, NamedTuple

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, PRNGKeyArray

from jaxd2l.models._linen import from_linen, from_linen_stateful
from jaxd2l.types import Model, ModelState, Params, StatefulModel


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
      ValueError: from `init`, if the module keeps state besides its parameters. Caches have no place anywhere;
        running averages have one in `from_flax_stateful`.

    >>> from flax import linen, nnx
    >>> model = from_flax(lambda rngs: nnx.Linear(784, 10, rngs=rngs))
    >>> model.apply(model.init(jax.random.key(0)), jnp.ones((5, 784))).shape
    (5, 10)
    >>> model = from_flax(linen.Dense(10), example_input=jnp.zeros((1, 784)))
    >>> model.apply(model.init(jax.random.key(0)), jnp.ones((5, 784))).shape
    (5, 10)
    """
    linen = _linen(module, example_input)
    return _from_nnx(module) if linen is None else from_linen(*linen)


def from_flax_stateful(module: Any, *, example_input: Array | np.ndarray | None = None) -> StatefulModel:
    """Turns a Flax module with batch normalisation into a `StatefulModel`. D2L 8.5.

    A function of its own, as `layers.stateful_model` is beside `layers.model`: so the type of what comes back is known
    where it is called, and does not depend on what is inside the module. The parameters are those of `from_flax`. The
    state is, for NNX, the module's `nnx.BatchStat`s as a plain nested dictionary; for Linen `{"batch_stats": {...}}`.
    `train` decides which statistics are used, a key whether there is dropout.

    Args:
      module, example_input: as for `from_flax`. The only variables must be parameters and running averages.

    Raises:
      TypeError: as `from_flax`.
      ValueError: from `init`, if the module keeps other state, such as caches.

    >>> from flax import nnx
    >>> model = from_flax_stateful(lambda rngs: nnx.BatchNorm(3, momentum=0.9, rngs=rngs))
    >>> params, state = model.init(jax.random.key(0))
    >>> _, state = model.apply(params, state, jnp.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]), train=True)
    >>> state["mean"]
    Array([0.2, 0.2, 0.2], dtype=float32)
    """
    linen = _linen(module, example_input)
    return _from_nnx_stateful(module) if linen is None else from_linen_stateful(*linen)


def _linen(module: Any, example_input: Array | np.ndarray | None) -> tuple[flax.linen.Module, Any] | None:
    """A Linen module and its example; None for what may be NNX."""
    if isinstance(module, flax.linen.Module):
        if example_input is None:
            raise TypeError(f"{type(module).__name__} is a Linen module: its shapes need an example_input")
        return module, example_input
    is_linen_class = isinstance(module, type) and issubclass(module, flax.linen.Module)
    if is_linen_class or not callable(module):
        raise TypeError(f"expected a Flax module (NNX or Linen) or a function rngs -> nnx.Module, got {module!r}")
    return None


class _Parts(NamedTuple):
    """An NNX module taken apart."""

    graph: Any
    params: Any
    streams: Any
    averages: Any


def _parts(module: Any, key: PRNGKeyArray) -> _Parts:
    built = module if isinstance(module, nnx.Module) else module(nnx.Rngs(key))
    if not isinstance(built, nnx.Module):
        raise TypeError(f"expected a function rngs -> nnx.Module; it returned {type(built).__name__}")
    pieces: tuple[Any, ...] = nnx.split(built, nnx.Param, nnx.RngState, nnx.BatchStat, ...)
    *parts, rest = pieces
    if jax.tree.leaves(rest):
        raise ValueError(f"{type(built).__name__} keeps state in {_kinds(rest)}; only running averages are carried")
    return _Parts(*parts)


def _name(module: Any) -> str:
    return (module if hasattr(module, "__name__") else type(module)).__name__


def _kinds(state: Any) -> list[str]:
    return sorted({variable.type.__name__ for _, variable in nnx.to_flat_state(state)})


def _from_nnx(module: Any) -> Model:
    def init(key: PRNGKeyArray) -> Params:
        parts = _parts(module, key)
        if jax.tree.leaves(parts.averages):
            name, kinds = _name(module), _kinds(parts.averages)
            raise ValueError(f"{name} keeps state in {kinds}; a Model has parameters only: use from_flax_stateful")
        return jax.tree.map(jnp.copy, nnx.to_pure_dict(parts.params))

    def apply(params: Params, inputs: Array, *, key: PRNGKeyArray | None = None) -> Array:
        built = _built(module, params, {}, key, train=key is not None)
        outputs: Any = built(inputs)
        return outputs

    return Model(init, apply)


def _from_nnx_stateful(module: Any) -> StatefulModel:
    def init(key: PRNGKeyArray) -> tuple[Params, ModelState]:
        parts = _parts(module, key)
        copies: tuple[Any, Any] = jax.tree.map(jnp.copy, tuple(map(nnx.to_pure_dict, (parts.params, parts.averages))))
        return copies

    def apply(
        params: Params, state: ModelState, inputs: Array, /, *, train: bool = False, key: PRNGKeyArray | None = None
    ) -> tuple[Array, ModelState]:
        built = _built(module, params, state, key, train=train)
        outputs: Any = built(inputs)
        return outputs, nnx.to_pure_dict(nnx.state(built, nnx.BatchStat)) if train else state

    return StatefulModel(init, apply)


def _built(module: Any, params: Params, averages: Any, key: PRNGKeyArray | None, *, train: bool) -> Any:
    """The module with these numbers: in training mode or not, and with dropout if there is a key."""
    parts = nnx.eval_shape(lambda: _parts(module, jax.random.key(0)))
    nnx.replace_by_pure_dict(parts.params, params)
    nnx.replace_by_pure_dict(parts.averages, averages)
    streams = _seeded(parts.streams, jax.random.key(0) if key is None else key)
    built = nnx.merge(parts.graph, parts.params, streams, parts.averages)
    (built.train if train else built.eval)()
    built.set_attributes(deterministic=key is None, raise_if_not_found=False)
    return built


def _seeded(streams: Any, key: PRNGKeyArray) -> Any:
    """The random streams of a module, each with a key of its own, at their beginning."""
    leaves, structure = jax.tree.flatten(streams)
    seeded = [
        jax.random.fold_in(key, i) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else jnp.uint32(0)
        for i, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(structure, seeded)
