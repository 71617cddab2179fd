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

CLIPPING = (
    "torch's clip_grad_norm_ scales by max_norm / (norm + 1e-6), optax.clip_by_global_norm by max_norm / norm; "
    "with 1e-6 added to optax's norm, both agree"
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


@contextmanager
def torchs_clipping() -> Iterator[None]:
    """While active, programs that are traced clip norms as torch does, which adds 1e-6 to them."""
    norm = optax.tree.norm
    with mock.patch.object(optax.tree, "norm", lambda tree, *args, **kwargs: norm(tree, *args, **kwargs) + 1e-6):
        yield


def corrects_bias(tx: optax.GradientTransformation, params: Any) -> bool:
    """Whether a transformation corrects a bias at all."""
    return _uses(tx, params, "bias_correction")


def clips_by_norm(tx: optax.GradientTransformation, params: Any) -> bool:
    """Whether a transformation takes the norm of all gradients."""
    return _uses(tx, params, "norm")


def _uses(tx: optax.GradientTransformation, params: Any, function: str) -> bool:
    """Whether a transformation calls a function of `optax.tree`."""
    noted = mock.Mock(wraps=getattr(optax.tree, function))
    with mock.patch.object(optax.tree, function, noted), jax.numpy_dtype_promotion("standard"):
        jax.eval_shape(lambda params: tx.update(params, tx.init(params), params), params)
    return noted.called
