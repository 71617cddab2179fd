"""Networks of images with the names and the layout of the book's torch classes."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

EXPORTED = ("lenet", "batch-norm-lenet", "resnet18")
"""Those whose places are known in the book's torch classes."""

_OURS_TO_TORCH = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
_RESIDUAL = ("conv1", "bn1", "", "conv2", "bn2")


def network_state_dict(network: str, tensors: Mapping[str, np.ndarray], *, steps: int = 0) -> dict[str, np.ndarray]:
    """The arrays of a run as in the `state_dict()` of the book's class.

    Kernels of convolutions become (outputs, inputs, height, width). The first fully connected layer after images gets
    its rows in torch's order: channels first.

    Args:
      network: one of EXPORTED.
      tensors: as in the run's file of parameters; with running averages, "params.NAME" and "state.NAME".
      steps: what torch's batch normalisation shall say it has counted.

    Raises:
      ValueError: another network.
    """
    if network not in EXPORTED:
        raise ValueError(f"{network} cannot be exported yet; {', '.join(EXPORTED)} can")
    name_of = _in_resnet if network == "resnet18" else _in_sequence
    found: dict[str, np.ndarray] = {}
    channels = 0
    for name in sorted(tensors, key=_by_number):
        array = tensors[name]
        place, _, what = name.removeprefix("params.").removeprefix("state.").rpartition(".")
        torch_name = name_of(place)
        if what == "kernel" and array.ndim == 4:
            channels, array = array.shape[-1], array.transpose(3, 2, 0, 1)
        elif what == "kernel":
            array, channels = _rows_channels_first(array, channels).T, 0
        if what == "var":
            found[f"{torch_name}.num_batches_tracked"] = np.array(steps, np.int64)
        found[f"{torch_name}.{_OURS_TO_TORCH.get(what, what)}"] = np.ascontiguousarray(array)
    return found


def _rows_channels_first(kernel: np.ndarray, channels: int) -> np.ndarray:
    """The rows for flattened square images (channels, height, width), where they were for (height, width, channels).

    channels: of the images that are flattened; 0 if the layer before was fully connected.
    """
    if not channels:
        return kernel
    side = round((len(kernel) / channels) ** 0.5)
    images = kernel.reshape(side, side, channels, -1)
    return images.transpose(2, 0, 1, 3).reshape(len(kernel), -1)


def _in_sequence(place: str) -> str:
    return f"net.{place}"


def _in_resnet(place: str) -> str:
    """`net.0`, the stem; `net.b2` and so on, the stages; `net.last`."""
    if match := re.fullmatch(r"0\.(\d+)", place):
        return f"net.0.{match[1]}"
    if match := re.fullmatch(r"(\d+)\.(\d+)\.0\.0\.(\d)", place):
        return f"net.b{int(match[1]) + 1}.{match[2]}.{_RESIDUAL[int(match[3])]}"
    if match := re.fullmatch(r"(\d+)\.(\d+)\.0\.1", place):
        return f"net.b{int(match[1]) + 1}.{match[2]}.conv3"
    return "net.last.2"


def _by_number(name: str) -> list[Any]:
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", name))]
