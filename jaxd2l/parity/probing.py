"""Other inputs and weights for both sides, where several causes match on the batch that was given."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
import torch

from jaxd2l.parity import jax_side
from jaxd2l.parity.quantities import Values
from jaxd2l.parity.sides import Sides
from jaxd2l.parity.torch_side import TorchSide, copied, outputs_of, set_parameters
from jaxd2l.parity.trials import Target, target

Probe = Callable[[], tuple[TorchSide, Mapping[str, Target]]]


def probes(sides: Sides) -> Iterator[Probe]:
    """Inputs and weights changed; then the inputs alone, for a port that has weights of its own."""
    compute = jax_side.outputs_evaluator(sides.ours)
    for with_weights in (True, False):

        def probe(with_weights: bool = with_weights) -> tuple[TorchSide, Mapping[str, Target]]:
            weights = _other_weights(sides) if with_weights else sides.start
            module = copied(sides.double.module)
            set_parameters(module, weights)
            theirs = sides.double._replace(module=module, samples=_other_inputs(sides.double.samples))
            ours = compute(weights, _other_inputs(sides.ours.samples)[0].call)
            exact = outputs_of(theirs)
            return theirs, {name: target(value, exact[name], np.abs(exact[name])) for name, value in ours.items()}

        yield probe


def _other_weights(sides: Sides) -> Values:
    random = np.random.default_rng([sides.seed, 0xCA5E])

    def other(value: np.ndarray) -> np.ndarray:
        moved = value * np.exp(0.3 * random.normal(size=value.shape))
        return moved if (value >= 0).all() and value.any() else moved + 0.1 * random.normal(size=value.shape)

    return {name: np.asarray(other(value), value.dtype) for name, value in sides.start.items()}


def _other_inputs(samples: Any) -> Any:
    """Each number by a function of itself: so that both sides get the same, in whatever layout they have it."""
    return jax.tree.map(lambda x: _other(x) if _is_float(x) else x, samples[:1])


def _other(x: Any) -> Any:
    return 3 * x + (torch.sin if isinstance(x, torch.Tensor) else np.sin)(7 * x + 1)  # far enough for relu6


def _is_float(x: Any) -> bool:
    return x.is_floating_point() if hasattr(x, "is_floating_point") else x.dtype.kind == "f"
