"""An Equinox module as two functions of its arrays. Its own layers take one example, and may hand a state on."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax

from jaxd2l.parity.samples import Call, arrays


def functions(module: Any, call: Call) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`init(key)` and `run(variables, call, *, train, key)`, as in a `Port`.

    The variables are arrays by their names; of a module with state, such as a `BatchNorm`, {"params", "state"}.

    Args:
      module: with its initial state inside, not made by `make_with_state`.
      call: inputs that tell whether the module takes an example or a batch.
    """
    dynamic, static = eqx.partition(module, eqx.is_array)
    leaves, structure = jax.tree.flatten(dynamic)
    names = _names(dynamic)
    of_state = {name for name in names if _is_state(name, dynamic)}

    def init(key: Any) -> Any:
        return _grouped(dict(zip(names, leaves, strict=True)), of_state)

    def built(variables: Any, train: bool) -> Any:
        flat = {**variables["params"], **variables["state"]} if of_state else variables
        whole = eqx.combine(jax.tree.unflatten(structure, [flat[name] for name in names]), static)
        return eqx.nn.inference_mode(whole, not train)

    def after(whole: Any, state: Any) -> Any:
        """The variables after a call that returned this state."""
        kept = jax.tree.map(lambda x: _with_state(x, state), whole, is_leaf=_is_index)
        new = eqx.filter(kept, eqx.is_array)
        return _grouped(dict(zip(_names(new), jax.tree.leaves(new), strict=True)), of_state)

    takes = set(inspect.signature(type(module).__call__).parameters)

    def on_batch(variables: Any, call: Call, train: bool, key: Any) -> tuple[Any, Any]:
        whole = built(variables, train)
        given = {"key": key} if "key" in takes and train else {}
        if not (of_state and "state" in takes):
            return whole(*call.args, **call.kwargs, **given), variables
        outputs, state = whole(*call.args, state=eqx.nn.State(whole), **call.kwargs, **given)
        return outputs, after(whole, state)

    def each(variables: Any, call: Call, train: bool, key: Any) -> tuple[Any, Any]:
        keys = jax.random.split(key, len(arrays(call)[0]))
        apply = jax.vmap(
            lambda one, key: on_batch(variables, one, train, key), out_axes=(0, None), axis_name=_axis(module)
        )
        return apply(call, keys)

    def fits(way: Callable[..., Any]) -> bool:
        try:
            outputs, _ = jax.eval_shape(lambda: way(init(None), call, False, jax.random.key(0)))
        except (TypeError, ValueError, AssertionError, IndexError, NameError):  # NameError: an axis without a name
            return False
        return all(x.ndim and x.shape[0] == len(arrays(call)[0]) for x in jax.tree.leaves(outputs))

    way = each if fits(each) or not fits(on_batch) else on_batch

    def run(variables: Any, call: Call, /, *, train: bool, key: Any) -> tuple[Any, Any]:
        return way(variables, call, train, key)

    return init, run


def _names(tree: Any) -> list[str]:
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in jax.tree.leaves_with_path(tree)]


def _grouped(variables: dict[str, Any], of_state: set[str]) -> Any:
    if not of_state:
        return variables
    return {
        "params": {name: x for name, x in variables.items() if name not in of_state},
        "state": {name: x for name, x in variables.items() if name in of_state},
    }


def _is_index(x: Any) -> bool:
    return isinstance(x, eqx.nn.StateIndex)


def _is_state(name: str, tree: Any) -> bool:
    """Whether a leaf is the initial value of a state."""
    nodes = jax.tree_util.tree_leaves_with_path(tree, is_leaf=_is_index)
    indices = [jax.tree_util.keystr(path, simple=True, separator=".") for path, x in nodes if _is_index(x)]
    return any(name.startswith(f"{index}.") for index in indices)


def _with_state(x: Any, state: Any) -> Any:
    return eqx.tree_at(lambda index: index.init, x, state.get(x)) if _is_index(x) else x


def _axis(module: Any) -> Any:
    """The name by which the norms of the module mean the batch."""
    return next(_axes(module), "batch")


def _axes(module: Any) -> Iterator[Any]:
    norms = jax.tree.leaves(module, is_leaf=lambda x: isinstance(x, eqx.nn.BatchNorm))
    yield from (norm.axis_name for norm in norms if isinstance(norm, eqx.nn.BatchNorm))
