"""Shapes: views, stacks, splits, diagonals, pads."""

import itertools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from parity_tests.operations.counterpart import Counterpart, axes


def _shape(x: Any, shape: tuple[Any, ...]) -> tuple[int, ...]:
    """A shape that torch takes as one argument or as several."""
    given = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
    return tuple(given)


def _expand(x: Any, *shape: Any) -> Any:
    wanted = _shape(x, shape)
    kept = (1,) * (len(wanted) - x.ndim) + x.shape
    return jnp.broadcast_to(x, [old if new == -1 else new for old, new in zip(kept, wanted, strict=True)])


def _reshape(x: Any, *shape: Any) -> Any:
    return jnp.reshape(x, _shape(x, shape))


def _flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    if not x.ndim:
        return x.reshape(1)
    start, end = start_dim % x.ndim, end_dim % x.ndim
    return x.reshape(*x.shape[:start], -1, *x.shape[end + 1 :])


def _unflatten(x: Any, dim: int, sizes: Any) -> Any:
    dim = dim % x.ndim
    return x.reshape(*x.shape[:dim], *sizes, *x.shape[dim + 1 :])


def _chunk(x: Any, chunks: int, dim: int = 0) -> Any:
    size = -(-x.shape[dim] // chunks)
    return jnp.split(x, [*range(size, x.shape[dim], size)], dim)


def _split(x: Any, size: Any, dim: int = 0) -> Any:
    if isinstance(size, int):
        return jnp.split(x, [*range(size, x.shape[dim], size)], dim)
    return jnp.split(x, np.cumsum(size)[:-1], dim)


def _tensor_split(x: Any, parts: Any, dim: int = 0) -> Any:
    return jnp.array_split(x, parts, dim)


def _repeat(x: Any, *counts: Any) -> Any:
    return jnp.tile(x, _shape(x, counts))


def _squeeze(x: Any, dim: Any = None) -> Any:
    wanted = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    return jnp.squeeze(x, tuple(i % x.ndim for i in wanted if x.ndim and x.shape[i] == 1))


def _unbind(x: Any, dim: int = 0) -> Any:
    return [jnp.take(x, i, dim) for i in range(x.shape[dim])]


def _sum_to_size(x: Any, *shape: Any) -> Any:
    wanted = _shape(x, shape)
    kept = (1,) * (x.ndim - len(wanted)) + wanted
    summed = tuple(i for i, (old, new) in enumerate(zip(x.shape, kept, strict=True)) if new == 1 != old)
    return jnp.sum(x, summed, keepdims=True).reshape(wanted)


def _diagonal(x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    return jnp.diagonal(x, offset, dim1, dim2)


def _linalg_diagonal(x: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    return jnp.diagonal(x, offset, dim1, dim2)


def _diag_embed(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    size = x.shape[-1] + abs(offset)
    rows = jnp.arange(x.shape[-1]) + max(-offset, 0)
    made = jnp.zeros((*x.shape[:-1], size, size), x.dtype).at[..., rows, rows + offset].set(x)
    return jnp.moveaxis(made, (-2, -1), (dim1, dim2))


def _diagonal_scatter(x: Any, values: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    turned = jnp.moveaxis(x, (dim1, dim2), (-2, -1))
    rows = jnp.arange(values.shape[-1]) + max(-offset, 0)
    return jnp.moveaxis(turned.at[..., rows, rows + offset].set(values), (-2, -1), (dim1, dim2))


def _roll(x: Any, shifts: Any, dims: Any = None) -> Any:
    return jnp.roll(x, shifts, axes(dims))


def _rot90(x: Any, k: int = 1, dims: Any = (0, 1)) -> Any:
    return jnp.rot90(x, k, dims)


def _pad(x: Any, pad: Any, mode: str = "constant", value: float = 0.0) -> Any:
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[::2], pad[1::2], strict=True))[::-1]
    if mode == "constant":
        cut = x[tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(pairs, x.shape, strict=True))]
        return jnp.pad(cut, [(max(a, 0), max(b, 0)) for a, b in pairs], constant_values=0.0 if value is None else value)
    return jnp.pad(x, pairs, {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode])


def _listed(function: Callable[..., Any]) -> Counterpart:
    """Of several arrays, given as a list or one by one."""
    return lambda x, *more, **options: function(list(x) if isinstance(x, tuple | list) else [x, *more], **options)


def _meshgrid(arrays: Any, indexing: str = "ij") -> Any:
    return jnp.meshgrid(*[jnp.atleast_1d(x) for x in arrays], indexing=indexing)


def _block_diag(arrays: Any) -> Any:
    from jax.scipy.linalg import block_diag

    return block_diag(*arrays)


def _cartesian_prod(arrays: Any) -> Any:
    if len(arrays) == 1:
        return arrays[0]
    return jnp.stack([x.ravel() for x in jnp.meshgrid(*arrays, indexing="ij")], -1)


def _combinations(x: Any, r: int = 2, with_replacement: bool = False) -> Any:
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(len(x)), r)), np.int32).reshape(-1, r)
    return x[rows] if r > 1 else x[rows[:, 0]]


def _unfold(x: Any, dim: int, size: int, step: int) -> Any:
    if not x.ndim:
        return x.reshape(1)
    starts = np.arange(0, x.shape[dim] - size + 1, step)
    windows = jnp.take(x, starts[:, None] + np.arange(size), dim)
    return jnp.moveaxis(windows, dim % x.ndim + 1, -1)


