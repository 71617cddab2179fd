"""What JAX computes, under torch's names and in torch's orientation, ready to compare with torch's values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l._files import named_leaves
from jaxd2l.parity import jaxpr
from jaxd2l.parity.bridge import arrays_to_params
from jaxd2l.parity.flips import Flip, find_flips
from jaxd2l.parity.pairing import Pair, orient
from jaxd2l.parity.torch_side import INPUT_GRADIENT, LOSS, OUTPUTS, SAME_LOSS, Values, gradient_of
from jaxd2l.types import Apply, Params

Evaluators = dict[type, Callable[[Values], Values]]
"""By dtype: from parameters to every quantity, both under torch's names."""


class JaxSide(NamedTuple):
    """A model and one batch, ready to run.

    `like` holds the shapes of its params, `pairs` their torch names. `wide` means that the model has float32 written
    into its code, so that its program must be widened to run in float64.
    """

    apply: Apply
    like: Params
    pairs: tuple[Pair, ...]
    inputs: np.ndarray
    labels: np.ndarray
    loss: Callable[..., Any]
    wide: bool = False


class JaxValues(NamedTuple):
    """What JAX computes at given params; None where a quantity does not apply."""

    outputs: Any
    loss: Any
    gradients: Params
    same_loss: Any = None
    input_gradient: Any = None


class JaxStep(NamedTuple):
    """The parameters after a training step, the loss before it, and the arguments of the kinks it met."""

    parameters: Values
    loss: float
    kinks: Values


@contextmanager
def precision(dtype: type) -> Any:
    """JAX as users run it: float64 only on request, and dtypes promoted as in NumPy."""
    with jax.enable_x64(dtype is np.float64), jax.numpy_dtype_promotion("standard"):
        yield


