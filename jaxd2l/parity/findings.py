"""What a check found, as data. NumPy only."""

from typing import Any, Literal, NamedTuple

from jaxd2l.parity.flips import Flip
from jaxd2l.parity.pairing import Pair
from jaxd2l.parity.rule import Row, holds
from jaxd2l.parity.source_lines import Line

CurveQuantity = Literal["loss", "distance"]


class LayerMatch(NamedTuple):
    """A torch layer, and how close some array that JAX computes comes to its output; None if none has its shape."""

    layer: str
    nearest: Row | None


class Divergence(NamedTuple):
    """Where the two programs part.

    layer: the torch layer; "" if JAX computes all that torch does, and then something else.
    quantity: what exactly of it, for example "lstm (LSTM) output[0]" or "block (Block): softmax".
    torch_line: of the user's code; None if there is none, as in an `nn.Sequential`.
    jax_line: where JAX computes something else instead; None if its code is not known.
    """

    layer: str
    quantity: str
    torch_line: Line | None
    jax_line: Line | None


class Curve(NamedTuple):
    """One number per training step.

    quantity: "loss" (before the step), or "distance" of the parameters from the oracle's (after it).
    run: which run, for example "JAX float32".
    """

    quantity: CurveQuantity
    run: str
    values: list[float]


class Findings(NamedTuple):
    """What `parity.check` found; a `Report` has forms in which to read it.

    rows: one comparison each, in the order of the levels.
    context: versions, device, threads, shapes.
    pairs: which JAX parameter is which torch parameter.
    layers: torch's layers in the order in which they run, each looked for in JAX, in float64.
    first_diverging: the torch layer from which on JAX computes nothing that torch does; "" if the outputs agree.
    where: the same to the line of source, on both sides; None if the outputs agree.
    traces: losses and distances over the training run.
    flips: where float32 took another branch of a relu, say, than float64.
    unseen: what the check did not look at, a sentence each.
    coverage: what these batches never made the model do, such as reach the bound of a clamp, a sentence each.
    """

    rows: tuple[Row, ...]
    context: dict[str, Any] = {}  # noqa: RUF012  # read only, and a NamedTuple's default
    pairs: tuple[Pair, ...] = ()
    layers: tuple[LayerMatch, ...] = ()
    first_diverging: str = ""
    where: Divergence | None = None
    traces: tuple[Curve, ...] = ()
    flips: tuple[Flip, ...] = ()
    unseen: tuple[str, ...] = ()
    coverage: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return all(map(holds, self.rows))

    @property
    def curves(self) -> dict[str, list[float]]:
        """The traces by name, such as "loss, JAX float32"; one number per step."""
        return {f"{trace.quantity}, {trace.run}": trace.values for trace in self.traces}

    @property
    def failures(self) -> tuple[Row, ...]:
        """The rows that do not hold."""
        return tuple(row for row in self.rows if not holds(row))
