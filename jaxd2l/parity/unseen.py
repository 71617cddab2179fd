"""What a check did not look at. A silent pass would be worse than a failure."""

from collections.abc import Iterator

import numpy as np
import torch

from jaxd2l.parity.sides import Sides


def unseen(module: torch.nn.Module, sides: Sides, mode: str) -> tuple[str, ...]:
    """A sentence for each thing that this check leaves open, most important first.

    Args:
      module: torch's module, as the caller has it.
      sides: what is compared.
      mode: "eval" or "train".
    """
    return (*_outputs(sides), *_mode(module, mode), *_buffers(sides, mode), *_gradients(sides))


def _outputs(sides: Sides) -> Iterator[str]:
    if zero := [name for name, x in sides.outputs.items() if x.size and not x.any()]:
        yield f"torch gives nothing but 0 here, so a port that gets all before it wrong may agree: {_few(zero)}"


def _mode(module: torch.nn.Module, mode: str) -> Iterator[str]:
    if mode == "train":
        return
    kinds = {"batch statistics": _is_batch_norm, "dropout": _is_dropout}
    for what, is_kind in kinds.items():
        names = [name or "the module" for name, m in module.named_modules() if is_kind(m)]
        if names:
            yield f"evaluation mode: {what} ({_few(names)}) not compared; mode='train' compares them"


def _buffers(sides: Sides, mode: str) -> Iterator[str]:
    taken = {source for pair in sides.ours.weights.pairs for source in [pair.torch]}
    statistics = [n for n in sides.start if n.rpartition(".")[2] in ("running_mean", "running_var")]
    lost = [name for name in statistics if not any(name in text for text in taken)]
    if lost:
        yield f"running averages without a place in the JAX model, not compared: {_few(lost)}"
    fresh = {"running_mean": 0.0, "running_var": 1.0}
    neutral = [n for n in statistics if np.all(sides.start[n] == fresh[n.rpartition(".")[2]])]
    if neutral and mode == "eval":
        yield f"running averages are 0 and 1 as in a new module, so a port that ignores them agrees: {_few(neutral)}"


def _gradients(sides: Sides) -> Iterator[str]:
    frozen = [n for n, p in sides.double.module.named_parameters() if not p.requires_grad]
    if frozen:
        yield f"torch does not train these, so they have no gradient to compare: {_few(frozen)}"


def _is_batch_norm(module: torch.nn.Module) -> bool:
    return isinstance(module, torch.nn.modules.batchnorm._NormBase) and (
        module.track_running_stats or isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
    )


def _is_dropout(module: torch.nn.Module) -> bool:
    is_layer = isinstance(module, torch.nn.modules.dropout._DropoutNd)
    return bool(module.p if is_layer else getattr(module, "dropout", 0.0) and isinstance(module.dropout, float))


def _few(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
