"""Functions of two or more numbers."""

from typing import Any

import jax.numpy as jnp
from jax import lax

from parity_tests.operations.counterpart import Counterpart


def _add(x: Any, y: Any, alpha: float = 1) -> Any:
    return x + alpha * y


def _sub(x: Any, y: Any, alpha: float = 1) -> Any:
    return x - alpha * y


def _isclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    return jnp.isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan)


def _dist(x: Any, y: Any, p: float = 2) -> Any:
    return jnp.linalg.norm((x - y).ravel(), p)


BINARY: dict[str, Counterpart] = {
    "add": _add,
    "sub": _sub,
    "rsub": lambda x, y, alpha=1: y - alpha * x,
    "mul": jnp.multiply,
    "true_divide": jnp.true_divide,
    "div_no_rounding_mode": jnp.divide,
    "div_trunc_rounding": lambda x, y, rounding_mode: jnp.trunc(x / y),
    "div_floor_rounding": lambda x, y, rounding_mode: jnp.floor_divide(x, y),
    "floor_divide": jnp.floor_divide,
    "__radd__": lambda x, y: y + x,
    "__rdiv__": lambda x, y: y / x,
    "__rmul__": lambda x, y: y * x,
    "__rmod__": lambda x, y: jnp.remainder(y, x),
    "__rpow__": lambda x, y: jnp.power(y, x),
    "__rsub__": lambda x, y: y - x,
    "addcmul": lambda x, a, b, value=1: x + value * a * b,
    "addcdiv": lambda x, a, b, value=1: x + value * a / b,
    "atan2": jnp.arctan2,
    "clamp_max": jnp.minimum,
    "clamp_min": jnp.maximum,
    "complex": lax.complex,
    "copysign": jnp.copysign,
    "dist": _dist,
    "eq": jnp.equal,
    "fmax": jnp.fmax,
    "fmin": jnp.fmin,
    "fmod": jnp.fmod,
    "ge": jnp.greater_equal,
    "gt": jnp.greater,
    "heaviside": jnp.heaviside,
    "hypot": jnp.hypot,
    "isclose": _isclose,
    "ldexp": lambda x, n: x * 2.0**n,
    "le": jnp.less_equal,
    "lerp": lambda x, y, weight: x + weight * (y - x),
    "logical_and": jnp.logical_and,
    "logical_or": jnp.logical_or,
    "logical_xor": jnp.logical_xor,
    "lt": jnp.less,
    "max_binary": jnp.maximum,
    "maximum": jnp.maximum,
    "min_binary": jnp.minimum,
    "minimum": jnp.minimum,
    "ne": jnp.not_equal,
    "polar": lambda r, phi: lax.complex(r * jnp.cos(phi), r * jnp.sin(phi)),
    "pow": jnp.power,
    "remainder": jnp.remainder,
    "where": lambda x, mask, y: jnp.where(mask, x, y),
}
