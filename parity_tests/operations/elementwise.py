"""Functions of one number: JAX's counterparts of torch's."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from parity_tests.operations.counterpart import Counterpart, inexpressible


def _logit(x: Any, eps: float | None = None) -> Any:
    return jax.scipy.special.logit(x if eps is None else jnp.clip(x, eps, 1 - eps))


def _clamp(x: Any, min: Any = None, max: Any = None) -> Any:
    return jnp.clip(x, min, max)


def _nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    return jnp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


def _round(x: Any, decimals: int = 0) -> Any:
    return jnp.round(x, decimals)


def _copy(x: Any, memory_format: Any = None) -> Any:
    if memory_format is not None:
        inexpressible("memory_format")
    return jnp.copy(x)


ELEMENTWISE: dict[str, Counterpart] = {
    "abs": jnp.abs,
    "acos": jnp.arccos,
    "acosh": jnp.arccosh,
    "angle": jnp.angle,
    "asin": jnp.arcsin,
    "asinh": jnp.arcsinh,
    "atan": jnp.arctan,
    "atanh": jnp.arctanh,
    "ceil": jnp.ceil,
    "clamp": _clamp,
    "clone": _copy,
    "conj": jnp.conj,
    "conj_physical": jnp.conj,
    "contiguous": _copy,
    "alias_copy": jnp.copy,
    "cos": jnp.cos,
    "cosh": jnp.cosh,
    "deg2rad": jnp.deg2rad,
    "exp": jnp.exp,
    "exp2": jnp.exp2,
    "expm1": jnp.expm1,
    "floor": jnp.floor,
    "frac": lambda x: x - jnp.trunc(x),
    "frexp": jnp.frexp,
    "isfinite": jnp.isfinite,
    "isinf": jnp.isinf,
    "isnan": jnp.isnan,
    "isneginf": jnp.isneginf,
    "isposinf": jnp.isposinf,
    "isreal": jnp.isreal,
    "log": jnp.log,
    "log10": jnp.log10,
    "log1p": jnp.log1p,
    "log2": jnp.log2,
    "logical_not": jnp.logical_not,
    "logit": _logit,
    "nan_to_num": _nan_to_num,
    "neg": jnp.negative,
    "positive": jnp.positive,
    "rad2deg": jnp.rad2deg,
    "real": jnp.real,
    "reciprocal": jnp.reciprocal,
    "resolve_conj": jnp.asarray,
    "resolve_neg": jnp.asarray,
    "round": _round,
    "round_decimals_0": _round,
    "round_decimals_3": _round,
    "rsqrt": lax.rsqrt,
    "sgn": jnp.sign,
    "sigmoid": jax.nn.sigmoid,
    "sign": jnp.sign,
    "signbit": jnp.signbit,
    "sin": jnp.sin,
    "sinc": jnp.sinc,
    "sinh": jnp.sinh,
    "sqrt": jnp.sqrt,
    "square": jnp.square,
    "tan": jnp.tan,
    "tanh": jnp.tanh,
    "trunc": jnp.trunc,
}
