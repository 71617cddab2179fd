"""Every row of the contract is run again: what a release changes, fails here by name."""

import pytest

from parity_tests import contract, readme
from parity_tests.contract.row import Row, evaluate


@pytest.mark.bad_input
@pytest.mark.parametrize("row", contract.ROWS, ids=lambda row: row.name)
def test_values_are_those_recorded(row: Row):
    sides = {"torch": row.torch, "jax": row.jax, "jaxd2l": row.ours}
    recorded = {side: value for side, (_, value) in filter(lambda item: item[1], sides.items())}
    assert {side: evaluate(sides[side][0]) for side in recorded} == recorded


def test_names_are_unique():
    names = [row.name for row in contract.ROWS]
    assert len(set(names)) == len(names)


def test_every_difference_says_what_comes_of_it_or_speaks_for_itself():
    # Where this package has a function of its own, the row runs it and the note says whose side it takes.
    for row in contract.ROWS:
        if row.ours and row.torch[1] != row.jax[1]:
            assert row.note, row.name


def test_the_source_of_a_row_ends_in_an_expression():
    with pytest.raises(ValueError, match="must be an expression"):
        evaluate("x = 1")


def test_the_readme_is_current():
    assert readme.is_current(), "run python -m parity_tests"
