"""The whole benchmark, from the check that all compute the same to one dictionary of what was measured."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple, get_args

from jaxd2l import _environment
from jaxd2l.bench import beyond_epochs as others
from jaxd2l.bench import fresh_process as alone
from jaxd2l.bench import jax_ways, roofline
from jaxd2l.bench.cases import Case, Way, books_models, flops, growth
from jaxd2l.bench.measure import in_turns, prepare, summary
from jaxd2l.models.products import Precision

REFERENCE = jax_ways.SCAN
"""What every way must agree with, and what ratios are to."""


class Plan(NamedTuple):
    """How much is measured. without: ways left out; n: images where one thing grows; many: models at once."""

    models: tuple[str, ...]
    turns: int
    without: tuple[str, ...] = ()
    growth: tuple[str, ...] = ()
    n: int = 12000
    many: tuple[int, ...] = ()


SUITES = {
    "quick": Plan(("linear", "softmax", "mlp"), turns=5, without=("torch.compile",)),
    "full": Plan(
        ("linear", "softmax", "mlp", "mlp-3x512"),
        turns=9,
        growth=("batch size", "width", "depth", "examples"),
        many=(1, 4, 16, 64),
    ),
}


def run(plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Measures everything that the plan names.

    Raises:
      RuntimeError: two ways do not compute the same.
    """
    say("how fast this machine multiplies")
    rates = roofline.peaks()
    result: dict[str, Any] = {"environment": environment(), "peaks": rates, "ways": [], "growth": []}
    for model, case in zip(plan.models, books_models(plan.models), strict=True):
        chosen = {name: make for name, make in all_ways().items() if name not in plan.without and _suits(name, case)}
        result["ways"] += _rows(case, chosen, plan.turns, rates, say)
        if model == "mlp":
            result["alone"] = []
            for name in chosen:
                say(f"{name}, in a process of its own")
                result["alone"].append({"model": case.name, "way": name, **alone.measure(model, name)})
    compared = {n: m for n, m in all_ways().items() if n in (jax_ways.STEP, jax_ways.SCAN, "torch eager")}
    if "mlp" in plan.models:
        say("from the shell")
        result["shell"] = alone.shell()
    for axis in plan.growth:
        for value, case in growth(axis, plan.n):
            rows = _rows(case, compared, max(3, plan.turns // 2), rates, say)
            result["growth"] += [{"axis": axis, "value": value, **row} for row in rows]
    say("a loop against a vector, and a pass over the data")
    result |= {"vectorisation": others.vectorisation(), "loading": others.loading()}
    if plan.many:
        say("many models at once")
        result["many"] = others.many_models(plan.many)
    return result


def all_ways(only: str | None = None) -> dict[str, Callable[[Case], Way]]:
    """JAX's ways and, if torch is installed, torch's. With `only`, torch is not imported for a way of JAX's."""
    ways = jax_ways.ways()
    if find_spec("torch") is None or only in ways:
        return ways
    from jaxd2l.bench import torch_ways

    return ways | torch_ways.ways()


def environment() -> dict[str, Any]:
    """What the figures depend on."""
    packages = ["python", "jaxd2l", "jax", "jaxlib", "optax", "numpy"] + (["torch"] if find_spec("torch") else [])
    here = _environment.environment(*packages)
    return {"cpu": here.cpu, "cores": here.cores, "device": here.kind, "versions": here.versions}


def _suits(way: str, case: Case) -> bool:
    """A regression on two numbers is not done in bfloat16."""
    return case.sizes[-1] > 1 or "bfloat16" not in way


def _rows(
    case: Case,
    makers: dict[str, Callable[[Case], Way]],
    turns: int,
    rates: dict[str, float],
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    say(f"{case.name}, {case.sizes}: do all compute the same?")
    ready = prepare(case, makers, REFERENCE)
    say(f"{case.name}, {case.sizes}")
    timings = in_turns(ready, turns)
    alone_s = {each: roofline.products_alone(case, each) for each in get_args(Precision)}
    rows = []
    for name, timing in timings.items():
        precision: Precision = "bfloat16" if "bfloat16" in name else "float32"
        row = summary(timing, timings[REFERENCE])
        peak = roofline.roof(rates, precision)
        rows.append(
            {
                "model": case.name,
                "way": name,
                "examples": len(case.dataset.train.labels),
                "batch_size": case.batch_size,
                **row,
                "first_s": ready[name].first,
                "compiling_s": ready[name].compiling,
                "examples_per_s": len(case.dataset.train.labels) / row["median_s"],
                "share_of_peak": flops(case) / row["median_s"] / peak,
                "products_alone_s": alone_s[precision],
            }
        )
    return rows
