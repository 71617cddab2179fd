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

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxd2l.parity.programs.torch_rounding import Rounding
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
    smooth: list[dict[str, np.ndarray]] = []
    other: list[dict[str, np.ndarray]] = []
    sums: dict[Any, Any] = {}
    for sample in range(samples):
        with Rounding(seed * samples + sample, sums=sums), Kinks() as disturbed:
            noisy = compute()
        same_branches = all(
            np.array_equal(x > 0, disturbed.arguments[name] > 0) for name, x in undisturbed.arguments.items()
        )
        (smooth if same_branches else other).append(noisy)
    # Past a kink gradients jump, and a scale that holds the jump would excuse anything. What is left then is the
    # ledger of flips; only a model with so many kinks that each repetition flips one has no other scale.
    with np.errstate(invalid="ignore"):  # inf - inf, where a mask is added
        deviations = {
            name: [np.abs(noisy[name] - value) / SINGLE for noisy in smooth or other] for name, value in exact.items()
        }
    return exact, {name: np.asarray(np.fmax.reduce(values)) for name, values in deviations.items()}
