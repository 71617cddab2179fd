"""What the tests of the command line share."""

import pytest


def _draw_nothing(request: pytest.FixtureRequest) -> None:
    patch = pytest.MonkeyPatch()
    request.addfinalizer(patch.undo)  # see jaxd2l/conftest.py: no `yield` in fixtures here
    for name in ("outcome.curves_picture", "outcome.mistakes_picture", "predict.examples_picture"):
        patch.setattr(f"jaxd2l.cli.{name}", lambda *_: b"\x89PNG\r\n")


@pytest.fixture
def blank_pictures(request: pytest.FixtureRequest) -> None:
    """Empty pictures, where they are not the point: a short run spends half its time on drawing them."""
    _draw_nothing(request)


@pytest.fixture(scope="module")
def only_blank_pictures(request: pytest.FixtureRequest) -> None:
    """Empty pictures in a whole file of tests, its own fixtures included."""
    _draw_nothing(request)
