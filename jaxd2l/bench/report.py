"""What a benchmark measured, as tables and sentences."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from jaxd2l.bench.beyond_epochs import SOURCE
from jaxd2l.bench.measure import BAND, BFLOAT16_BAND, QUIET, SLOW

Table = tuple[str, list[str], list[list[str]]]
"""Title, headings, rows."""


def tables(result: dict[str, Any]) -> Iterator[Table]:
    """Every table of a result of `suite.run`."""
    yield _ways(result["ways"])
    if "alone" in result:
        yield _alone(result["alone"])
    if "shell" in result:
        rows = [[str(row["epochs"]), _seconds(row["cold_s"]), _seconds(row["warm_s"])] for row in result["shell"]]
        headings = ["epochs", "seconds, nothing compiled before", "seconds, compiled programs kept"]
        yield "`jaxd2l train mlp --dataset fashion_mnist`, from the shell to the saved result", headings, rows
    if result["growth"]:
        yield _growth(result["growth"])
    if "many" in result:
        rows = [[str(row["models"]), _ms(row["per_model_s"])] for row in result["many"]]
        yield "Many models at once: the MLP on 6000 images, `sweep`", ["models", "ms per model and epoch"], rows
    for name, title in (
        ("vectorisation", "Adding two vectors of 10000 (D2L 3.1.2)"),
        ("loading", "60000 images, shuffled, in batches of 64 (D2L 4.2.2)"),
    ):
        rows = [[what, _seconds(t), _seconds(SOURCE.get(_in_source(what)))] for what, t in result[name].items()]
        yield title, ["what", "seconds", "the book's figure"], rows
    peaks = [[name, f"{rate / 1e9:.0f}"] for name, rate in result["peaks"].items()]
    yield "Best rate of a matrix product here", ["library and precision", "GFLOP/s"], peaks


def notes(result: dict[str, Any]) -> list[str]:
    """What the tables mean, and on what they were measured."""
    env = result["environment"]
    versions = ", ".join(f"{name} {version}" for name, version in env["versions"].items())
    quiet = sum(row["quiet"] for row in result["ways"])
    sentences = [
        f"{env['cpu']}, {env['cores']} cores, JAX on {env['device']}; {versions}.",
        "Linear regression: 1000 x 2, batch 32. The others: Fashion-MNIST, batch 256, unless a row says otherwise.",
        "All ways of a model ran in turns in one process. Median and quartiles are over the turns in which other "
        f"processes took at most {QUIET:.0%} of the machine ({quiet} of {len(result['ways'])} ways had such), else "
        f"over all. A way slower than {SLOW:g} s was timed in every fourth turn.",
        '"Ratio" divides medians, "least" the shortest times, by those of the compiled epoch, which is what '
        "`train.fit` runs.",
        '"First" is the first epoch, compilation included; "compiling" is what JAX says it spent on that.',
        '"Of peak": operations of the matrix products alone, per second, over the best rate of a product here at that '
        "precision.",
        '"To its products": the shortest time over that of the epoch\'s large matrix products alone, each at the best '
        "rate seen here for its shape in either library.",
        "Before anything was timed, each step's loss of an epoch agreed with the compiled epoch's from the same "
        f"weights on the same batches, relative to the first loss, within {BAND:g}; bfloat16 within {BFLOAT16_BAND:g}.",
        "The book's way is a DataLoader with per-example transforms, eager steps, and validation after the epoch; the "
        "other ways train only. Op by op means that each operation is a call of its own, none compiled together.",
    ]
    if "torch" not in env["versions"]:
        sentences.append("torch is not installed (`pip install jaxd2l[parity]`): only JAX's half was timed.")
    return sentences


def markdown(result: dict[str, Any], command: str, pictures: Sequence[str] = ()) -> str:
    """All of it as a page."""
    parts = [f"# How long an epoch takes, and why\n\nMade by `{command}`.\n"]
    parts += [f"![{name.removesuffix('.png')}]({name})\n" for name in pictures]
    for title, headings, rows in tables(result):
        lines = [headings, ["---"] * len(headings), *rows]
        parts.append(f"## {title}\n\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines))
    parts.append("## Notes\n\n" + "".join(f"- {sentence}\n" for sentence in notes(result)))
    return "\n".join(parts)


def _ways(rows: Iterable[dict[str, Any]]) -> Table:
    headings = ["model", "way", "median ms", "quartiles ms", "ratio", "least", "turns", "first s", "compiling s"]
    cells = []
    for row in rows:
        low, high = row["quartiles_s"]
        turns = f"{row['turns']}" if row["quiet"] else f"{row['turns']}, none quiet"
        ratios = [f"{row['ratio_of_medians']:.2f}", f"{row['ratio_of_least']:.2f}"]
        times = [_ms(row["median_s"]), f"{_ms(low)} to {_ms(high)}"]
        first = [f"{row['first_s']:.2f}", f"{row['compiling_s']:.2f}" if row["compiling_s"] else ""]
        speed = [f"{row['examples_per_s']:,.0f}", f"{row['share_of_peak']:.0%}"]
        alone = row["products_alone_s"]
        over = "" if alone is None else f"{row['least_s'] / alone:.2f}"
        cells.append([row["model"], row["way"], *times, *ratios, turns, *first, *speed, over])
    return "One epoch", [*headings, "examples/s", "of peak", "to its products"], cells


def _alone(rows: Iterable[dict[str, Any]]) -> Table:
    cells = []
    for row in rows:
        peak = row["peak_bytes"]
        memory = [f"{peak[place] / 2**20:.0f}" if place in peak else "" for place in ("process", "device")]
        cells.append([row["model"], row["way"], f"{row['to_first_epoch_s']:.2f}", *memory])
    headings = ["model", "way", "seconds to the end of the first epoch", "peak MB, process", "peak MB, GPU"]
    return "In a process of its own, imports included", headings, cells


def _growth(rows: Sequence[dict[str, Any]]) -> Table:
    ways = list(dict.fromkeys(row["way"] for row in rows))
    cells: dict[tuple[str, int], list[str]] = {}
    for row in rows:
        cells.setdefault((row["axis"], row["value"]), []).append(_ms(row["median_s"]))
    lines = [[f"{axis} {value}", *times] for (axis, value), times in cells.items()]
    return "How an epoch of the MLP 784-256-10 grows, ms (12000 images, batch 256)", ["what grows", *ways], lines


def _in_source(what: str) -> str:
    return "the book's loader" if what.endswith("the book's loader") else what


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}" if seconds < 1 else f"{1e3 * seconds:.0f}"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3g}"
