"""What changes gradients and no values: where they are cut off, and where they are passed through."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812
from torch.utils._pytree import tree_map

from jaxd2l.parity.replacements.sites import Candidate, Program, Site, bound, instead

_STEPS = frozenset("round floor ceil trunc sign heaviside gt ge lt le argmax where hardtanh clamp bernoulli".split())  # noqa: SIM905


def gradients(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried where values agree and gradients do not."""
    y = site.output
    if site.name in ("detach", "detach_") and not _is_straight_through(site, program):
        yield instead(site, "detach is missing: JAX has no stop_gradient", lambda x: x * 1)
        return
    if site.name == "embedding":
        padding = site.named["padding_idx"]
        if padding is not None:
            hint = f"padding_idx: JAX has a gradient for row {padding}, torch none"
            yield instead(site, hint, lambda *a, **k: F.embedding(*_ids_and_table(site, a, k)))
        rows = len(site.named["weight"])
        for index in (0, 1, rows - 1):
            if index != padding:
                hint = f"padding_idx: JAX has no gradient for row {index}, torch has"
                yield instead(
                    site, hint, lambda *a, _i=index, **k: F.embedding(*_ids_and_table(site, a, k), padding_idx=_i)
                )
        if site.named["scale_grad_by_freq"]:
            hint = "scale_grad_by_freq is missing in JAX"
            yield instead(site, hint, lambda *a, **k: F.embedding(*_ids_and_table(site, a, k)))
    if not isinstance(y, torch.Tensor) or not y.is_floating_point():
        return
    same = isinstance(site.x, torch.Tensor) and site.x.shape == y.shape and site.x.is_floating_point()
    if site.name in _STEPS and same:
        hint = f"straight-through: JAX passes the gradient through {site.name}, torch not"
        yield instead(site, hint, lambda x, *a, **k: x + (site.function(x, *a, **k) - x).detach())
    if site.name == "add" and any(_is_straight_through(one, program) for one in program.before(site, 1)):
        hint = "straight-through is missing: JAX has the plain function, whose gradient is 0"
        yield instead(site, hint, lambda *a, **k: site.function(*a, **k).detach())
    if y.requires_grad:
        hint = f"stop_gradient: JAX cuts the gradient off after {site.name}"
        yield instead(site, hint, lambda *a, **k: _detached(site.function(*a, **k)), 1)
        hint = f"stop_gradient: JAX cuts the gradient off before {site.name}"
        yield instead(site, hint, lambda x, *a, **k: site.function(_detached(x), *a, **k), 1)
        hint = f"gradient reversed: JAX has the other sign behind {site.name}"
        yield instead(site, hint, lambda *a, **k: _turned(site.function(*a, **k)), 1)


def _is_straight_through(site: Site, program: Program) -> bool:
    """Whether it is the detached difference of `x + (f(x) - x).detach()`."""
    is_difference = any(one.name == "sub" for one in program.before(site, 1))
    return site.name == "detach" and is_difference and any(one.name == "add" for one in program.after(site))


def _ids_and_table(site: Site, args: Any, kwargs: Any) -> tuple[Any, Any]:
    given = bound(site.function, site.name, args, kwargs)
    return given["input"], given["weight"]


def _detached(output: Any) -> Any:
    return tree_map(lambda x: x.detach() if isinstance(x, torch.Tensor) else x, output)


def _turned(output: torch.Tensor) -> torch.Tensor:
    return 2 * output.detach() - output
