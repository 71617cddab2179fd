"""The optimiser and the schedule of its learning rate that the options of `train` and `sweep` describe."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxd2l import optim
from jaxd2l.cli.setups import DECAYS, Settings, Setup

_STEP_AT, _STEP_BY = (0.5, 0.75), 0.1


def make_tx(settings: Settings, steps: int) -> Callable[..., optax.GradientTransformation]:
    """A function of `learning_rate` and `weight_decay`, which may be traced numbers, that makes the optimiser.

    Only weights decay, not biases, as in the book.

    Args:
      settings: all but the learning rate and the decay are taken from here.
      steps: how many steps an epoch has.

    Raises:
      ValueError: options that do not suit each other.
    """
    _require_suitable(settings)
    given = {"momentum": settings.momentum, "nesterov": settings.nesterov}
    options = {name: value for name, value in given.items() if value}

    def make(learning_rate: Any = settings.lr, weight_decay: Any = settings.weight_decay) -> Any:
        rate = scheduled(learning_rate, settings, steps)
        decay = {"weight_decay": weight_decay, "weight_decay_mask": optim.kernels}
        return getattr(optim, settings.optimizer)(rate, **({} if settings.optimizer == "rprop" else decay), **options)

    return make


def make_any(names: Sequence[str], settings: Settings, steps: int) -> Callable[..., optax.GradientTransformation]:
    """As `make_tx`, with an argument more: the number of the optimiser, which may be traced, among these."""
    own = (settings._replace(optimizer=name, weight_decay=DECAYS.get(name, 0.0)) for name in names)
    makers = [make_tx(one, steps) for one in own]

    def make(optimizer: Any, **point: Any) -> optax.GradientTransformation:
        return optim.one_of(optimizer, [maker(**point) for maker in makers])

    return make


def steps_per_epoch(setup: Setup) -> int:
    """The last short batch is a step, too."""
    return -(-len(setup.dataset.train.inputs) // setup.settings.batch_size)


def scheduled(learning_rate: Any, settings: Settings, steps: int) -> Any:
    """The learning rate itself if it is constant, else a function of the number of steps taken.

    warm-up: a straight line from 0 over the first epochs.
    cosine: from the learning rate to 0 over all that follow.
    step: a tenth of it after half of them, a hundredth after three quarters.
    """
    warm, total = settings.warmup * steps, settings.epochs * steps
    if settings.schedule == "constant" and not warm:
        return learning_rate

    def rate(count: Any) -> Array:
        done = jnp.clip((count - warm) / max(total - warm, 1), 0.0, 1.0).astype(jnp.float32)
        factor = jnp.float32(1)
        if settings.schedule == "cosine":
            factor = 0.5 * (1 + jnp.cos(jnp.pi * done))
        elif settings.schedule == "step":
            passed = sum((done >= share).astype(jnp.float32) for share in _STEP_AT)
            factor = jnp.float32(_STEP_BY) ** passed
        rising = jnp.minimum((count + 1) / warm, 1.0).astype(jnp.float32) if warm else jnp.float32(1)
        return learning_rate * rising * factor

    return rate


def _require_suitable(settings: Settings) -> None:
    if settings.momentum and settings.optimizer not in ("sgd", "rmsprop"):
        raise ValueError(f"--momentum is for sgd and rmsprop; {settings.optimizer} has moments of its own")
    if settings.nesterov and (settings.optimizer != "sgd" or not settings.momentum):
        raise ValueError("--nesterov looks ahead along the momentum of sgd: give --momentum, such as 0.9")
    if settings.optimizer == "rprop" and (settings.schedule != "constant" or settings.warmup):
        raise ValueError("rprop adapts its own steps: leave out --schedule and --warmup")
    if settings.weight_decay and settings.optimizer == "rprop":
        raise ValueError("rprop looks at the signs of gradients alone: there is no --weight-decay for it")
    if settings.warmup >= settings.epochs:
        raise ValueError(f"--warmup {settings.warmup} leaves nothing of --epochs {settings.epochs}; give fewer")
