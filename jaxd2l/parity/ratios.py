"""Constant factors that have a name: a mean left out, a half, n for n - 1."""

from collections.abc import Sequence

import numpy as np


def ratios(what: str, n: int, rest: Sequence[int]) -> dict[str, float]:
    """Factors by their names.

    Args:
      what: the quantity, in words.
      n: the number of examples.
      rest: how many numbers there are along the other axes of an example.
    """
    factors: dict[str, float] = {f"ratio n = {n}: missing mean over the batch": float(n)}
    for size in {int(np.prod(rest)), *map(int, rest)} - {1, n} if rest else ():
        factors[f"ratio {size}: missing mean over {size} elements per example"] = float(size)
        factors[f"ratio n * {size} = {n * size}: missing mean over all elements"] = float(n * size)
        factors[f"ratio 1/{size}: one mean too many, over {size} elements per example"] = 1 / size
    factors[f"ratio 1/n = 1/{n}: one mean too many over the batch"] = 1 / n
    factors["ratio 2: is a factor 1/2 missing?"] = 2.0
    factors["ratio 1/2: is a factor 1/2 too many?"] = 0.5
    for size in sorted({n, *map(int, rest)}):
        if size > 1:
            factors[f"ratio n/(n-1) with n = {size}: ddof 1 in JAX, 0 in torch"] = size / (size - 1)
            factors[f"ratio (n-1)/n with n = {size}: ddof 0 in JAX, 1 in torch"] = (size - 1) / size
            factors[f"ratio sqrt(n/(n-1)) with n = {size}: ddof of a standard deviation"] = (size / (size - 1)) ** 0.5
            factors[f"ratio sqrt((n-1)/n) with n = {size}: ddof of a standard deviation"] = ((size - 1) / size) ** 0.5
    return {f"{hint} ({what})": factor for hint, factor in factors.items()}
