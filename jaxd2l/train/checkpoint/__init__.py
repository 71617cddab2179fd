"""Parameters on disk, and whole training runs that can be stopped at any moment and resumed to the same bits.

`save_params` and `load_params` handle parameters alone. `save`, called from `fit`'s `on_epoch`, keeps everything that
a run needs to continue; `restore` finds the newest intact checkpoint; `fit(state=...)` continues from there.

>>> import tempfile
>>> from jaxd2l.train.checkpoint import describe, join_histories, locked, restore, save
>>> from jaxd2l.train import fit
>>> data, key = synthetic_regression(jax.random.key(0), np.array([2.0, -3.4]), 4.2), jax.random.key(1)
>>> run = (models.linear_regression(2), losses.squared_loss, optax.sgd(0.03), data)
>>> configuration = describe(data, key=key, batch_size=32, lr=0.03)
>>> with tempfile.TemporaryDirectory() as directory, locked(directory):
...     state, first_two = fit(*run, key=key, epochs=2, batch_size=32)
...     folder = save(directory, state, first_two, configuration=configuration)
...     found = restore(directory, like=state, configuration=configuration)
>>> _, third = fit(*run, key=key, epochs=3, batch_size=32, state=found.state)
>>> join_histories(found.history, third).train_loss.shape
(3,)
"""

from jaxd2l._files import read_tensors
from jaxd2l.train._history import join_histories
from jaxd2l.train.checkpoint._configuration import describe
from jaxd2l.train.checkpoint._params import load_params, save_params
from jaxd2l.train.checkpoint._resume import Checkpoint, restore, save
from jaxd2l.train.checkpoint._sealed import locked
from jaxd2l.train.checkpoint._torch_names import from_state_dict, layers_to_params, to_state_dict

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


def __dir__() -> list[str]:
    return __all__
