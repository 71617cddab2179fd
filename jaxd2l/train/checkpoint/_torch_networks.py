"""Networks of images with the names and the layout of the book's torch classes, and back, bit for bit."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

_OURS_TO_TORCH = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
COUNTER = "num_batches_tracked"
_FLATTENED = ("lenet", "alexnet", "vgg", "batch-norm-lenet")
"""Those whose first fully connected layer sees whole images, in torch channels first."""


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
        raise ValueError(f"{network} cannot be exported; {', '.join(EXPORTED)} can")
    found: dict[str, np.ndarray] = {}
    channels = 0
    for name in sorted(tensors, key=_by_number):
        array, torch_name = tensors[name], torch_name_of(network, name)
        if name.endswith("kernel") and array.ndim == 4:
            channels, array = array.shape[-1], array.transpose(3, 2, 0, 1)
        elif name.endswith("kernel"):
            array, channels = _rows_channels_first(array, channels if network in _FLATTENED else 0).T, 0
        if torch_name.endswith("running_var"):
            found[torch_name.replace("running_var", COUNTER)] = np.array(steps, np.int64)
        found[torch_name] = np.ascontiguousarray(array)
    return found


def network_tensors(
    network: str, shapes: Mapping[str, tuple[int, ...]], state_dict: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The arrays of a run from the `state_dict()` of the book's class: the inverse of `network_state_dict`.

    Args:
      network: one of EXPORTED.
      shapes: of the arrays that are wanted, by their names.
      state_dict: arrays under torch's names; how often batch normalisation has counted is passed over.

    Raises:
      ValueError: names that are missing or too many, another shape, or another dtype than float32.

    >>> kernel = np.arange(6.0, dtype=np.float32).reshape(3, 2)
    >>> there = network_state_dict("nin", {"0.kernel": kernel})
    >>> network_tensors("nin", {"0.kernel": (3, 2)}, there)["0.kernel"].tolist() == kernel.tolist()
    True
    """
    given = {name: array for name, array in state_dict.items() if not name.endswith(COUNTER)}
    # Numbered elements go to torch's layout, and so say where each of its elements comes from.
    numbered = {name: np.arange(np.prod(shape, dtype=int)).reshape(shape) for name, shape in shapes.items()}
    wanted = {n: x for n, x in network_state_dict(network, numbered).items() if not n.endswith(COUNTER)}
    if differing := sorted(given.keys() ^ wanted.keys()):
        raise ValueError(f"the book's {network} has {len(wanted)} arrays, of which some differ: {', '.join(differing)}")
    found = {}
    for name, shape in shapes.items():
        torch_name = torch_name_of(network, name)
        array, places = given[torch_name], wanted[torch_name]
        if array.shape != places.shape or array.dtype != np.float32:
            raise ValueError(
                f"{torch_name!r} is {array.dtype} of shape {array.shape}, but for the book's {network} it must be "
                f"float32 of shape {places.shape}"
            )
        found[name] = np.empty(shape, np.float32)
        found[name].reshape(-1)[places] = array
    return found


def torch_name_of(network: str, name: str) -> str:
    """What the book's class calls an array of ours."""
    place, _, what = name.removeprefix("params.").removeprefix("state.").rpartition(".")
    return f"net.{_PLACES[network](place)}.{_OURS_TO_TORCH.get(what, what)}"


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
    return place


def _in_googlenet(place: str) -> str:
    """Stages, blocks in them, and in a block the paths `b1_1` to `b4_2`."""
    match = re.fullmatch(r"(\d+\.\d+)\.(\d)(?:\.(\d))?\.0", place)
    return f"{match[1]}.b{int(match[2]) + 1}_{int(match[3] or 0) + 1}" if match else place


def _in_resnet(place: str) -> str:
    """The stem, the stages `b2` and so on, and `last`."""
    return _in_stages(place, "b{}", 1, {0: "conv1", 1: "bn1", 3: "conv2", 4: "bn2"}, ("conv3",), "last.2")


def _in_densenet(place: str) -> str:
    """The stem, `dense_blk1`, `tran_blk1` and so on in turn, and `last`."""
    part, _, rest = place.partition(".")
    number = (int(part) + 1) // 2
    if part == "0":
        return place
    if match := re.fullmatch(r"(\d+)\.1\.(\d)", rest):
        return f"dense_blk{number}.net.{match[1]}.{match[2]}"
    if rest:
        return f"tran_blk{number}.{rest}"
    return {"8": "last.0", "11": "last.4"}[part]


def _in_regnet(place: str) -> str:
    """The stem, `stage1` and so on, and `head`."""
    inside = {0: "conv1", 1: "bn1", 3: "conv2", 4: "bn2", 6: "conv3", 7: "bn3"}
    return _in_stages(place, "stage{}", 0, inside, ("conv4", "bn4"), "head.2")


def _in_stages(
    place: str, stage: str, offset: int, inside: Mapping[int, str], shortcut: tuple[str, ...], last: str
) -> str:
    """Stages of blocks `relu(f(x) + shortcut(x))`."""
    if re.fullmatch(r"0\.\d+", place):
        return place
    match = re.fullmatch(r"(\d+)\.(\d+)\.0\.([01])(?:\.(\d))?", place)
    if not match:
        return last
    at = int(match[4] or 0)
    return f"{stage.format(int(match[1]) + offset)}.{match[2]}.{shortcut[at] if int(match[3]) else inside[at]}"


_PLACES: dict[str, Callable[[str], str]] = {
    "lenet": _in_sequence,
    "alexnet": _in_sequence,
    "vgg": _in_sequence,
    "nin": _in_sequence,
    "googlenet": _in_googlenet,
    "batch-norm-lenet": _in_sequence,
    "resnet18": _in_resnet,
    "densenet": _in_densenet,
    "regnet": _in_regnet,
}
"""Where the book's class has, inside of its `net`, what ours has at a place."""

EXPORTED = tuple(_PLACES)


def _by_number(name: str) -> list[Any]:
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", name))]
