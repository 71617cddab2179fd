"""Stochastic gradient descent with PyTorch's semantics, as an optax transformation (D2L 3.4.4, 3.5.4, 3.7)."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool

from jaxd2l._checks.numbers import is_traced, require_between, require_flags, require_real
from jaxd2l.optim._descent import Number, is_zero

__all__ = ["sgd"]


def sgd(
    learning_rate: Number | optax.Schedule,
    *,
    momentum: Number = 0.0,
    dampening: Number = 0.0,
    weight_decay: Number = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
    weight_decay_mask: Any | Callable[[optax.Params], Any] | None = None,
) -> optax.GradientTransformation:
    """What `torch.optim.SGD` does, step for step.

        g = grad (or -grad to maximise) + weight_decay * p
        b = g                                     at the first step
        b = momentum * b + (1 - dampening) * g    after it
        p = p - learning_rate * (g + momentum * b if nesterov else b)

    With a learning rate alone this is plain `optax.sgd`, p - learning_rate * grad. All parts are optax's except
    dampening, which optax lacks and which has no effect without momentum. As in torch, decay acts on every
    parameter, biases included; `weight_decay_mask=kernels` limits it to weights, as in the book. D2L 3.4.4, 3.7.

    Args:
      learning_rate: a number, or a schedule `step -> number`.
      momentum: fraction of the old buffer that is kept.
      dampening: fraction of the gradient that is held back from the buffer.
      weight_decay: factor of the L2 penalty `weight_decay / 2 ||p||^2`.
      nesterov: look ahead; needs momentum and no dampening.
      maximize: climb instead of descend.
      weight_decay_mask: which parameters decay: a pytree of booleans of their structure, or a function of the
        parameters that returns one.

    Raises:
      TypeError: an option that is not a real number, or not a bool.
      ValueError: NaN, a negative number (dampening may be negative), or nesterov without momentum or with
        dampening. Numbers traced under `jit` or `vmap` have no values to check, and pass.

    >>> tx = sgd(0.5, momentum=0.5)
    >>> params, state = jnp.array(1.0), tx.init(jnp.array(1.0))
    >>> for _ in range(3):  # on p^2 / 2, whose gradient is p
    ...     updates, state = tx.update(params, state, params)
    ...     params = optax.apply_updates(params, updates)
    >>> params
    Array(-0.25, dtype=float32)
    """
    require_flags(nesterov=nesterov, maximize=maximize)
    _require_sane(learning_rate, momentum, dampening, weight_decay, nesterov)
    parts = []
    if maximize:
        parts.append(optax.scale(-1.0))
    if not is_zero(weight_decay):
        parts.append(optax.add_decayed_weights(weight_decay, weight_decay_mask))
    if not is_zero(momentum):
        parts.append(optax.trace(momentum, nesterov) if is_zero(dampening) else _dampened_trace(momentum, dampening))
    return optax.chain(*parts, optax.scale_by_learning_rate(learning_rate))


class _DampenedTraceState(NamedTuple):
    trace: Any
    is_first: Bool[Array, ""]


def _dampened_trace(momentum: Number, dampening: Number) -> optax.GradientTransformation:
    """`optax.trace`, but every gradient after the first enters dampened."""

    def init(params: optax.Params) -> _DampenedTraceState:
        return _DampenedTraceState(jax.tree.map(jnp.zeros_like, params), jnp.array(True))

    def update(
        updates: optax.Updates, state: _DampenedTraceState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, _DampenedTraceState]:
        del params
        # torch dampens only what it adds to a buffer; without momentum, which may be traced, it keeps no buffer.
        share = jnp.where(state.is_first | (jnp.asarray(momentum) == 0), 1.0, 1.0 - dampening)
        trace = jax.tree.map(lambda g, b: momentum * b + share.astype(g.dtype) * g, updates, state.trace)
        return trace, _DampenedTraceState(trace, jnp.array(False))

    return optax.GradientTransformation(init, update)


def _require_sane(
    learning_rate: Number | optax.Schedule,
    momentum: Number,
    dampening: Number,
    weight_decay: Number,
    nesterov: bool,
) -> None:
    rate = {} if callable(learning_rate) else {"learning_rate": learning_rate}
    require_between(0, math.inf, momentum=momentum, weight_decay=weight_decay, **rate)
    require_real(dampening=dampening)
    if not is_traced(dampening) and math.isnan(dampening):  # negative is fine, as in torch
        raise ValueError("dampening must not be NaN")
    if nesterov and (is_zero(momentum) or not is_zero(dampening)):
        raise ValueError(
            f"nesterov needs momentum > 0 and dampening = 0, got momentum={momentum}, dampening={dampening}"
        )
