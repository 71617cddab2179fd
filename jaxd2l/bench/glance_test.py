"""What `jaxd2l bench` prints is read in one glance: 80 columns, the fastest first, one sentence at the end."""

import json
import re

import pytest

from jaxd2l.bench import glance, suite, ways
from jaxd2l.bench.conftest import MODELS, timed
from jaxd2l.bench.suite import Result
from jaxd2l.cli import run

LAST = "MLP 784-512-512-512-10, a compiled epoch: 27 times faster than op by op, 2.3 times faster than torch eager."


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs the command with a result instead of measuring one."""

    def bench(result: Result, *options: str) -> str:
        monkeypatch.setattr(suite, "run", lambda plan, say: result)
        assert run(["bench", *options]) == 0
        return capsys.readouterr().out

    return bench


def spoilt(result: Result, **changes) -> Result:
    """The result with something else in the summary of every third epoch, or in the epoch."""
    epochs = [
        (e._replace(summary=e.summary._replace(**changes)) if "quiet" in changes else e._replace(**changes))
        if i % 3 == 0
        else e
        for i, e in enumerate(result.ways)
    ]
    return result._replace(ways=tuple(epochs))


def test_every_way_is_a_row_of_at_most_80_columns(printed, result):
    out = printed(result)
    assert max(map(len, out.splitlines())) <= 80
    for way in ways.WAYS:
        rows = [line for line in out.splitlines() if f"│ {way.name} " in line]
        assert len(rows) == len(MODELS), way.name
    for model in MODELS:
        assert sum(f"│ {model} " in line for line in out.splitlines()) == 1


def test_the_fastest_comes_first_and_the_others_are_compared_with_it(result):
    table = glance.table(result.ways)
    assert table.headings == ["model", "way", "ms", "times"]
    of_one_model = table.rows[: len(ways.WAYS)]
    assert of_one_model[0] == ["linear regression", "JAX, compiled epoch, bfloat16", "70", "1.0"]
    assert of_one_model[-1] == ["", "JAX op by op", "2700", "39"]
    milliseconds = [float(row[2]) for row in of_one_model]
    assert milliseconds == sorted(milliseconds)


def test_it_ends_with_one_sentence(printed, result):
    for options in ((), ("--verbose",)):
        assert " ".join(printed(result, *options).split()).endswith(LAST)


@pytest.mark.parametrize(
    ("seconds", "end"),
    [
        ({ways.JAX_OPS: 2.0, ways.JAX_EPOCH: 0.1}, "a compiled epoch: 20 times faster than op by op."),
        ({ways.JAX_EPOCH: 0.1, ways.TORCH_EAGER: 0.05}, "a compiled epoch: 2.0 times slower than torch eager."),
        ({ways.JAX_EPOCH: 0.1, ways.TORCH_EAGER: 0.102}, "a compiled epoch: as fast as torch eager."),
        ({ways.JAX_EPOCH: 0.1}, ""),
    ],
)
def test_the_sentence_says_what_was_measured_and_no_more(seconds, end):
    epochs = [timed("MLP", way, median) for way, median in seconds.items()]
    assert glance.conclusion(epochs) == (f"MLP, {end}" if end else "")


@pytest.mark.parametrize(("noisy", "end"), [(ways.TORCH_EAGER, "eager, on a busy machine."), (ways.BOOK, "eager.")])
def test_the_sentence_does_not_keep_silent_about_a_busy_machine(result, noisy, end):
    epochs = [
        timed(e.model, way, e.summary.median_s, quiet=way != noisy)
        for e in result.ways
        for way in ways.WAYS
        if way.name == e.way
    ]
    assert glance.conclusion(epochs).endswith(f"2.3 times faster than torch {end}")


def test_the_sentence_is_about_the_last_model_with_the_most_ways():
    compared = [(ways.JAX_OPS, 10.0), (ways.REFERENCE, 1.0)]
    epochs = [timed(model, way, t) for model in ("softmax", "MLP") for way, t in compared]
    epochs.append(timed("LeNet", ways.REFERENCE, 5.0))
    assert glance.conclusion(epochs) == "MLP, a compiled epoch: 10 times faster than op by op."


def test_a_busy_machine_is_told_at_the_top(printed, result, tmp_path):
    noisy = spoilt(result, quiet=False)
    for options in ((), ("--verbose",)):
        assert printed(noisy, *options).startswith("The machine was busy: in every turn of 11 of 32 timings")
        assert "The machine was busy" not in printed(result, *options)
    page = tmp_path / "page.md"
    assert json.loads(printed(noisy, "--json", "--markdown", str(page)))["busy"].startswith("The machine was busy")
    assert page.read_text().split("\n\n")[2].startswith("The machine was busy")


def test_no_epoch_is_beyond_the_peak(printed, result):
    fast = spoilt(result, products_per_s=1.34e11)  # the peaks of the result are 1e11
    out = printed(fast, "--verbose")
    assert "134%" not in out
    assert len(re.findall(r"│ about the peak +│", out)) == 11
    assert out.count("50%") == 21
    shares = [row["share_of_peak"] for row in json.loads(printed(fast, "--json"))["ways"]]
    assert set(shares) == {1.0, 0.5}


def test_an_epoch_is_not_faster_than_its_products(printed, result):
    out = printed(spoilt(result, products_alone_s=10.0), "--verbose")
    assert len(re.findall(r"│ about 1 +│", out)) == 11


@pytest.mark.parametrize(
    ("options", "around", "growth"),
    [
        ((), False, False),
        (("--verbose",), True, True),
        (("--json",), True, True),
        (("--plot", "pictures"), False, True),
        (("--markdown", "page.md"), True, True),
    ],
)
def test_only_what_is_shown_is_measured(options, around, growth, result, monkeypatch, tmp_path):
    plans = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(suite, "run", lambda plan, say: plans.append(plan) or result)
    assert run(["bench", "--suite", "full", *options]) == 0
    [plan] = plans
    assert (plan.around, bool(plan.growth), bool(plan.many)) == (around, growth, around)
    assert plan.models == suite.SUITES["full"].models


def test_digits_are_as_many_as_mean_something():
    assert [glance.times(ratio) for ratio in (1.0, 2.34, 9.94, 9.96, 390.2)] == ["1.0", "2.3", "9.9", "10", "390"]
    assert [glance.milliseconds(s) for s in (2.15e-4, 0.0227, 0.141, 0.9996, 6.264)] == [
        "0.215",
        "22.7",
        "141",
        "1000",
        "6264",
    ]
