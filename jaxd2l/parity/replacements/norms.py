"""Another eps, another variance, or another gain in one of torch's norms."""

from collections.abc import Iterator
from typing import Any

import torch

from jaxd2l.parity.replacements.norm_statistics import grouped, running, scaled
from jaxd2l.parity.replacements.sites import Candidate, Change, Program, Site, bound, instead, with_options

EPSILONS = (1e-6, 1e-5, 1e-3, 1e-8, 1e-12, 1e-7, 1e-4, 1e-2, 0.0, 1e-10, 1e-9, 1e-1, 1.0, 2e-5,
             2.220446049250313e-16, 1.1920928955078125e-07)  # fmt: skip
"""The values of eps that libraries have as defaults, and those that people write."""
_NORMS = frozenset(("layer_norm", "group_norm", "batch_norm", "instance_norm", "rms_norm"))


def norms(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on one of torch's norms."""
    if site.name in _NORMS:
        yield from _eps(site)
        yield from _statistics(site)
        yield from _gain(site)
        yield instead(site, f"{site.name} is missing", lambda x, *args, **kwargs: x, 2)
        if site.name in ("group_norm", "batch_norm"):
            yield from grouped(site)
        if site.name == "batch_norm":
            yield from running(site)


def _eps(site: Site) -> Iterator[Candidate]:
    theirs = site.named["eps"]
    for eps in EPSILONS:
        if eps != theirs:
            hint = f"wrong eps: matches with eps={eps:g} in the normalisation, torch has {theirs or 'its smallest'}"
            yield instead(site, hint, with_options(site, eps=eps))


def _statistics(site: Site) -> Iterator[Candidate]:
    """The norm by its formula, with another variance or without the mean."""
    is_fixed = site.name == "batch_norm" and not site.named["training"]
    for correction, root, centred, hint in (
        (1, "inside", True, "biased variance in torch: JAX divides by n-1 (ddof=1)"),
        (0, "outside", True, "eps outside the root: JAX adds it to the standard deviation, torch to the variance"),
        (1, "outside", True, "JAX divides by std + eps with n-1 (ddof=1), torch by sqrt(var + eps)"),
        (0, "largest", True, "eps: JAX takes max(var, eps), torch var + eps"),
        (0, "inside", None, _MEAN[site.name == "rms_norm"]),
        (0, "inside", False, "JAX divides by the standard deviation and does not subtract the mean"),
        (0, "none", True, "JAX divides by the variance, not by its root: sqrt is missing"),
        (0, "no division", True, "JAX subtracts the mean and does not divide by the standard deviation"),
        (0, "twice", True, "JAX divides by the root of the standard deviation: sqrt twice"),
    ):
        if is_fixed and root not in ("outside", "largest", "no division"):
            continue  # what is done to running averages is tried by itself
        change = _by_formula(site, correction=correction, root=root, centred=centred)
        yield instead(site, f"{site.name}: {hint}", change)


_MEAN = ("JAX does not subtract the mean, as in RMSNorm", "JAX subtracts the mean, as in LayerNorm")


def _by_formula(site: Site, *, correction: int = 0, root: str = "inside", centred: bool | None = True) -> Change:
    def change(*args: Any, **kwargs: Any) -> torch.Tensor:
        given = bound(site.function, site.name, args, kwargs)
        x = given["input"]
        eps = given["eps"] if given["eps"] is not None else torch.finfo(x.dtype).eps
        y, axes = _folded(site.name, given)
        if site.name == "batch_norm" and not given["training"]:
            shape = [1, -1, *[1] * (x.dim() - 2)]
            mean, var = given["running_mean"].view(shape), given["running_var"].view(shape)
            y = x
        elif site.name == "rms_norm":
            mean, var = torch.zeros_like(y), (y * y).mean(axes, keepdim=True)
            if centred is None:
                mean, var = y.mean(axes, keepdim=True), y.var(axes, correction=0, keepdim=True)
                y = y - mean
        else:
            mean, var = y.mean(axes, keepdim=True), y.var(axes, correction=correction, keepdim=True)
            var = (y * y).mean(axes, keepdim=True) if centred is None else var
        roots = {
            "inside": lambda: (var + eps).sqrt(),
            "outside": lambda: var.sqrt() + eps,
            "largest": lambda: var.clamp_min(eps).sqrt(),
            "none": lambda: var + eps,
            "twice": lambda: (var.sqrt() + eps).sqrt(),
            "no division": lambda: torch.ones_like(var),
        }
        out = (y - mean if centred else y) / roots[root]()
        return scaled(site.name, out.reshape(x.shape), given)

    return change


def _folded(name: str, given: dict[str, Any]) -> tuple[torch.Tensor, tuple[int, ...]]:
    """The input in a shape, and the axes over which the norm takes its statistics there."""
    x = given["input"]
    if name in ("layer_norm", "rms_norm"):
        return x, tuple(range(x.dim() - len(given["normalized_shape"]), x.dim()))
    if name == "group_norm":
        y = x.reshape(x.shape[0], given["num_groups"], -1)
        return y, (2,)
    return x, tuple(range(2, x.dim())) if name == "instance_norm" else (0, *range(2, x.dim()))


def _gain(site: Site) -> Iterator[Candidate]:
    if site.named.get("weight") is None:
        return
    for hint, function in (
        ("scale: JAX multiplies by 1 + weight, torch by the weight", lambda w: 1 + w),
        ("scale is missing: JAX does not multiply by the weight", torch.ones_like),
        ("scale: JAX multiplies by weight - 1", lambda w: w - 1),
        ("scale: JAX multiplies by exp(weight)", torch.exp),
    ):

        def change(*a: Any, _f: Any = function, **k: Any) -> Any:
            return _with_weight(site, _f, a, k)

        yield instead(site, f"{hint} in {site.name}", change)
    if site.named.get("bias") is not None:
        hint = f"scale and bias of {site.name} are exchanged in JAX"

        def exchanged(*args: Any, **kwargs: Any) -> Any:
            given = bound(site.function, site.name, args, kwargs)
            return site.function(**given | {"weight": given["bias"], "bias": given["weight"]})

        yield instead(site, hint, exchanged)
        hint = f"bias before scale: JAX computes (x + bias) * scale in {site.name}"
        yield instead(site, hint, lambda *a, **k: _bias_first(site, bound(site.function, site.name, a, k)))
        hint = f"bias of {site.name} is missing"
        yield instead(site, hint, with_options(site, bias=None))
        hint = f"scale and bias of {site.name} are missing"
        yield instead(site, hint, with_options(site, bias=None, weight=None))


def _bias_first(site: Site, given: dict[str, Any]) -> torch.Tensor:
    plain = site.function(**given | {"weight": None, "bias": None})
    shifted = scaled(site.name, plain, {"bias": given["bias"]})
    return scaled(site.name, shifted, {"weight": given["weight"]})


def _with_weight(site: Site, function: Any, args: Any, kwargs: Any) -> Any:
    given = bound(site.function, site.name, args, kwargs)
    return site.function(**given | {"weight": function(given["weight"])})
