"""A sample of the planted defects must be found, and every one of them must still fit the source it changes."""

import pytest

from jaxd2l.parity.rule import holds
from parity_tests import measured
from parity_tests.mutations.cases import all_cases
from parity_tests.mutations.catalogue import MUTATIONS, sample
from parity_tests.mutations.judging import cases_of, judge
from parity_tests.mutations.planting import Mutation, planted

QUICK = sample(MUTATIONS, 4)
MORE = [mutation for mutation in sample(MUTATIONS, 24) if mutation not in QUICK]


@pytest.mark.bad_input
@pytest.mark.parametrize(
    "mutation",
    [*QUICK, *(pytest.param(mutation, marks=pytest.mark.long) for mutation in MORE)],
    ids=lambda m: f"{m.function}: {m.name}",
)
def test_the_suite_finds_a_planted_defect(mutation: Mutation):
    assert judge(mutation).ours


def test_every_defect_can_be_planted_and_has_cases():
    for mutation in MUTATIONS:
        assert cases_of(mutation)
        with planted(mutation):
            pass


def test_defects_have_names_of_their_own():
    assert len({(m.function, m.name) for m in MUTATIONS}) == len(MUTATIONS) >= 100


def test_a_defect_that_no_longer_fits_is_an_error():
    stale = Mutation("stale", "losses.squared_loss", "no such text", "", ("squared_loss",))
    with pytest.raises(ValueError, match="occurs 0 times"), planted(stale):
        pass


def test_the_package_is_whole_again_afterwards():
    defect = next(m for m in MUTATIONS if m.function == "losses.squared_loss")
    assert judge(defect).ours
    (case,) = (case for case in all_cases() if case.name == "squared_loss mean")
    assert all(map(holds, case.run(0)))


def test_the_table_on_record_is_of_these_defects_and_none_is_missed():
    recorded = measured.planted_defects()
    assert {(r.function, r.name) for r in recorded} == {(m.function, m.name) for m in MUTATIONS}
    assert all(r.ours for r in recorded)
