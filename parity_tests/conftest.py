"""Every test runs strict: no silent dtype promotion, no reused key, annotated shapes checked."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import jax
import pytest
import torch
from jaxtyping import config as jaxtyping_config

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_debug_key_reuse", True)
# Tests run side by side, one to a core; torch's threads would wait for each other most of the time.
torch.set_num_threads(1)

# Compiling the first example takes longer than any deadline; the same examples are drawn in every run.
hypothesis.settings.register_profile("parity", deadline=None, derandomize=True, max_examples=30)
hypothesis.settings.load_profile("parity")

BESIDE_CHECKOUT = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _annotations_off_for_bad_input(request: pytest.FixtureRequest) -> Iterator[None]:
    """Wrong input must meet our own error, not the annotation checker's."""
    jaxtyping_config.update("jaxtyping_disable", request.node.get_closest_marker("bad_input") is not None)
    yield
    jaxtyping_config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def fashion_mnist():
    """The real data set, from JAXD2L_DATA_DIR or from beside the checkout; nothing is downloaded."""
    from jaxd2l import data

    folder = os.environ.get("JAXD2L_DATA_DIR") or BESIDE_CHECKOUT
    if not Path(folder).is_dir():
        message = f"Fashion-MNIST is not in {folder}: set JAXD2L_DATA_DIR to the folder of its four files"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return data.fashion_mnist(data_dir=folder)
