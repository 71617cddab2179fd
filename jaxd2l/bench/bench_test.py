"""The benchmark compares like with like, says what it measured, and refuses to time what differs."""

import json
import re
import subprocess
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxd2l import data
from jaxd2l.bench import (
    book_timings,
    cases,
    fresh_process,
    jax_ways,
    many_models,
    measure,
    report,
    roofline,
    suite,
    ways,
)
from jaxd2l.bench.book_timings import Task
from jaxd2l.bench.cases import Case, Loop, Way
from jaxd2l.bench.fresh_process import FirstEpoch, PeakBytes, ShellRun
from jaxd2l.bench.measure import Ready
from jaxd2l.bench.roofline import Peak
from jaxd2l.cli import run
from jaxd2l.types import Batch, Dataset

torch = pytest.importorskip("torch", reason="torch's half of the benchmark needs the extra parity")

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*")  # the book's loaders fork, whatever was imported


def small(sizes: tuple[int, ...] = (64, 40, 10)) -> Case:
    digits = data.digits()
    return Case("small", sizes, digits._replace(train=Batch(*(x[:100] for x in digits.train))), 32, 0.1)


@pytest.mark.long
def test_every_way_computes_the_same_losses():
    fast = [way for way in ways.available() if way not in (ways.TORCH_COMPILED, ways.BOOK)]
    ready = measure.prepare(small(), fast, ways.REFERENCE)
    assert len(ready) == 6
    assert all(r.first_s > 0 for r in ready.values())
    assert ready[ways.JAX_EPOCH].compiling_s > 0
    first, second = (ready[way].loop.first_losses() for way in (ways.JAX_EPOCH, ways.TORCH_EAGER))
    assert first.shape == (4,)
    np.testing.assert_allclose(first, second, rtol=1e-5)


@pytest.mark.parametrize("sizes", [(64, 10), (64, 8, 8, 10)])
def test_models_of_every_depth_are_the_same_in_torch(sizes):
    measure.prepare(small(sizes), [ways.JAX_EPOCH, ways.TORCH_EAGER], ways.REFERENCE)


@pytest.mark.parametrize("network", ["lenet", pytest.param("resnet", marks=pytest.mark.long)])
def test_a_network_of_images_is_the_book_s_class_in_torch(network):
    rng = np.random.default_rng(0)
    train = Batch(rng.integers(0, 256, (70, 28, 28, 1)).astype(np.uint8), rng.integers(0, 10, 70).astype(np.int32))
    case = Case(network, (784, 10), Dataset(train, train), 32, 0.01, network)  # larger steps amplify roundings
    ready = measure.prepare(case, [ways.JAX_EPOCH, ways.TORCH_EAGER], ways.REFERENCE)
    first = ready[ways.JAX_EPOCH].loop.first_losses()
    np.testing.assert_allclose(first, ready[ways.TORCH_EAGER].loop.first_losses(), rtol=2e-4)
    assert first[0] != pytest.approx(first[1], rel=1e-4)


@pytest.mark.parametrize(("precision", "wrong"), [("float32", 1.001), ("float32", np.nan), ("bfloat16", 1.05)])
def test_a_way_that_computes_something_else_is_not_timed(precision, wrong):
    def prepare(case: Case) -> Loop:
        loop = ways.JAX_EPOCH.prepare(case)
        return Loop(lambda: loop.first_losses() * np.array([1, 1, wrong, 1], np.float32), loop.epoch)

    other = Way("other", "JAX", precision, prepare)
    with pytest.raises(RuntimeError, match=r"step 2 .*Nothing was timed"):
        measure.prepare(small(), [ways.JAX_EPOCH, other], ways.REFERENCE)


@pytest.mark.parametrize(
    ("wrong", "refused"), [([1, 1, 1.001, 1], False), ([1, 1.001, 1, 1], True), ([1, 1, 1, 2], True)]
)
def test_where_roundings_grow_the_first_steps_and_the_mean_are_compared(wrong, refused):
    def prepare(case: Case) -> Loop:
        loop = ways.JAX_EPOCH.prepare(case)
        return Loop(lambda: loop.first_losses() * np.array(wrong, np.float32), loop.epoch)

    compared = [ways.JAX_EPOCH, Way("other", "JAX", "float32", prepare)]
    with pytest.raises(RuntimeError, match="differ from step") if refused else nullcontext():
        measure.prepare(small()._replace(alike=2), compared, ways.REFERENCE)


