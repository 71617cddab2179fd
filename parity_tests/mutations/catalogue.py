"""Every planted defect."""

from collections.abc import Sequence

from parity_tests.mutations.activations import ACTIVATIONS
from parity_tests.mutations.images import IMAGES
from parity_tests.mutations.losses import LOSSES, METRICS
from parity_tests.mutations.models import INITIALISERS, MODELS
from parity_tests.mutations.networks import NETWORKS
from parity_tests.mutations.planting import Mutation
from parity_tests.mutations.tensors import TENSORS
from parity_tests.mutations.training import DATA, SGD, TRAINING_LOOP

MUTATIONS: tuple[Mutation, ...] = (
    *TENSORS,
    *ACTIVATIONS,
    *LOSSES,
    *METRICS,
    *MODELS,
    *INITIALISERS,
    *IMAGES,
    *NETWORKS,
    *SGD,
    *TRAINING_LOOP,
    *DATA,
)


def sample(mutations: Sequence[Mutation], size: int) -> list[Mutation]:
    """Evenly spread over the list, so that every part of the package has its share."""
    return [mutations[i * len(mutations) // size] for i in range(size)]
