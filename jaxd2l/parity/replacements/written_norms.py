"""Norms that are written out: eps under a root, n or n - 1, lengths; known by what stands around them."""

from collections.abc import Iterator
from typing import Any

import torch

from jaxd2l.parity.replacements.norms import EPSILONS
from jaxd2l.parity.replacements.sites import Candidate, Program, Site, instead, together, with_options

_ROOTS = frozenset(("rsqrt", "sqrt", "pow"))
_TO_ROOT = frozenset(("unsqueeze", "reshape", "getitem", "mean", "float", "quiet"))
_SPREADS = frozenset(("var", "std", "var_mean", "std_mean"))
_MOMENTS = _SPREADS | {"mean", "sum"}


def written_norms(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on what stands in a norm that is written out."""
    if site.name in ("normalize", "cosine_similarity", "local_response_norm"):
        yield from _lengths(site)
    elif site.name == "add" and site.scalar is not None:
        yield from _eps_by_hand(site, program)
    elif site.name in ("clamp", "clamp_min", "maximum"):
        yield from _clamped(site, program)
    elif site.name in _SPREADS:
        yield from _corrections(site)


def _corrections(site: Site) -> Iterator[Candidate]:
    """n or n - 1 below the sum of squares."""
    for correction, divisors in ((0, "by n, torch by n-1"), (1, "by n-1, torch by n")):
        hint = f"ddof: matches with ddof={correction}; in var or std JAX divides {divisors}"

        def change(x: torch.Tensor, *args: Any, _c: int = correction, **kw: Any) -> Any:
            dim = args[0] if args and not isinstance(args[0], bool) else kw.get("dim", kw.get("axis"))
            return getattr(torch, site.name)(x, dim=dim, correction=_c, keepdim=_keepdim(args, kw))

        yield instead(site, hint, change)
    if site.name in ("var", "std"):
        other = "std" if site.name == "var" else "var"
        hint = f"{other} in place of {site.name}: the root of the variance"
        power = 0.5 if other == "std" else 2
        yield instead(site, hint, lambda *args, **kwargs: site.function(*args, **kwargs) ** power)


def _keepdim(args: tuple[Any, ...], kw: dict[str, Any]) -> bool:
    flags = [a for a in args[1:] if isinstance(a, bool)]
    return bool(kw.get("keepdim", flags[-1] if flags else False))


def _lengths(site: Site) -> Iterator[Candidate]:
    given = site.named
    for eps in EPSILONS:
        if "eps" in given and eps != given["eps"]:
            hint = f"wrong eps: matches with eps={eps:g} in {site.name}"
            yield instead(site, hint, with_options(site, eps=eps))
    if site.name == "normalize":
        for p in (1.0, 2.0, float("inf")):
            yield instead(site, f"normalize: JAX has p={p:g}, torch {given['p']:g}", with_options(site, p=p))
        hint = "normalize: JAX divides by the squared length, the root is missing"
        yield instead(
            site, hint, lambda x, *a, **k: x / (x * x).sum(given["dim"], keepdim=True).clamp_min(given["eps"])
        )
        hint = "wrong eps: JAX adds eps to the length in normalize, torch takes the larger"
        yield instead(site, hint, lambda x, *a, **k: x / (x.norm(dim=given["dim"], keepdim=True) + given["eps"]))
        for eps in EPSILONS:
            hint = f"wrong eps: JAX divides by sqrt(sum + {eps:g}) in normalize, torch by max(length, {given['eps']:g})"

            def change(x: Any, *a: Any, _e: Any = eps, **k: Any) -> Any:
                return x / ((x * x).sum(given["dim"], keepdim=True) + _e).sqrt()

            yield instead(site, hint, change)
    if site.name == "local_response_norm":
        hint = "local_response_norm: JAX does not divide alpha by the size"
        yield instead(site, hint, with_options(site, alpha=given["alpha"] * given["size"]))
        return
    for dim in range(site.x.dim()):
        yield instead(site, f"axis: JAX's {site.name} is along axis {dim}", with_options(site, dim=dim))


def _eps_by_hand(site: Site, program: Program) -> Iterator[Candidate]:
    """A small number added under a root, or to what a centred value is divided by."""
    theirs = site.scalar
    if theirs is None or not 0 < theirs < 0.1:
        return
    root = program.follows(site, _ROOTS, _TO_ROOT)
    divided = program.follows(site, frozenset(("div", "reciprocal", "rdiv")), frozenset(("unsqueeze",)))
    is_norm = any(s.name in _MOMENTS or s.name in ("norm", "vector_norm", "pow") for s in program.before(site, 4))
    if not is_norm or (root is None and divided is None):
        return
    for eps in EPSILONS:
        if eps != theirs:
            hint = f"wrong eps: matches with eps={eps:g} in the normalisation, torch has {theirs:g}"
            yield instead(site, hint, lambda x, *a, _e=eps, **k: x + _e)
    hint = "wrong eps: JAX takes the larger of eps and the value, torch the sum"
    yield instead(site, hint, lambda x, *a, **k: x.clamp_min(theirs))
    if root is not None:
        way = {"rsqrt": lambda y: 1 / (y.sqrt() + theirs), "sqrt": lambda y: y.sqrt() + theirs}.get(root.name)
        if way is not None:
            hint = "eps outside the root: JAX adds it to the standard deviation, torch to the variance"
            yield together(site, hint, {site.number: lambda x, *a, **k: x, root.number: lambda y, *a, **k: way(y)})
    elif (earlier := program.comes_from(site, frozenset(("std", "sqrt")), frozenset())) is not None:
        hint = "eps inside the root: JAX adds it to the variance, torch to the standard deviation"

        def inside(*a: Any, **k: Any) -> Any:
            return (earlier.function(*a, **k) ** 2 + theirs).sqrt()

        yield together(site, hint, {site.number: lambda x, *a, **k: x, earlier.number: inside})


def _clamped(site: Site, program: Program) -> Iterator[Candidate]:
    """The least length that something is divided by."""
    low = site.kwargs.get("min", site.args[1] if len(site.args) > 1 else None)
    if not isinstance(low, float) or not 0 < low < 0.1 or program.follows(site, _ROOTS | {"div"}, _TO_ROOT) is None:
        return
    for eps in EPSILONS:
        hint = f"wrong eps: matches with eps={eps:g} as the smallest divisor, torch has {low:g}"
        yield instead(site, hint, lambda x, *a, _e=eps, **k: x.clamp_min(_e))
        hint = f"wrong eps: JAX adds {eps:g}, torch takes at least {low:g}"
        yield instead(site, hint, lambda x, *a, _e=eps, **k: x + _e)