def test_bfloat16_may_differ_by_more():
    def prepare(case: Case) -> Loop:
        loop = ways.JAX_EPOCH.prepare(case)
        return Loop(lambda: loop.first_losses() * np.array([1, 1, 1.001, 1], np.float32), loop.epoch)

    measure.prepare(small(), [ways.JAX_EPOCH, Way("other", "JAX", "bfloat16", prepare)], ways.REFERENCE)


def test_turns_alternate_and_slow_ways_run_in_every_fourth(monkeypatch):
    ran: list[str] = []

    def way(name: str) -> Way:
        return Way(name, "JAX", "float32", lambda case: Loop(lambda: np.zeros(1), partial(ran.append, name)))

    times = {"a": 1.0, "b": 1.5, "slow": 9.0}
    a, b, slow = map(way, times)
    monkeypatch.setattr(measure, "seconds", lambda epoch: epoch() or times[ran[-1]])
    monkeypatch.setattr(measure, "machine_seconds", lambda: (0.0, 0.0))  # a quiet machine, whatever else runs here
    timings = measure.in_turns({way: Ready(way.prepare(small()), 0.0, 0.0) for way in (a, b, slow)}, 5)
    assert ran == ["a", "b", "slow", "a", "b", "slow", "b", "a", "a", "b", "b", "a", "a", "b", "slow"]
    assert timings[slow].epochs == [9.0, 9.0]
    summary = measure.summary(timings[b], timings[a])
    assert (summary.ratio_of_medians, summary.turns) == (1.5, 5)


