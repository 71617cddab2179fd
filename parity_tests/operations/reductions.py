"""Sums, means, extrema and what else reduces or accumulates along axes; sorting."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from parity_tests.operations.counterpart import Counterpart, axes, inexpressible, with_axis


def _reduction(reduce: Callable[..., Any]) -> Counterpart:
    return lambda x, dim=None, keepdim=False: reduce(x, axis=axes(dim), keepdims=keepdim)


def _ddof(unbiased: bool | None, correction: float | None) -> float:
    if correction is not None:
        return correction
    return 1 if unbiased is None else int(unbiased)


def _spread(reduce: Callable[..., Any]) -> Counterpart:
    def spread(x: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> Any:
        return reduce(x, axis=axes(dim), ddof=_ddof(unbiased, correction), keepdims=keepdim)

    return spread


def _spread_unbiased(reduce: Callable[..., Any]) -> Counterpart:
    return lambda x, unbiased: reduce(x, ddof=int(unbiased))


def _spread_and_mean(reduce: Callable[..., Any]) -> Counterpart:
    def both(x: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> Any:
        spread = reduce(x, axis=axes(dim), ddof=_ddof(unbiased, correction), keepdims=keepdim)
        return spread, jnp.mean(x, axes(dim), keepdims=keepdim)

    return both


def _extremum(reduce: Callable[..., Any], place: Callable[..., Any]) -> Counterpart:
    def extremum(x: Any, dim: int, keepdim: bool = False) -> Any:
        return reduce(with_axis(x), dim, keepdims=keepdim), place(x, dim, keepdims=keepdim)

    return extremum


def _running(accumulate: Callable[..., Any]) -> Counterpart:
    return lambda x, dim: accumulate(x, dim) if x.ndim else x


def _running_extremum(accumulate: Callable[..., Any]) -> Counterpart:
    def running(x: Any, dim: int) -> Any:
        values = accumulate(x, dim % max(x.ndim, 1))
        places = jnp.where(x == values, lax.broadcasted_iota(jnp.int32, x.shape, dim % x.ndim), 0)
        return values, lax.cummax(places, dim % x.ndim)

    return running


def _median(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """torch takes the lower of the two middle numbers."""
    if dim is not None:
        inexpressible("the place of the median, of which there may be several")
    return jnp.sort(x.ravel())[(x.size - 1) // 2]


def _quantile(compute: Callable[..., Any]) -> Counterpart:
    def quantile(x: Any, q: Any, dim: Any = None, keepdim: bool = False, interpolation: str = "linear") -> Any:
        return compute(x, q, axis=dim, keepdims=keepdim, method=interpolation)

    return quantile


def _sort(x: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    if not x.ndim:
        return x, jnp.zeros((), jnp.int32)
    order = jnp.argsort(x, axis=dim, descending=descending)
    return jnp.take_along_axis(x, order, dim), order


def _argsort(x: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    return jnp.argsort(x, axis=dim, descending=descending) if x.ndim else jnp.zeros((), jnp.int32)


def _topk(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    if not largest or not x.ndim:
        inexpressible("the smallest k, or of a scalar")
    values, places = lax.top_k(jnp.moveaxis(x, dim, -1), k)
    return jnp.moveaxis(values, -1, dim), jnp.moveaxis(places, -1, dim)


def _kthvalue(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    order = jnp.take(jnp.argsort(with_axis(x), axis=dim), jnp.array([k - 1]), axis=dim)
    values = jnp.take_along_axis(x, order, dim)
    return (values, order) if keepdim else (values.squeeze(dim), order.squeeze(dim))


def _trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    return jnp.trapezoid(y, x, dx, dim)


def _diff(x: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    return jnp.diff(x, n, dim, prepend, append)


def _cov(x: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    if fweights is not None:
        inexpressible("fweights, whose values JAX must know when it compiles")
    return jnp.cov(x, ddof=correction, fweights=fweights, aweights=aweights)


def _searchsorted(edges: Any, x: Any, *, out_int32: bool = False, right: bool = False, side: Any = None) -> Any:
    if edges.ndim != 1:
        inexpressible("several rows of edges")
    return jnp.searchsorted(edges, x, side=side or ("right" if right else "left"))


def _count_nonzero(x: Any, dim: Any = None) -> Any:
    return jnp.count_nonzero(x, axis=axes(dim))


def _renorm(x: Any, p: float, dim: int, maxnorm: float) -> Any:
    others = tuple(i for i in range(x.ndim) if i != dim % x.ndim)
    norms = jnp.sum(jnp.abs(x) ** p, others, keepdims=True) ** (1 / p)
    return x * jnp.where(norms > maxnorm, maxnorm / (norms + 1e-7), 1.0)


REDUCTIONS: dict[str, Counterpart] = {
    "sum": _reduction(jnp.sum),
    "mean": _reduction(jnp.mean),
    "nansum": _reduction(jnp.nansum),
    "nanmean": _reduction(jnp.nanmean),
    "amax": _reduction(jnp.max),
    "amin": _reduction(jnp.min),
    "all": _reduction(jnp.all),
    "any": _reduction(jnp.any),
    "argmax": lambda x, dim=None, keepdim=False: jnp.argmax(x if dim is None else with_axis(x), dim, keepdims=keepdim),
    "argmin": lambda x, dim=None, keepdim=False: jnp.argmin(x if dim is None else with_axis(x), dim, keepdims=keepdim),
    "prod": _reduction(jnp.prod),
    "aminmax": lambda x, dim=None, keepdim=False: [f(x, dim, keepdims=keepdim) for f in (jnp.min, jnp.max)],
    "std": _spread(jnp.std),
    "var": _spread(jnp.var),
    "std_mean": _spread_and_mean(jnp.std),
    "var_mean": _spread_and_mean(jnp.var),
    "std_unbiased": _spread_unbiased(jnp.std),
    "var_unbiased": _spread_unbiased(jnp.var),
    "std_mean_unbiased": lambda x, unbiased: (jnp.std(x, ddof=int(unbiased)), jnp.mean(x)),
    "var_mean_unbiased": lambda x, unbiased: (jnp.var(x, ddof=int(unbiased)), jnp.mean(x)),
    "max_reduction_no_dim": jnp.max,
    "min_reduction_no_dim": jnp.min,
    "max_reduction_with_dim": _extremum(jnp.max, jnp.argmax),
    "min_reduction_with_dim": _extremum(jnp.min, jnp.argmin),
    "cumsum": _running(jnp.cumsum),
    "cumprod": _running(jnp.cumprod),
    "cummax": _running_extremum(lax.cummax),
    "cummin": _running_extremum(lax.cummin),
    "median": _median,
    "quantile": _quantile(jnp.quantile),
    "nanquantile": _quantile(jnp.nanquantile),
    "sort": _sort,
    "argsort": _argsort,
    "msort": lambda x: jnp.sort(x, 0),
    "topk": _topk,
    "kthvalue": _kthvalue,
    "trapz": _trapezoid,
    "trapezoid": _trapezoid,
    "diff": _diff,
    "cov": _cov,
    "corrcoef": jnp.corrcoef,
    "count_nonzero": _count_nonzero,
    "searchsorted": _searchsorted,
    "bucketize": lambda x, edges, *, out_int32=False, right=False: jnp.digitize(x, edges, right=not right),
    "isin": lambda x, test: jnp.isin(x, test),
    "renorm": _renorm,
    "trace": jnp.trace,
}
