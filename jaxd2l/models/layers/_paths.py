"""Parameters by their names: one of them, some of them, new values for them (D2L 6.2.1, 6.3)."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from jaxd2l._checks.arrays import cast, real
from jaxd2l._checks.numbers import require_form, require_kind
from jaxd2l._checks.values import random_key
from jaxd2l._files import named_leaves
from jaxd2l.types import Params


def named(params: Params) -> dict[str, Array]:
    """The parameters by name, in their order. D2L 6.2.1; `torch.nn.Module.named_parameters`.

    The same names stand in checkpoints and in reports of `parity.check`.

    >>> net = layers.model(layers.sequential(layers.dense(8), layers.function(activations.relu), layers.dense(1)), (4,))
    >>> {name: array.shape for name, array in named(net.init(jax.random.key(0))).items()}
    {'0.bias': (8,), '0.kernel': (4, 8), '2.bias': (1,), '2.kernel': (8, 1)}
    """
    return named_leaves(params)


def replaced(params: Params, values: Mapping[str, object]) -> Params:
    """The parameters with new values for some; the old ones stay as they are. D2L 6.2.1, 6.3.

    Args:
      params: any pytree of arrays.
      values: by name, each of the shape of the parameter, or a number for all of it.

    Raises:
      KeyError: a name that no parameter has.
      ValueError: a value of another shape.

    >>> replaced({"kernel": jnp.ones((2, 1)), "bias": jnp.ones(1)}, {"bias": 42.0})["bias"]
    Array([42.], dtype=float32)
    """
    require_kind(Mapping, values=values)
    leaves = named(params)
    if unknown := [name for name in values if name not in leaves]:
        raise KeyError(f"no parameter is called {unknown[0]!r}; there are {', '.join(leaves)}")
    new = []
    for name, leaf in ((name, real(name, leaf)) for name, leaf in leaves.items()):
        value = cast(name, values[name], leaf.dtype) if name in values else leaf
        if value.shape not in ((), leaf.shape):
            raise ValueError(f"{name} has the shape {leaf.shape}; got a value of shape {value.shape}")
        new.append(jnp.broadcast_to(value, leaf.shape))
    return jax.tree.unflatten(jax.tree.structure(params), new)


def redrawn(
    key: PRNGKeyArray, params: Params, rules: Mapping[str, Callable[[PRNGKeyArray, tuple[int, ...]], Array]]
) -> Params:
    """The parameters, some of them drawn anew by rules for their names. D2L 6.3.1.

    Args:
      key: of which each parameter gets its own.
      params: any pytree of arrays.
      rules: for a name, or a pattern such as "*.kernel", a function `draw(key, shape)`, such as
        `jax.nn.initializers.normal(0.01)`. Of several that match, the last one holds.

    Raises:
      KeyError: a pattern that no name matches.
      TypeError, ValueError: what is not such a function; what draws another shape.

    >>> params = {"kernel": jnp.zeros((2, 1)), "bias": jnp.zeros(1)}
    >>> redrawn(jax.random.key(0), params, {"b*": jax.nn.initializers.constant(1.0)})["bias"]
    Array([1.], dtype=float32)
    """
    key = random_key("key", key)
    require_kind(Mapping, rules=rules)
    leaves = named(params)
    draws: dict[str, Callable[[PRNGKeyArray, tuple[int, ...]], Array]] = {}
    for pattern, draw in rules.items():
        require_form("draw(key, shape)", draw)
        matching = [name for name in leaves if fnmatchcase(name, pattern)]
        if not matching:
            raise KeyError(f"no parameter matches {pattern!r}; there are {', '.join(leaves)}")
        draws |= dict.fromkeys(matching, draw)
    keys = {name: jax.random.fold_in(key, i) for i, name in enumerate(leaves)}
    return replaced(params, {name: draw(keys[name], leaves[name].shape) for name, draw in draws.items()})