def test_only_quiet_turns_count_if_there_are_any():
    timing = measure.Timing([1.0, 5.0, 3.0], [True, False, True])
    assert measure.summary(timing, timing).median_s == 2.0
    noisy = measure.Timing([1.0, 5.0], [False, False])
    assert (measure.summary(noisy, noisy).median_s, measure.summary(noisy, noisy).quiet) == (3.0, False)


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
    monkeypatch.setattr(book_timings, "loading", lambda: (Task("a pass by the book's loader", 1.5, 11.47),))
    monkeypatch.setattr(book_timings, "vectorisation", lambda: (Task("loop in torch", 0.5, 0.41876),))
    monkeypatch.setattr(suite, "many_models", lambda counts: tuple(many_models.ManyModels(n, 0.1 / n) for n in counts))
    monkeypatch.setattr(fresh_process, "first_epoch", lambda model, way: FirstEpoch(1.25, PeakBytes(2**20)))
    monkeypatch.setattr(fresh_process, "shell", lambda: (ShellRun(10, cold_s=7.77, warm_s=6.66),))
    plan = suite.Plan(("mlp",), 2, (ways.TORCH_COMPILED, ways.BOOK, ways.JAX_OPS), growth=("width",), many=(1, 4))
    monkeypatch.setattr(suite, "SUITES", {"quick": plan})
    page, folder = tmp_path / "page.md", tmp_path / "pictures"
    assert run(["bench", "--markdown", str(page), "--plot", str(folder), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {row["way"] for row in result["growth"]} == {"JAX, compiled step", "JAX, compiled epoch", "torch eager"}
    assert all(0 < row["share_of_peak"] <= 1 for row in result["ways"])
    text = page.read_text()
    numbers = ("0.419", "11.5", "1.25", "7.77", "6.66")
    for part in ("torch eager", *numbers, "pictures/ways.png", "pictures/growth.png", "jax 0."):
        assert part in text
    assert sorted(path.name for path in folder.iterdir()) == ["growth.png", "ways.png"]
    assert result["alone"][0]["peak_bytes"] == {"process": 2**20, "device": None}
    assert result["loading"] == {"a pass by the book's loader": 1.5}
    assert set(result["peaks"]) == {f"{lib} {precision}" for lib in ("JAX", "torch") for precision in measure.BANDS}


def test_without_torch_jax_is_timed_alone_and_the_notes_say_so(monkeypatch):
    for module in (ways, suite):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert ways.available() == (ways.JAX_OPS, ways.JAX_STEP, ways.JAX_EPOCH, ways.JAX_BFLOAT16)
    env = suite.environment()
    assert "torch" not in env.versions
    assert "only JAX's half" in report.notes(suite.Result(env, (), (), (), (), (), (), (), ()))[-1]


@pytest.mark.long
def test_a_process_of_jaxs_imports_no_torch():
    code = "import sys; from jaxd2l.bench import fresh_process as f; f.main('linear', 'JAX, compiled epoch')"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; assert 'torch' not in sys.modules"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the system does not tell")
def test_a_processor_is_told_with_its_generation():
    families = re.findall(r"cpu family\s*: (\d+)", Path("/proc/cpuinfo").read_text())
    assert all(f"(family {family}, model " in suite.environment().cpu for family in families)


@pytest.mark.long
def test_one_way_can_be_run_in_a_process_of_its_own():
    measured = fresh_process.first_epoch("linear", "JAX, compiled epoch")
    assert measured.to_first_epoch_s > 0
    assert 50 * 2**20 < measured.peak_bytes.process < 2**31  # its own, not what this process holds
    with pytest.raises(RuntimeError, match="no such way failed in a process of its own"):
        fresh_process.first_epoch("linear", "no such way")


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


def test_the_peak_is_the_better_of_two_measurements_and_no_epoch_is_beyond_it():
    disturbed, quiet = ((Peak("JAX", "float32", rate), Peak("torch", "float32", 300.0)) for rate in (200.0, 500.0))
    assert roofline.better(disturbed, quiet) == roofline.better(quiet, disturbed) == quiet
    assert roofline.share(quiet, "float32", 268.0) == 268 / 500
    assert roofline.share(disturbed, "float32", 402.0) == 1.0


@pytest.mark.long
def test_the_shell_is_timed_without_and_with_what_was_compiled_before():
    [row] = fresh_process.shell(("linear",), lengths=(1,), warm=1)
    assert row.epochs == 1
    assert row.cold_s > 0 < row.warm_s
    with pytest.raises(RuntimeError, match=r"(?s)jaxd2l train failed in a process of its own: .*no-such-model"):
        fresh_process.shell(("no-such-model",))


def test_a_page_for_which_there_is_no_folder_is_told_before_anything_is_measured(tmp_path, capsys):
    assert run(["bench", "--markdown", str(tmp_path / "none" / "page.md")]) == 1
    assert "there is no folder" in capsys.readouterr().err


def test_a_loop_and_a_vector_are_both_timed():
    tasks = book_timings.vectorisation(200)
    assert min(task.seconds for task in tasks) > 0
    assert {"vector in JAX", "vector in torch"} <= {task.what for task in tasks}


def test_many_models_are_timed_per_model(monkeypatch):
    whole = data.digits()
    padded = [Batch(np.zeros((n, 28, 28, 1), np.uint8), np.zeros(n, np.int32)) for n in (60, 20)]
    monkeypatch.setattr(data, "fashion_mnist", lambda: whole._replace(train=padded[0], test=padded[1]))
    rows = many_models.many_models((1, 2), n=60)
    assert [row.models for row in rows] == [1, 2]
    assert all(row.per_model_s > 0 and row.torch_per_model_s > 0 for row in rows)


def test_torch_s_many_models_are_those_that_it_trains_one_by_one():
    from jaxd2l.bench import torch_loops, torch_many, torch_models

    train = Batch(np.random.default_rng(0).integers(0, 256, (60, 28, 28, 1), np.uint8), np.arange(60) % 10)
    order, rates = [torch.arange(0, 32), torch.arange(32, 60)], [0.5, 0.1]
    torch.manual_seed(0)
    together = torch_many.epoch_of_many(rates, train, 32)(order)
    torch.manual_seed(0)
    nets = [torch_models.MLP(784, 256, 10) for _ in rates]
    for net, rate, losses in zip(nets, rates, together.T, strict=True):
        optimizer, sets = torch.optim.SGD(net.parameters(), rate), torch_loops.in_memory(*train)
        alone = torch_loops.train_eager(net, torch.nn.functional.cross_entropy, optimizer, sets, order)
        torch.testing.assert_close(losses, alone)


def test_importing_the_ways_starts_no_device():
    for module in (cases, jax_ways, ways):
        assert not any(isinstance(value, jax.Array) for value in vars(module).values())
