"""The benchmark compares like with like, says what it measured, and refuses to time what differs."""

import json
import re
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxd2l import data
from jaxd2l.bench import beyond_epochs as others
from jaxd2l.bench import cases, jax_ways, measure, pictures, report, roofline, suite
from jaxd2l.bench.cases import Case, Way
from jaxd2l.cli import run
from jaxd2l.types import Batch

pytest.importorskip("torch", reason="torch's half of the benchmark needs the extra parity")

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*")  # the book's loaders fork, whatever was imported


def small(sizes: tuple[int, ...] = (64, 40, 10)) -> Case:
    digits = data.digits()
    return Case("small", sizes, digits._replace(train=Batch(*(x[:100] for x in digits.train))), 32, 0.1)


@pytest.fixture(scope="module")
def makers():
    from jaxd2l.bench import torch_ways

    without = {torch_ways.COMPILED, torch_ways.BOOK}
    return {name: make for name, make in suite.all_ways().items() if name not in without}


def test_every_way_computes_the_same_losses(makers):
    ready = measure.prepare(small(), makers, suite.REFERENCE)
    assert len(ready) == 6
    assert all(r.first > 0 for r in ready.values())
    assert ready[jax_ways.SCAN].compiling > 0
    first, second = (ready[name].way.losses() for name in (jax_ways.SCAN, "torch eager"))
    assert first.shape == (4,)
    np.testing.assert_allclose(first, second, rtol=1e-5)


@pytest.mark.parametrize("sizes", [(64, 10), (64, 8, 8, 10)])
def test_models_of_every_depth_are_the_same_in_torch(sizes, makers):
    measure.prepare(small(sizes), {n: makers[n] for n in (jax_ways.SCAN, "torch eager")}, suite.REFERENCE)


@pytest.mark.parametrize("wrong", [1.001, np.nan])
def test_a_way_that_computes_something_else_is_not_timed(wrong, makers):
    def other(case: Case) -> Way:
        way = makers[jax_ways.SCAN](case)
        return Way(lambda: way.losses() * np.array([1, 1, wrong, 1], np.float32), way.epoch)

    with pytest.raises(RuntimeError, match=r"step 2 .*Nothing was timed"):
        measure.prepare(small(), {jax_ways.SCAN: makers[jax_ways.SCAN], "other": other}, suite.REFERENCE)


def test_turns_alternate_and_slow_ways_run_in_every_fourth(monkeypatch):
    ran: list[str] = []

    def ready(name: str) -> measure.Ready:
        return measure.Ready(Way(lambda: np.zeros(1), partial(ran.append, name)), 0.0, 0.0)

    times = {"a": 1.0, "b": 1.5, "slow": 9.0}
    monkeypatch.setattr(measure, "seconds", lambda epoch: epoch() or times[ran[-1]])
    monkeypatch.setattr(measure, "machine_seconds", lambda: (0.0, 0.0))  # a quiet machine, whatever else runs here
    timings = measure.in_turns({name: ready(name) for name in times}, 5)
    assert ran == ["a", "b", "slow", "a", "b", "slow", "b", "a", "a", "b", "b", "a", "a", "b", "slow"]
    assert timings["slow"].epochs == [9.0, 9.0]
    summary = measure.summary(timings["b"], timings["a"])
    assert (summary["ratio_of_medians"], summary["turns"]) == (1.5, 5)


def test_only_quiet_turns_count_if_there_are_any():
    timing = measure.Timing([1.0, 5.0, 3.0], [True, False, True])
    assert measure.summary(timing, timing)["median_s"] == 2.0
    noisy = measure.Timing([1.0, 5.0], [False, False])
    assert (measure.summary(noisy, noisy)["median_s"], measure.summary(noisy, noisy)["quiet"]) == (3.0, False)


def test_operations_are_those_of_the_products():
    case = small((64, 40, 10))
    assert cases.flops(case) == 100 * 2 * (2 * 64 * 40 + 3 * 40 * 10)


@pytest.mark.parametrize(("axis", "count"), [("batch size", 4), ("width", 3), ("depth", 3), ("examples", 3)])
def test_one_thing_grows_at_a_time(axis, count, monkeypatch):
    monkeypatch.setattr(data, "fashion_mnist", data.digits)
    grown = list(cases.growth(axis, 50))
    assert len(grown) == count
    assert len({(c.sizes, c.batch_size) for _, c in grown}) == (1 if axis == "examples" else count)
    with pytest.raises(ValueError, match="can grow"):
        list(cases.growth("height", 50))


