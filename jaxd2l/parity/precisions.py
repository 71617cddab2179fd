"""The precision in which both libraries compute where they do not compute in float64."""

from typing import Any, Literal, NamedTuple

import jax
import ml_dtypes
import numpy as np

PrecisionName = Literal["float32", "bfloat16", "tf32", "default"]


class Precision(NamedTuple):
    """A precision, ready to compute in.

    name: of its roundoff, a key of `rule.ROUNDOFF`.
    in_torch, in_numpy: the types of parameters and inputs on both sides.
    matmul: JAX's precision of matrix products.
    said: what the report says of it.
    """

    name: str = "float32"
    in_torch: str = "float32"
    in_numpy: Any = np.float32
    matmul: str = "highest"
    said: str = "float32; matrix products with all digits: JAX's precision is set to 'highest'"


def precision_of(name: PrecisionName) -> Precision:
    """What `check(precision=name)` means on JAX's device.

    >>> precision_of("bfloat16").name, precision_of("tf32").name
    ('bfloat16', 'float32')
    """
    device = jax.default_backend()
    if name == "bfloat16":
        said = "bfloat16: parameters, inputs and labels of both sides, as module.to(torch.bfloat16) has them"
        return Precision(name, "bfloat16", ml_dtypes.bfloat16, "default", said)
    if name == "tf32":
        said = "tf32 in JAX's matrix products; torch computes on the CPU, which has no tf32"
        if device == "cpu":
            said = "tf32, which a CPU does not have, so on both sides matrix products are float32"
        return Precision("float32" if device == "cpu" else "tf32", matmul="tensorfloat32", said=said)
    if name == "default":
        of_products = {"cpu": "float32", "tpu": "bfloat16"}.get(device, "tf32")
        said = f"float32; matrix products as each library computes them by default, {of_products} on JAX's {device}"
        return Precision(of_products, matmul="default", said=said)
    return Precision()
