"""Checks right ports and planted defects, one by one, and judges what the report says."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from flax import linen

from jaxd2l import parity
from parity_tests.causes.settings import Defect, Setting, checked


class Outcome(NamedTuple):
    """What came of one defect.

    found: whether the report fails.
    hint: all hints of rows that follow from no other.
    verdict: "named", "unnamed" or "wrong": a hint without the words that it must hold.
    """

    family: str
    name: str
    found: bool
    hint: str
    verdict: str


def outcome(defect: Defect) -> Outcome:
    """Plants one defect."""
    report = report_of(defect.setting, defect.options)
    causes = [row for row in report.failures if not row.follows_from and row.level == "meaning"]
    hint = "; ".join(dict.fromkeys(row.hint for row in causes if row.hint))
    is_named = all(word.lower() in hint.lower() for word in defect.words.split("&"))
    verdict = "unnamed" if not hint else "named" if is_named else "wrong"
    return Outcome(defect.family, defect.name, not report.ok, hint, verdict)


def right_ports(firsts: Iterable[Defect]) -> Iterator[dict[str, Any]]:
    """Checks the right ports of settings, given by their first defects: the family, that defect, whether accepted."""
    for first in firsts:
        yield {"family": first.family, "name": first.name, "accepted": report_of(first.setting, {}).ok}


def with_right_ports(defects: Iterable[Defect]) -> list[Defect]:
    """The first defect in each setting, but for settings that differ without one, as Flax's variance does."""
    firsts = {id(d.setting): d for d in reversed(list(defects))}
    return [defect for defect in firsts.values() if defect.options]


def report_of(setting: Setting, options: Any) -> parity.Report:
    """A check, with one thread: more cost time on arrays this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if not (isinstance(setting.port, type) and issubclass(setting.port, linen.Module)):
            return checked(setting, options)
        torch.manual_seed(0)
        batch = setting.inputs, np.zeros(len(setting.inputs), np.int32)
        return parity.check(setting.module(), setting.port(**options), batch, **dict(setting.check))
    finally:
        torch.set_num_threads(threads)
