"""The suite switches float64 on inside one process: it must give what a float64 process gives, and leave no trace."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l import activations, losses
from jaxd2l.parity.suite.comparing import jax_results

PROGRAM = """
import jax, jax.numpy as jnp, numpy as np
from jaxd2l import activations, losses
x = jnp.array(np.linspace(-3, 3, 12).reshape(4, 3))
loss = lambda x: losses.cross_entropy(activations.gelu(x), np.int32([0, 1, 2, 0]), label_smoothing=0.1)
value, gradient = jax.value_and_grad(loss)(x)
print([v.hex() for v in np.append(gradient, value).tolist()])
"""


def loss(x):
    return losses.cross_entropy(activations.gelu(x), np.int32([0, 1, 2, 0]), label_smoothing=0.1)


def test_same_bits_as_a_process_of_its_own():
    x = np.linspace(-3, 3, 12).reshape(4, 3)
    value, gradient = jax_results(loss, [x], np.array(1.0), np.float64)
    environment = os.environ | {"JAX_ENABLE_X64": "1"}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment, timeout=240
    )
    assert result.stdout.strip() == str([v.hex() for v in np.append(gradient, value).tolist()])


def test_nothing_is_left_behind():
    """A function compiled in one precision must not be taken for the other."""
    compiled = jax.jit(activations.softmax)
    x = np.linspace(-3, 3, 5)
    dtypes = []
    for wide in (False, True, False, True):
        with jax.enable_x64(wide):
            dtypes.append(compiled(jnp.array(x)).dtype)
    assert dtypes == [np.float32, np.float64, np.float32, np.float64]
    assert jnp.array(x).dtype == np.float32
