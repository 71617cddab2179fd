"""Our own functions against torch, case by case. Each family of functions has its file."""

from functools import cache

from jaxd2l.parity.suite import (
    activations,
    dropout,
    images,
    layers,
    losses,
    metrics,
    normalization,
    optim,
    tensors,
    training,
)
from jaxd2l.parity.suite.comparing import Case, FunctionPair, compare

__all__ = ["Case", "FunctionPair", "cases", "compare", "named"]

FAMILIES = (activations, losses, layers, images, normalization, dropout, metrics, optim, tensors, training)


@cache
def cases() -> tuple[Case, ...]:
    """Every case of the suite.

    >>> case = cases()[0]
    >>> case.name, case.run(0)[0].verdict
    ('softmax axis=-1', 'within-oracle')
    """
    return tuple(case for family in FAMILIES for case in family.cases())


def named(*prefixes: str) -> tuple[Case, ...]:
    """The cases whose names begin with one of the prefixes.

    >>> [case.name for case in named("prelu")]
    ['prelu slopes=1', 'prelu slopes=5']
    """
    return tuple(case for case in cases() if case.name.startswith(prefixes))
