"""Which device of a mesh gets which examples. Parameters are whole on every device.

Data parallelism is a layout, not another program: the step that `train.fit` runs on one device runs on batches that
are spread over a mesh, and XLA splits the work and adds up the gradients. So every model, loss and optimiser that
trains on one device trains on many, to the same losses within rounding: sums are taken in another order.
"""

import jax
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from jaxd2l.types import Batch


def require_usable(mesh: Mesh) -> None:
    """Refuses a mesh that `train.fit` cannot train on.

    Raises:
      ValueError: an axis that is not `AxisType.Auto`, a process without a device in the mesh, or processes with
        different numbers of devices.
      TypeError: no mesh at all, such as a number of devices.
    """
    if not isinstance(mesh, Mesh):
        raise TypeError(f"mesh must be one of devices, as sharding.make_mesh makes it; got {mesh!r}")
    if any(kind != AxisType.Auto for kind in mesh.axis_types):
        raise ValueError(f"the axes of the mesh must be AxisType.Auto, as sharding.make_mesh makes them; got {mesh}")
    counts = np.bincount([device.process_index for device in jax.devices()])
    if len(set(counts)) > 1:
        raise ValueError(f"every process must have as many devices as the others; they have {counts.tolist()}")
    absent = set(range(jax.process_count())) - {device.process_index for device in mesh.devices.flat}
    if absent:
        raise ValueError(f"every process must have a device in the mesh; processes {sorted(absent)} have none")


def replicate(mesh: Mesh, tree: PyTree) -> PyTree:
    """A pytree of arrays, whole on every device of the mesh. Each process must hand in the same."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def place(mesh: Mesh, examples: Batch, batches: list[np.ndarray]) -> Batch:
    """Batches of a set, each spread evenly over the mesh. A process copies only what its own devices hold.

    Device k of D gets rows kP/D to (k+1)P/D of every batch, P being the batch size rounded up to a multiple of D.
    What is added so, and to a short last batch, is copies of the first example, which `first_rows` takes off again.

    Args:
      mesh: the devices.
      examples: the whole set, on the host; a memory-mapped one is read only where it is needed.
      batches: indices into it as `data.epoch_indices` gives them, none longer than the first.

    Returns:
      Arrays (len(batches), P, ...), the second axis spread over the mesh.

    >>> from jaxd2l.train.sharding import make_mesh
    >>> placed = place(make_mesh(1), digits().train, [np.array([5, 3, 8]), np.array([1])])
    >>> placed.inputs.shape
    (2, 3, 8, 8, 1)
    """
    padded = -(-len(batches[0]) // mesh.size) * mesh.size
    indices = np.zeros((len(batches), padded), np.int32)
    for row, batch in zip(indices, batches, strict=True):
        row[: len(batch)] = batch
    layout = NamedSharding(mesh, PartitionSpec(None, mesh.axis_names))
    shards = layout.addressable_devices_indices_map(indices.shape)
    own = {shard[1].indices(padded) for shard in shards.values() if shard is not None}
    local = np.concatenate([indices[:, slice(*columns)] for columns in sorted(own)], axis=1)

    def put(values: np.ndarray) -> jax.Array:
        rows = values[local].astype(jax.dtypes.canonicalize_dtype(values.dtype), copy=False)
        return jax.make_array_from_process_local_data(layout, rows, (*indices.shape, *values.shape[1:]))

    return Batch(put(np.asarray(examples.inputs)), put(np.asarray(examples.labels)))


def first_rows(mesh: Mesh, tree: PyTree, size: int) -> PyTree:
    """Inside a compiled program: the first `size` rows of arrays spread over the mesh, which stay where they are.

    `size` need not be a multiple of the number of devices: XLA then gives the last ones less, and keeps what is
    beyond the rows out of every sum. So the program that follows sees a batch of its true size, and nothing else.
    """
    layout = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
    return jax.tree.map(lambda x: lax.with_sharding_constraint(x[:size], layout), tree)


def everywhere(mesh: Mesh, tree: PyTree) -> PyTree:
    """Inside a compiled program: arrays that every device of the mesh shall have whole."""
    return lax.with_sharding_constraint(tree, NamedSharding(mesh, PartitionSpec()))
