"""Where optax itself is less accurate than torch. It is real, it is not the port's doing, so it has a name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax

BIAS_CORRECTION = (
    "optax corrects Adam's bias by 1 - b^t in float32, which cancels (1.3e-5 off at the first step); "
    "with -expm1(t log b), as accurate as torch's, both agree"
)


@contextmanager
def accurate_bias_correction() -> Iterator[None]:
    """While active, programs that are traced correct Adam's bias without cancellation."""

    def corrected(moment: Any, decay: Any, count: Any) -> Any:
        def divided(x: Any) -> Any:
            log = np.log(decay) if isinstance(decay, int | float) else jnp.log(decay)
            return x / -jnp.expm1(jnp.asarray(count, x.dtype) * jnp.asarray(log, x.dtype))

        return jax.tree.map(divided, moment)

    with mock.patch.object(optax.tree, "bias_correction", corrected):
        yield


def corrects_bias(tx: optax.GradientTransformation, params: Any) -> bool:
    """Whether a transformation corrects a bias at all."""
    called = []

    def noted(moment: Any, decay: Any, count: Any) -> Any:
        called.append(decay)
        return moment

    with mock.patch.object(optax.tree, "bias_correction", noted):
        jax.eval_shape(lambda params: tx.update(params, tx.init(params), params), params)
    return bool(called)
