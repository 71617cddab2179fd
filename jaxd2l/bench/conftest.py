"""A benchmark that nobody ran, for the tests of what is shown of one."""

import pytest

from jaxd2l.bench import suite, ways
from jaxd2l.bench.book_timings import Task
from jaxd2l.bench.cases import Way
from jaxd2l.bench.measure import Summary
from jaxd2l.bench.roofline import Peak
from jaxd2l.bench.suite import Epoch, Result

MODELS = ("linear regression", "softmax regression", "MLP 784-256-10", "MLP 784-512-512-512-10")


def timed(model: str, way: Way, median_s: float, *, quiet: bool = True, products_per_s: float = 5e10) -> Epoch:
    """An epoch with quartiles a tenth around its median."""
    times = Summary(median_s, (0.9 * median_s, 1.1 * median_s), 0.8 * median_s, 5, quiet, 1.0, 1.0)
    return Epoch(
        *(model, way.name, way.family, way.precision, 60000, 256, times),
        first_s=1.0,
        compiling_s=0.5,
        examples_per_s=60000 / median_s,
        products_per_s=products_per_s,
        products_alone_s=None,
    )


@pytest.fixture
def result() -> Result:
    """All ways of all models, op by op the slowest."""
    seconds = dict(zip(ways.WAYS, (2.7, 0.12, 0.1, 0.07, 0.23, 0.25, 0.11, 2.2), strict=True))
    epochs = tuple(timed(model, way, median) for model in MODELS for way, median in seconds.items())
    peaks = tuple(Peak("JAX", precision, 1e11) for precision in ("float32", "bfloat16"))
    tasks = (Task("vector in JAX", 1e-5, None),)
    return Result(suite.environment(), peaks, epochs, (), (), (), tasks, tasks, ())
