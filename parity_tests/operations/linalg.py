"""Linear algebra. Where a sign or a phase is free, what does not depend on it is compared."""

from typing import Any

import jax
import jax.numpy as jnp
import torch
from jax import lax

from parity_tests.operations.counterpart import Adapted, Counterpart, inexpressible


def _addmm(x: Any, a: Any, b: Any, *, alpha: float = 1, beta: float = 1) -> Any:
    return beta * x + alpha * (a @ b)


def _addbmm(x: Any, a: Any, b: Any, *, alpha: float = 1, beta: float = 1) -> Any:
    return beta * x + alpha * jnp.einsum("bij,bjk->ik", a, b)


def _addr(x: Any, a: Any, b: Any, *, alpha: float = 1, beta: float = 1) -> Any:
    return beta * x + alpha * jnp.outer(a, b)


def _einsum(arrays: Any, equation: str) -> Any:
    return jnp.einsum(equation, *arrays)


def _tensordot(a: Any, b: Any, dims: Any) -> Any:
    return jnp.tensordot(a, b, dims)


def _cholesky(x: Any, upper: bool = False) -> Any:
    return jnp.linalg.cholesky(x, upper=upper)


def _cholesky_solve(b: Any, factor: Any, upper: bool = False) -> Any:
    def solve(b: Any, factor: Any) -> Any:
        return jax.scipy.linalg.cho_solve((jnp.triu(factor) if upper else jnp.tril(factor), not upper), b)

    return jnp.vectorize(solve, signature="(n,k),(n,n)->(n,k)")(b, factor)


def _cholesky_inverse(factor: Any, upper: bool = False) -> Any:
    identity = jnp.broadcast_to(jnp.eye(factor.shape[-1], dtype=factor.dtype), factor.shape)
    return _cholesky_solve(identity, factor, upper)


def _triangle(operation: Any, factor: int) -> Any:
    """torch's operation on the triangle of its factor: what it says of the gradient elsewhere means nothing."""

    def on_triangle(*args: Any, upper: bool = False) -> Any:
        x = args[factor]
        return operation(*args[:factor], x.triu() if upper else x.tril(), upper=upper)

    return on_triangle


def _solve(a: Any, b: Any, *, left: bool = True) -> Any:
    if not left:
        return jnp.matrix_transpose(_solve(jnp.matrix_transpose(a), jnp.matrix_transpose(b)))
    is_vector = b.ndim == 1 or b.shape == a.shape[:-1]
    return jnp.linalg.solve(a, b[..., None])[..., 0] if is_vector else jnp.linalg.solve(a, b)


def _solve_triangular(a: Any, b: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    batch = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (jnp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b))
    return lax.linalg.triangular_solve(a, b, left_side=left, lower=not upper, unit_diagonal=unitriangular)


def _triangular_solve(b: Any, a: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False) -> Any:
    batch = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (jnp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b))
    return lax.linalg.triangular_solve(
        a, b, left_side=True, lower=not upper, transpose_a=transpose, unit_diagonal=unitriangular
    )


def _vector_norm(x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False) -> Any:
    if dim is None or dim == () or dim == []:
        dim = tuple(range(x.ndim))
    if isinstance(dim, int) and not x.ndim:
        dim = ()
    return jnp.linalg.vector_norm(x, ord=ord, axis=dim if isinstance(dim, int) else tuple(dim), keepdims=keepdim)


def _norm(x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False) -> Any:
    if dim is None and ord is None:
        x, dim = (x.ravel(), 0) if not keepdim else inexpressible("keepdim of all axes")
    return jnp.linalg.norm(x, ord, tuple(dim) if isinstance(dim, list) else dim, keepdim)


def _old_norm(x: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False) -> Any:
    if p in ("fro", "nuc"):
        axis = (-2, -1) if dim is None else tuple(dim)
        if p == "fro" and dim is None:
            axis = tuple(range(x.ndim))
            return jnp.sqrt(jnp.sum(x * x, axis, keepdims=keepdim))
        return jnp.linalg.norm(x, p, axis, keepdim)
    return _vector_norm(x, p, dim, keepdim)


