"""The whole benchmark, from the check that all ways compute the same to one value with everything measured."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import NamedTuple, get_args

from jaxd2l._process import environment as environments
from jaxd2l._process.environment import Environment
from jaxd2l.bench import book_timings, fresh_process, roofline, ways
from jaxd2l.bench.book_timings import Task
from jaxd2l.bench.cases import Case, Family, Way, books_models, flops, growth
from jaxd2l.bench.fresh_process import FirstEpoch, ShellRun
from jaxd2l.bench.many_models import ManyModels, many_models
from jaxd2l.bench.measure import Summary, in_turns, prepare, summary
from jaxd2l.bench.roofline import Peak
from jaxd2l.models import Precision


class Plan(NamedTuple):
    """How much is measured.

    without: ways left out.
    growth: what grows, and n: over how many images.
    many: models at once.
    around: whether also what surrounds the epochs: the machine's peak, a process of its own, the shell, the book's
      smaller timings.
    """

    models: tuple[str, ...]
    turns: int
    without: tuple[Way, ...] = ()
    growth: tuple[str, ...] = ()
    n: int = 12000
    many: tuple[int, ...] = ()
    around: bool = True


SUITES = {
    "quick": Plan(("linear", "softmax", "mlp", "lenet"), turns=5, without=(ways.TORCH_COMPILED,)),
    "full": Plan(
        ("linear", "softmax", "mlp", "mlp-3x512", "lenet", "resnet"),
        turns=9,
        growth=("batch size", "width", "depth", "examples"),
        many=(1, 4, 16, 64),
    ),
}


class Epoch(NamedTuple):
    """An epoch of a model in one way.

    summary: its times.
    first_s, compiling_s: seconds of the first epoch, and how many of them JAX spent compiling.
    products_per_s: floating-point operations of its matrix products per second.
    products_alone_s: seconds that its large matrix products take by themselves; None if it has none.
    """

    model: str
    way: str
    family: Family
    precision: Precision
    examples: int
    batch_size: int
    summary: Summary
    first_s: float
    compiling_s: float
    examples_per_s: float
    products_per_s: float
    products_alone_s: float | None


class Grown(NamedTuple):
    """An epoch where one thing, `axis`, has grown to `value`."""

    axis: str
    value: int
    epoch: Epoch


class Alone(NamedTuple):
    """The first epoch of a model in one way, in a process of its own."""

    model: str
    way: str
    first_epoch: FirstEpoch


class Result(NamedTuple):
    """Everything that was measured; what the plan leaves out is empty."""

    environment: Environment
    peaks: tuple[Peak, ...]
    ways: tuple[Epoch, ...]
    growth: tuple[Grown, ...]
    alone: tuple[Alone, ...]
    shell: tuple[ShellRun, ...]
    vectorisation: tuple[Task, ...]
    loading: tuple[Task, ...]
    many: tuple[ManyModels, ...]


def run(plan: Plan, say: Callable[[str], None]) -> Result:
    """Measures everything that the plan names. `say` is called with what comes next.

    Raises:
      RuntimeError: two ways do not compute the same.
    """
    available = ways.available()
    if plan.around:
        say("how fast this machine multiplies")
    before = roofline.peaks() if plan.around else ()
    epochs: list[Epoch] = []
    alone: list[Alone] = []
    for model, case in zip(plan.models, books_models(plan.models), strict=True):
        chosen = [way for way in available if way not in plan.without and _suits(way, case)]
        epochs += _epochs(case, chosen, plan.turns, say)
        for way in chosen if model == "mlp" and plan.around else ():
            say(f"{way.name}, in a process of its own")
            alone.append(Alone(case.name, way.name, fresh_process.first_epoch(model, way.name)))
    shell: tuple[ShellRun, ...] = ()
    if "mlp" in plan.models and plan.around:
        say("from the shell")
        shell = fresh_process.shell()
    compared = [way for way in available if way in (ways.JAX_STEP, ways.JAX_EPOCH, ways.TORCH_EAGER)]
    turns = max(3, plan.turns // 2)
    grown = tuple(
        Grown(axis, value, epoch)
        for axis in plan.growth
        for value, case in growth(axis, plan.n)
        for epoch in _epochs(case, compared, turns, say)
    )
    if plan.around:
        say("a loop against a vector, and a pass over the data")
    vectorisation = book_timings.vectorisation() if plan.around else ()
    loading = book_timings.loading() if plan.around else ()
    if plan.many:
        say("many models at once")
    many = many_models(plan.many)
    if plan.around:
        say("how fast this machine multiplies, once more")
    peaks = roofline.better(before, roofline.peaks() if plan.around else ())
    return Result(environment(), peaks, tuple(epochs), grown, tuple(alone), shell, vectorisation, loading, many)


def environment() -> Environment:
    """What the figures depend on."""
    packages = ["python", "jaxd2l", "jax", "jaxlib", "optax", "numpy"] + (["torch"] if find_spec("torch") else [])
    return environments.environment(*packages)


def _suits(way: Way, case: Case) -> bool:
    """A regression on two numbers is not done in bfloat16, and a network of images in four ways alone."""
    if case.network:
        return way in ways.OF_NETWORKS
    return case.sizes[-1] > 1 or way.precision != "bfloat16"


def _epochs(case: Case, chosen: Sequence[Way], turns: int, say: Callable[[str], None]) -> list[Epoch]:
    say(f"{case.name}: do all compute the same?")
    ready = prepare(case, chosen, ways.REFERENCE)
    say(case.name)
    timings = in_turns(ready, turns)
    alone_s = {precision: roofline.products_alone(case, precision) for precision in get_args(Precision)}
    examples = len(case.dataset.train.labels)
    epochs = []
    for way, timing in timings.items():
        times = summary(timing, timings[ways.REFERENCE])
        epochs.append(
            Epoch(
                model=case.name,
                way=way.name,
                family=way.family,
                precision=way.precision,
                examples=examples,
                batch_size=case.batch_size,
                summary=times,
                first_s=ready[way].first_s,
                compiling_s=ready[way].compiling_s,
                examples_per_s=examples / times.median_s,
                products_per_s=flops(case) / times.median_s,
                products_alone_s=alone_s[way.precision],
            )
        )
    return epochs
