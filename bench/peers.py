"""An epoch of the MLP 784-256-10 beside what others offer: C on OpenBLAS, scikit-learn, Flax NNX, Equinox, Keras.

    python -m bench.peers [--turns 9] [--batch-size 256] [--markdown PATH]

All begin with the same weights and must compute the same losses from the same batches before anything is timed. Then
they take turns. Install the peers with `pip install 'jaxd2l[peers]'`; those that are missing are left out.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from bench import openblas, peer_loops
from bench.page import measured_on, publish
from jaxd2l._tables import markdown_table
from jaxd2l.bench import ways
from jaxd2l.bench.cases import Case, Way, books_models
from jaxd2l.bench.measure import Summary, in_turns, prepare, summary
from jaxd2l.bench.suite import environment

C_PROGRAM = Way("C on OpenBLAS, by hand", "others", "float32", openblas.by_hand)
"""What an expert would write for this one network."""

LIBRARIES = {
    "sklearn": Way("scikit-learn, MLPClassifier", "others", "float32", peer_loops.in_scikit_learn),
    "flax": Way("Flax NNX, nnx.jit", "others", "float32", peer_loops.in_nnx),
    "equinox": Way("Equinox, filter_jit", "others", "float32", peer_loops.in_equinox),
    "keras": Way("Keras 3 on JAX, fit", "others", "float32", peer_loops.in_keras),
}

OURS = (ways.JAX_EPOCH, ways.JAX_STEP, ways.TORCH_EAGER, ways.TORCH_COMPILED)


def peers() -> list[Way]:
    """Ours, torch's and those of others that can run here."""
    here = [way for way in OURS if way in ways.available()]
    here += [C_PROGRAM] if openblas.can_run() else []
    return here + [way for package, way in LIBRARIES.items() if find_spec(package)]


def measured(case: Case, turns: int) -> dict[Way, Summary]:
    """The times of an epoch, after the proof that all compute the same."""
    ready = prepare(case, peers(), ways.REFERENCE)
    timings = in_turns(ready, turns)
    return {way: summary(timing, timings[ways.REFERENCE]) for way, timing in timings.items()}


def page(case: Case, turns: int, found: dict[Way, Summary]) -> str:
    """The table, and where it was measured."""
    rows = [
        [way.name, f"{1e3 * s.median_s:.0f}", f"{1e3 * s.min_s:.0f}", f"{s.ratio_of_medians:.2f}"]
        for way, s in sorted(found.items(), key=lambda item: item[1].median_s)
    ]
    busy = "" if all(s.quiet for s in found.values()) else " The machine was busy: the times are too long."
    n = len(case.dataset.train.labels)
    command = f"python -m bench.peers --turns {turns} --batch-size {case.batch_size} --markdown ..."
    return (
        f"# {case.name} beside its peers\n\n"
        f"<!-- Written by `{command}`. -->\n\n"
        f"One epoch of {n} images of Fashion-MNIST, batch {case.batch_size}, plain SGD in float32: the same losses\n"
        f"from the same batches. In turns in one process on {measured_on(environment())}.{busy}\n\n"
        + markdown_table(["", "median, ms", "minimum, ms", "times our median"], rows, "lrrr")
        + "\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--markdown", type=Path, metavar="PATH")
    options = parser.parse_args(arguments)
    [case] = books_models(["mlp"])
    case = case._replace(batch_size=options.batch_size)
    text = page(case, options.turns, measured(case, options.turns))
    publish(text, options.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
