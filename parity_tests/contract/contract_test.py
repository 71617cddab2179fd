"""Every clause of the contract is run again: what a release changes fails here by name."""

import pytest

from parity_tests import readme
from parity_tests.contract import CLAUSES
from parity_tests.contract.clause import Clause
from parity_tests.contract.evaluate import evaluate


@pytest.mark.bad_input
@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.name)
def test_values_are_those_recorded(clause: Clause):
    sides = {"torch": clause.torch, "jax": clause.jax, "jaxd2l": clause.ours}
    recorded = {side: value for side, (_, value) in filter(lambda item: item[1], sides.items())}
    assert {side: evaluate(sides[side][0]) for side in recorded} == recorded


def test_names_are_unique():
    names = [clause.name for clause in CLAUSES]
    assert len(set(names)) == len(names)


def test_every_difference_says_what_comes_of_it_or_speaks_for_itself():
    # Where this package has a function of its own, the clause runs it, and the note says which library it follows.
    for clause in CLAUSES:
        if clause.ours and clause.is_difference:
            assert clause.note, clause.name


def test_the_source_of_a_clause_ends_in_an_expression():
    with pytest.raises(ValueError, match="must be an expression"):
        evaluate("x = 1")


def test_the_readme_is_current():
    assert readme.is_current(), "run python -m parity_tests"
