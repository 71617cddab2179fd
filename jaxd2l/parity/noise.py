"""What rounding does to a torch computation: its condition scale, measured.

The condition scale of one operation is known: `|x| |W| + |b|` for a linear layer, the result's magnitude for an
elementwise function. For a whole model, with its loss, gradients and steps of an optimiser, it is what the errors of
all operations, each as large as its own scale, do to the result together. A formula for that is a worst case that
grows by a factor per layer until it excuses everything. So it is measured: the float64 computation is repeated with
every operation, backward pass and optimiser included, put off by plus or minus one float32 rounding, at random; the
largest deviation over the repetitions, divided by the rounding, is the scale.

It needs no formula for the model and no list of layers, and sees what worst cases do not: that later layers damp an
error, or that a kink is near.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from jaxd2l.parity.programs.torch_rounding import Rounding
from jaxd2l.parity.quantities import Values
from jaxd2l.parity.rule import SINGLE
from jaxd2l.parity.torch_kinks import Kinks

SAMPLES = 8
"""Of 8 samples of a normal distribution, the largest is below a tenth of a standard deviation once in 600 million, and
below a quarter once in 430,000. A difference of two right results, at about half of it, is within 8 quarters."""


def with_scales(
    compute: Callable[[], dict[str, np.ndarray]], seed: int, samples: int = SAMPLES
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What `compute()` returns in float64, and the condition scale of every element of every quantity.

    Args:
      compute: repeats the float64 computation from its beginning, in torch.
      seed: decides the noise.
      samples: repetitions.
    """
    with Kinks() as undisturbed:
        exact = compute()
    sums: dict[Any, Any] = {}

    def run(number: int) -> tuple[bool, Values]:
        with Rounding(number, sums=sums), Kinks() as disturbed:
            noisy = compute()
        return same_branches(undisturbed.arguments, disturbed.arguments), noisy

    found = largest_deviations((run(seed * samples + sample) for sample in range(samples)), exact)
    return exact, {name: np.asarray(deviation / SINGLE) for name, deviation in found.items()}


def same_branches(arguments: Values, others: Values) -> bool:
    """Whether the kinks of two runs lie on the same side of 0."""
    return all(np.array_equal(x > 0, others[name] > 0) for name, x in arguments.items())


def largest_deviations(runs: Iterable[tuple[bool, Values]], exact: Values) -> Values:
    """How far each element of each quantity comes to be from its exact value; one run in memory at a time.

    Past a kink gradients jump, and a scale that holds the jump would excuse anything. What is left then is the ledger
    of flips; only a model with so many kinks that each repetition flips one has no other scale.

    Args:
      runs: whether a run takes the branches of the exact one, and its values.
      exact: the values.
    """
    largest: dict[bool, Values] = {}
    for is_smooth, values in runs:
        if is_smooth or True not in largest:
            so_far = largest.setdefault(is_smooth, {})
            for name, value in exact.items():
                with np.errstate(invalid="ignore"):  # inf - inf, where a mask is added
                    deviation = np.asarray(np.abs(values[name] - value))
                so_far[name] = np.fmax(so_far[name], deviation, out=so_far[name]) if name in so_far else deviation
    return largest.get(True) or largest[False]
