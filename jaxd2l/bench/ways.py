"""The ways in which an epoch is run and timed: four of JAX's, three of torch's, and the book's.

Naming a way imports no torch; only preparing one of torch's does.
"""

from functools import partial
from importlib.util import find_spec

from jaxd2l.bench import jax_ways
from jaxd2l.bench.cases import Case, Loop, Way


def _in_torch(case: Case, *, compiled: bool = False, autocast: bool = False) -> Loop:
    from jaxd2l.bench import torch_ways

    return torch_ways.in_memory(case, compiled=compiled, autocast=autocast)


def _as_the_book(case: Case) -> Loop:
    from jaxd2l.bench import torch_ways

    return torch_ways.as_the_book(case)


JAX_OPS = Way("JAX op by op", "JAX", "float32", partial(jax_ways.by_steps, compiled=False))
JAX_STEP = Way("JAX, compiled step", "JAX", "float32", partial(jax_ways.by_steps, compiled=True))
JAX_EPOCH = Way("JAX, compiled epoch", "JAX", "float32", partial(jax_ways.by_epochs, precision="float32"))
JAX_BFLOAT16 = Way(
    "JAX, compiled epoch, bfloat16", "JAX", "bfloat16", partial(jax_ways.by_epochs, precision="bfloat16")
)
TORCH_EAGER = Way("torch eager", "torch", "float32", _in_torch)
TORCH_COMPILED = Way("torch.compile", "torch", "float32", partial(_in_torch, compiled=True))
TORCH_BFLOAT16 = Way("torch autocast bfloat16", "torch", "bfloat16", partial(_in_torch, autocast=True))
BOOK = Way("the book's way", "the book", "float32", _as_the_book)

WAYS = (JAX_OPS, JAX_STEP, JAX_EPOCH, JAX_BFLOAT16, TORCH_EAGER, TORCH_COMPILED, TORCH_BFLOAT16, BOOK)

OF_NETWORKS = (JAX_STEP, JAX_EPOCH, TORCH_EAGER, TORCH_COMPILED)
"""Those that compute in float32 and do not need hours for a network of images."""

REFERENCE = JAX_EPOCH
"""The way that `train.fit` goes. All others must compute the same, and are compared with its times."""


def available() -> tuple[Way, ...]:
    """The ways that run here: torch's need torch, and `torch.compile` on a CPU needs a C++ compiler."""
    if find_spec("torch") is None:
        return tuple(way for way in WAYS if way.family == "JAX")
    from jaxd2l.bench import torch_ways

    return tuple(way for way in WAYS if way != TORCH_COMPILED or torch_ways.can_compile())
