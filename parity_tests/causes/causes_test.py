"""Mistakes in ports are found and named, and right ports are accepted."""

import pytest

from parity_tests.causes.command import PAGE, key, measured, page
from parity_tests.causes.families import DEFECTS
from parity_tests.causes.planting import Outcome, outcome, report_of, with_right_ports

FIRST = {defect.family: defect for defect in reversed(DEFECTS)}
UNNAMED: set[str] = set()
"""Found, and without a name yet."""


def marked(defect, quick):
    return pytest.param(defect, id=key(defect), marks=[] if defect in quick else [pytest.mark.long])


SAMPLE = [*FIRST.values(), *(defect for defect in DEFECTS[::4] if defect not in FIRST.values())]
"""The first of each family, and every fourth in the long tests; `python -m parity_tests.causes` plants all."""


QUICK = [defect for defect in FIRST.values() if defect.family != "recurrent"]  # an LSTM takes a quarter of a minute


@pytest.mark.parametrize("defect", [marked(defect, QUICK) for defect in SAMPLE])
def test_a_mistake_is_found_and_named(defect) -> None:
    found = outcome(defect)
    assert found.found
    assert found.verdict == "named" or key(defect) in UNNAMED, found.hint


@pytest.mark.long
@pytest.mark.parametrize("defect", with_right_ports(DEFECTS), ids=key)
def test_the_right_port_is_accepted(defect) -> None:
    report_of(defect.setting, {}).assert_ok()


def test_enough_are_planted() -> None:
    assert len({key(defect) for defect in DEFECTS}) == len(DEFECTS) >= 150


def test_the_table_is_that_of_what_was_measured() -> None:
    outcomes = measured()["outcomes"].values()
    assert {key(Outcome(**one)) for one in outcomes} <= {key(defect) for defect in DEFECTS}
    assert all(one["found"] for one in outcomes)
    assert {name for name, one in measured()["outcomes"].items() if one["verdict"] != "named"} == UNNAMED
    assert not any(one["verdict"] == "wrong" for one in outcomes)
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_readme_claims_what_was_measured() -> None:
    rights, outcomes = (measured()[part].values() for part in ("rights", "outcomes"))
    accepted, found = sum(one["accepted"] for one in rights), sum(one["found"] for one in outcomes)
    named = sum(one["verdict"] == "named" for one in outcomes)
    claim = (
        f"right ports accepted: {accepted} of {len(rights)}; planted mistakes found: {found} of {len(outcomes)}, "
        f"named: {named}"
    )
    assert claim in " ".join((PAGE.parents[2] / "README.md").read_text(encoding="utf-8").split())
