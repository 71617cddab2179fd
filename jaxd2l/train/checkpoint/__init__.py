"""Parameters on disk, and whole training runs: stopped at any moment, resumed to the same bits.

`save_params` and `load_params` keep the parameters alone. `save`, from `fit`'s `on_epoch`, keeps all that a run needs
to go on; `restore` finds the newest whole checkpoint; `fit(state=...)` goes on from there.
"""

from jaxd2l.train.checkpoint.configuration import describe
from jaxd2l.train.checkpoint.params import load_params, read_tensors, save_params
from jaxd2l.train.checkpoint.resume import Checkpoint, join_histories, restore, save
from jaxd2l.train.checkpoint.sealed import locked
from jaxd2l.train.checkpoint.torch_names import from_state_dict, layers_to_params, to_state_dict

__all__ = [
    "Checkpoint",
    "describe",
    "from_state_dict",
    "join_histories",
    "layers_to_params",
    "load_params",
    "locked",
    "read_tensors",
    "restore",
    "save",
    "save_params",
    "to_state_dict",
]
