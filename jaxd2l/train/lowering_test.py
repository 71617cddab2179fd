"""Every compiled program of ours lowers for devices that are not at hand: CUDA, ROCm and TPU."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import export

from jaxd2l import losses, models, optim, train
from jaxd2l.types import Batch, Model

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
MODELS: dict[str, tuple[Callable[[], Model], Any]] = {
    "linear_regression": (lambda: models.linear_regression(6), losses.squared_loss),
    "softmax_regression": (lambda: models.softmax_regression(6, 3), losses.cross_entropy),
    "mlp": (lambda: models.mlp(6, 4, 3), losses.cross_entropy),
    "mlp with dropout": (lambda: models.mlp(6, 4, 3, dropout_rate=0.5), losses.cross_entropy),
    "mlp in bfloat16": (lambda: models.mlp(6, 4, 3, precision="bfloat16"), losses.cross_entropy),
    "flax_mlp": (lambda: models.flax_mlp(6, 4, 3), losses.cross_entropy),
}
QUICK = "mlp with dropout"


def lowered(function: Callable[..., Any], *args: Any, platforms: tuple[str, ...] = PLATFORMS) -> dict[str, str]:
    """The program for each platform, as MLIR."""
    return {p: export.export(jax.jit(function), platforms=[p])(*args).mlir_module() for p in platforms}


@pytest.mark.parametrize("name", [n if n == QUICK else pytest.param(n, marks=pytest.mark.long) for n in MODELS])
def test_an_epoch_lowers_for_every_platform(name: str) -> None:
    make, loss = MODELS[name]
    model, tx = make(), optim.sgd(0.1, momentum=0.9)
    labels = jnp.zeros((10, 1)) if name == "linear_regression" else jnp.zeros(10, jnp.int32)
    batch = Batch(jnp.ones((10, 6)), labels)
    state = train.create_state(jax.random.key(0), model, tx)
    epoch = partial(train.train_epoch, model=model, loss=loss, tx=tx, batch_size=4)
    programs = lowered(epoch, jax.random.key(1), state, batch)
    assert set(programs) == set(PLATFORMS)
    assert all("stablehlo.while" in program for program in programs.values())  # an epoch is one loop on the device


def test_what_a_platform_lacks_is_noticed() -> None:
    def of_a_cpu(x: jax.Array) -> jax.Array:
        return jax.lax.linalg.eig(x)[0]

    with pytest.raises(NotImplementedError, match="tpu"):
        lowered(of_a_cpu, jnp.eye(3), platforms=("tpu",))
