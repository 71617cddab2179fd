"""What JAX computes at torch's weights, ready to compare with what torch computes."""

from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l._files import named_leaves
from jaxd2l.parity.assignment import Assignment
from jaxd2l.parity.flips import Flip, find_flips
from jaxd2l.parity.frameworks import Port
from jaxd2l.parity.leaves import matched, named_arrays
from jaxd2l.parity.precisions import Precision
from jaxd2l.parity.programs import jax_watched
from jaxd2l.parity.programs.jax_watched import Computed
from jaxd2l.parity.programs.jax_wide import narrow_dtypes, widened_call
from jaxd2l.parity.programs.jaxpr import trace
from jaxd2l.parity.quantities import LOSS, SAME_LOSS, Values, gradient_of, input_names, updated
from jaxd2l.parity.rule import ROUNDOFF, SINGLE
from jaxd2l.parity.samples import Call, Sample

Traced = dict[str, Any]
"""Arrays by name, while JAX traces a program of them or after."""


class JaxSide(NamedTuple):
    """A port and its batches, ready to run.

    port: the model.
    weights: how torch's weights become its variables.
    trained: torch's parameters for which there are gradients.
    samples: the batches, in the layout that the model takes.
    loss: `loss(outputs, labels)`.
    pick: `pick(outputs)`, what is compared of the outputs.
    names: JAX's name for each of torch's outputs.
    layout: `layout(array)`, from JAX's layout of an output to torch's; and of an input's gradient.
    draws: the random numbers that both sides draw in training mode; None in evaluation mode.
    precision: in what the port computes where it does not compute in float64.
    """

    port: Port
    weights: Assignment
    trained: tuple[str, ...]
    samples: tuple[Sample, ...]
    loss: Callable[[Any, Any], Any]
    pick: Callable[[Any], Any] = lambda outputs: outputs
    names: dict[str, str] = {}  # noqa: RUF012  # read only, and a NamedTuple's default
    layout: Callable[[Any], Any] = lambda array: array
    draws: Any = None
    precision: Precision = Precision()

    @property
    def single(self) -> Any:
        """The NumPy type of that precision."""
        return self.precision.in_numpy


@contextmanager
def precision(dtype: type, matmul: str = "highest") -> Any:
    """JAX as users run it: float64 only on request, and dtypes promoted as in NumPy; products in full precision."""
    with (
        jax.enable_x64(dtype is np.float64),
        jax.numpy_dtype_promotion("standard"),
        jax.default_matmul_precision("highest" if dtype is np.float64 else matmul),
    ):
        yield


