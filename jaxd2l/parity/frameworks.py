"""The JAX side in whatever framework it was written: each kind of model becomes a `Port`, two functions of a pytree."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from jaxd2l.parity.samples import Call
from jaxd2l.types import Model, StatefulModel


class Run(Protocol):
    """`run(variables, call, *, train, key)`: the outputs, and the variables afterwards."""

    def __call__(self, variables: Any, call: Call, /, *, train: bool, key: Any) -> tuple[Any, Any]: ...


class Port(NamedTuple):
    """A JAX model.

    framework: how people call it: "Model", "StatefulModel", "Linen", "NNX", "Equinox", "Haiku", "(init, apply)".
    init: `init(key) -> variables`, a pytree of parameters and state; traced for its shapes alone.
    run: the model. `train` decides the mode, `key` what dropout draws.
    """

    framework: str
    init: Callable[[Any], Any]
    run: Run


def as_port(jax_model: Any, call: Call) -> Port:
    """What a model of any framework is for `check`.

    Args:
      jax_model: a `Model`, a `StatefulModel`, a Linen module, an NNX module or a function `rngs -> nnx.Module`, an
        Equinox module, what `hk.transform` or `hk.transform_with_state` returns, or a pair `(init, apply)` where
        `apply(variables, *inputs)`.
      call: inputs as the model will get them, which fix the shapes that Linen and Haiku do not know.

    Raises:
      TypeError: if it is none of these.
    """
    if isinstance(jax_model, Model):
        return _stateless("Model", jax_model.init, jax_model.apply, takes_key=True)
    if isinstance(jax_model, StatefulModel):
        return _stateful(jax_model)
    for is_kind, make in ((_is_linen, _linen), (_is_nnx, _nnx), (_is_equinox, _equinox), (_is_haiku, _haiku)):
        if is_kind(jax_model):
            return make(jax_model, call)
    if isinstance(jax_model, tuple) and len(jax_model) == 2 and all(map(callable, jax_model)):
        init, apply = jax_model
        return _stateless("(init, apply)", init, apply, takes_key="key" in inspect.signature(apply).parameters)
    if inspect.isclass(jax_model) or not callable(jax_model):
        raise TypeError(
            "jax_model must be a Model, a StatefulModel, a Linen, NNX, Equinox or Haiku module, a function "
            f"rngs -> nnx.Module, or a pair (init, apply); got {jax_model!r}"
        )
    return _nnx(jax_model, call)


def _stateless(framework: str, init: Callable[..., Any], apply: Callable[..., Any], *, takes_key: bool) -> Port:
    def run(variables: Any, call: Call, /, *, train: bool, key: Any) -> tuple[Any, Any]:
        given = {"key": key} if takes_key and train else {}
        return apply(variables, *call.args, **call.kwargs, **given), variables

    return Port(framework, init, run)


def _stateful(model: StatefulModel) -> Port:
    def init(key: Any) -> Any:
        params, state = model.init(key)
        return {"params": params, "state": state}

    def run(variables: Any, call: Call, /, *, train: bool, key: Any) -> tuple[Any, Any]:
        params, given = variables["params"], {"train": train, "key": key if train else None, **call.kwargs}
        outputs, state = model.apply(params, variables["state"], *call.args, **given)
        return outputs, {"params": params, "state": state}

    return Port("StatefulModel", init, run)


def _is_a(x: Any, package: str, name: str) -> bool:
    """Whether it is an instance (or a subclass) of a class, known by its name so that nothing is imported for this."""
    kinds = inspect.getmro(x if inspect.isclass(x) else type(x))
    return any(kind.__name__ == name and kind.__module__.split(".")[0] == package for kind in kinds)


def _is_linen(x: Any) -> bool:
    return not inspect.isclass(x) and any(k.__module__ == "flax.linen.module" for k in type(x).__mro__)


def _is_nnx(x: Any) -> bool:
    return any(k.__module__ == "flax.nnx.module" for k in (x if inspect.isclass(x) else type(x)).__mro__)


def _is_equinox(x: Any) -> bool:
    return not inspect.isclass(x) and _is_a(x, "equinox", "Module")


def _is_haiku(x: Any) -> bool:
    return _is_a(x, "haiku", "Transformed") or _is_a(x, "haiku", "TransformedWithState")


def _modes(signature: Any, train: bool) -> dict[str, bool]:
    """What a function that takes a mode is told: frameworks and people have four names for it."""
    flags = {"train": train, "training": train, "is_training": train, "deterministic": not train}
    return {name: value for name, value in flags.items() if name in signature.parameters}


def _linen(module: Any, call: Call) -> Port:
    signature = inspect.signature(type(module).__call__)

    def init(key: Any) -> Any:
        variables = module.init({"params": key, "dropout": key}, *call.args, **(_modes(signature, False) | call.kwargs))
        return {name: value for name, value in variables.items() if name != "intermediates"}

    def run(variables: Any, call: Call, /, *, train: bool, key: Any) -> tuple[Any, Any]:
        state = [name for name in variables if name != "params"] if train else []
        outputs: Any = module.apply(
            variables,
            *call.args,
            rngs={"dropout": key} if train else None,
            mutable=state or False,
            **(_modes(signature, train) | call.kwargs),
        )
        return (outputs[0], {**variables, **outputs[1]}) if state else (outputs, variables)

    return Port("Linen", init, run)


def _nnx(module: Any, call: Call) -> Port:
    from flax import nnx

    def parts(key: Any) -> tuple[Any, ...]:
        built = module if isinstance(module, nnx.Module) else module(nnx.Rngs(key))
        if not isinstance(built, nnx.Module):
            raise TypeError(f"jax_model must be a function rngs -> nnx.Module; it gave {type(built).__name__}")
        return tuple(nnx.split(built, nnx.Param, nnx.RngState, ...))

    def init(key: Any) -> Any:
        _, params, _, state = parts(key)
        variables = {"params": nnx.to_pure_dict(params)}
        return variables | ({"state": nnx.to_pure_dict(state)} if jax.tree.leaves(state) else {})

    def run(variables: Any, call: Call, /, *, train: bool, key: Any) -> tuple[Any, Any]:
        graph, params, streams, state = nnx.eval_shape(lambda: parts(jax.random.key(0)))
        nnx.replace_by_pure_dict(params, variables["params"])
        nnx.replace_by_pure_dict(state, variables.get("state", {}))
        leaves, structure = jax.tree.flatten(streams)
        drawn = [
            jax.random.fold_in(key, i) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else jnp.uint32(0)
            for i, leaf in enumerate(leaves)
        ]
        built = nnx.merge(graph, params, jax.tree.unflatten(structure, drawn), state)
        (built.train if train else built.eval)()
        outputs = built(*call.args, **call.kwargs)
        pieces: tuple[Any, ...] = nnx.split(built, nnx.Param, nnx.RngState, ...)
        return outputs, variables | ({"state": nnx.to_pure_dict(pieces[3])} if "state" in variables else {})

    return Port("NNX", init, run)


def _equinox(module: Any, call: Call) -> Port:
    from jaxd2l.parity.equinox_model import functions

    return Port("Equinox", *functions(module, call))


def _haiku(transformed: Any, call: Call) -> Port:
    keeps_state = _is_a(transformed, "haiku", "TransformedWithState")
    signature = inspect.signature(inspect.unwrap(transformed.apply))
    takes_key = "rng" in signature.parameters  # not after hk.without_apply_rng

    def init(key: Any) -> Any:
        given = call.kwargs | _modes(signature, True)  # in which a norm makes its averages
        made = transformed.init(key, *call.args, **given)
        return {"params": made[0], "state": made[1]} if keeps_state else made

    def run(variables: Any, call: Call, /, *, train: bool, key: Any) -> tuple[Any, Any]:
        given = call.kwargs | _modes(signature, train)
        inputs = (key, *call.args) if takes_key else call.args
        if not keeps_state:
            return transformed.apply(variables, *inputs, **given), variables
        outputs, state = transformed.apply(variables["params"], variables["state"], *inputs, **given)
        return outputs, {"params": variables["params"], "state": state}

    return Port("Haiku", init, run)
