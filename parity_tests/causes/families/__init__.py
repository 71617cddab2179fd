"""The planted defects, family by family."""

from parity_tests.causes.families import (
    activations,
    attention,
    convolutions,
    embeddings,
    gradients,
    layout,
    losses,
    norms,
    pooling,
    recurrent,
    resizing,
    structure,
    training,
)
from parity_tests.causes.settings import Defect

DEFECTS: list[Defect] = [
    *activations.DEFECTS, *convolutions.DEFECTS, *pooling.DEFECTS, *layout.DEFECTS, *norms.DEFECTS,
    *attention.DEFECTS, *recurrent.DEFECTS, *resizing.DEFECTS, *embeddings.DEFECTS, *structure.DEFECTS,
    *losses.DEFECTS, *training.DEFECTS, *gradients.DEFECTS,
]  # fmt: skip