def compiled(dtype: type, function: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.jit(function)`; in float64 with every narrower type that its code names replaced by float64."""
    return jax.jit((lambda *args: widened_call(function, *args)) if dtype is np.float64 else function)


def run(side: JaxSide, variables: Any, call: Call) -> tuple[Any, Any]:
    """The port's outputs, and its variables afterwards."""
    with nullcontext() if side.draws is None else side.draws.in_jax():
        return side.port.run(variables, call, train=side.draws is not None, key=jax.random.key(0))


def named_outputs(ours: JaxSide, start: Values, theirs: Values) -> JaxSide:
    """With JAX's name for each of torch's outputs.

    Raises:
      ValueError: outputs that do not match, or a model that cannot take the inputs.
    """
    single = cast(start, np.float32)

    def outputs(arrays: dict[str, Any], inputs: Call) -> Any:
        return dict(named_arrays(ours.pick(run(ours, ours.weights.variables(arrays), inputs)[0])))

    try:
        with precision(np.float32):
            found = jax.eval_shape(outputs, single, at(ours, np.float32))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the JAX model cannot take the inputs: {error}") from error
    return ours._replace(names=matched(theirs, found))


def jax_values(side: JaxSide, same_outputs: Values | None = None, batch: int = 0) -> Callable[[Traced, Call], Traced]:
    """A pure function of torch's arrays and the inputs that computes what `torch_values` does, under torch's names."""
    labels = side.samples[batch].labels

    def loss_and_rest(trained: Traced, floats: list[Any], rest: Traced, call: Call) -> tuple[Any, Any]:
        outputs, after = run(side, side.weights.variables({**rest, **trained}), _with_floats(call, floats))
        return side.loss(outputs, labels), (outputs, after)

    def values(arrays: Traced, call: Call) -> Traced:
        trained = {name: arrays[name] for name in side.trained}
        rest = {name: x for name, x in arrays.items() if name not in trained}
        floats = [x for x in _leaves(call) if jnp.issubdtype(x.dtype, jnp.floating)]
        both = jax.value_and_grad(loss_and_rest, argnums=(0, 1), has_aux=True)
        (loss, (outputs, after)), (gradients, of_inputs) = both(trained, floats, rest, call)
        found = dict(named_arrays(side.pick(outputs)))
        result = {name: side.layout(found[ours]) for name, ours in side.names.items()}
        if same_outputs is not None:
            result[SAME_LOSS] = side.loss(_filled(side, outputs, same_outputs), labels)
        result |= {LOSS: loss} | {gradient_of(name): gradient for name, gradient in gradients.items()}
        names = [
            n for n, x in zip(input_names(call), _leaves(call), strict=True) if jnp.issubdtype(x.dtype, jnp.floating)
        ]
        result |= {name: side.layout(gradient) for name, gradient in zip(names, of_inputs, strict=True)}
        return result | (_state(side, after) if side.draws is not None else {})

    return values


def _leaves(call: Call) -> list[Any]:
    return jax.tree.leaves((call.args, call.kwargs))


def _with_floats(call: Call, floats: list[Any]) -> Call:
    """The call with other floating-point inputs."""
    leaves, structure = jax.tree.flatten((call.args, call.kwargs))
    new = iter(floats)
    return Call(
        *jax.tree.unflatten(structure, [next(new) if jnp.issubdtype(x.dtype, jnp.floating) else x for x in leaves])
    )


def _filled(side: JaxSide, outputs: Any, same_outputs: Values) -> Any:
    """JAX's outputs with torch's numbers in them."""
    of_jax = {ours: same_outputs[name] for name, ours in side.names.items()}
    by_id = {id(x): name for name, x in named_arrays(side.pick(outputs))}

    def fill(x: Any) -> Any:
        if id(x) not in by_id or by_id[id(x)] not in of_jax:
            return x
        given = jnp.asarray(of_jax[by_id[id(x)]], x.dtype)
        return given if given.shape == x.shape else _inverse(side.layout, given)

    return jax.tree.map(fill, outputs)


def _inverse(layout: Callable[[Any], Any], x: Any) -> Any:
    """An array in JAX's layout: a permutation of axes undone."""
    order = np.argsort(layout(np.empty([*range(2, 2 + x.ndim)])).shape)
    return jnp.transpose(x, [int(i) for i in order])


def _state(side: JaxSide, after: Any) -> Traced:
    leaves, plain = named_leaves(after), side.weights.plain
    return {
        updated(of.torch): leaves[name] for name, of in plain.items() if of.torch not in side.trained and name in leaves
    }


def at(side: JaxSide, dtype: type, batch: int = 0) -> Call:
    """The inputs of a batch in another floating-point dtype."""
    args, kwargs = jax.tree.map(
        lambda x: x.astype(dtype) if x.dtype.kind == "f" else x,
        (side.samples[batch].call.args, side.samples[batch].call.kwargs),
    )
    return Call(args, kwargs)


def evaluator(side: JaxSide, dtype: type, same_outputs: Values | None = None) -> Callable[..., Values]:
    """`jax_values` in one dtype, compiled once per batch: `evaluate(arrays, batch=0)`."""
    programs = {i: compiled(dtype, jax_values(side, same_outputs, i)) for i in range(len(side.samples))}

    def evaluate(arrays: Values, batch: int = 0) -> Values:
        with precision(dtype, side.precision.matmul):
            found = programs[batch](cast(arrays, dtype), at(side, dtype, batch))
            return as_single(found)

    return evaluate


def outputs_evaluator(side: JaxSide) -> Callable[[Values, Call], Values]:
    """A function of torch's arrays and a call: the outputs in float64 under torch's names, in torch's layout."""

    def outputs(arrays: Traced, call: Call) -> Traced:
        found = dict(named_arrays(side.pick(run(side, side.weights.variables(arrays), call)[0])))
        return {name: side.layout(found[ours]) for name, ours in side.names.items()}

    program = compiled(np.float64, outputs)

    def evaluate(arrays: Values, call: Call) -> Values:
        floats = (jax.tree.map(lambda x: x.astype(np.float64) if x.dtype.kind == "f" else x, part) for part in call)
        with precision(np.float64):
            return {name: np.array(x) for name, x in program(cast(arrays, np.float64), Call(*floats)).items()}

    return evaluate


def types_inside(side: JaxSide, arrays: Values, same_outputs: Values | None) -> list[str]:
    """Floating-point types narrower than float64 that the model's or the loss's own code names."""
    return narrow_dtypes(trace(jax_values(side, same_outputs), cast(arrays, np.float64), at(side, np.float64))[0])


def intermediates(side: JaxSide, arrays: Values, dtype: type, unroll: int = 0) -> list[Computed]:
    """Torch's arrays, the inputs, and every floating-point array that the model computes on the way, in order."""
    watch = partial(jax_watched.intermediates, unroll=unroll)
    return [replace(found, value=np.asarray(found.value)) for found in _watcher(watch, side, dtype)(arrays)]


def flip_finder(side: JaxSide) -> Callable[[Values, int], list[Flip]]:
    """A function of torch's arrays and a step's number: the branches that JAX takes in float32 and not in float64."""
    single, double = (_watcher(jax_watched.kinks, side, dtype) for dtype in (side.single, np.float64))

    def find(arrays: Values, step: int) -> list[Flip]:
        met = [{name: np.asarray(x) for name, x in watch(arrays).items()} for watch in (single, double)]
        return find_flips(step, "JAX", met[0], met[1], ulps=ROUNDOFF[side.precision.name] / SINGLE)

    return find


def _watcher(watch: Callable[..., Any], side: JaxSide, dtype: type) -> Callable[[Values], Any]:
    """What the model meets on the way, compiled once: a function of torch's arrays."""

    def model(arrays: Traced, call: Call) -> Any:
        return list(jax.tree.leaves(run(side, side.weights.variables(arrays), call)[0]))

    program = jax.jit(partial(watch, model, wide=dtype is np.float64))

    def meet(arrays: Values) -> Any:
        with precision(dtype, side.precision.matmul):
            return program(cast(arrays, dtype), at(side, dtype))

    return meet


def as_single(arrays: Traced) -> Values:
    """Copies on the host; numbers of bfloat16 as float32, which holds them all."""
    found = {name: np.array(x) for name, x in arrays.items()}
    return {name: x.astype(np.float32) if x.dtype.name == "bfloat16" else x for name, x in found.items()}


def cast(arrays: Values, dtype: type) -> Values:
    """The floating-point arrays in another dtype."""
    return {name: x.astype(dtype) if x.dtype.kind == "f" else x for name, x in arrays.items()}