def test_tables_pictures_and_notes_come_from_the_result(monkeypatch, tmp_path, capsys):
    """The whole command, on small data and few ways."""
    monkeypatch.setattr(suite, "books_models", lambda names: (small() for _ in names))
    monkeypatch.setattr(suite, "growth", lambda axis, n: [(1, small()), (2, small((64, 50, 10)))])
    monkeypatch.setattr(roofline, "SHAPES", ((32, 32, 32),))
    monkeypatch.setattr(others, "loading", lambda: {"a pass by the book's loader": 1.5})
    monkeypatch.setattr(others, "vectorisation", lambda: {"loop in torch": 0.5})
    monkeypatch.setattr(others, "many_models", lambda counts: [{"models": n, "per_model_s": 0.1 / n} for n in counts])
    alone = {"to_first_epoch_s": 1.25, "peak_bytes": {"process": 2**20}}
    monkeypatch.setattr(suite.alone, "measure", lambda model, way: alone)
    monkeypatch.setattr(suite.alone, "shell", lambda: [{"epochs": 10, "cold_s": 7.77, "warm_s": 6.66}])
    plan = suite.Plan(
        ("mlp",), 2, ("torch.compile", "the book's way", jax_ways.EAGER), ("batch size", "width", "depth", "examples"),
        many=(1, 4),
    )  # fmt: skip
    monkeypatch.setattr(suite, "SUITES", {"quick": plan})
    page, folder = tmp_path / "page.md", tmp_path / "pictures"
    assert run(["bench", "--markdown", str(page), "--plot", str(folder), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {row["way"] for row in result["growth"]} == {jax_ways.STEP, jax_ways.SCAN, "torch eager"}
    assert all(row["share_of_peak"] > 0 for row in result["ways"])
    text = page.read_text()
    numbers = ("0.419", "11.5", "1.25", "7.77", "6.66")
    for part in ("torch eager", *numbers, "pictures/ways.png", "pictures/growth.png", "jax 0."):
        assert part in text
    assert sorted(path.name for path in folder.iterdir()) == ["growth.png", "ways.png"]
    figure = pictures.ways(result["ways"])
    assert [bar.get_width() for bar in figure.axes[0].patches] == [1e3 * row["median_s"] for row in result["ways"]]


def test_every_way_has_a_bar_in_the_picture():
    times = {"median_s": 0.5, "least_s": 0.4, "quartiles_s": [0.4, 0.6]}
    names = list(suite.all_ways())
    figure = pictures.ways([{"model": "mlp", "way": name, **times} for name in names])
    assert len(figure.axes[0].patches) == len(names)


def test_without_torch_the_half_of_jax_is_left_and_it_is_said(monkeypatch):
    monkeypatch.setattr(suite, "find_spec", lambda name: None)
    assert list(suite.all_ways()) == list(jax_ways.ways())
    env = suite.environment()
    assert "torch" not in env["versions"]
    assert "only JAX's half" in report.notes({"environment": env, "ways": []})[-1]


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the system does not tell")
def test_a_processor_is_told_with_its_generation():
    families = re.findall(r"cpu family\s*: (\d+)", Path("/proc/cpuinfo").read_text())
    assert all(f"(family {family}, model " in suite.environment()["cpu"] for family in families)


def test_one_way_can_be_run_in_a_process_of_its_own():
    measured = suite.alone.measure("linear", jax_ways.SCAN)
    assert measured["to_first_epoch_s"] > 0
    assert 50 * 2**20 < measured["peak_bytes"]["process"] < 2**31  # its own, not what this process holds
    with pytest.raises(RuntimeError, match="no such way on its own failed"):
        suite.alone.measure("linear", "no such way")


def test_large_products_are_timed_by_their_shapes_and_small_ones_not_at_all(monkeypatch):
    asked = []
    monkeypatch.setattr(roofline, "libraries", lambda: ("JAX", "torch"))
    monkeypatch.setattr(roofline, "LARGE", 1e5)
    rates = {"JAX": 1e6, "torch": 5e5}
    monkeypatch.setattr(roofline, "rate", lambda library, _, shape: asked.append(shape) or rates[library])
    case = small((64, 60, 50, 2))  # 100 examples in batches of 32
    expected = 100 * 2 * (2 * 64 * 60 + 3 * 60 * 50) / 1e6
    assert roofline.products_alone(case, "float32") == pytest.approx(expected)
    assert set(asked) == {(32, 64, 60), (64, 32, 60), (32, 60, 50), (60, 32, 50), (32, 50, 60)}
    monkeypatch.undo()
    assert roofline.products_alone(small(), "float32") is None
    assert roofline.rate("JAX", "bfloat16", (32, 32, 32)) > 0


def test_the_shell_is_timed_without_and_with_what_was_compiled_before():
    [row] = suite.alone.shell(("linear",), lengths=(1,), warm=1)
    assert row["epochs"] == 1
    assert row["cold_s"] > 0 < row["warm_s"]
    with pytest.raises(RuntimeError, match=r"(?s)jaxd2l train on its own failed: .*no-such-model"):
        suite.alone.shell(("no-such-model",))


def test_a_page_for_which_there_is_no_folder_is_told_before_anything_is_measured(tmp_path, capsys):
    assert run(["bench", "--markdown", str(tmp_path / "none" / "page.md")]) == 1
    assert "there is no folder" in capsys.readouterr().err


def test_a_loop_and_a_vector_are_both_timed():
    times = others.vectorisation(200)
    assert min(times.values()) > 0
    assert {"vector in JAX", "vector in torch"} <= set(times)


def test_many_models_are_timed_per_model(monkeypatch):
    whole = data.digits()
    padded = [Batch(np.zeros((n, 28, 28, 1), np.uint8), np.zeros(n, np.int32)) for n in (60, 20)]
    monkeypatch.setattr(data, "fashion_mnist", lambda: whole._replace(train=padded[0], test=padded[1]))
    rows = others.many_models((1, 2), n=60)
    assert [row["models"] for row in rows] == [1, 2]
    assert all(row["per_model_s"] > 0 for row in rows)


def test_importing_the_ways_starts_no_device():
    assert not any(isinstance(value, jax.Array) for value in vars(cases).values())
    assert not any(isinstance(value, jax.Array) for value in vars(jax_ways).values())
