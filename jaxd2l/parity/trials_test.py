"""A cause is named if it matches to rounding; other inputs decide between two that do."""

import numpy as np
import torch

from jaxd2l.parity.samples import Call, Sample
from jaxd2l.parity.torch_side import TorchSide, outputs_of
from jaxd2l.parity.trials import Trial, decided, hits, matching, target

SMALL, LARGE = torch.tensor([[0.5, -1.0]]), torch.tensor([[7.0, -1.0]])


def side(x: torch.Tensor) -> TorchSide:
    return TorchSide(
        torch.nn.SiLU(), (Sample(Call((x.double(),)), None),), lambda o, y: o.sum(), torch.float64, lambda o: o
    )


def trial(hint: str, function, rank: int = 0) -> Trial:
    return Trial(hint, lambda side: {"outputs": function(side.samples[0].call.args[0]).numpy()}, rank)


def wanted(x: torch.Tensor):
    given = side(x)
    exact = outputs_of(given)["outputs"]
    return {"outputs": target(torch.relu(x.double()).numpy(), exact, np.abs(exact))}


RELU, RELU6 = trial("relu", torch.relu), trial("relu6", torch.nn.functional.relu6)


def test_only_what_matches_to_rounding_matches() -> None:
    near = trial("nearly relu", lambda x: torch.relu(x) * (1 + 1e-13))
    found = matching([near, RELU, trial("tanh", torch.tanh)], side(SMALL), wanted(SMALL), "outputs")
    assert [t.hint for t in found] == ["relu"]


def test_a_change_that_makes_no_sense_is_passed_over() -> None:
    broken = trial("broken", lambda x: x @ x)
    assert [t.hint for t in matching([broken, RELU], side(SMALL), wanted(SMALL), "outputs")] == ["relu"]


def test_other_inputs_decide_and_what_they_leave_open_is_joined_by_or() -> None:
    found = matching([RELU6, RELU], side(SMALL), wanted(SMALL), "outputs")
    assert len(found) == 2
    assert decided(found, ()) == "relu6, or relu"
    assert decided(found, [lambda: (side(LARGE), wanted(LARGE))]) == "relu"
    assert decided([], ()) == ""


def test_a_change_with_a_meaning_of_its_own_comes_before_one_that_may_stand_for_several() -> None:
    factor = trial("ratio", torch.relu, rank=3)
    assert decided(matching([factor, RELU], side(SMALL), wanted(SMALL), "outputs"), ()) == "relu"


def test_nan_matches_only_where_jax_has_nan() -> None:
    value = np.array([np.nan, 1.0])
    assert hits(value, target(value, [0.0, 1.0], 1.0))
    assert not hits(np.array([1.0, 1.0]), target(value, [0.0, 1.0], 1.0))
    assert not hits(np.full(2, np.nan), target(np.full(2, np.nan), [0.0, 1.0], 1.0))
