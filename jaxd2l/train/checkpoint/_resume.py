"""Training that can be stopped at any moment: its state and history after an epoch, saved and found again."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l._checks.numbers import require_whole
from jaxd2l._files import named_leaves
from jaxd2l.train.checkpoint._arrays import read_arrays, write_arrays
from jaxd2l.train.checkpoint._configuration import differences, surroundings
from jaxd2l.train.checkpoint._sealed import folder_name, forget, passed_over, seal, sealed
from jaxd2l.types import History, TrainState

FORMAT = 2
_DRAWS = ("JAX_THREEFRY_PARTITIONABLE", "JAX_DEFAULT_PRNG_IMPL", "JAX_RANDOM_SEED_OFFSET")
"""What decides which numbers a key or a seed draws."""

_LATER = ("examples",)
"""What older checkpoints do not say of the same run."""

_MANIFEST, _ARRAYS = "manifest.json", "arrays"
_log = logging.getLogger(__name__)


class Checkpoint(NamedTuple):
    """A run as it was at the end of an epoch.

    state: for `fit(state=...)`.
    history: of all epochs so far.
    notes: those given to `save`.
    folder: where it was found.
    """

    state: TrainState
    history: History
    notes: dict[str, Any]
    folder: Path


def save(
    directory: str | os.PathLike[str],
    state: TrainState,
    history: History,
    *,
    configuration: Mapping[str, Any],
    notes: Mapping[str, Any] | None = None,
    keep: int = 3,
) -> Path:
    """Saves a run at the end of an epoch: a new folder in `directory`, which appears whole or not at all.

    The folder holds the arrays, written by Orbax, a manifest in JSON, and the SHA-256 of every file. The position in
    the data need not be saved: the order of an epoch is a function of the key and the epoch's number. Hold the
    directory with `locked` meanwhile. D2L 6.3; in torch `torch.save` of a dictionary with the states of model and
    optimiser, but without pickle.

    Args:
      directory: the folder with the checkpoints of this run, and of no other.
      state: from `fit`'s `on_epoch`.
      history: of all epochs since the first step; after resuming, joined by `join_histories`.
      configuration: from `describe`.
      notes: JSON values to save with it.
      keep: how many checkpoints to keep, this one included; older ones are removed.

    Returns the new folder.

    Raises:
      ValueError: a history that does not belong to the state, or `keep` below 1.
      TypeError: not a state, not a history, or values that JSON does not have.
      OSError: it cannot be written, for example on a full disk; earlier checkpoints are unharmed.
    """
    require_whole(1, keep=keep)  # the new one counts
    for name, value, kind in (("state", state, TrainState), ("history", history, History)):
        if not isinstance(value, kind):
            raise TypeError(f"{name} must be a {kind.__name__}, as fit returns it; got {type(value).__name__}")
    step, reported = int(state.step), history.step_loss.size
    if step != reported:
        raise ValueError(
            f"the state has taken {step} steps, but the history reports {reported}; after resuming, join the earlier "
            "and the new history with join_histories"
        )
    leaves = _named(state, history._asdict())
    arrays = {name: np.asarray(jax.random.key_data(x) if _is_key(x) else x) for name, x in leaves.items()}
    manifest = {
        "format": FORMAT,
        "step": step,
        "epochs": len(history.train_loss),
        "configuration": dict(configuration),
        "arrays": {name: _kind(array) for name, array in arrays.items()},
        "notes": dict(notes or {}),
        "surroundings": surroundings(),
    }

    def fill(folder: Path) -> None:
        (folder / _MANIFEST).write_text(json.dumps(manifest, indent=2))
        write_arrays(folder / _ARRAYS, arrays)

    folder = seal(Path(directory), step, fill)
    forget(Path(directory), step, keep)
    return folder


def restore(
    directory: str | os.PathLike[str], *, like: TrainState, configuration: Mapping[str, Any]
) -> Checkpoint | None:
    """Finds the newest intact checkpoint. A warning names each damaged one, which is passed over.

    Every byte is compared with its SHA-256 before anything is parsed, and only JSON and numbers are parsed: not even
    a forged checkpoint can run code.

    Args:
      directory: the folder given to `save`.
      like: a state with the structure, shapes and dtypes of the saved one: `create_state(key, model, tx)`, or its
        `jax.eval_shape`.
      configuration: from `describe`; it must equal the saved one.

    Returns:
      The checkpoint, bit for bit as saved; None if there is no intact one.

    Raises:
      ValueError: the newest intact checkpoint is of another model, dataset or configuration (the message has every
        difference), or of a format that this version does not know.
    """
    if not isinstance(like, TrainState):
        raise TypeError(f"like must be a TrainState, or its shapes; got {type(like).__name__}")
    if not Path(directory).is_dir():
        return None
    for folder in sealed(Path(directory)):
        try:
            manifest = _read_manifest(folder)
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            passed_over(folder, f"{_MANIFEST} is not one of ours ({type(error).__name__})")
            continue
        _require_same_run(folder, manifest, like, configuration)
        if fault := _exaggeration(folder, manifest, configuration):
            passed_over(folder, fault)
            continue
        try:
            arrays = read_arrays(folder / _ARRAYS, _specs(like, manifest))
        except Exception as error:  # Orbax and TensorStore raise every kind
            passed_over(folder, f"its arrays are not as its manifest says: {error}")
        else:
            return _assembled(folder, manifest["notes"], arrays, like)
    return None


def _named(state: TrainState, history: dict[str, Any]) -> dict[str, Any]:
    return named_leaves({"state": state, "history": history})


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _kind(array: Any) -> str:
    return f"{array.dtype}[{','.join(map(str, array.shape))}]"


def _read_manifest(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / _MANIFEST).read_bytes())
    for name, kind in {"format": int, "step": int, "epochs": int, "notes": dict}.items():
        if not isinstance(manifest[name], kind):
            raise TypeError(f"{name} is not a {kind.__name__}")
    for name in ("configuration", "arrays", "surroundings"):
        if not isinstance(manifest[name], dict):
            raise TypeError(f"{name} is not a dict")
    return dict(manifest)


def _require_same_run(
    folder: Path, manifest: dict[str, Any], like: TrainState, configuration: Mapping[str, Any]
) -> None:
    if manifest["format"] != FORMAT:
        raise ValueError(f"{folder} has format {manifest['format']}, and this version of jaxd2l reads {FORMAT}")
    expected = {name: _kind(spec) for name, spec in _specs(like, manifest).items()}
    # The configuration says it in plain words; the arrays show what it leaves out.
    earlier = {name: configuration[name] for name in _LATER if name in configuration}
    different = differences(earlier | manifest["configuration"], configuration)
    different = different or differences(manifest["arrays"], expected)
    if different:
        raise ValueError(f"{folder} is a checkpoint of another run: {different}")
    there, here = manifest["surroundings"], surroundings()
    there, here = ({name: values[name] for name in there if name in here} for values in (there, here))
    if redrawn := differences(*({name: values[name] for name in _DRAWS if name in there} for values in (there, here))):
        raise ValueError(
            f"{folder} is a checkpoint of a run that drew other random numbers ({redrawn}): its examples would come in "
            "another order from here on; set that as it was"
        )
    if moved := differences(there, here):
        _log.warning("%s was saved elsewhere (%s): the run continues, but its last bits may differ", folder, moved)


def _exaggeration(folder: Path, manifest: dict[str, Any], configuration: Mapping[str, Any]) -> str:
    """In what a manifest claims more than can be; empty if in nothing. Arrays are read only after this."""
    step, epochs = manifest["step"], manifest["epochs"]
    if folder.name != folder_name(step):
        return f"its manifest is one of step {step}"
    n, batch_size = (configuration.get(name) for name in ("examples", "batch_size"))
    if isinstance(n, int) and isinstance(batch_size, int) and batch_size > 0 and step != epochs * -(-n // batch_size):
        return f"{step} steps in {epochs} epochs is not what {n} examples in batches of {batch_size} make"
    return ""


def _specs(like: TrainState, manifest: dict[str, Any]) -> dict[str, jax.ShapeDtypeStruct]:
    """The shapes and dtypes of what a checkpoint of this run holds."""
    epochs, steps = manifest["epochs"], manifest["step"]
    shapes = dict.fromkeys(History._fields, (epochs,)) | {"step_loss": (epochs, steps // max(epochs, 1))}
    history = {name: jax.ShapeDtypeStruct(shape, np.float32) for name, shape in shapes.items()}
    words = {n: jax.eval_shape(jax.random.key_data, x) if _is_key(x) else x for n, x in _named(like, history).items()}
    return {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in words.items()}


def _assembled(folder: Path, notes: dict[str, Any], arrays: dict[str, np.ndarray], like: TrainState) -> Checkpoint:
    # Each leaf is replaced by its name, and then by the array of that name.
    names = jax.tree.unflatten(jax.tree.structure(like), list(_named(like, {})))
    state = jax.tree.map(lambda leaf, name: _like(leaf, arrays[name]), like, names)
    history = History(*(arrays[f"history.{name}"] for name in History._fields))
    return Checkpoint(state, history, notes, folder)


def _like(leaf: Any, array: np.ndarray) -> Any:
    if not _is_key(leaf):
        return jnp.array(array)
    impl: list[Any] = []
    jax.eval_shape(lambda key: impl.append(jax.random.key_impl(key)), leaf)  # how to ask a mere shape for it
    return jax.random.wrap_key_data(jnp.array(array), impl=impl[0])
