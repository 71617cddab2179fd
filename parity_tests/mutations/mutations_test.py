"""A sample of the planted defects must be found, and every one of them must still fit the source it changes."""

import pytest

from parity_tests import measured, mutations
from parity_tests.mutations import MUTATIONS
from parity_tests.mutations.planting import Mutation, planted

SAMPLE = mutations.sample(MUTATIONS, 12)


@pytest.mark.bad_input
@pytest.mark.parametrize("mutation", SAMPLE, ids=lambda m: f"{m.function}: {m.name}")
def test_the_suite_finds_a_planted_defect(mutation: Mutation):
    assert mutations.judge(mutation).ours


def test_every_defect_can_be_planted_and_has_cases():
    names = [case.name for case in mutations.all_cases()]
    for mutation in MUTATIONS:
        assert any(name.startswith(mutation.cases) for name in names), mutation
        with planted(mutation):
            pass


def test_defects_have_names_of_their_own():
    assert len({(m.function, m.name) for m in MUTATIONS}) == len(MUTATIONS) >= 100


def test_a_defect_that_no_longer_fits_is_an_error():
    stale = Mutation("stale", "losses.squared_loss", "no such text", "", ("squared_loss",))
    with pytest.raises(ValueError, match="stands 0 times"), planted(stale):
        pass


def test_the_package_is_whole_again_afterwards():
    defect = next(m for m in MUTATIONS if m.function == "losses.squared_loss")
    assert mutations.judge(defect).ours
    (case,) = (case for case in mutations.all_cases() if case.name == "squared_loss mean")
    assert all(mutations.rule.holds(row) for row in case.run(0))


def test_the_table_on_record_is_of_these_defects_and_none_is_missed():
    recorded = measured.read()["mutations"]["result"]
    assert {(function, name) for function, name, *_ in recorded} == {(m.function, m.name) for m in MUTATIONS}
    assert all(ours for _, _, ours, *_ in recorded)
