"""Weight normalisation, `w = g v / ||v||`, with an eps, another norm, or a part of it left out."""

from collections.abc import Iterator
from typing import Any

import torch

from jaxd2l.parity.replacements.norms import EPSILONS
from jaxd2l.parity.replacements.sites import Candidate, Program, Site, instead


def weight_norms(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on torch's weight normalisation, which has no eps."""
    if site.name == "weight_norm":
        yield instead(site, "weight_norm is missing: JAX uses v as it is", lambda v, *args, **kwargs: v)
        yield instead(site, "weight_norm: JAX does not multiply by g", lambda v, g, dim=0: v / _norm(v, dim))
        yield instead(site, "weight_norm: JAX does not divide by the norm of v", lambda v, g, dim=0: g * v)
        hint = "weight_norm: JAX divides by the square of the norm of v"
        yield instead(site, hint, lambda v, g, dim=0: g * v / _norm(v, dim) ** 2)
        for axis in (axis for axis in range(site.args[0].dim()) if axis != _axis(site)):
            hint = f"weight_norm: JAX takes the norm for each index of axis {axis} of v, torch for axis {_axis(site)}"
            yield instead(site, hint, lambda v, g, dim=0, _axis=axis: g * v / _norm(v, _axis))
        yield instead(site, "weight_norm: JAX takes one norm of all of v", lambda v, g, dim=0: g * v / v.norm())
        for eps in (eps for eps in EPSILONS if eps):
            hint = f"eps: JAX adds {eps:g} to the squared norm in weight_norm, torch adds nothing"
            yield instead(site, hint, lambda v, g, dim=0, _eps=eps: g * v / (_norm(v, dim) ** 2 + _eps).sqrt())
            hint = f"eps: JAX adds {eps:g} to the norm in weight_norm, torch adds nothing"
            yield instead(site, hint, lambda v, g, dim=0, _eps=eps: g * v / (_norm(v, dim) + _eps))


def _axis(site: Site) -> int:
    args: tuple[Any, ...] = site.args
    axis: int = args[2] if len(args) > 2 else site.kwargs.get("dim", 0)
    return axis % args[0].dim() if axis != -1 else axis


def _norm(v: torch.Tensor, dim: int) -> torch.Tensor:
    """Over all axes but `dim`; over all of them for -1, as torch has it."""
    axes = [axis for axis in range(v.dim()) if dim == -1 or axis != dim]
    return (v * v).sum(axes, keepdim=True).sqrt()
