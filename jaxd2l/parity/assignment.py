"""From the argument `weights` of `check` to a function from torch's arrays to the JAX model's variables."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l._files import named_leaves
from jaxd2l.parity.advice import ways_out
from jaxd2l.parity.pairing import Pair, Weights, orient, pair
from jaxd2l.parity.weights import Arrays, Weight, assemble, take


class Assignment(NamedTuple):
    """How torch's weights and buffers become the JAX model's variables.

    like: the shapes of the variables.
    variables: `variables(arrays) -> pytree`, differentiable; arrays by torch's names.
    pairs: each JAX array and what it is in torch, for people to read.
    plain: the pairs that are one weight of torch's as it is or turned, by JAX's name; all others have no inverse.
    """

    like: Any
    variables: Callable[[Arrays], Any]
    pairs: tuple[Pair, ...]
    plain: dict[str, Pair]

    def shown(self, variables: Any) -> dict[str, np.ndarray]:
        """JAX's arrays as they are compared: plain ones under torch's name and in its orientation; without counters."""
        found = {}
        for name, leaf in named_leaves(variables).items():
            of = self.plain.get(name)
            if not jnp.issubdtype(leaf.dtype, jnp.floating):
                continue  # torch has no weight for it
            found[of.torch if of else name] = np.array(
                orient(np.asarray(leaf), of.orientation, to="torch") if of else leaf
            )
        return found

    def shown_of_torch(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Torch's arrays in the same form."""
        names = named_leaves(self.like)
        if len(self.plain) == len(names):
            return {self.plain[name].torch: np.asarray(arrays[self.plain[name].torch]) for name in names}
        with jax.enable_x64(True):
            return self.shown(self.variables(arrays))

    def gradients_of_torch(
        self, several: list[Any], arrays: Arrays, names: tuple[str, ...]
    ) -> list[dict[str, np.ndarray]]:
        """The gradients of these weights of torch's that follow from those of the variables, several times."""
        trained = {name: arrays[name] for name in names}
        rest = {name: x for name, x in arrays.items() if name not in trained}

        @jax.jit
        def back(gradients: Any, trained: Arrays, rest: Arrays) -> dict[str, Any]:
            return jax.vjp(lambda trained: self.variables({**rest, **trained}), trained)[1](gradients)[0]

        with jax.enable_x64(True):
            return [{n: np.array(x) for n, x in back(gradients, trained, rest).items()} for gradients in several]


def assignment(
    trained: Mapping[str, tuple[int, ...]],
    buffers: Mapping[str, tuple[int, ...]],
    like: Any,
    weights: Weights | Mapping[str, Weight] | Callable[[Arrays], Any],
    module: Any = None,
    framework: str = "",
) -> Assignment:
    """Reads `weights`. What it leaves open is found by the layers' kinds, and then by names and shapes alone.

    Args:
      trained: shapes of torch's parameters by name.
      buffers: shapes of torch's buffers by name; they travel like weights where JAX has a place for them.
      like: the JAX model's variables, or their shapes.
      weights: "auto"; a mapping `{torch name: jax name}` as for `parity.pair`; a mapping `{jax name: Weight}`; or a
        function from torch's arrays by name to the variables.
      module: torch's, whose layers are recognised; without it, there are names and shapes only.
      framework: the JAX model's, as in `Port`.

    Raises:
      TypeError, ValueError: as `parity.pair`; a mapping that names what is not there; a function whose result has not
        the structure and the shapes of the variables; layers that no weights make equal, or that may be several.
    """
    if weights != "auto" and not isinstance(weights, Mapping) and not callable(weights):
        raise TypeError(f"weights must be 'auto' or a mapping of names or a function, got {weights!r}")
    shapes = {**trained, **buffers}
    if callable(weights):
        return _of_function(shapes, like, weights)
    leaves = {name: tuple(leaf.shape) for name, leaf in named_leaves(like).items()}
    given = weights if isinstance(weights, Mapping) else {}
    written = {_full(name, leaves): w for name, w in given.items() if isinstance(w, Weight)}
    _require_known(written, leaves, shapes)
    rest = {name: w for name, w in given.items() if not isinstance(w, Weight)}
    known, misses = ({}, ()) if module is None else _recognised(module, framework, leaves, written, rest)
    table = {**known, **written}
    rest = {name: target for name, target in rest.items() if _target(target, leaves) not in table}
    try:
        table |= _by_shape(trained, buffers, leaves, table, "auto" if weights == "auto" else rest)
    except ValueError as error:
        raise ValueError("; ".join([*misses, str(error)])) from error
    table = {name: table[name] for name in leaves}
    plain = _plain(table, shapes)
    shown = tuple(plain.get(name) or Pair(repr(weight), name, "same") for name, weight in table.items())
    return Assignment(like, assemble(table, like), shown, plain)


