"""Reads and writes at places: gather, scatter, masks, embeddings."""

from typing import Any

import jax
import jax.numpy as jnp

from parity_tests.operations.counterpart import Counterpart, inexpressible, with_axis


def _at(x: Any, dim: int, index: Any) -> Any:
    """Where a list of places along an axis is written to."""
    return x.at[(slice(None),) * (dim % x.ndim) + (index,)]


def _places(x: Any, dim: int, index: Any) -> Any:
    """The places that scatter and gather mean, as NumPy writes them."""
    grid = list(jnp.meshgrid(*map(jnp.arange, index.shape), indexing="ij"))
    grid[dim % x.ndim] = index
    return tuple(grid)


def _gather(x: Any, dim: int, index: Any) -> Any:
    return with_axis(x)[_places(x, dim, index)]


def _scatter(x: Any, dim: int, index: Any, source: Any, *, reduce: str | None = None) -> Any:
    at = with_axis(x).at[_places(x, dim, index)]
    values = jnp.broadcast_to(source, index.shape) if not jnp.ndim(source) else source[tuple(map(slice, index.shape))]
    if reduce is None:
        inexpressible("places written twice, of which torch keeps any")
    return at.add(values) if reduce == "add" else at.multiply(values)


def _scatter_add(x: Any, dim: int, index: Any, source: Any) -> Any:
    return with_axis(x).at[_places(x, dim, index)].add(source[tuple(map(slice, index.shape))])


def _scatter_reduce(x: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True) -> Any:
    if not include_self:
        inexpressible("include_self=False")
    at, values = with_axis(x).at[_places(x, dim, index)], source[tuple(map(slice, index.shape))]
    if reduce == "mean":
        count = jnp.ones_like(x).at[_places(x, dim, index)].add(1.0)
        return at.add(values) / count
    return {"sum": at.add, "prod": at.multiply, "amin": at.min, "amax": at.max}[reduce](values)


def _index_reduce(x: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True) -> Any:
    if not include_self:
        inexpressible("include_self=False")
    at = _at(with_axis(x), dim, index)
    if reduce == "mean":
        return at.add(source) / _at(jnp.ones_like(x), dim, index).add(1.0)
    return {"prod": at.multiply, "amin": at.min, "amax": at.max}[reduce](source)


def _select(x: Any, dim: int, index: int) -> Any:
    return jnp.take(x, index % x.shape[dim], dim)


def _narrow(x: Any, dim: int, start: Any, length: int) -> Any:
    return jax.lax.dynamic_slice_in_dim(x, start, length, dim)


def _slice(x: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    return x[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)]


def _slice_scatter(x: Any, source: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    return _at(x, dim, slice(start, end, step)).set(source)


def _masked_select(x: Any, mask: Any) -> Any:
    inexpressible("a result whose shape depends on the numbers")


def _index_put(x: Any, index: Any, values: Any, accumulate: bool = False) -> Any:
    return x.at[tuple(index)].add(values) if accumulate else x.at[tuple(index)].set(values)


def _put(x: Any, index: Any, values: Any, accumulate: bool = False) -> Any:
    flat = x.ravel().at[index.ravel()]
    return (flat.add(values.ravel()) if accumulate else flat.set(values.ravel())).reshape(x.shape)


def _getitem(x: Any, index: Any) -> Any:
    def listed(part: Any) -> Any:
        return jnp.array(part) if isinstance(part, list) else part

    return x[tuple(map(listed, index)) if isinstance(index, tuple) else listed(index)]


def _take_along_dim(x: Any, index: Any, dim: int | None = None) -> Any:
    return jnp.take_along_axis(x, index, dim) if dim is not None else x.ravel()[index.ravel()]


def _unsafe_masked_index(x: Any, mask: Any, index: Any, fill: Any) -> Any:
    inside = tuple(jnp.clip(i, -n, n - 1) for i, n in zip(index, x.shape, strict=False))
    return jnp.where(mask, x[inside], fill)


def _embedding(index: Any, weight: Any, **options: Any) -> Any:
    if options.get("max_norm") is not None or options.get("scale_grad_by_freq") or "padding_idx" in options:
        inexpressible("max_norm, scale_grad_by_freq or padding_idx")
    return weight[index]


INDEXING: dict[str, Counterpart] = {
    "__getitem__": _getitem,
    "_unsafe_masked_index": _unsafe_masked_index,
    "gather": _gather,
    "index_add": lambda x, dim, index, source, *, alpha=1: _at(with_axis(x), dim, index).add(alpha * source),
    "index_copy": lambda x, dim, index, source: _at(with_axis(x), dim, index).set(source),
    "index_fill": lambda x, dim, index, value: _at(with_axis(x), dim, index).set(value),
    "index_put": _index_put,
    "index_reduce_amax": _index_reduce,
    "index_reduce_amin": _index_reduce,
    "index_reduce_mean": _index_reduce,
    "index_reduce_prod": _index_reduce,
    "index_select": lambda x, dim, index: jnp.take(with_axis(x), index, dim),
    "masked_fill": lambda x, mask, value: jnp.where(mask, value, x),
    "narrow": _narrow,
    "narrow_copy": _narrow,
    "nn_functional_embedding": lambda weight, index, **options: _embedding(index, weight, **options),
    "put": _put,
    "scatter": _scatter,
    "scatter_add": _scatter_add,
    "scatter_reduce_amax": _scatter_reduce,
    "scatter_reduce_amin": _scatter_reduce,
    "scatter_reduce_mean": _scatter_reduce,
    "scatter_reduce_prod": _scatter_reduce,
    "scatter_reduce_sum": _scatter_reduce,
    "select": _select,
    "select_scatter": lambda x, source, dim, index: _at(x, dim, index).set(source),
    "slice": _slice,
    "slice_scatter": _slice_scatter,
    "take": lambda x, index: x.ravel()[index],
    "take_along_dim": _take_along_dim,
}
