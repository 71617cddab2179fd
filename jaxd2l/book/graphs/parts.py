"""What a graph consists of: the values of a computation, and the operators between them."""

from typing import Literal, NamedTuple

Role = Literal["argument", "constant", "intermediate", "output", "residual"]


class Value(NamedTuple):
    """An array of the graph: a square in the book's figure.

    name: the parameter's, the one given by `jax.ad_checkpoint.checkpoint_name`, a formula, or v1, v2, ...
    dtype: in the short form of jaxprs: f32, i32, bool.
    nbytes: its size in memory.
    role: "residual" is an array that only the backward pass needs, such as the mask `z > 0` of a relu.
    kept: whether the backward pass keeps it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    role: Role
    kept: bool


class Operation(NamedTuple):
    """An operator, a circle in the book's figure: its name, and the numbers of the values it takes and returns."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