def _as_strided(x: Any, size: Any, stride: Any, storage_offset: int = 0) -> Any:
    places = storage_offset + sum(
        np.arange(n).reshape([-1 if j == i else 1 for j in range(len(size))]) * s
        for i, (n, s) in enumerate(zip(size, stride, strict=True))
    )
    return x.ravel()[np.broadcast_to(places, size)]


SHAPES: dict[str, Counterpart] = {
    "as_strided": _as_strided,
    "as_strided_copy": _as_strided,
    "atleast_1d": lambda *x: jnp.atleast_1d(*x) if not isinstance(x[0], tuple | list) else jnp.atleast_1d(*x[0]),
    "atleast_2d": lambda *x: jnp.atleast_2d(*x) if not isinstance(x[0], tuple | list) else jnp.atleast_2d(*x[0]),
    "atleast_3d": lambda *x: jnp.atleast_3d(*x) if not isinstance(x[0], tuple | list) else jnp.atleast_3d(*x[0]),
    "block_diag": _listed(_block_diag),
    "broadcast_tensors": _listed(lambda arrays: jnp.broadcast_arrays(*arrays)),
    "broadcast_to": _expand,
    "cartesian_prod": _listed(_cartesian_prod),
    "cat": lambda arrays, dim=0: jnp.concatenate([x for x in arrays if x.size], dim),
    "chunk": _chunk,
    "unsafe_chunk": _chunk,
    "column_stack": _listed(jnp.column_stack),
    "combinations": _combinations,
    "constant_pad_nd": lambda x, pad, value=0.0: _pad(x, pad, "constant", value),
    "diag": lambda x, diagonal=0: jnp.diag(x, diagonal),
    "diag_embed": _diag_embed,
    "diagflat": lambda x, offset=0: jnp.diagflat(x, offset),
    "diagonal": _diagonal,
    "diagonal_copy": _diagonal,
    "diagonal_scatter": _diagonal_scatter,
    "dsplit": jnp.dsplit,
    "dstack": _listed(jnp.dstack),
    "expand": _expand,
    "expand_as": lambda x, like: jnp.broadcast_to(x, like.shape),
    "expand_copy": _expand,
    "flatten": _flatten,
    "flip": lambda x, dims: jnp.flip(x, tuple(dims)),
    "fliplr": jnp.fliplr,
    "flipud": jnp.flipud,
    "H": lambda x: jnp.conj(x).T,
    "hsplit": jnp.hsplit,
    "hstack": _listed(jnp.hstack),
    "linalg_diagonal": _linalg_diagonal,
    "meshgrid_list_of_tensors": _listed(_meshgrid),
    "meshgrid_variadic_tensors": _listed(_meshgrid),
    "mH": lambda x: jnp.conj(jnp.matrix_transpose(x)),
    "movedim": lambda x, source, target: jnp.moveaxis(x, source, target),
    "mT": jnp.matrix_transpose,
    "nn_functional_pad_circular": _pad,
    "nn_functional_pad_constant": _pad,
    "nn_functional_pad_reflect": _pad,
    "nn_functional_pad_replicate": _pad,
    "permute": lambda x, dims: jnp.transpose(x, dims),
    "permute_copy": lambda x, dims: jnp.transpose(x, dims),
    "ravel": jnp.ravel,
    "repeat": _repeat,
    "repeat_interleave": lambda x, repeats, dim=None, *, output_size=None: jnp.repeat(
        x, repeats, dim, total_repeat_length=output_size
    ),
    "reshape": _reshape,
    "reshape_as": lambda x, like: jnp.reshape(x, like.shape),
    "roll": _roll,
    "rot90": _rot90,
    "split": _split,
    "split_list_args": _split,
    "split_with_sizes": _split,
    "split_with_sizes_copy": _split,
    "squeeze": _squeeze,
    "squeeze_copy": _squeeze,
    "squeeze_multiple": _squeeze,
    "stack": lambda arrays, dim=0: jnp.stack(arrays, dim),
    "sum_to_size": _sum_to_size,
    "T": lambda x: x.T,
    "t": lambda x: x.T,
    "t_copy": lambda x: x.T,
    "tensor_split": _tensor_split,
    "tile": _repeat,
    "transpose": lambda x, a, b: jnp.swapaxes(x, a, b) if x.ndim else x,
    "transpose_copy": lambda x, a, b: jnp.swapaxes(x, a, b) if x.ndim else x,
    "tril": lambda x, diagonal=0: jnp.tril(x, diagonal),
    "triu": lambda x, diagonal=0: jnp.triu(x, diagonal),
    "unbind": _unbind,
    "unbind_copy": _unbind,
    "unflatten": _unflatten,
    "unfold": _unfold,
    "unfold_copy": _unfold,
    "unsafe_split": _split,
    "unsqueeze": lambda x, dim: jnp.expand_dims(x, dim),
    "unsqueeze_copy": lambda x, dim: jnp.expand_dims(x, dim),
    "view": _reshape,
    "view_as": lambda x, like: jnp.reshape(x, like.shape),
    "view_as_complex": lambda x: x[..., 0] + 1j * x[..., 1],
    "view_copy": _reshape,
    "vsplit": jnp.vsplit,
    "vstack": _listed(jnp.vstack),
}