def _matrix_norm(x: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False) -> Any:
    return jnp.linalg.norm(x, ord, tuple(dim), keepdim)


def _multi_dot(arrays: Any) -> Any:
    return jnp.linalg.multi_dot(arrays)


def _pinv(x: Any, *, rtol: Any = None, atol: Any = None, hermitian: bool = False) -> Any:
    if rtol is not None or atol is not None:
        inexpressible("rtol or atol, of which jnp.linalg.pinv cuts other singular values")
    return jnp.linalg.pinv(x, hermitian=hermitian)


def _spectrum(values: Any, vectors: Any, power: Any) -> Any:
    """V diag(f(w)) V^H, which no sign of an eigenvector changes."""
    return (vectors * power(values)[..., None, :]) @ vectors.swapaxes(-1, -2).conj()


def _eigh_of_torch(outputs: Any) -> Any:
    return [outputs[0], _spectrum(outputs[0], outputs[1], lambda w: w.sin())]


def _eigh(x: Any, UPLO: str = "L") -> Any:
    values, vectors = jnp.linalg.eigh(_symmetric(x), UPLO)
    return [values, _spectrum(values, vectors, jnp.sin)]


def _symmetric(x: Any) -> Any:
    """torch reads one triangle alone, JAX the mean of both: only for a symmetric matrix are they the same."""
    return x + x.swapaxes(-1, -2).conj()


def _svd_of_torch(outputs: Any) -> Any:
    return outputs[1]


def _svd(x: Any, some: bool = True, compute_uv: bool = True) -> Any:
    return jnp.linalg.svd(x, compute_uv=False)


def _qr_of_torch(outputs: Any) -> Any:
    """R^T R, and Q with the sign of R's diagonal: the same for every choice of signs."""
    q, r = outputs
    return [r.mT @ r] if q.numel() == 0 else [r.mT @ r, (q[..., : r.shape[-2]] ** 2)]


def _qr(x: Any, mode: str = "reduced") -> Any:
    if mode == "r":
        r = jnp.linalg.qr(x, "r")
        return [jnp.matrix_transpose(r) @ r]
    q, r = jnp.linalg.qr(x, mode)
    return [jnp.matrix_transpose(r) @ r, q[..., : r.shape[-2]] ** 2]


def _lu(x: Any, *, pivot: bool = True) -> Any:
    if not pivot:
        inexpressible("an LU decomposition without pivots")
    return jax.scipy.linalg.lu(x)


def _lu_factor(x: Any, *, pivot: bool = True) -> Any:
    if not pivot:
        inexpressible("an LU decomposition without pivots")
    packed, pivots = jax.scipy.linalg.lu_factor(x)
    return packed, pivots + 1


def _lstsq(a: Any, b: Any, driver: str | None = None) -> Any:
    if b.ndim != 2 or a.ndim != 2:
        inexpressible("a batch")
    if driver == "gelsy":
        inexpressible("gelsy, which gives other bits each time")
    return jnp.linalg.lstsq(a, b)[0]


def _cross(a: Any, b: Any, dim: int | None = None) -> Any:
    a, b = jnp.broadcast_arrays(a, b)
    return jnp.cross(a, b, axis=-1 if dim is None else dim)


def _old_cross(a: Any, b: Any, dim: int | None = None) -> Any:
    return jnp.cross(a, b, axis=a.shape.index(3) if dim is None else dim)


def _vander(x: Any, *, N: int | None = None) -> Any:
    if x.ndim != 1:
        inexpressible("a batch")
    return jnp.vander(x, N, increasing=True)


def _cdist(x: Any, y: Any, p: float = 2.0, compute_mode: Any = None) -> Any:
    if p == 0 or p == float("inf"):
        inexpressible("p = 0 or inf")
    return jnp.sum(jnp.abs(x[..., :, None, :] - y[..., None, :, :]) ** p, -1) ** (1 / p)


def _matrix_exp(x: Any) -> Any:
    return jnp.vectorize(jax.scipy.linalg.expm, signature="(n,n)->(n,n)")(x)


def _all(outputs: Any) -> Any:
    return outputs


