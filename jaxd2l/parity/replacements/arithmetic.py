"""Another axis, sign, factor or function in plain arithmetic."""

from collections.abc import Iterator
from typing import Any

import torch

from jaxd2l.parity.replacements.sites import Candidate, Change, Program, Site, instead, tensor_of

_REDUCTIONS = frozenset(
    "sum mean amax amin prod var std logsumexp cumsum cumprod norm vector_norm argmax argmin median".split()  # noqa: SIM905
)
_FUNCTIONS = {
    "log": ("log2", "log10", "log1p"), "log2": ("log", "log10"), "log10": ("log", "log2"), "log1p": ("log",),
    "exp": ("expm1", "exp2"), "expm1": ("exp",), "exp2": ("exp",), "sqrt": ("square", "rsqrt"),
    "rsqrt": ("sqrt", "reciprocal"), "maximum": ("minimum",), "minimum": ("maximum",), "amax": ("amin",),
    "amin": ("amax",), "floor": ("round", "ceil", "trunc"), "round": ("floor", "ceil"), "ceil": ("floor", "round"),
    "trunc": ("floor", "round"), "abs": ("square",), "square": ("abs",), "sin": ("cos",), "cos": ("sin",),
    "argmax": ("argmin",), "fmod": ("remainder",), "remainder": ("fmod",), "sign": ("abs",), "erf": ("tanh",),
    "sinh": ("cosh",), "logaddexp": ("logaddexp2", "maximum"), "floor_divide": ("div",),
}  # fmt: skip
"""Functions that are taken for one another."""


