"""Every test runs strict: no silent dtype promotion, no reused key, annotated shapes checked."""

import os
import socket
from typing import Any

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import config as jaxtyping_config

# These are run by sharding_test.py, in a process that has eight devices.
HAS_8_DEVICES = "--xla_force_host_platform_device_count=8" in os.environ.get("XLA_FLAGS", "")
collect_ignore = [] if HAS_8_DEVICES else ["train/sharding_on_8_devices_test.py"]

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_debug_key_reuse", True)

# Examples are drawn alike in every run: a failure comes back, and compiling may take its time.
hypothesis.settings.register_profile("jaxd2l", deadline=None, max_examples=40, derandomize=True)
hypothesis.settings.load_profile("jaxd2l")


@pytest.fixture(autouse=True)
def _annotations_off_for_bad_input(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong input must meet our own error, not the annotation checker's."""
    # No `yield` in fixtures here: checked for their annotations, they no longer look like generators to pytest.
    is_bad_input = request.node.get_closest_marker("bad_input") is not None
    monkeypatch.setattr(jaxtyping_config, "jaxtyping_disable", is_bad_input)


@pytest.fixture(autouse=True)
def _names_in_examples(doctest_namespace: dict[str, Any]) -> None:
    """What the examples in docstrings may use without importing it."""
    from jaxd2l import activations, data, losses, models, types

    doctest_namespace.update(jax=jax, jnp=jnp, np=np, optax=optax, losses=losses, models=models, Batch=types.Batch)
    doctest_namespace.update(activations=activations, layers=models.layers)
    doctest_namespace.update(digits=data.digits, synthetic_regression=data.synthetic_regression)


@pytest.fixture
def port(request: pytest.FixtureRequest) -> int:
    """A port that nobody else is given while the test runs; processes of ours can listen there, as JAX does."""
    held = socket.socket()
    request.addfinalizer(held.close)  # noqa: PT021
    for shared in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        held.setsockopt(socket.SOL_SOCKET, shared, 1)
    held.bind(("127.0.0.1", 0))
    return int(held.getsockname()[1])