def compiled(side: JaxSide, dtype: type, function: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.jit(function)`, widened in float64 if the side needs it."""
    if side.wide and dtype is np.float64:
        return jax.jit(lambda *args: jaxpr.widened(function, *args))
    return jax.jit(function)


def to_params(side: JaxSide, values: Values) -> Params:
    """Parameters under torch's names as JAX params, in the dtype of the values."""
    dtypes = {pair.jax: values[pair.torch].dtype for pair in side.pairs}
    names = named_leaves(side.like)
    like = jax.tree.unflatten(
        jax.tree.structure(side.like), [jax.ShapeDtypeStruct(x.shape, dtypes[name]) for name, x in names.items()]
    )
    return arrays_to_params(values, like, side.pairs)


def from_params(side: JaxSide, params: Params) -> Values:
    """JAX params (or gradients) under torch's names: copies."""
    leaves = named_leaves(params)
    return {p.torch: np.array(orient(np.asarray(leaves[p.jax]), p.orientation, to="torch")) for p in side.pairs}


def at(side: JaxSide, dtype: type) -> JaxSide:
    """The same with inputs and labels of another floating-point dtype."""

    def cast(x: np.ndarray) -> np.ndarray:
        return x.astype(dtype if x.dtype.kind == "f" else np.int32)

    return side._replace(inputs=cast(side.inputs), labels=cast(side.labels))


def jax_values(side: JaxSide, same_outputs: np.ndarray | None = None) -> Callable[[Params], JaxValues]:
    """A pure function of the params that computes what `torch_values` does."""

    def loss_and_outputs(params: Params, inputs: Any) -> tuple[Any, Any]:
        outputs = side.apply(params, inputs)
        return side.loss(outputs, side.labels), outputs

    def values(params: Params) -> JaxValues:
        inputs = jnp.asarray(side.inputs)
        wanted = (0, 1) if side.inputs.dtype.kind == "f" else (0,)
        (loss, outputs), grads = jax.value_and_grad(loss_and_outputs, argnums=wanted, has_aux=True)(params, inputs)
        same = None if same_outputs is None else side.loss(jnp.asarray(same_outputs, float), side.labels)
        return JaxValues(outputs, loss, grads[0], same, *grads[1:])

    return values


def under_torch_names(side: JaxSide, values: JaxValues) -> Values:
    """What `jax_values` computed, as NumPy arrays under the names that `torch_values` uses."""
    named = {
        OUTPUTS: values.outputs,
        LOSS: values.loss,
        SAME_LOSS: values.same_loss,
        INPUT_GRADIENT: values.input_gradient,
    }
    gradients = from_params(side, values.gradients)
    rest = {name: np.array(value) for name, value in named.items() if value is not None}
    return rest | {gradient_of(name): value for name, value in gradients.items()}


def evaluator(side: JaxSide, dtype: type, same_outputs: np.ndarray | None = None) -> Callable[[Values], Values]:
    """`jax_values` in one dtype, compiled once: a function of the parameters, under torch's names."""
    side = at(side, dtype)
    run = compiled(side, dtype, jax_values(side, same_outputs))

    def evaluate(values: Values) -> Values:
        with precision(dtype):
            return under_torch_names(side, run(to_params(side, _as(values, dtype))))

    return evaluate


def narrow_dtypes(side: JaxSide, values: Values, same_outputs: np.ndarray | None) -> list[str]:
    """Floating-point dtypes that the model or the loss falls back to although all its arguments are float64."""
    with precision(np.float64):
        side = at(side, np.float64)
        return jaxpr.narrow_dtypes(jax_values(side, same_outputs), to_params(side, _as(values, np.float64)))


def intermediates(side: JaxSide, values: Values, dtype: type) -> list[np.ndarray]:
    """Every floating-point array that the model computes on the way, in order."""
    with precision(dtype):
        side = at(side, dtype)
        params, wide = to_params(side, _as(values, dtype)), side.wide and dtype is np.float64
        found = jax.jit(lambda params, x: jaxpr.intermediates(side.apply, params, x, wide=wide))(params, side.inputs)
        return [np.asarray(x) for x in found]


def flip_finder(side: JaxSide) -> Callable[[Values, int], list[Flip]]:
    """A function of parameters and a step's number: the branches that the model takes in float32 and not in float64."""
    single, double = (_kinks(side, dtype) for dtype in (np.float32, np.float64))
    return lambda values, step: find_flips(step, "JAX", single(values), double(values))


def _kinks(side: JaxSide, dtype: type) -> Callable[[Values], Values]:
    """The arguments of the model's kinks, compiled once: a function of the parameters."""
    side = at(side, dtype)
    wide = side.wide and dtype is np.float64
    run = jax.jit(lambda params, x: jaxpr.kinks(side.apply, params, x, wide=wide))

    def kinks(values: Values) -> Values:
        with precision(dtype):
            return {n: np.asarray(x) for n, x in run(to_params(side, _as(values, dtype)), side.inputs).items()}

    return kinks


def step_program(side: JaxSide, tx: optax.GradientTransformation, dtype: type) -> Callable[..., Any]:
    """One training step, compiled: from params and optimiser state to the next, the loss, and the kinks' arguments."""
    side = at(side, dtype)

    def step(params: Params, opt_state: Any) -> tuple[Params, Any, Any, dict[str, Any]]:
        inputs = jnp.asarray(side.inputs)
        loss, grads = jax.value_and_grad(lambda p: side.loss(side.apply(p, inputs), side.labels))(params)
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss, jaxpr.kinks(side.apply, params, inputs)

    return compiled(side, dtype, step)


def jax_steps(
    side: JaxSide, tx: optax.GradientTransformation, start: Values, dtype: type, program: Callable[..., Any]
) -> Iterator[JaxStep]:
    """Trains, step after step without end."""
    with precision(dtype):
        params = to_params(side, _as(start, dtype))
        opt_state = tx.init(params)
    while True:
        with precision(dtype):  # not across a yield: the caller has settings of its own
            params, opt_state, loss, arguments = program(params, opt_state)
            kinks = {name: np.asarray(x) for name, x in arguments.items()}
            result = JaxStep(from_params(side, params), float(loss), kinks)
        yield result


def jax_path(side: JaxSide, tx: optax.GradientTransformation, start: Values, gradients: list[Values]) -> list[Values]:
    """The parameters after each of the given gradients: the optax transformation on its own, in float64."""
    with precision(np.float64):
        params = to_params(side, _as(start, np.float64))
        opt_state, path = tx.init(params), []
        for step in gradients:
            updates, opt_state = tx.update(to_params(side, step), opt_state, params)
            params = optax.apply_updates(params, updates)
            path.append(from_params(side, params))
    return path


def _as(values: Values, dtype: type) -> Values:
    return {name: value.astype(dtype) for name, value in values.items()}
