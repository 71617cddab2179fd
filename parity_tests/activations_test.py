"""Activations (D2L 5.1) against torch; and how many ULPs the functions under them may be off, over all of float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxd2l import activations
from jaxd2l.parity.rule import require
from jaxd2l.parity.suite import activations as suite
from jaxd2l.parity.suite import compare, named

PATTERNS = np.arange(0, 2**32, 9970, dtype=np.uint64).astype(np.uint32).view(np.float32)
"""Float32 numbers of every sign and exponent: each 9970th bit pattern, 430,000 of them."""

# Largest errors in ULPs of torch and of JAX, as measured over each 997th bit pattern and rounded up. Neither may get
# worse unnoticed. torch's depend on the processor: its log is off by .53 on an Intel Xeon, by .83 on an AMD EPYC.
CEILINGS = {
    "exp": (torch.exp, jnp.exp, 0.57, 4.52),
    "log": (torch.log, jnp.log, 0.83, 1.17),
    "log1p": (torch.log1p, jnp.log1p, 1.0, 2.43),
    "expm1": (torch.expm1, jnp.expm1, 1.0, 5.67),
    "sigmoid": (torch.sigmoid, activations.sigmoid, 2.2, 2.2),
    "tanh": (torch.tanh, activations.tanh, 0.57, 4.18),
    "erf": (torch.erf, jax.scipy.special.erf, 1.0, 4.94),
    "softplus": (torch.nn.functional.softplus, jax.nn.softplus, 1.45, 2.90),
}


@pytest.mark.parametrize("case", named(*suite.ELEMENTWISE, "prelu"), ids=lambda case: case.name)
@pytest.mark.parametrize("seed", range(3))
def test_suite(case, seed):
    require(case.run(seed))


@pytest.mark.parametrize("name", suite.ELEMENTWISE)
@given(hnp.arrays(np.float32, 7, elements=st.floats(-100, 100, width=32, allow_subnormal=False)))
def test_any_numbers(name, x):
    require(compare(name, suite.ELEMENTWISE[name], [x], seed=0))


@pytest.mark.parametrize("name", suite.ELEMENTWISE)
def test_compiled(name):
    x = 3 * np.random.default_rng(0).standard_normal(1000)
    require(compare(name, suite.ELEMENTWISE[name], [x], seed=0, jit=True))


@pytest.mark.parametrize("name", CEILINGS)
def test_ulp_ceilings(name):
    theirs, ours, torch_ceiling, jax_ceiling = CEILINGS[name]
    x = torch.tensor(PATTERNS)
    oracle = theirs(x.double()).numpy()
    assert ulps(theirs(x).numpy(), oracle) <= torch_ceiling
    assert ulps(np.array(ours(jnp.array(PATTERNS))), oracle) <= jax_ceiling


def ulps(values: np.ndarray, oracle: np.ndarray) -> float:
    """Largest distance to the oracle, in gaps between float32 numbers there; NaN and inf must stand where it has them.

    Subnormal arguments and results are left out: XLA flushes them to zero.
    """
    smallest = np.finfo(np.float32).smallest_normal
    with np.errstate(all="ignore"):
        rounded = np.float32(oracle)
        normal = ~(np.abs(PATTERNS) < smallest)
        np.testing.assert_array_equal(np.isnan(values[normal]), np.isnan(rounded[normal]))
        counted = normal & np.isfinite(rounded) & (np.abs(rounded) >= smallest)
        return float(np.max(np.abs(values - oracle)[counted] / np.spacing(np.abs(rounded[counted]))))
