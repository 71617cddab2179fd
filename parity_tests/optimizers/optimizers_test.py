"""Every optimiser takes torch's steps, with every option, schedule and way of clipping."""

import numpy as np
import pytest
import torch

from jaxd2l import schedules
from jaxd2l.parity.rule import holds, require
from jaxd2l.parity.suite.optim import STEPS
from parity_tests.optimizers.cases import cases
from parity_tests.optimizers.catalogue import OPTIMIZERS, SCHEDULES
from parity_tests.optimizers.defects import defects
from parity_tests.optimizers.planting import compared, judge, network

CASES = list(cases())
LAST = {case.optimizer: case for case in CASES if "=" in case.name}  # every option away from its default


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=[] if name in ("SGD", "Adam", "RMSprop") else [pytest.mark.long])
        for name, case in LAST.items()
    ],
)
def test_all_options_at_once(case):
    require(case.run(0))


@pytest.mark.long
@pytest.mark.parametrize("case", CASES[::3], ids=lambda case: f"{case.optimizer} {case.name}")
def test_options_schedules_and_clipping(case):
    require(case.run(1))


@pytest.mark.parametrize(("name", "scheduler", "schedule"), SCHEDULES, ids=[name for name, *_ in SCHEDULES])
def test_a_schedule_has_torchs_rate_at_every_step(name, scheduler, schedule):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    theirs = scheduler(optimizer)
    rates = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    np.testing.assert_allclose([schedule(0.1)(t) for t in range(STEPS)], rates, rtol=2e-6, atol=1e-8)


def test_the_cosine_rises_again_as_torchs_does():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    theirs, rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 7, 0.01), []
    for _ in range(40):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    ours = schedules.cosine_annealing_lr(0.1, 7, eta_min=0.01)
    np.testing.assert_allclose([ours(t) for t in range(40)], rates, rtol=2e-6)


def test_every_optimiser_of_torch_is_there_or_named_here():
    ours = {optimizer.torch.__name__ for optimizer in OPTIMIZERS}
    theirs = {name for name in dir(torch.optim) if isinstance(getattr(torch.optim, name), type)}
    other = {"ASGD", "Adafactor", "LBFGS", "Muon", "Optimizer", "SparseAdam"}
    assert theirs == ours | other


DEFECTS = list(defects())
FAMILIES = {defect.name.split(":")[0]: defect for defect in DEFECTS}


@pytest.fixture(scope="module")
def sides():
    return network(0)


def marked(defect):
    return pytest.param(defect, id=defect.name, marks=[] if defect in FAMILIES.values() else [pytest.mark.long])


@pytest.mark.parametrize("defect", [marked(defect) for defect in DEFECTS])
def test_a_planted_defect_is_found_and_named(defect, sides):
    judged = judge(defect, sides)
    assert judged.accepted
    assert judged.found
    assert judged.named, judged.hint


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 20))
def test_no_right_port_raises_an_alarm(seed):
    sides = network(seed)
    alarms = [family for family, defect in FAMILIES.items() if not holds(compared(sides, defect.torch, defect.right))]
    assert not alarms


def test_there_are_at_least_100_defects():
    assert len({defect.name for defect in DEFECTS}) >= 100
