"""Judges a case as `check` does, for all seeds: one program is compiled, and every seed has a batch."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxd2l.parity.jax_side import JaxSide, at, cast, compiled, jax_values, precision
from jaxd2l.parity.noise import with_scales
from jaxd2l.parity.rule import Row, compare_accuracy, holds
from jaxd2l.parity.samples import Call
from jaxd2l.parity.sides import Question, Sides, both_sides, output_shapes, types_inside
from jaxd2l.parity.torch_side import Values, torch_values
from jaxd2l.parity.values_level import Computed, judged
from parity_tests.operations.defects import Defect
from parity_tests.operations.samples import Case


class Ready(NamedTuple):
    """A case with what torch computes, once for the port and for every defect of it."""

    sides: Sides
    inside: list[str]
    torch: tuple[tuple[Values, Values, Values], ...]
    programs: tuple[Callable[..., Any], Callable[..., Any]]


def ready(case: Case) -> Ready:
    """Runs torch's side: exact, in float32, and its condition scales, for every seed."""
    batches = [(arrays, np.zeros(len(arrays[0]))) for arrays in case.batches]
    sides = both_sides(case.module, case.port, Question(batches, to_jax=case.to_jax))
    theirs = []
    for number, seed in enumerate(case.seeds):
        turn = _turned(sides, number, seed)
        exact, scales = with_scales(lambda turn=turn: torch_values(turn.double), seed)
        theirs.append((exact, torch_values(turn.single), scales))
    return Ready(sides, types_inside(sides), tuple(theirs), _programs(sides.ours))


def with_defect(case: Ready, defect: Defect) -> Ready:
    """The same case with a changed JAX function.

    Raises:
      ValueError: its outputs have other shapes.
    """
    ours = case.sides.ours
    run = ours.port.run

    def planted(variables: Any, call: Call, /, *, train: bool, key: Any) -> Any:
        def function(*arrays: Any) -> Any:
            return run(variables, Call(arrays), train=train, key=key)[0]

        return defect.plant(function)(*call.args), variables

    sides = case.sides._replace(ours=ours._replace(port=ours.port._replace(run=planted)))
    if output_shapes(sides) != output_shapes(case.sides):
        raise ValueError("the outputs have other shapes")
    return case._replace(sides=sides, inside=types_inside(sides), programs=_programs(sides.ours))


def values(case: Ready, number: int) -> tuple[Values, Values]:
    """What JAX computes with a batch, in float64 and in float32."""
    side = _turned(case.sides, number, 0).ours
    found = []
    for dtype, program in zip((np.float64, np.float32), case.programs, strict=True):
        with precision(dtype):
            computed = program(cast(case.sides.start, dtype), at(side, dtype))
            found.append({name: np.array(x) for name, x in computed.items()})
    return found[0], found[1]


def is_found(case: Ready, number: int, seed: int) -> bool:
    """Whether a defect is found: whether `failures` has any.

    A float32 output that does not hold never will, so what JAX's own roundings do need not be measured then.
    """
    exact, single, scales = case.torch[number]
    jax32 = values(case, number)[1]
    rows = [compare_accuracy(n, single[n], jax32[n], exact[n], scales[n]) for n in case.sides.outputs]
    return not all(map(holds, rows)) or bool(failures(case, number, seed))


def failures(case: Ready, number: int, seed: int) -> list[Row]:
    """The rows of one seed that do not hold."""
    exact, single, scales = case.torch[number]
    jax64, jax32 = values(case, number)
    computed = Computed(exact, single, jax64, jax32, scales)
    meaning, accuracy, _ = judged(_turned(case.sides, number, seed), computed, case.inside)
    return [row for row in (*meaning.values(), *accuracy.values()) if not holds(row)]


def _programs(side: JaxSide) -> Any:
    return tuple(compiled(dtype, jax_values(side)) for dtype in (np.float64, np.float32))


def _turned(sides: Sides, number: int, seed: int) -> Sides:
    """The check of one batch alone."""
    single, double, ours = (
        side._replace(samples=(side.samples[number],)) for side in (sides.single, sides.double, sides.ours)
    )
    return sides._replace(single=single, double=double, ours=ours, seed=seed)
