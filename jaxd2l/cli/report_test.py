"""The pictures of a run say in words what they show."""

import numpy as np
import pytest

from jaxd2l import plots
from jaxd2l.cli import report
from jaxd2l.types import Batch, Dataset


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict:
    """What `image_grid` was last asked to draw."""
    asked: dict = {}
    draw = plots.image_grid
    monkeypatch.setattr(plots, "image_grid", lambda images, **options: draw(images, **asked.update(options) or options))
    return asked


@pytest.mark.parametrize(
    ("count", "wrong", "title", "shown"),
    [
        (50, 5, "5 of 50 wrong", 5),
        (50, 40, "40 of 50 wrong; the first 32", 32),
        (50, 0, "0 of 50 wrong; the first 32", 32),
        (3, 0, "0 of 3 wrong", 3),
    ],
)
def test_the_picture_of_mistakes_says_how_many_there_are(drawn, count, wrong, title, shown):
    batch = Batch(np.zeros((count, 8, 8, 1), np.uint8), np.zeros(count, np.int32))
    outputs = np.stack([np.arange(count) >= wrong, np.arange(count) < wrong], axis=1).astype(np.float32)
    picture = report.mistakes_picture(outputs, Dataset(batch, batch, ("cat", "dog")))
    assert picture.startswith(b"\x89PNG")
    assert drawn["title"] == title
    assert drawn["titles"] == [f"true: cat\npred.: {'dog' if wrong else 'cat'}"] * shown
