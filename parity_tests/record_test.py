"""`parity.record` with torch, `parity.check_recorded` without: the same rule, the same verdicts."""

import subprocess
import sys

import numpy as np
import optax
import pytest
import torch

from jaxd2l import losses, models, parity

PORT = models.mlp(6, 4, 3)


@pytest.fixture
def path(tmp_path):
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
    batch = random.normal(size=(8, 6)).astype(np.float32), random.integers(0, 3, 8)
    path = tmp_path / "mlp.safetensors"
    parity.record(
        net,
        batch,
        path,
        loss=torch.nn.functional.cross_entropy,
        optim=lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9),
        steps=20,
    )
    return path


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
import optax
from jaxd2l import losses, models, parity
port = models.mlp(6, 4, 3)
report = parity.check_recorded(sys.argv[1], port, loss=losses.cross_entropy, optim=optax.sgd(0.1, 0.9))
report.assert_ok()
print(*(row.quantity for row in report.rows), sep="\\n")
"""


def test_a_right_port_holds_where_torch_is_not(path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(path)], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = {"outputs", "loss", "loss of the same outputs", "gradient of 0.weight", "2.bias after one step"}
    expected |= {"losses of 20 steps", "2.bias after 20 steps"}
    assert expected <= set(done.stdout.splitlines())


def scaled(params, x, *, key=None):
    return PORT.apply(params, x) * 1.0001


@pytest.mark.parametrize(
    ("port", "loss", "tx", "first"),
    [
        (
            PORT._replace(apply=lambda p, x, *, key=None: PORT.apply(p, x) * 1.0001),
            losses.cross_entropy,
            0.9,
            "outputs",
        ),
        (PORT, lambda x, y: 2 * losses.cross_entropy(x, y), 0.9, "loss of the same outputs"),
        (PORT, losses.cross_entropy, 0.9, None),
    ],
    ids=["outputs", "loss", "right"],
)
def test_what_differs_fails_and_what_is_not_looked_at_is_said(path, port, loss, tx, first) -> None:
    report = parity.check_recorded(path, port, loss=loss, optim=optax.sgd(0.1, tx))
    failed = [row.quantity for row in report.failures if not row.follows_from]
    assert failed[:1] == ([first] if first else [])
    assert "causes by name" in report.unseen[0]
    assert "comparisons" in report.markdown()


def test_a_momentum_that_is_missing_shows_only_in_the_run(path) -> None:
    report = parity.check_recorded(path, PORT, loss=losses.cross_entropy, optim=optax.sgd(0.1))
    assert {row.quantity for row in report.failures} == {
        "losses of 20 steps", *(f"{i}.{kind} after 20 steps" for i in (0, 2) for kind in ("weight", "bias"))
    }  # fmt: skip


def test_a_rate_that_differs_shows_after_one_step(path) -> None:
    report = parity.check_recorded(path, PORT, loss=losses.cross_entropy, optim=optax.sgd(0.11))
    assert {row.quantity.partition(" ")[2] for row in report.failures} == {
        "after one step",
        "after 20 steps",
        "of 20 steps",
    }


@pytest.mark.bad_input
def test_what_is_no_recording_and_halves_that_are_missing_are_refused(path, tmp_path) -> None:
    with pytest.raises(ValueError, match="the recording has a loss of torch's: loss is missing here"):
        parity.check_recorded(path, PORT)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        parity.check_recorded(tmp_path / "nothing", PORT)
    (tmp_path / "other").write_bytes(b"other")
    with pytest.raises(ValueError, match="is no recording"):
        parity.check_recorded(tmp_path / "other", PORT)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        parity.record(torch.nn.Linear(2, 1), (np.ones((2, 2)), np.ones(2)), path, steps=0)
    with pytest.raises(ValueError, match="optim needs loss"):
        parity.record(torch.nn.Linear(2, 1), (np.ones((2, 2)), np.ones(2)), path, optim=torch.optim.Adam)