LINALG: dict[str, Counterpart] = {
    "__rmatmul__": lambda x, y: y @ x,
    "addbmm": _addbmm,
    "addmm": _addmm,
    "addmm_decomposed": _addmm,
    "addmv": _addmm,
    "addr": _addr,
    "baddbmm": _addmm,
    "bmm": jnp.matmul,
    "cdist": _cdist,
    "cholesky": _cholesky,
    "cholesky_inverse": Adapted(_all, _cholesky_inverse, _triangle(torch.cholesky_inverse, 0)),
    "cholesky_solve": Adapted(_all, _cholesky_solve, _triangle(torch.cholesky_solve, 1)),
    "cross": _old_cross,
    "dot": jnp.dot,
    "einsum": _einsum,
    "inner": jnp.inner,
    "kron": jnp.kron,
    "linalg_cholesky": _cholesky,
    "linalg_cond": lambda x, p=None: jnp.linalg.cond(x, p),
    "linalg_cross": _cross,
    "linalg_det": jnp.linalg.det,
    "linalg_eigh": Adapted(_eigh_of_torch, _eigh, lambda x, UPLO="L": torch.linalg.eigh(_symmetric(x), UPLO)),
    "linalg_eigvalsh": Adapted(
        _all,
        lambda x, UPLO="L": jnp.linalg.eigvalsh(_symmetric(x), UPLO),
        lambda x, UPLO="L": torch.linalg.eigvalsh(_symmetric(x), UPLO),
    ),
    "linalg_inv": jnp.linalg.inv,
    "linalg_inv_ex": Adapted(lambda outputs: outputs[0], lambda x, *, check_errors=False: jnp.linalg.inv(x)),
    "linalg_lstsq": Adapted(lambda outputs: outputs[0], _lstsq),
    "linalg_lu": _lu,
    "linalg_lu_factor": _lu_factor,
    "linalg_matrix_norm": _matrix_norm,
    "linalg_matrix_power": jnp.linalg.matrix_power,
    "linalg_multi_dot": _multi_dot,
    "linalg_norm": _norm,
    "linalg_pinv": _pinv,
    "linalg_pinv_hermitian": Adapted(
        _all,
        lambda x, *, hermitian: jnp.linalg.pinv(_symmetric(x), hermitian=hermitian),
        lambda x, *, hermitian: torch.linalg.pinv(_symmetric(x), hermitian=hermitian),
    ),
    "linalg_qr": Adapted(_qr_of_torch, _qr),
    "linalg_slogdet": jnp.linalg.slogdet,
    "linalg_solve": _solve,
    "linalg_solve_ex": Adapted(
        lambda outputs: outputs[0], lambda a, b, *, left=True, check_errors=False: _solve(a, b, left=left)
    ),
    "linalg_solve_triangular": _solve_triangular,
    "linalg_svd": Adapted(_svd_of_torch, lambda x, full_matrices=True: _svd(x)),
    "linalg_svdvals": _svd,
    "linalg_tensorinv": lambda x, ind=2: jnp.linalg.tensorinv(x, ind),
    "linalg_tensorsolve": lambda a, b, dims=None: jnp.linalg.tensorsolve(a, b, dims),
    "linalg_vander": _vander,
    "linalg_vecdot": lambda a, b, *, dim=-1: jnp.linalg.vecdot(a, b, axis=dim),
    "linalg_vector_norm": _vector_norm,
    "logdet": lambda x: jnp.linalg.slogdet(x)[1],
    "matmul": jnp.matmul,
    "matrix_exp": _matrix_exp,
    "mm": jnp.matmul,
    "mv": jnp.matmul,
    "norm": _old_norm,
    "norm_fro": _old_norm,
    "norm_inf": _old_norm,
    "norm_nuc": _old_norm,
    "outer": jnp.outer,
    "pinverse": lambda x, rcond=1e-15: jnp.linalg.pinv(x, rcond),
    "svd": Adapted(_svd_of_torch, _svd),
    "tensordot": _tensordot,
    "triangular_solve": Adapted(lambda outputs: outputs[0], _triangular_solve),
    "vdot": jnp.vdot,
}
