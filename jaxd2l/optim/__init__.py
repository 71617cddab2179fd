"""PyTorch's optimisers as optax transformations, option for option (D2L 3.4, 3.5, 3.7, 12.4 to 12.10).

Each takes the very steps that its namesake in `torch.optim` takes; where optax's differs, the docstring says how.
Rates may be schedules, of `jaxd2l.schedules` or of optax. Groups of parameters with options of their own, torch's
`param_groups`, are optax's `partition`:

>>> import jax, optax
>>> import jax.numpy as jnp
>>> params = {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}
>>> groups = {True: adamw(1e-3, weight_decay=0.1), False: adamw(1e-3, weight_decay=0.0)}
>>> tx = optax.partition(groups, kernels)  # biases do not decay
>>> updates, _ = tx.update(jax.tree.map(jnp.zeros_like, params), tx.init(params), params)
>>> {name: f"{update.max():.4f}" for name, update in updates.items()}
{'bias': '-0.0000', 'kernel': '-0.0001'}
"""

from jaxd2l.optim._adagrad import adadelta, adagrad, rmsprop
from jaxd2l.optim._adam import adam, adamax, adamw, yogi
from jaxd2l.optim._choice import one_of
from jaxd2l.optim._clipping import clip_grad_norm, clip_grad_value
from jaxd2l.optim._descent import kernels
from jaxd2l.optim._nadam import nadam, radam
from jaxd2l.optim._rprop import rprop
from jaxd2l.optim._sgd import sgd

__all__ = [
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "clip_grad_norm",
    "clip_grad_value",
    "kernels",
    "nadam",
    "one_of",
    "radam",
    "rmsprop",
    "rprop",
    "sgd",
    "yogi",
]


def __dir__() -> list[str]:
    return __all__
