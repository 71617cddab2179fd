"""What a benchmark measured: as tables and sentences, as a page of Markdown, and as JSON."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from jaxd2l._process.environment import Environment
from jaxd2l._tables import markdown_table
from jaxd2l.bench import glance, roofline
from jaxd2l.bench.book_timings import Task
from jaxd2l.bench.glance import Table, milliseconds
from jaxd2l.bench.many_models import ManyModels
from jaxd2l.bench.measure import BANDS, MEAN_BAND, QUIET, SLOW
from jaxd2l.bench.roofline import Peak
from jaxd2l.bench.suite import Alone, Epoch, Grown, Result


def tables(result: Result) -> Iterator[Table]:
    """One table for each part that was measured."""
    yield _epochs(result.ways, result.peaks)
    if result.alone:
        yield _alone(result.alone)
    if result.shell:
        rows = [[str(run.epochs), _seconds(run.cold_s), _seconds(run.warm_s)] for run in result.shell]
        headings = ["epochs", "seconds, nothing compiled before", "seconds, compiled programs kept"]
        yield Table("`jaxd2l train mlp --dataset fashion_mnist`, from the shell to the saved result", headings, rows)
    if result.growth:
        yield _growth(result.growth)
    if result.many:
        yield _many(result.many)
    if result.vectorisation:
        yield _tasks("Adding two vectors of 10000 (D2L 3.1.2)", result.vectorisation)
    if result.loading:
        yield _tasks("60000 images, shuffled, in batches of 64 (D2L 4.2.2)", result.loading)
    rows = [[f"{peak.library} {peak.precision}", f"{peak.rate / 1e9:.0f}"] for peak in result.peaks]
    yield Table("Best rate of a matrix product here", ["library and precision", "GFLOP/s"], rows)


def notes(result: Result) -> list[str]:
    """What the tables mean, and where they were measured."""
    env = result.environment
    quiet = sum(epoch.summary.quiet for epoch in result.ways)
    sentences = [
        machine(env),
        "Linear regression: 1000 x 2, batch 32. The others: Fashion-MNIST, batch 256, unless a row says otherwise.",
        "All ways of a model took turns in one process. Median and quartiles are over the turns in which other "
        f"processes took at most {QUIET:.0%} of the machine; {quiet} of {len(result.ways)} ways had such turns, and "
        f"for the others all turns count. A way slower than {SLOW:g} s was timed in every fourth turn.",
        '"Ratio" divides the median by the median of the compiled epoch, which is what `train.fit` runs; "ratio of '
        'min" divides the shortest times.',
        '"First" is the first epoch, compilation included; "compiling" is the part of it that JAX spent compiling.',
        '"Of peak": operations of the matrix products alone, per second, over the best rate of a product here at that '
        "precision, measured before the epochs and after them; an epoch that reaches more is at about the peak.",
        '"To its products": the shortest time over that of the epoch\'s large matrix products alone, each at the best '
        "rate measured here for its shape in either library.",
        "Before anything was timed, an epoch from the same weights on the same batches gave the same loss in every "
        f"step as the compiled epoch, relative to the first loss, within {BANDS['float32']:g}; bfloat16 within "
        f"{BANDS['bfloat16']:g}. With batch normalisation torch's roundings grow from step to step: of the ResNet the "
        f"first two steps are compared so, and the mean of the epoch, within {MEAN_BAND:g}.",
        "The book's way is a DataLoader with per-example transforms, eager steps, and validation after the epoch; the "
        "other ways only train. Op by op means that each operation is a call of its own, and none are compiled "
        "together.",
    ]
    return sentences + without_torch(env)


def machine(env: Environment) -> str:
    """What was measured on, and with which versions."""
    versions = ", ".join(f"{name} {version}" for name, version in env.versions.items())
    return f"{env.cpu}, {env.cores} cores, JAX on {env.kind}; {versions}."


def without_torch(env: Environment) -> list[str]:
    """A sentence about what is missing, if it is."""
    if "torch" in env.versions:
        return []
    return ["torch is not installed (`pip install jaxd2l[parity]`): only JAX's half was timed."]


def timings(result: Result) -> list[Epoch]:
    """All epochs that were timed."""
    return [*result.ways, *(row.epoch for row in result.growth)]


def markdown(result: Result, command: str, pictures: Sequence[str] = ()) -> str:
    """All of it as a page."""
    parts = [f"# How long an epoch takes, and why\n\nMade by `{command}`.\n"]
    parts += [f"{text}\n" for text in (glance.busy(timings(result)), glance.conclusion(result.ways)) if text]
    parts += [f"![{name.removesuffix('.png')}]({name})\n" for name in pictures]
    parts += [f"## {title}\n\n{markdown_table(headings, rows)}\n" for title, headings, rows in tables(result)]
    parts.append("## Notes\n\n" + "".join(f"- {sentence}\n" for sentence in notes(result)))
    return "\n".join(parts)


def as_json(result: Result) -> dict[str, Any]:
    """All of it as dicts and lists of plain values."""

    def epoch(row: Epoch) -> dict[str, Any]:
        fields = row._asdict()
        summary = fields.pop("summary")
        share = roofline.share(result.peaks, row.precision, row.products_per_s)
        return fields | summary._asdict() | {"share_of_peak": share}

    return {
        "environment": result.environment._asdict(),
        "busy": glance.busy(timings(result)),
        "peaks": {f"{peak.library} {peak.precision}": peak.rate for peak in result.peaks},
        "ways": [epoch(row) for row in result.ways],
        "growth": [{"axis": row.axis, "value": row.value, **epoch(row.epoch)} for row in result.growth],
        "alone": [
            {
                "model": row.model,
                "way": row.way,
                "to_first_epoch_s": row.first_epoch.to_first_epoch_s,
                "peak_bytes": row.first_epoch.peak_bytes._asdict(),
            }
            for row in result.alone
        ],
        "shell": [row._asdict() for row in result.shell],
        "vectorisation": {task.what: task.seconds for task in result.vectorisation},
        "loading": {task.what: task.seconds for task in result.loading},
        "many": [row._asdict() for row in result.many],
    }


def _epochs(epochs: Iterable[Epoch], peaks: Sequence[Peak]) -> Table:
    headings = ["model", "way", "median ms", "quartiles ms", "ratio", "ratio of min", "turns", "first s", "compiling s"]
    rows = []
    for epoch in epochs:
        times, alone_s = epoch.summary, epoch.products_alone_s
        low, high = times.quartiles_s
        share = roofline.share(peaks, epoch.precision, epoch.products_per_s)
        rows.append(
            [
                epoch.model,
                epoch.way,
                milliseconds(times.median_s),
                f"{milliseconds(low)} to {milliseconds(high)}",
                f"{times.ratio_of_medians:.2f}",
                f"{times.ratio_of_minima:.2f}",
                f"{times.turns}" if times.quiet else f"{times.turns}, none quiet",
                f"{epoch.first_s:.2f}",
                f"{epoch.compiling_s:.2f}" if epoch.compiling_s else "",
                f"{epoch.examples_per_s:,.0f}",
                f"{share:.0%}" if share < 1 else "about the peak",
                "" if alone_s is None else f"{times.min_s / alone_s:.2f}" if times.min_s > alone_s else "about 1",
            ]
        )
    return Table("One epoch", [*headings, "examples/s", "of peak", "to its products"], rows)


def _many(many: Sequence[ManyModels]) -> Table:
    rows = [
        [
            str(row.models),
            milliseconds(row.per_model_s),
            f"{row.per_model_s / many[0].per_model_s:.2f}",
            "" if row.torch_per_model_s is None else milliseconds(row.torch_per_model_s),
        ]
        for row in many
    ]
    headings = ["models", "`sweep`, ms per model and epoch", f"times that of {many[0].models}", "torch.func.vmap, ms"]
    return Table("Many models at once: the MLP on 6000 images", headings, rows)


def _alone(alone: Iterable[Alone]) -> Table:
    rows = []
    for model, way, (seconds, peak) in alone:
        memory = ["" if held is None else f"{held / 2**20:.0f}" for held in peak]
        rows.append([model, way, f"{seconds:.2f}", *memory])
    headings = ["model", "way", "seconds to the end of the first epoch", "peak MB, process", "peak MB, GPU"]
    return Table("In a process of its own, imports included", headings, rows)


def _growth(grown: Sequence[Grown]) -> Table:
    ways = list(dict.fromkeys(row.epoch.way for row in grown))
    cells: dict[tuple[str, int], list[str]] = {}
    for axis, value, epoch in grown:
        cells.setdefault((axis, value), []).append(milliseconds(epoch.summary.median_s))
    rows = [[f"{axis} {value}", *times] for (axis, value), times in cells.items()]
    return Table("How an epoch of the MLP 784-256-10 grows, ms (12000 images, batch 256)", ["what grows", *ways], rows)


def _tasks(title: str, tasks: Iterable[Task]) -> Table:
    rows = [[task.what, _seconds(task.seconds), _seconds(task.book_s)] for task in tasks]
    return Table(title, ["what", "seconds", "the book's figure"], rows)


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3g}"
