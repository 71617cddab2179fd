"""The devices that train together: `train.fit(mesh=sharding.make_mesh())`."""

import jax
from jax.sharding import AxisType, Mesh

from jaxd2l._checks.numbers import require_whole

__all__ = ["make_mesh"]


def __dir__() -> list[str]:
    return __all__


def make_mesh(num_devices: int | None = None) -> Mesh:
    """A mesh of one axis, "data", for `train.fit(mesh=...)`. D2L 13.5; torch's `DistributedDataParallel`.

    Args:
      num_devices: how many devices of each process; by default all of them.

    Raises:
      ValueError: a process has fewer devices.
      TypeError: not a whole number.

    >>> mesh = make_mesh(1)
    >>> mesh.axis_names, mesh.size
    (('data',), 1)
    """
    devices = jax.devices()
    if num_devices is not None:
        require_whole(None, num_devices=num_devices)
        by_process = [[d for d in devices if d.process_index == p] for p in range(jax.process_count())]
        found = min(map(len, by_process))
        if not 1 <= num_devices <= found:
            raise ValueError(
                f"a mesh of {num_devices} devices cannot be made: there are {found} ({devices[0].platform}) here. On "
                f"a CPU set XLA_FLAGS=--xla_force_host_platform_device_count={max(num_devices, 1)} before JAX starts"
            )
        devices = [device for own in by_process for device in own[:num_devices]]
    return jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)
