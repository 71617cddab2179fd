"""`check_recorded`: a JAX port against what torch computed elsewhere. Needs no torch."""

import os
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax

from jaxd2l._process.environment import environment
from jaxd2l.parity import jax_training
from jaxd2l.parity.assignment import assignment
from jaxd2l.parity.frameworks import as_port
from jaxd2l.parity.jax_side import JaxSide, evaluator, named_outputs
from jaxd2l.parity.layouts import to_jax_layout, to_torch_layout
from jaxd2l.parity.merging import consequences
from jaxd2l.parity.probe import jax_probe
from jaxd2l.parity.quantities import SAME_LOSS, Values
from jaxd2l.parity.recording import Recording, after_run, read
from jaxd2l.parity.report import Report
from jaxd2l.parity.rule import compare_accuracy, compare_meaning
from jaxd2l.parity.samples import Call, Sample

_DTYPES: tuple[type, ...] = (np.float32, np.float64)


def check_recorded(
    path: str | os.PathLike[str],
    jax_model: Any,
    *,
    weights: Any = "auto",
    loss: Callable[[Any, Any], Any] | None = None,
    optim: optax.GradientTransformation | None = None,
    to_jax: str | Callable[[Any], Any] | None = None,
    outputs: Callable[[Any], Any] | None = None,
) -> Report:
    """Compares a JAX port with what `record` kept of torch: outputs, loss, gradients, training, by the rule of `check`.

    Causes are not looked for by name, nor layers: that takes torch. Whole runs are compared in float64 alone. The
    report says so.

    Args:
      path: the file that `record` wrote.
      jax_model, weights, to_jax: as for `check`; without torch, weights are paired by their names and shapes alone.
      loss, optim, outputs: JAX's half of what `check` takes; `loss` and `optim` where `record` was given torch's.

    Raises:
      FileNotFoundError, ValueError: there is no such file, or it is no recording; a loss or an optimiser on one side
        only; otherwise as `check`.
    """
    found = read(path)
    for name, given in (("loss", loss), ("optimiser", optim)):
        if found.facts[name] != (given is not None):
            raise ValueError(
                f"the recording has {'a' if found.facts[name] else 'no'} {name} of torch's: {name} "
                f"{'is missing here' if found.facts[name] else 'was not recorded'}"
            )
    ours = _our_side(found, jax_model, weights, to_jax, outputs)
    ours = ours._replace(loss=loss or jax_probe(found.facts["seed"], ours))
    single, double = (_values(found, ours, optim, dtype) for dtype in _DTYPES)
    if optim is not None:
        program = jax_training.step_program(ours, optim, np.float64)
        taken = jax_training.jax_steps(ours, optim, found.start, np.float64, [program])
        double |= after_run(taken, found.facts["steps"], found.facts["trained"])
    rows = []
    for name, exact in found.exact.items():
        if name in double:
            rows.append(compare_meaning(name, exact, double[name].astype(exact.dtype), found.scales[name]))
        if name in single:
            rows.append(compare_accuracy(name, found.single[name], single[name], exact, found.scales[name]))
    here = environment("jaxd2l", "jax", "flax", "optax", "numpy")
    facts = here.versions | {"JAX device": here.kind, "recorded with": str(found.facts["versions"])}
    unseen = ["causes by name, layers, training runs in float32: they take torch, and this is its recording"]
    if lost := [name for name in found.exact if name not in double]:
        unseen.append(f"without a counterpart in the JAX model: {', '.join(lost)}")
    return Report(consequences(rows, (*found.outputs, SAME_LOSS)), facts, ours.weights.pairs, unseen=tuple(unseen))


def _our_side(found: Recording, jax_model: Any, weights: Any, to_jax: Any, outputs: Any) -> JaxSide:
    call = Call(*jax.tree.map(to_jax_layout(to_jax), tuple(found.sample.call)))
    port = as_port(jax_model, Call(*jax.tree.map(lambda x: x[:1], tuple(call))))
    like = jax.eval_shape(port.init, jax.random.key(0))
    shapes = {name: x.shape for name, x in found.start.items()}
    trained = {name: shapes[name] for name in found.facts["parameters"]}
    buffers = {name: shape for name, shape in shapes.items() if name not in trained}
    of = assignment(trained, buffers, like, weights, None, port.framework)
    pick = outputs or (lambda outputs: outputs)
    side = JaxSide(
        port,
        of._replace(variables=jax.jit(of.variables)),
        tuple(found.facts["trained"]),
        (Sample(call, found.sample.labels),),
        lambda outputs, labels: 0.0,
        pick,
        {},
        to_torch_layout(to_jax),
    )
    return named_outputs(side, found.start, found.outputs)


def _values(found: Recording, ours: JaxSide, tx: optax.GradientTransformation | None, dtype: type) -> Values:
    """All quantities in JAX, in float32 or float64."""
    values = evaluator(ours, dtype, found.outputs)(found.start)
    if tx is None:
        return values
    program = jax_training.step_program(ours, tx, dtype)
    after = next(jax_training.jax_steps(ours, tx, found.start, dtype, [program])).parameters
    return values | {f"{name} after one step": x for name, x in after.items()}
