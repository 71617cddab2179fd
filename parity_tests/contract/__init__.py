"""Where torch and JAX give different values on purpose, and where users wonder whether they do: as data that is run.

A clause holds source text and the value it gives, as a session would show it; nothing in the table is only asserted.
The JAX column is what a plain port would write (`jax`, `optax`, `flax`); the last column is this package's. When a
release of a library changes one of the values, `contract_test.py` fails and names the clause.
"""

from parity_tests.contract.clause import Clause
from parity_tests.contract.gradients import GRADIENTS
from parity_tests.contract.images import IMAGES
from parity_tests.contract.layers import LAYERS, OPTIMISERS
from parity_tests.contract.losses import LOSSES
from parity_tests.contract.norms import NORMS
from parity_tests.contract.optimizers import ADAPTIVE
from parity_tests.contract.schedules import SCHEDULES
from parity_tests.contract.tensors import TENSORS

CLAUSES: tuple[Clause, ...] = (
    *TENSORS,
    *GRADIENTS,
    *LOSSES,
    *LAYERS,
    *IMAGES,
    *NORMS,
    *OPTIMISERS,
    *ADAPTIVE,
    *SCHEDULES,
)
"""All of them, in the order of the book."""
