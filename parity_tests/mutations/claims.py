"""Rows that compare no values: something is so or not, and two samples come from one distribution or not.

They stand beside the rows of the rule; `assert_close` has no part in them.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from jaxd2l.parity.rule import Row, Verdict

FALSE_ALARM = 2.0**-24
"""How often two samples of one distribution may be called different."""


def claim(quantity: str, holds: Any) -> Row:
    """A row that says only whether something holds."""
    verdict: Verdict = "bitwise" if holds else "semantic-mismatch"
    return Row(quantity, "claim", 0.0, 0.0 if holds else math.inf, 0.0, 1.0, (), (), verdict)


def compare_draws(quantity: str, theirs: Any, ours: Any) -> Row:
    """Two samples by the Kolmogorov-Smirnov test: its distance, in units of the one that chance may give."""
    theirs, ours = (np.sort(np.asarray(x).ravel()) for x in (theirs, ours))
    result = stats.ks_2samp(theirs, ours, method="asymp")
    chance = math.sqrt(-math.log(FALSE_ALARM / 2) / 2 * (1 / theirs.size + 1 / ours.size))
    verdict: Verdict = "within-oracle" if result.pvalue > FALSE_ALARM else "semantic-mismatch"
    return Row(quantity, "distribution", 0.0, float(result.statistic / chance), 1.0, 1.0, (), (), verdict)


def fails(function: Callable[[], Any]) -> bool:
    """Whether a call refuses its arguments."""
    try:
        function()
    except (ValueError, IndexError):
        return True
    return False
