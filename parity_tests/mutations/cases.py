"""All cases that judge planted defects: the suite, and those made for what a suite of function pairs cannot see."""

from functools import cache

from jaxd2l.parity import suite
from jaxd2l.parity.suite.comparing import Case
from parity_tests.mutations import datasets, drawn, edges, networks, runs


@cache
def all_cases() -> tuple[Case, ...]:
    """The suite's, then ours."""
    return (*suite.cases(), *(case for module in (edges, drawn, datasets, runs, networks) for case in module.cases()))