def _by_shape(
    trained: Mapping[str, tuple[int, ...]],
    buffers: Mapping[str, tuple[int, ...]],
    leaves: Mapping[str, tuple[int, ...]],
    table: Mapping[str, Weight],
    weights: Weights,
) -> dict[str, Weight]:
    """The leaves that are not in the table, by names and shapes alone."""
    used = {source for weight in table.values() for source in weight.sources}
    open_leaves = {name: shape for name, shape in leaves.items() if name not in table}
    open_torch = {name: shape for name, shape in trained.items() if name not in used}
    open_buffers = {name: shape for name, shape in buffers.items() if name not in used}
    pairs = pair(_with_buffers(open_torch, open_buffers, open_leaves), open_leaves, weights=weights)
    return {p.jax: take(p.torch).T if p.orientation == "transpose" else take(p.torch) for p in pairs}


_FRAMEWORKS = ("Linen", "NNX", "Equinox", "Haiku")


def _recognised(
    module: Any,
    framework: str,
    leaves: Mapping[str, tuple[int, ...]],
    written: Mapping[str, Weight],
    rest: Mapping[str, Any],
) -> tuple[dict[str, Weight], tuple[str, ...]]:
    """The leaves of layers that are known, unless the mapping says otherwise; and what `Found.misses` says."""
    from jaxd2l.parity.automatic import find  # needs torch, as whoever has a module has

    named = {_target(target, leaves): name for name, target in rest.items()}
    known = {leaf: (name,) for leaf, name in named.items()}
    found = find(module, leaves, framework, known | {leaf: weight.sources for leaf, weight in written.items()})
    if found.impossible:
        reasons = "".join(f"\n  {leaf} {leaves[leaf]}: {why}" for leaf, why in found.impossible.items())
        raise ValueError(f"torch's weights do not become these JAX parameters by themselves:{reasons}{ways_out({})}")
    if found.ambiguous and framework in _FRAMEWORKS:
        raise ValueError(
            "several of torch's layers may be meant:"
            + "".join(f"\n  {leaf} {leaves[leaf]}: {', '.join(which)}" for leaf, which in found.ambiguous.items())
            + ways_out({leaf: repr(found.guesses.get(leaf, "...")) for leaf in found.ambiguous})
        )
    oriented = {_target(target, leaves) for target in rest.values() if not isinstance(target, str)}
    certain = {
        leaf: weight
        for leaf, weight in found.weights.items()
        if leaf not in oriented and (leaf not in named or named[leaf] in weight.sources)
    }
    return certain, found.misses


def _target(target: Any, leaves: Mapping[str, Any]) -> str:
    """The full name of the JAX parameter in a mapping `{torch name: jax name}`."""
    return _full(target if isinstance(target, str) else target[0], leaves)


def _plain(table: Mapping[str, Weight], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Pair]:
    """The leaves that are one weight of torch's, as it is or turned, which no other leaf is."""
    times = Counter(source for weight in table.values() for source in weight.sources)
    return {
        name: Pair(w.sources[0], name, w.plain if len(shapes[w.sources[0]]) > 1 else "same")
        for name, w in table.items()
        if w.plain and times[w.sources[0]] == 1
    }


def _with_buffers(
    trained: Mapping[str, tuple[int, ...]],
    buffers: Mapping[str, tuple[int, ...]],
    leaves: Mapping[str, tuple[int, ...]],
) -> dict[str, tuple[int, ...]]:
    """The arrays to pair. Buffers are among them if JAX has leaves for them: running statistics, or all."""
    spare = len(leaves) - len(trained)
    wanted = dict(trained)
    if spare > 0:
        statistics = {name: shape for name, shape in buffers.items() if name.rpartition(".")[2].startswith("running_")}
        wanted |= statistics if len(statistics) == spare else dict(buffers) if len(buffers) == spare else {}
    return wanted


def _of_function(shapes: Mapping[str, tuple[int, ...]], like: Any, function: Callable[[Arrays], Any]) -> Assignment:
    arrays = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in shapes.items()}
    made = jax.eval_shape(function, arrays)
    expected, found = named_leaves(like), named_leaves(made)
    wrong = [
        f"{name}: expected {_shape(expected.get(name))}, got {_shape(found.get(name))}"
        for name in {**expected, **found}
        if _shape(expected.get(name)) != _shape(found.get(name))
    ]
    if wrong:
        raise ValueError(f"the weights function does not return the JAX model's variables: {'; '.join(wrong)}")
    pairs = tuple(Pair("(a function)", name, "same") for name in expected)
    structure = jax.tree.structure(like)
    return Assignment(like, lambda a: jax.tree.unflatten(structure, jax.tree.leaves(function(a))), pairs, {})


def _require_known(
    written: Mapping[str, Weight], leaves: Mapping[str, tuple[int, ...]], torch_shapes: Mapping[str, tuple[int, ...]]
) -> None:
    for name, weight in written.items():
        if name not in leaves:
            raise ValueError(f"the mapping names {name!r}, but JAX has: {list(leaves)}")
        for source in weight.sources:
            if source not in torch_shapes:
                raise ValueError(f"{weight} names {source!r}, but torch has: {list(torch_shapes)}")


def _full(name: str, leaves: Mapping[str, Any]) -> str:
    return name if name in leaves or f"params.{name}" not in leaves else f"params.{name}"


def _shape(leaf: Any) -> tuple[int, ...] | None:
    return None if leaf is None else tuple(leaf.shape)
