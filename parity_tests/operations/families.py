"""All counterparts by family."""

from parity_tests.operations.activations import ACTIVATIONS
from parity_tests.operations.binary import BINARY
from parity_tests.operations.convolutions import CONVOLUTIONS
from parity_tests.operations.counterpart import Counterpart
from parity_tests.operations.elementwise import ELEMENTWISE
from parity_tests.operations.fft import FFT
from parity_tests.operations.indexing import INDEXING
from parity_tests.operations.layers import LAYERS
from parity_tests.operations.linalg import LINALG
from parity_tests.operations.losses import LOSSES
from parity_tests.operations.reductions import REDUCTIONS
from parity_tests.operations.shapes import SHAPES
from parity_tests.operations.special import SPECIAL

FAMILIES: dict[str, dict[str, Counterpart]] = {
    "functions of one number": ELEMENTWISE,
    "functions of two or more numbers": BINARY,
    "special functions": SPECIAL,
    "reductions, accumulations, sorting": REDUCTIONS,
    "shapes": SHAPES,
    "indexing": INDEXING,
    "linear algebra": LINALG,
    "Fourier transforms": FFT,
    "activations": ACTIVATIONS,
    "losses and distances": LOSSES,
    "convolutions and pools": CONVOLUTIONS,
    "norms, attention and other layers": LAYERS,
}
"""The tables of counterparts, by what is written over them."""

MODULES_OF_FLAX = "modules of Flax"
"""The family of `modules.MODULES`."""


def family_of(name: str) -> str:
    """The family of an operation or module."""
    return next((family for family, table in FAMILIES.items() if name in table), MODULES_OF_FLAX)
