"""The levels of a check that train: the optimiser on its own, one step, whole runs."""

from jaxd2l.parity import trajectory
from jaxd2l.parity.jax_training import trainable
from jaxd2l.parity.known_differences import CLIPPING, clips_by_norm, torchs_clipping
from jaxd2l.parity.optimizer_level import OptimizerPair, optimizer_level, step_level, training_of
from jaxd2l.parity.rule import Row, holds
from jaxd2l.parity.sides import Sides
from jaxd2l.parity.torch_side import StepFunction
from jaxd2l.parity.trajectory import Trajectory


def training_levels(sides: Sides, optim: OptimizerPair, torch_step: StepFunction, steps: int) -> Trajectory:
    """Compares the optimisers, one step and `steps` of them; all rows, and the traces of the runs.

    Where the norms of gradients are clipped and rows fail, all is computed again with torch's way of clipping in
    place of optax's. What then holds is a known difference of the libraries.
    """
    found = _levels(sides, optim, torch_step, steps)
    params = trainable(sides.ours, sides.ours.weights.like)[0]
    if all(map(holds, found.rows)) or not clips_by_norm(optim[1], params):
        return found
    with torchs_clipping():
        again = _levels(sides, optim, torch_step, steps)
    if sum(map(holds, again.rows)) < sum(map(holds, found.rows)):
        return found
    rows = (row if holds(before) else _known(row) for before, row in zip(found.rows, again.rows, strict=True))
    return again._replace(rows=tuple(rows))


def _levels(sides: Sides, optim: OptimizerPair, torch_step: StepFunction, steps: int) -> Trajectory:
    sides.tell("optimisers")
    training = training_of(optim, sides.ours, torch_step)
    given = optimizer_level(sides, training)
    sides.tell("one step")
    rows = given, *step_level(sides, training)
    run = trajectory.run(sides, training, steps)
    return run._replace(rows=(*rows, *run.rows))


def _known(row: Row) -> Row:
    return row._replace(verdict="known-difference", hint=CLIPPING) if holds(row) else row
