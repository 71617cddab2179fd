"""The programs that `parity.check` compiles lower for devices that are not at hand: CUDA, ROCm and TPU."""

import numpy as np
import optax
import pytest
import torch
from jax import export

from jaxd2l import losses, models
from jaxd2l.parity import jax_side, jax_training
from jaxd2l.parity.sides import Question, both_sides


@pytest.fixture(scope="module")
def sides():
    batch = np.ones((4, 6), np.float32), np.zeros(4, np.int32)
    net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
    question = Question(batch, loss=(torch.nn.functional.cross_entropy, losses.cross_entropy))
    return both_sides(net, models.mlp(6, 4, 3), question)


@pytest.mark.parametrize("platform", ["cuda", "rocm", "tpu"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_and_a_training_step_lower(sides, platform: str, dtype: type) -> None:
    ours, tx = sides.ours, optax.adam(0.1)
    with jax_side.precision(dtype):
        arrays, call = jax_side.cast(sides.start, dtype), jax_side.at(ours, dtype)
        values = jax_side.compiled(dtype, jax_side.jax_values(ours, sides.outputs))
        variables = ours.weights.variables(arrays)
        step = jax_training.step_program(ours, tx, dtype)
        for program, args in ((values, (arrays, call)), (step, (variables, tx.init(variables), call))):
            lowered = export.export(program, platforms=[platform])(*args)
            assert lowered.platforms == (platform,)
            dots = [line for line in lowered.mlir_module().splitlines() if "stablehlo.dot_general" in line]
            assert dots
            assert all("HIGHEST" in line for line in dots)  # a GPU or a TPU would round to fewer digits
