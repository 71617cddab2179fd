"""Training on the JAX side: one compiled step, steps without end, and the optax transformation on its own."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from jaxd2l.parity.jax_side import JaxSide, as_single, at, cast, compiled, precision, run
from jaxd2l.parity.programs import jax_watched
from jaxd2l.parity.quantities import Values
from jaxd2l.parity.samples import Call


class JaxStep(NamedTuple):
    """The variables after a training step as they are compared, the loss before it, and the kinks' arguments."""

    parameters: Values
    loss: float
    kinks: Values


def trainable(side: JaxSide, variables: Any) -> tuple[Any, Callable[[Any], Any]]:
    """What an optimiser gets of the variables, and how the rest is put back: all of them, or "params" beside state."""
    if isinstance(variables, dict) and "params" in variables and len(variables) > 1:
        return variables["params"], lambda params: {**variables, "params": params}
    return variables, lambda params: params


def step_program(side: JaxSide, tx: optax.GradientTransformation, dtype: type, batch: int = 0) -> Callable[..., Any]:
    """One training step, compiled: the next variables and optimiser state, the loss, and the kinks' arguments."""
    labels = side.samples[batch].labels

    def step(variables: Any, opt_state: Any, call: Call) -> tuple[Any, Any, Any, dict[str, Any]]:
        params, whole = trainable(side, variables)

        def batch_loss(params: Any) -> tuple[Any, Any]:
            outputs, after = run(side, whole(params), call)
            return side.loss(outputs, labels), after

        (loss, after), grads = jax.value_and_grad(batch_loss, has_aux=True)(params)
        updates, opt_state = tx.update(grads, opt_state, params)
        _, back = trainable(side, after)
        met = jax_watched.kinks(lambda v, call: jax.tree.leaves(run(side, v, call)[0]), variables, call)
        return back(optax.apply_updates(params, updates)), opt_state, loss, met

    return compiled(dtype, step)


def jax_steps(
    side: JaxSide, tx: optax.GradientTransformation, start: Values, dtype: type, programs: list[Callable[..., Any]]
) -> Iterator[JaxStep]:
    """Trains on the batches in turn, step after step without end."""
    with precision(dtype, side.precision.matmul):
        variables = side.weights.variables(cast(start, dtype))
        opt_state = tx.init(trainable(side, variables)[0])
    step = 0
    while True:
        batch = step % len(programs)
        with precision(dtype, side.precision.matmul):  # not across a yield: the caller has settings of its own
            variables, opt_state, loss, arguments = programs[batch](variables, opt_state, at(side, dtype, batch))
            result = JaxStep(as_single(side.weights.shown(variables)), float(loss), as_single(arguments))
        yield result
        step += 1


def jax_path(side: JaxSide, tx: optax.GradientTransformation, start: Values, gradients: list[Any]) -> list[Values]:
    """The variables after each of the given gradients: the optax transformation on its own, in float64."""

    def update(gradients: Any, opt_state: Any, params: Any) -> tuple[Any, Any]:
        updates, opt_state = tx.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    program = compiled(np.float64, update)  # schedules compute in float32 of their own accord
    with precision(np.float64):
        variables = side.weights.variables(cast(start, np.float64))
        params, whole = trainable(side, variables)
        opt_state, path = tx.init(params), []
        for step in gradients:
            params, opt_state = program(trainable(side, step)[0], opt_state, params)
            path.append(side.weights.shown(whole(params)))
    return path
