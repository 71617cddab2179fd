"""`notebooks_test.py` executes each notebook in a kernel of its own. Their texts are not modules with doctests.

Neither is the configuration of Sphinx, which is installed for the site alone.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

collect_ignore_glob = ["ch*.py", "site/conf.py"]

_BESIDE_CHECKOUT = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def data_dir() -> Callable[[Path], Path | None]:
    """`data_dir(text)`: the folder for a notebook's data, None if there is none; a test that needs it is skipped."""

    def find(text: Path) -> Path | None:
        folder = Path(os.environ.get("JAXD2L_DATA_DIR") or _BESIDE_CHECKOUT)
        if folder.is_dir():
            return folder
        if "fashion_mnist" in text.read_text(encoding="utf-8"):
            message = f"{text.name} needs Fashion-MNIST: set JAXD2L_DATA_DIR to the folder of its four files"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
        return None

    return find