def arithmetic(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on plain arithmetic."""
    if site.name in _REDUCTIONS:
        yield from _axes(site)
    for other in _FUNCTIONS.get(site.name, ()):
        function = getattr(torch, other)
        hint = f"{other} in place of {site.name} in JAX"
        yield instead(site, hint, lambda *a, _f=function, **k: _f(*a, **k))
    if site.name in ("sub", "div") and site.scalar is None:
        sign = "-" if site.name == "sub" else "/"
        hint = f"order: JAX has b {sign} a for torch's a {sign} b"
        yield instead(site, hint, lambda a, b, *rest, **k: site.function(b, a))
    words = {"add": "adds", "sub": "subtracts", "mul": "multiplies"}
    for other in {"sub": ("add",), "add": ("sub", "mul"), "mul": ("add",)}.get(site.name, ()):
        if site.scalar is None:
            hint = f"sign or operation: JAX {words[other]}, torch {words[site.name]}"
            yield instead(site, hint, lambda a, b, *rest, _o=other, **k: getattr(torch, _o)(a, b), 1)
    if site.scalar is not None and site.name in ("mul", "div", "add", "sub", "pow"):
        yield from _constants(site)
    if site.name == "matmul":
        yield from _products(site)
    if site.name == "clamp":
        low, high = (
            site.kwargs.get(n, site.args[i] if len(site.args) > i else None) for i, n in ((1, "min"), (2, "max"))
        )
        yield instead(site, "clamp is missing in JAX", lambda x, *a, **k: x)
        if low is not None and high is not None:
            yield instead(site, "clamp: JAX has no upper bound", lambda x, *a, **k: x.clamp_min(low))
            yield instead(site, "clamp: JAX has no lower bound", lambda x, *a, **k: x.clamp_max(high))
            for bounds in ((-1, 1), (0, 1), (0, 6), (-5, 5), (-10, 10), (-2, 2)):
                hint = f"clamp: JAX's bounds are {bounds}, torch's {(low, high)}"
                yield instead(site, hint, lambda x, *a, _b=bounds, **k: x.clamp(*_b))
    if site.name in ("cumsum", "cumprod"):
        dim = site.args[1] if len(site.args) > 1 else site.kwargs["dim"]
        hint = f"order: JAX's {site.name} runs backwards"
        yield instead(site, hint, lambda x, *a, **k: site.function(x.flip(dim), dim).flip(dim))
        if site.name == "cumsum":
            yield instead(
                site,
                "off by one: JAX's cumsum leaves out the place itself",
                lambda x, *a, **k: x.cumsum(dim) - x,
            )
    if site.name in ("sort", "argsort", "topk"):
        yield from _sorted(site)
    if site.name == "neg":
        yield instead(site, "the sign is missing in JAX", lambda x: x, 1)
    if site.name in ("norm", "vector_norm"):
        for p in (1.0, 2.0, float("inf")):
            hint = f"norm: JAX's has p={p:g}"
            yield instead(site, hint, _norm_with(site, p))
        hint = "norm: JAX has no root, it is the sum of squares"
        yield instead(site, hint, lambda *a, **k: site.function(*a, **k) ** 2)


def _norm_with(site: Site, p: float) -> Change:
    dim = site.kwargs.get("dim", site.args[2] if len(site.args) > 2 else None)
    return lambda x, *args, **kwargs: torch.linalg.vector_norm(x, p, dim, site.kwargs.get("keepdim", False))


def _axes(site: Site) -> Iterator[Candidate]:
    """A reduction or a running sum over another axis, where the result still fits."""
    x, y = site.x, site.output
    if x is None or not x.dim() or (not isinstance(y, torch.Tensor) and not hasattr(y, "values")):
        return
    dim = site.kwargs.get("dim", site.args[1] if len(site.args) > 1 else None)
    if not isinstance(dim, int) and not (isinstance(dim, tuple | list) and len(dim) >= 1):
        return
    theirs = tuple(d % x.dim() for d in (dim if isinstance(dim, tuple | list) else (dim,)))
    for start in range(x.dim()):
        axes = tuple((start + i) % x.dim() for i in range(len(theirs)))
        if set(axes) == set(theirs) or len(set(axes)) < len(theirs):
            continue
        one = axes if isinstance(dim, tuple | list) else axes[0]
        hint = f"axis: JAX takes {site.name} over axis {one}, torch over {dim}"

        def change(*args: Any, _d: Any = one, **kwargs: Any) -> Any:
            return site.function(args[0], _d, *args[2:], **{n: v for n, v in kwargs.items() if n != "dim"})

        yield instead(site, hint, change)


def _constants(site: Site) -> Iterator[Candidate]:
    theirs = site.scalar or 0.0
    words = {
        "mul": "the factor",
        "div": "the divisor",
        "add": "the summand",
        "sub": "what is subtracted,",
        "pow": "the power",
    }
    hint = f"{words[site.name]} {theirs:g} is missing in JAX"
    yield instead(site, hint, lambda *a, **k: tensor_of(a), 1)
    if site.name in ("mul", "div"):
        other = torch.div if site.name == "mul" else torch.mul
        hint = f"JAX {'divides' if site.name == 'mul' else 'multiplies'} by {theirs:g}, torch does the opposite"
        yield instead(site, hint, lambda *a, **k: other(tensor_of(a), theirs), 1)
        yield instead(
            site,
            f"the factor {theirs:g} is applied twice in JAX",
            lambda *a, **k: site.function(site.function(*a, **k), theirs),
            1,
        )
        yield instead(site, f"the sign of {theirs:g} is the other in JAX", lambda *a, **k: -site.function(*a, **k), 1)
        hint = f"the root of the factor: JAX has sqrt({theirs:g})"
        yield instead(site, hint, lambda *a, **k: site.function(tensor_of(a), abs(theirs) ** 0.5), 1)
    if site.name == "pow":
        for power in (0.5, 1, 2, 3, -0.5, -1):
            if power != theirs:
                yield instead(
                    site,
                    f"power: JAX has {power:g}, torch {theirs:g}",
                    lambda *a, _p=power, **k: tensor_of(a) ** _p,
                    1,
                )


def _products(site: Site) -> Iterator[Candidate]:
    a, b = (site.args[i] if len(site.args) > i else None for i in (0, 1))
    if not isinstance(a, torch.Tensor) or not isinstance(b, torch.Tensor):
        return
    if b.dim() > 1 and b.shape[-1] == b.shape[-2]:
        hint = "transposed: JAX multiplies with the transpose of the second matrix"
        yield instead(site, hint, lambda a, b, *rest, **k: site.function(a, b.mT))
    if a.dim() > 1 and a.shape[-1] == a.shape[-2]:
        hint = "transposed: JAX multiplies with the transpose of the first matrix"
        yield instead(site, hint, lambda a, b, *rest, **k: site.function(a.mT, b))
    if a.shape == b.shape and a.dim() > 1 and a.shape[-1] == a.shape[-2]:
        hint = "order: JAX multiplies the matrices the other way round"
        yield instead(site, hint, lambda a, b, *rest, **k: site.function(b, a))


def _sorted(site: Site) -> Iterator[Candidate]:
    if site.name == "topk":
        hint = "topk: JAX takes the smallest"
        yield instead(site, hint, lambda x, k, *a, **kw: torch.topk(x, k, largest=not kw.get("largest", True)))
        return
    dim = site.kwargs.get("dim", -1)
    hint = "order: JAX sorts the other way round"
    flag = not site.kwargs.get("descending", False)
    yield instead(site, hint, lambda x, *a, **k: site.function(x, dim=dim, descending=flag))
    for axis in range(site.x.dim()):
        hint = f"axis: JAX sorts along axis {axis}"
        yield instead(site, hint, lambda x, *a, _a=axis, **k: site.function(x, dim=_a, descending=not flag))
