"""What commands compile: as many programs for ten epochs as for one."""

from pathlib import Path

import jax
import pytest

from jaxd2l.bench.measure import compile_seconds
from jaxd2l.cli import run

pytestmark = pytest.mark.usefixtures("blank_pictures")
TRAIN = ["train", "mlp", "--hidden", "4", "--batch-size", "500"]
SWEEP = ["sweep", "mlp", "--hidden", "4", "--batch-size", "500", "--lr", "0.1,0.2", "--seeds", "2"]


def programs(*arguments: str) -> int:
    """How many programs a command compiles in a process that has compiled nothing yet."""
    jax.clear_caches()
    with compile_seconds() as compiled:
        assert run(arguments) == 0
    return len(compiled)


@pytest.mark.parametrize("command", [TRAIN, SWEEP], ids=["train", "sweep"])
def test_ten_epochs_compile_as_many_programs_as_one(command: list[str], tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "one")] if command is TRAIN else []
    ten = ["--out", str(tmp_path / "ten")] if command is TRAIN else []
    assert programs(*command, "--epochs", "10", *ten) == programs(*command, "--epochs", "1", *out) > 0


@pytest.mark.long
def test_with_checkpoints_too_and_resumed_and_whatever_is_done_with_the_run(tmp_path: Path) -> None:
    def counts(epochs: int) -> list[int]:
        out, kept = str(tmp_path / f"run-{epochs}"), ["--checkpoint-dir", str(tmp_path / f"kept-{epochs}")]
        first = [*TRAIN, *kept, "--epochs", str(epochs), "--out", str(tmp_path / f"first-{epochs}")]
        resumed = [*TRAIN, *kept, "--epochs", str(2 * epochs), "--out", out, "--resume"]
        then = (["evaluate", out], ["predict", out, "--count", "1"])
        return [programs(*command) for command in (first, resumed, *then)]

    assert counts(10) == counts(1)
